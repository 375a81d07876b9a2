//! Lines on their way to a console beside the main output: two pieces of memory of fixed size, one
//! that the collector fills and one that a writer thread empties. Bounded: what does not fit is
//! the collector's to count.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::primitive::{AtomicBool, Ordering};

/// Bytes of each piece.
const PIECE_BYTES: usize = 1 << 20;

/// A piece of memory and how much of it is lines.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Box<[u8]>,
    len: usize,
}

impl Piece {
    /// An empty one.
    pub(crate) fn new() -> Piece {
        Piece { bytes: vec![0; PIECE_BYTES].into(), len: 0 }
    }

    /// Its lines.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// How many lines end behind the byte `from`.
    pub(crate) fn count_from(&self, from: usize) -> u64 {
        self.lines()[from..].iter().filter(|byte| **byte == b'\n').count() as u64
    }

    /// Forgets its lines.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

/// What the two threads share.
#[derive(Debug)]
pub(crate) struct SideBuffer {
    filling: Mutex<Piece>,
    /// Nobody will ever read again.
    is_closed: AtomicBool,
}

impl SideBuffer {
    pub(crate) fn new() -> SideBuffer {
        SideBuffer { filling: Mutex::new(Piece::new()), is_closed: AtomicBool::new(false) }
    }

    /// Lets `write` put one line into the room; it gives the line's length, or none if it found too
    /// little. Whether the line is in. Neither thread holds the lock while it waits for anything.
    pub(crate) fn put(&self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        if self.is_closed.load(Ordering::Relaxed) {
            return false;
        }
        let mut filling = self.lock();
        // Again: nobody takes what comes in behind the closing.
        if self.is_closed.load(Ordering::Relaxed) {
            return false;
        }
        let len = filling.len;
        let line = write(&mut filling.bytes[len..]);
        filling.len += line.unwrap_or(0);
        line.is_some()
    }

    /// Gives the lines so far, in exchange for an empty piece.
    pub(crate) fn take(&self, empty: &mut Piece) {
        debug_assert!(empty.len == 0);
        std::mem::swap(&mut *self.lock(), empty);
    }

    /// From now on nothing is taken in; gives how many lines are left that nobody will take.
    pub(crate) fn close(&self) -> u64 {
        let mut filling = self.lock();
        self.is_closed.store(true, Ordering::Relaxed);
        let left = filling.count_from(0);
        filling.clear();
        left
    }

    fn lock(&self) -> MutexGuard<'_, Piece> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &SideBuffer, line: &[u8]) -> bool {
        buffer.put(|room| {
            room.get_mut(..line.len())?.copy_from_slice(line);
            Some(line.len())
        })
    }

    #[test]
    fn what_fits_comes_out_in_order_and_the_rest_is_refused() {
        let (buffer, line) = (SideBuffer::new(), [b'x'; 1000]);
        let taken = (0..2_000).filter(|_| put(&buffer, &line)).count();
        assert_eq!(taken, PIECE_BYTES / 1000);
        let mut piece = Piece::new();
        buffer.take(&mut piece);
        assert_eq!(piece.lines(), line.repeat(taken));
        assert!(put(&buffer, b"next\n"));
        piece.clear();
        buffer.take(&mut piece);
        assert_eq!(piece.lines(), b"next\n");
        assert_eq!(buffer.close(), 0);
        assert!(!put(&buffer, b"late\n"));
    }

    #[test]
    fn what_nobody_took_is_counted_when_it_is_closed() {
        let buffer = SideBuffer::new();
        assert!(put(&buffer, b"one\n") && put(&buffer, b"two\n"));
        assert_eq!((buffer.close(), buffer.close()), (2, 0));
    }
}

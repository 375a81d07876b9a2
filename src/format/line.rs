//! The place that a line is written to: a borrowed piece of memory of fixed length, and what
//! happens when it ends. Runs on the collector.

use std::fmt;

/// Longest copy that is done in overlapping halves of fixed size instead of calling `memcpy`.
const SHORT_MAX: usize = 32;

/// Bytes being written one behind the other. What does not fit is not written at all, nor is
/// anything after it: the buffer is then [full](LineBuffer::is_full).
#[derive(Debug)]
pub(crate) struct LineBuffer<'a> {
    /// Ends at `len` once the buffer is full, so that `put` needs no flag.
    out: &'a mut [u8],
    len: usize,
    full: bool,
    overflow: Overflow,
}

/// What becomes of a text that does not fit.
#[derive(Clone, Copy, Debug)]
enum Overflow {
    Refuse,
    /// As many of its characters are written as fit.
    Cut,
}

/// Whether all of a part fitted into its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Cut,
}

impl<'a> LineBuffer<'a> {
    /// An empty buffer over `out`.
    pub(crate) fn new(out: &'a mut [u8]) -> LineBuffer<'a> {
        LineBuffer { out, len: 0, full: false, overflow: Overflow::Refuse }
    }

    /// Bytes written.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether something did not fit.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Appends bytes. Within [`within`](LineBuffer::within) they may be cut, at a character.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if !self.copy(bytes) {
            self.overflow(bytes);
        }
    }

    /// Appends bytes that are never cut: an escape sequence.
    #[inline(always)]
    pub(crate) fn put_whole(&mut self, bytes: &[u8]) {
        if !self.copy(bytes) {
            self.close();
        }
    }

    /// Appends a byte.
    #[inline(always)]
    pub(crate) fn put_byte(&mut self, byte: u8) {
        match self.out.get_mut(self.len) {
            Some(room) => {
                *room = byte;
                self.len += 1;
            }
            None => self.close(),
        }
    }

    /// Forgets what was written after the first `len` bytes. A full buffer stays full.
    pub(crate) fn truncate_to(&mut self, len: usize) {
        self.len = len.min(self.len);
        if self.full {
            self.close();
        }
    }

    /// Lets `write` append at most `max` bytes: a text is cut there at a whole character or escape
    /// sequence. Where this buffer ends before, it is full.
    #[inline(always)]
    pub(crate) fn within(&mut self, max: usize, write: impl FnOnce(&mut LineBuffer<'_>)) -> Extent {
        let room = self.out.len() - self.len;
        let end = self.len + room.min(max);
        let out = &mut self.out[..end];
        let mut part = LineBuffer { out, len: self.len, full: false, overflow: Overflow::Cut };
        write(&mut part);
        let (len, cut) = (part.len, part.full);
        self.len = len;
        if cut && room < max {
            self.close();
        }
        if cut { Extent::Cut } else { Extent::Whole }
    }

    #[inline(always)]
    fn copy(&mut self, bytes: &[u8]) -> bool {
        match self.out[self.len..].get_mut(..bytes.len()) {
            Some(room) => {
                copy_short(room, bytes);
                self.len += bytes.len();
                true
            }
            None => false,
        }
    }

    #[cold]
    #[inline(never)]
    fn overflow(&mut self, bytes: &[u8]) {
        if let Overflow::Cut = self.overflow {
            let room = self.out.len() - self.len;
            // Of text that is valid UTF-8, one of the last four bytes begins a character.
            let is_start = |at: &usize| bytes[*at] & 0b1100_0000 != 0b1000_0000;
            let end = (0..=room).rev().find(is_start).unwrap_or(0);
            self.copy(&bytes[..end]);
        }
        self.close();
    }

    #[cold]
    fn close(&mut self) {
        self.full = true;
        self.out = &mut std::mem::take(&mut self.out)[..self.len];
    }
}

/// Copies between slices of equal length. Short ones as two overlapping halves of fixed size, which
/// saves the call of `memcpy`.
#[inline(always)]
fn copy_short(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0..4 => {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
        4..8 => copy_halves::<4>(to, from),
        8..16 => copy_halves::<8>(to, from),
        16..=SHORT_MAX => copy_halves::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies `N` to `2 * N` bytes.
#[inline(always)]
fn copy_halves<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}

impl fmt::Write for LineBuffer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}

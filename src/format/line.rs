//! The place that a line is written to: a borrowed piece of memory of fixed length, and what
//! happens when it ends. Runs on the collector.

use std::fmt;

/// Longest copy that is done in overlapping halves of fixed size instead of calling `memcpy`.
const SHORT_MAX: usize = 32;

/// Bytes being written one behind the other. What does not fit is not written at all, nor is
/// anything after it: the buffer is then [full](LineBuffer::is_full). Behind what is written lie
/// any bytes, as much is copied in chunks of fixed size.
#[derive(Debug)]
pub(crate) struct LineBuffer<'a> {
    /// Empty once the buffer is full, so that `put` needs no flag.
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

    /// Lets `write` append through a copy of this buffer. A buffer whose address is known to a
    /// function that is not inlined stays in memory, with a load and a store for each append: the
    /// copy's is known, this one's is not.
    #[inline(always)]
    pub(crate) fn apart<R>(&mut self, write: impl FnOnce(&mut LineBuffer<'_>) -> R) -> R {
        let LineBuffer { len, full, overflow, .. } = *self;
        let mut copy = LineBuffer { out: &mut *self.out, len, full, overflow };
        let result = write(&mut copy);
        let is_full = copy.full;
        self.len = copy.len;
        if is_full {
            self.close();
        }
        result
    }

    /// Appends bytes. Within [`within`](LineBuffer::within) they may be cut, at a character.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        match self.claim(bytes.len()) {
            Some(room) => {
                copy_short(room, bytes);
                self.len += bytes.len();
            }
            None => self.apart(|out| out.overflow(bytes)),
        }
    }

    /// Appends bytes that are never cut: an escape sequence.
    #[inline(always)]
    pub(crate) fn put_whole(&mut self, bytes: &[u8]) {
        match self.claim(bytes.len()) {
            Some(room) => {
                copy_short(room, bytes);
                self.len += bytes.len();
            }
            None => self.close(),
        }
    }

    /// Appends as many bytes as are known when this is compiled.
    #[inline(always)]
    pub(crate) fn put_array<const N: usize>(&mut self, bytes: &[u8; N]) {
        match self.claim_array::<N>() {
            Some(room) => {
                *room = *bytes;
                self.len += N;
            }
            None => self.apart(|out| out.overflow(bytes)),
        }
    }

    /// Appends the first `len` of eight bytes.
    #[inline(always)]
    pub(crate) fn put_first(&mut self, bytes: [u8; 8], len: usize) {
        match self.claim_array::<8>() {
            Some(room) => {
                *room = bytes;
                self.len += len;
            }
            None => self.apart(|out| out.put_near_end(u64::from_le_bytes(bytes), len)),
        }
    }

    /// Appends a stamp.
    #[inline(always)]
    pub(crate) fn put_stamp<const N: usize>(&mut self, stamp: &Stamp<N>) {
        match self.claim_array::<N>() {
            Some(room) if stamp.len <= N => {
                *room = stamp.first;
                self.len += stamp.len;
            }
            _ => self.apart(|out| out.put_long_stamp(stamp)),
        }
    }

    #[inline(never)]
    fn put_long_stamp<const N: usize>(&mut self, stamp: &Stamp<N>) {
        self.put(stamp.as_bytes());
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

    /// Appends `len` bytes if `write`, which gets their place, says that they are written; whether
    /// it did.
    #[inline(always)]
    pub(crate) fn put_with(&mut self, len: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let is_written = self.claim(len).is_some_and(write);
        self.len += if is_written { len } else { 0 };
        is_written
    }

    /// Forgets what was written after the first `len` bytes. A full buffer stays full.
    pub(crate) fn truncate_to(&mut self, len: usize) {
        self.len = len.min(self.len);
    }

    /// Lets `write` append at most `max` bytes: a text is cut there at a whole character or escape
    /// sequence. Where this buffer ends before, it is full.
    #[inline(always)]
    pub(crate) fn within(&mut self, max: usize, write: impl FnOnce(&mut LineBuffer<'_>)) -> Extent {
        let room = self.room();
        let end = self.len + room.min(max);
        let Some(out) = self.out.get_mut(..end) else { return Extent::Whole };
        let mut part = LineBuffer { out, len: self.len, full: false, overflow: Overflow::Cut };
        write(&mut part);
        let (len, cut) = (part.len, part.full);
        self.len = len;
        if cut && room < max {
            self.close();
        }
        if cut { Extent::Cut } else { Extent::Whole }
    }

    /// What is left of the memory.
    fn room(&self) -> usize {
        self.out.len().saturating_sub(self.len)
    }

    /// The next `len` bytes.
    #[inline(always)]
    fn claim(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.len.checked_add(len)?;
        self.out.get_mut(self.len..end)
    }

    #[inline(always)]
    fn claim_array<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.claim(N)?.first_chunk_mut()
    }

    /// As [`put_first`](LineBuffer::put_first), where all eight would not fit.
    #[cold]
    #[inline(never)]
    fn put_near_end(&mut self, bytes: u64, len: usize) {
        self.put(&bytes.to_le_bytes()[..len.min(8)]);
    }

    #[cold]
    #[inline(never)]
    fn overflow(&mut self, bytes: &[u8]) {
        if self.full {
            return;
        }
        if let Overflow::Cut = self.overflow {
            // Of text that is valid UTF-8, one of the last four bytes begins a character.
            let is_start = |at: &usize| bytes[*at] & 0b1100_0000 != 0b1000_0000;
            let end = (0..=self.room()).rev().find(is_start).unwrap_or(0);
            self.put_whole(&bytes[..end]);
        }
        self.close();
    }

    #[inline(always)]
    fn close(&mut self) {
        self.full = true;
        self.out = &mut [];
    }
}

/// Bytes that are appended again and again: `N` at once, whatever there are, which is shorter than
/// a call of `memcpy` and leaves all registers as they are. Those of more than `N` go the usual
/// way.
#[derive(Debug)]
pub(crate) struct Stamp<const N: usize> {
    first: [u8; N],
    len: usize,
    /// All of them, if they are more than `N`.
    long: Box<[u8]>,
}

impl<const N: usize> Stamp<N> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.first.get(..self.len).unwrap_or(&self.long)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> From<&[u8]> for Stamp<N> {
    fn from(bytes: &[u8]) -> Stamp<N> {
        let mut first = [0; N];
        let is_long = match first.get_mut(..bytes.len()) {
            Some(start) => {
                start.copy_from_slice(bytes);
                false
            }
            None => true,
        };
        Stamp { first, len: bytes.len(), long: if is_long { bytes.into() } else { Box::default() } }
    }
}

/// Copies between slices of equal length. Short ones as two overlapping halves of fixed size, which
/// saves the call of `memcpy`.
#[inline(always)]
pub(super) fn copy_short(to: &mut [u8], from: &[u8]) {
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

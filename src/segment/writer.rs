//! The collector's pen: where in which segment the next line goes.
#![allow(unsafe_code)] // Keeps the contract of `Segment::room`: it is the only writer.

use std::fmt;
use std::sync::Arc;

use super::{Pool, Segment};

/// Writes lines one behind the other, from segment to segment.
pub(crate) struct SegmentWriter {
    pool: Arc<Pool>,
    arena_id: u64,
    segment: Arc<Segment>,
    seq: u64,
    len: usize,
    /// Sealed before it was full: what follows needs another.
    is_sealed: bool,
}

impl fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentWriter")
            .field("seq", &self.seq)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl SegmentWriter {
    /// Begins segment 1; none when there is no segment at all.
    pub(crate) fn begin(pool: Arc<Pool>, arena_id: u64) -> Option<SegmentWriter> {
        let segment = pool.take()?;
        segment.begin(arena_id, 1);
        Some(SegmentWriter { pool, arena_id, segment, seq: 1, len: 0, is_sealed: false })
    }

    /// The room left in the segment; none once it is sealed.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let from = if self.is_sealed { self.segment.capacity() } else { self.len };
        // SAFETY: this is the segment's only writer, which borrows itself exclusively for as long
        // as the slice lives; nothing behind `len` was ever handed out as written, and a sealed
        // segment has no room here.
        unsafe { self.segment.room(from) }
    }

    /// `bytes` of the room are lines now.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.len += bytes;
        debug_assert!(self.len <= self.segment.capacity());
    }

    /// The segment's number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Bytes of lines in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds lines that are not sealed.
    pub(crate) fn is_open(&self) -> bool {
        self.len > 0 && !self.is_sealed
    }

    /// Gives one segment's memory back that nobody needs at present.
    pub(crate) fn trim(&mut self) {
        self.pool.trim();
    }

    /// `bytes` of the room are a record of the engine's own.
    pub(crate) fn advance_own(&mut self, bytes: usize) {
        self.segment.note_own(self.len..self.len + bytes);
        self.advance(bytes);
    }

    /// Whether what was written here can be read; else go on elsewhere.
    pub(crate) fn is_intact(&self) -> bool {
        self.segment.is_intact()
    }

    /// Ends the segment here, whether or not there is another. Its lines must be committed, and are
    /// the last of as many `records` of the engine.
    pub(crate) fn seal(&mut self, records: u64) {
        if self.is_open() {
            self.segment.seal(self.len, records);
            self.is_sealed = true;
        }
    }

    /// Seals the segment and begins the next; false, and nothing happened, when none is free.
    pub(crate) fn roll(&mut self, records: u64) -> bool {
        let Some(next) = self.pool.take() else { return false };
        self.seal(records);
        self.seq += 1;
        next.begin(self.arena_id, self.seq);
        (self.segment, self.len, self.is_sealed) = (next, 0, false);
        true
    }
}

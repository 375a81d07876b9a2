//! The collector's pen: where in which segment the next line goes.
#![allow(unsafe_code)] // Keeps the contract of `Segment::room`: it is the only writer.

use std::sync::Arc;

use super::Pool;

/// Writes lines one behind the other, from segment to segment.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    pool: Arc<Pool>,
    arena_id: u64,
    index: usize,
    seq: u64,
    len: usize,
}

impl SegmentWriter {
    /// Begins segment 1; none when the pool has no segment at all.
    pub(crate) fn begin(pool: Arc<Pool>, arena_id: u64) -> Option<SegmentWriter> {
        let index = pool.take()?;
        pool.segment(index).begin(arena_id, 1);
        Some(SegmentWriter { pool, arena_id, index, seq: 1, len: 0 })
    }

    /// The room left in the segment.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        // SAFETY: this is the segment's only writer, which borrows itself exclusively for as long
        // as the slice lives; nothing behind `len` was ever handed out as written.
        unsafe { self.pool.segment(self.index).room(self.len) }
    }

    /// `bytes` of the room are lines now.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.len += bytes;
        debug_assert!(self.len <= self.pool.segment(self.index).capacity());
    }

    /// The segment's number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Bytes of lines in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Gives one segment's memory back that nobody needs at present.
    pub(crate) fn trim(&mut self) {
        self.pool.trim();
    }

    /// Seals the segment and begins the next; false, and nothing happened, when none is free.
    pub(crate) fn roll(&mut self) -> bool {
        let Some(next) = self.pool.take() else { return false };
        self.pool.segment(self.index).seal(self.len);
        self.seq += 1;
        self.pool.segment(next).begin(self.arena_id, self.seq);
        self.index = next;
        self.len = 0;
        true
    }
}

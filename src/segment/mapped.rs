//! One mapped segment. Lines are touched by two threads, at disjoint places: the collector behind
//! the written length, the publisher before it.
#![allow(unsafe_code)] // A mapping is reached through raw pointers only.

use crate::primitive::Ordering;
use crate::sys::mmap::Region;

const ARENA_ID: usize = 0;
const SEQ: usize = ARENA_ID + 8;
const SEALED: usize = SEQ + 8;
/// A cache line, so that sealing does not disturb whoever reads the first lines.
const LINES_AT: usize = 64;
const _: () = assert!(SEALED + 8 <= LINES_AT);

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Segment {
    region: Region,
}

impl Segment {
    /// Over a faulted-in region.
    pub(crate) fn new(region: Region) -> Segment {
        Segment { region }
    }

    /// Bytes that lines may take.
    pub(crate) fn capacity(&self) -> usize {
        self.region.len() - LINES_AT
    }

    /// Begins the segment's next life, as number `seq` (from 1 on) of an engine.
    pub(crate) fn begin(&self, arena_id: u64, seq: u64) {
        self.region.word(SEALED).store(0, Ordering::Relaxed);
        self.region.word(ARENA_ID).store(arena_id, Ordering::Relaxed);
        // Release: whoever sees the number does not see the length of an earlier life. Pairs with
        // the Acquire load in `seq`.
        self.region.word(SEQ).store(seq, Ordering::Release);
    }

    /// Its memory.
    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    /// Has no number until its next life.
    pub(super) fn forget(&self) {
        self.region.word(SEQ).store(0, Ordering::Release); // pairs with the load in `seq`
    }

    /// The number; 0 before its first life.
    pub(crate) fn seq(&self) -> u64 {
        self.region.word(SEQ).load(Ordering::Acquire) // pairs with `begin`
    }

    /// Says how many bytes of lines it holds for good.
    pub(crate) fn seal(&self, len: usize) {
        // Pairs with the Acquire load in `sealed`: the lines are there.
        self.region.word(SEALED).store(len as u64, Ordering::Release);
    }

    /// The sealed length; 0 while it is being written (no segment is sealed empty).
    pub(crate) fn sealed(&self) -> usize {
        self.region.word(SEALED).load(Ordering::Acquire) as usize // pairs with `seal`
    }

    /// The lines from `from` to `to`.
    ///
    /// # Safety
    ///
    /// They are written, by a commit slot or a sealed length that the caller has read, and the
    /// segment is not given back while the slice lives.
    ///
    /// # Panics
    ///
    /// Panics if the range is not within the segment.
    pub(crate) unsafe fn lines(&self, from: usize, to: usize) -> &[u8] {
        assert!(from <= to && to <= self.capacity());
        // SAFETY: within the mapping; nobody writes below the written length, by contract.
        unsafe { std::slice::from_raw_parts(self.region.as_ptr().add(LINES_AT + from), to - from) }
    }

    /// The room from `from` on.
    ///
    /// # Safety
    ///
    /// The caller is the only writer, and nothing from `from` on is written yet.
    ///
    /// # Panics
    ///
    /// Panics if `from` is not within the segment.
    #[allow(clippy::mut_from_ref)] // The mapping is shared; the contract makes the place exclusive.
    pub(crate) unsafe fn room(&self, from: usize) -> &mut [u8] {
        let len = self.capacity().checked_sub(from).expect("within the segment");
        // SAFETY: within the mapping; exclusive by contract.
        unsafe { std::slice::from_raw_parts_mut(self.region.as_ptr().add(LINES_AT + from), len) }
    }
}

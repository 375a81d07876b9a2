//! One mapped segment. Lines are touched by two threads, at disjoint places: the collector behind
//! the written length, the publisher before it.
//!
//! Its number and length stand in the mapping for whoever reads the file after a crash. The engine
//! itself has its own: a segment whose memory was taken back must not be touched to learn that it
//! is not the one (where memory is short, the touch is a `SIGBUS`), and what somebody does to the
//! file must not change what the threads believe of each other.
#![allow(unsafe_code)] // A mapping is reached through raw pointers only.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::head::{ARENA_ID, BYTES as HEAD_BYTES, SEALED, SEQ};
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::mmap::{Region, WITNESS_BYTES};

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Empty until it is [filled](Segment::fill): a pool has its table of segments from the start,
    /// so that going on in one more allocates nothing.
    region: OnceLock<Region>,
    /// The number; 0: none.
    seq: AtomicU64,
    /// The sealed length; 0: not sealed.
    sealed: AtomicU64,
    /// Records written by the engine, its own not among them, by the time it was sealed.
    records: AtomicU64,
    /// Where the engine's own records lie.
    own: Mutex<Vec<Range<usize>>>,
}

impl Segment {
    /// One without memory.
    pub(super) fn empty() -> Segment {
        Segment {
            region: OnceLock::new(),
            seq: AtomicU64::new(0),
            sealed: AtomicU64::new(0),
            records: AtomicU64::new(0),
            own: Mutex::default(),
        }
    }

    /// Gives an empty one its memory, faulted in; it begins with the head.
    pub(super) fn fill(&self, region: Region) {
        let is_new = self.region.set(region).is_ok();
        debug_assert!(is_new, "filled once, by the collector");
    }

    /// Bytes that lines may take.
    pub(crate) fn capacity(&self) -> usize {
        self.region().len() - HEAD_BYTES - WITNESS_BYTES
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        self.region().word(offset)
    }

    /// Begins the segment's next life, as number `seq` (from 1 on) of an engine.
    pub(crate) fn begin(&self, arena_id: u64, seq: u64) {
        self.word(SEALED).store(0, Ordering::Relaxed);
        self.word(ARENA_ID).store(arena_id, Ordering::Relaxed);
        // Pairs with whoever reads the file after a crash: no length of an earlier life.
        self.word(SEQ).store(seq, Ordering::Release);
        self.sealed.store(0, Ordering::Relaxed);
        self.own().clear();
        // Release: whoever sees the number does not see the length of an earlier life. Pairs with
        // the Acquire load in `seq`.
        self.seq.store(seq, Ordering::Release);
    }

    /// Records that the engine had written when it was sealed.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Copies lines, whatever has become of the file; what is gone is zeros.
    pub(crate) fn copy_lines(&self, lines: Range<usize>) -> Vec<u8> {
        let mut copy = vec![0; lines.len()];
        self.region().read_what_is_left(HEAD_BYTES + lines.start, &mut copy);
        copy
    }

    /// Whether all that was read of it is what was written: see [`Region::is_intact`].
    pub(crate) fn is_intact(&self) -> bool {
        self.region().is_intact()
    }

    /// Whether its memory may be used again as it is.
    pub(super) fn is_good(&self) -> bool {
        self.is_intact() && !self.region().is_worn()
    }

    /// Its memory.
    pub(super) fn region(&self) -> &Region {
        self.region.get().expect("a segment that was taken has memory")
    }

    /// Has no number until its next life.
    pub(super) fn forget(&self) {
        self.word(SEQ).store(0, Ordering::Relaxed);
        self.seq.store(0, Ordering::Release); // pairs with the load in `seq`
    }

    /// The number; 0 before its first life.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.load(Ordering::Acquire) // pairs with `begin`
    }

    /// Notes that a record of the engine's own lies there.
    pub(crate) fn note_own(&self, lines: Range<usize>) {
        self.own().push(lines);
    }

    /// Where the engine's own records lie.
    pub(crate) fn own(&self) -> MutexGuard<'_, Vec<Range<usize>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how many bytes of lines it holds for good, and how many records the engine has written
    /// by now.
    pub(crate) fn seal(&self, len: usize, records: u64) {
        self.records.store(records, Ordering::Relaxed);
        // Pairs with whoever reads the file after a crash: the lines are there.
        self.word(SEALED).store(len as u64, Ordering::Release);
        // Pairs with the Acquire load in `sealed`: the lines are there.
        self.sealed.store(len as u64, Ordering::Release);
    }

    /// The sealed length; 0 while it is being written (no segment is sealed empty).
    pub(crate) fn sealed(&self) -> usize {
        self.sealed.load(Ordering::Acquire) as usize // pairs with `seal`
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
        unsafe { std::slice::from_raw_parts(self.start().add(from), to - from) }
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
        // Asked for once: this is done for each record.
        let region = self.region();
        let before = HEAD_BYTES + from;
        let end = region.len() - WITNESS_BYTES;
        let len = end.checked_sub(before).expect("within the segment");
        // SAFETY: within the mapping; exclusive by contract.
        unsafe { std::slice::from_raw_parts_mut(region.as_ptr().add(before), len) }
    }

    /// Where the lines begin.
    fn start(&self) -> *mut u8 {
        self.region().as_ptr().wrapping_add(HEAD_BYTES)
    }
}

//! The producing end: claim, commit. Runs on the caller that owns the ring.

use std::sync::Arc;

use super::{
    COUNT_MASK, FREE, Memory, OWNED, Ring, STRETCH_GRANULES_MAX, SharedRing, distance, index_of,
};
use crate::primitive::{AtomicU64, Ordering};

/// A stretch of ring memory that belongs to the claimer until it commits, or for good if it never
/// does: a claim that is dropped leaves no trace.
#[derive(Debug)]
#[must_use = "a claim that is not committed is no record"]
pub(crate) struct Claim {
    /// The first granule.
    pub(crate) index: usize,
    tail: u64,
    granules: usize,
    // Found before the payload is written: afterwards the compiler must read the ring's address and
    // mask once more for each, as any store might have changed them. Pointers, because a reference
    // would cost a test for null in `Option<Claim>`.
    word: *const AtomicU64,
    word_behind: *const AtomicU64,
}

impl<M: Memory> Ring<M> {
    /// Claims `granules` if they fit below the soft limit.
    ///
    /// # Safety
    ///
    /// Only the owner of the producing end, one claim at a time.
    #[inline(always)]
    pub(crate) unsafe fn claim(&self, granules: usize) -> Option<Claim> {
        let tail = self.producer.tail.load(Ordering::Relaxed);
        let limit = self.producer.soft_limit.load(Ordering::Relaxed);
        // The count in the tail's low bits only makes the room look a granule smaller.
        let room = limit.wrapping_sub(tail) as i64;
        if room < distance(granules + 1) as i64 {
            return None;
        }
        Some(self.claim_at(tail, granules))
    }

    #[inline(always)]
    fn claim_at(&self, tail: u64, granules: usize) -> Claim {
        let index = index_of(tail, self.producer.mask);
        let index_behind = (index + granules) & self.producer.mask as usize;
        let memory = &self.producer.memory;
        let (word, word_behind) = (memory.word(index), memory.word(index_behind));
        Claim { index, tail, granules, word, word_behind }
    }

    /// The claim with only its first `granules` used.
    pub(crate) fn shorten(&self, claim: Claim, granules: usize) -> Claim {
        debug_assert!(granules <= claim.granules && granules > 0);
        self.claim_at(claim.tail, granules)
    }

    /// Publishes a filled claim.
    ///
    /// # Safety
    ///
    /// Only the owner of the producing end, with its latest claim, whose granules but the first it
    /// has filled.
    #[inline(always)]
    pub(crate) unsafe fn commit(&self, claim: Claim) {
        // SAFETY: handed on from the caller.
        unsafe { self.publish(claim, 1) }
    }

    /// As [`commit`](Ring::commit), for what is no record and is not counted as one.
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn commit_uncounted(&self, claim: Claim) {
        // SAFETY: handed on from the caller.
        unsafe { self.publish(claim, 0) }
    }

    #[inline(always)]
    unsafe fn publish(&self, claim: Claim, records: u64) {
        let (tail, granules) = (claim.tail, claim.granules);
        let next = tail.wrapping_add(distance(granules));
        // SAFETY: this ring's own words, by the contract of `commit`; it keeps its memory.
        let (commit_word, word_behind) = unsafe { (&*claim.word, &*claim.word_behind) };
        // Before the commit below: whoever sees it and goes on finds this 0, not old payload.
        word_behind.store(0, Ordering::Relaxed);
        let word = (tail & !COUNT_MASK).wrapping_add(distance(1)) + granules as u64;
        // Pairs with the Acquire load in `Consumer::peek`.
        commit_word.store(word, Ordering::Release);
        // After the commit, so that nobody ever counts a record that is not there. Pairs with the
        // Acquire load in `committed`: who sees the tail finds the words of all before it.
        self.producer.tail.store(next.wrapping_add(records), Ordering::Release);
    }

    /// The first half of a commit: what a thread leaves that loses the CPU there.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn publish_half(&self, claim: &Claim) {
        let word = (claim.tail & !COUNT_MASK).wrapping_add(distance(1)) + claim.granules as u64;
        // Pairs with the Acquire load in `Consumer::peek`.
        self.producer.memory.word(claim.index).store(word, Ordering::Release);
    }

    /// Moves the soft limit to `granules` ahead of the tail (less where a stretch may not be that
    /// long) and folds the count of records into `committed`. The cold path.
    ///
    /// # Safety
    ///
    /// Only the owner of the producing end; `granules` are free.
    pub(crate) unsafe fn set_soft_limit(&self, granules: usize) {
        self.fold();
        let tail = self.producer.tail.load(Ordering::Relaxed);
        let limit = tail.wrapping_add(distance(granules.min(STRETCH_GRANULES_MAX)));
        self.producer.soft_limit.store(limit, Ordering::Relaxed);
    }

    /// Granules that are free: the whole capacity less what is not released. More may be by now.
    pub(crate) fn free(&self) -> usize {
        self.capacity().saturating_sub(self.used())
    }

    fn fold(&self) {
        let producer = &self.producer;
        let tail = producer.tail.load(Ordering::Relaxed);
        let folds = producer.folds.load(Ordering::Relaxed);
        producer.folds.store(folds.wrapping_add(1), Ordering::Relaxed);
        let committed = producer.committed.load(Ordering::Relaxed);
        // Each pairs with the Acquire load of the same word in `committed`: who sees one of the two
        // sees that a fold has begun.
        producer.committed.store(committed + (tail & COUNT_MASK), Ordering::Release);
        producer.tail.store(tail & !COUNT_MASK, Ordering::Release);
        // Pairs with the first load in `committed`: who sees that the fold is over sees both.
        producer.folds.store(folds.wrapping_add(2), Ordering::Release);
    }
}

/// Owns the producing end of a ring, and gives it back when dropped.
pub(crate) struct Producer<M: Memory> {
    ring: SharedRing<M>,
}

impl<M: Memory> Producer<M> {
    /// Takes the producing end if nobody owns it. It goes on where the last owner stopped, with
    /// whatever of its records is still unread.
    pub(crate) fn take(ring: &SharedRing<M>) -> Option<Producer<M>> {
        // Pairs with the Release store in `drop`: tail and memory are as the last owner left them.
        let state = &ring.producer.state;
        state.compare_exchange(FREE, OWNED, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Producer { ring: Arc::clone(ring) })
    }

    /// The ring; the caller is its owner for as long as it keeps the producer.
    pub(crate) fn ring(&self) -> &SharedRing<M> {
        &self.ring
    }

    /// Forgets the ring without touching it: after a fork it is the parent's.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }
}

impl<M: Memory> Drop for Producer<M> {
    fn drop(&mut self) {
        let producer = &self.ring.producer;
        self.ring.fold();
        // The next owner looks before its first claim.
        let tail = producer.tail.load(Ordering::Relaxed);
        producer.soft_limit.store(tail, Ordering::Relaxed);
        producer.engine.store(0, Ordering::Relaxed);
        // Pairs with the Acquire in `take`.
        producer.state.store(FREE, Ordering::Release);
    }
}

impl Claim {
    /// Granules claimed.
    pub(crate) fn granules(&self) -> usize {
        self.granules
    }
}

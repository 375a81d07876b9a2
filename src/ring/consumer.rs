//! The consuming end: peek, advance, release. Runs on the collector.

use std::sync::Arc;

use super::{Memory, POSITION_SHIFT, Position, Ring, distance};
use crate::primitive::Ordering;

/// A committed record that is not released yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peeked {
    /// Its first granule.
    pub(crate) index: usize,
    /// Its length.
    pub(crate) granules: usize,
}

/// Reads one ring. There is one per ring, on the collector.
pub(crate) struct Consumer<M: Memory> {
    ring: Arc<Ring<M>>,
    head: Position,
    released: Position,
}

impl<M: Memory> Consumer<M> {
    /// The consuming end, starting where the ring was released to.
    pub(crate) fn new(ring: Arc<Ring<M>>) -> Consumer<M> {
        let released = ring.released();
        Consumer { ring, head: released, released }
    }

    /// The ring.
    pub(crate) fn ring(&self) -> &Arc<Ring<M>> {
        &self.ring
    }

    /// Position of the next record to read.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// The next record, if it is committed.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Peeked> {
        let index = self.ring.index(self.head);
        // Pairs with the Release store in `Ring::commit`: the payload is there.
        let word = self.ring.memory().word(index).load(Ordering::Acquire);
        let length = word.wrapping_sub(self.head.wrapping_add(distance(1)));
        // A word of another position differs in the high bits. A length that no producer writes
        // comes from a stray store of the program: it is no record.
        let granules = length as usize;
        let is_record =
            length >> POSITION_SHIFT == 0 && granules > 0 && granules <= self.ring.record_max();
        is_record.then_some(Peeked { index, granules })
    }

    /// Goes on behind the peeked record, which is not released by that.
    #[inline]
    pub(crate) fn advance(&mut self, peeked: Peeked) {
        self.head = self.head.wrapping_add(distance(peeked.granules));
        self.ring.consumer.head.store(self.head, Ordering::Relaxed);
    }

    /// Granules read but not released.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        (self.head.wrapping_sub(self.released) >> POSITION_SHIFT) as usize
    }

    /// Gives all that was read back to the producer.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.released = self.head;
        // Pairs with the Acquire load in `Ring::released`: our reads are done.
        self.ring.memory().released().store(self.head, Ordering::Release);
    }

    /// Records that are committed but unread, walked without moving. For the last count of a drain.
    pub(crate) fn count_unread(&self) -> u64 {
        let mut ahead =
            Consumer { ring: Arc::clone(&self.ring), head: self.head, released: self.released };
        let mut records = 0;
        while let Some(peeked) = ahead.peek() {
            ahead.head = ahead.head.wrapping_add(distance(peeked.granules));
            records += 1;
        }
        records
    }
}

impl<M> Ring<M> {
    /// How far the collector has read; for the owner's side, of some time ago.
    pub(crate) fn head(&self) -> Position {
        self.consumer.head.load(Ordering::Relaxed)
    }
}

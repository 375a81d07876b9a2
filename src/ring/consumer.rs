//! The consuming end: peek, advance, release. Runs on the collector, and never looks at the
//! producer's cache line.

use super::{
    Memory, POSITION_SHIFT, Position, RECORD_GRANULES_MIN, Ring, SharedRing, distance, index_of,
};
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
    ring: SharedRing<M>,
    head: Position,
    released: Position,
}

impl<M: Memory> Consumer<M> {
    /// The consuming end, starting where the ring was released to.
    pub(crate) fn new(ring: SharedRing<M>) -> Consumer<M> {
        let released = ring.released();
        Consumer { ring, head: released, released }
    }

    /// The consuming end of a new ring, whatever its producer has done to it since.
    #[cfg(not(loom))]
    pub(crate) fn from_start(ring: SharedRing<M>) -> Consumer<M> {
        Consumer { ring, head: 0, released: 0 }
    }

    /// A consuming end that goes on where the last one has read to, released or not: for whoever
    /// counts what is left, when the last one reads no more.
    #[cfg(not(loom))]
    pub(crate) fn behind_last(ring: SharedRing<M>) -> Consumer<M> {
        let head = ring.consumer.head.load(Ordering::Relaxed);
        Consumer { ring, head, released: head }
    }

    /// The ring.
    pub(crate) fn ring(&self) -> &SharedRing<M> {
        &self.ring
    }

    /// Position of the next record to read.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// The next record, if it is committed.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Peeked> {
        self.ring.peek_at(self.head)
    }

    /// Goes on behind the peeked record, which is not released by that.
    #[inline]
    pub(crate) fn advance(&mut self, peeked: Peeked) {
        self.head = self.head.wrapping_add(distance(peeked.granules));
        self.ring.consumer.head.store(self.head, Ordering::Relaxed);
    }

    /// Goes on at a position ahead; what lies between is given up. Nothing is released by that: the
    /// ring's memory is not touched.
    pub(crate) fn skip_to(&mut self, position: Position) {
        self.head = position;
        self.ring.consumer.head.store(position, Ordering::Relaxed);
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
        self.ring.consumer.memory.released().store(self.head, Ordering::Release);
    }

    /// Granules of the ring, without the overhang.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.ring.consumer.mask as usize + 1
    }

    /// Walks what is committed but unread without moving: hands each record to `visit`, and gives
    /// the position behind the last.
    pub(crate) fn walk(&self, mut visit: impl FnMut(&Ring<M>, Peeked)) -> Position {
        let (ring, mut head) = (&self.ring, self.head);
        while let Some(peeked) = ring.peek_at(head) {
            visit(ring, peeked);
            head = head.wrapping_add(distance(peeked.granules));
        }
        head
    }
}

impl<M: Memory> Ring<M> {
    /// The record at `head`, if it is committed.
    #[inline]
    pub(crate) fn peek_at(&self, head: Position) -> Option<Peeked> {
        let side = &*self.consumer;
        if side.record_max == 0 {
            return None; // The ring is nobody's, or a child finds it wiped: there is no memory.
        }
        let index = index_of(head, side.mask);
        // Pairs with the Release store in `Ring::commit`: the payload is there.
        let word = side.memory.word(index).load(Ordering::Acquire);
        let granules = committed_granules(word, head, side.record_max as usize)?;
        Some(Peeked { index, granules })
    }
}

/// The length of the record that a commit word at `head` announces; none if it announces none.
#[inline(always)]
pub(crate) fn committed_granules(word: u64, head: Position, record_max: usize) -> Option<usize> {
    let length = word.wrapping_sub(head.wrapping_add(distance(1)));
    // A word of another position differs in the high bits. A length that no producer writes comes
    // from a stray store of the program: it is no record.
    let granules = length as usize;
    let lengths = RECORD_GRANULES_MIN..=record_max;
    let is_record = length >> POSITION_SHIFT == 0 && lengths.contains(&granules);
    is_record.then_some(granules)
}

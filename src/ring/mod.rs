//! The single-producer, single-consumer byte ring between one caller thread and the collector.
//!
//! **The contract.** Capacity is fixed, memory is allocated and faulted in before the first record.
//! The producer claims a contiguous stretch, fills it, and commits it with one Release store; the
//! consumer peeks, and later releases. Neither ever waits for the other here: a full ring is an
//! answer, and what to do about it is `emit`'s business. Nothing is overwritten before its release.
//!
//! **Publication is the commit word** at a record's first granule: `(position + 1) << 16 | length`.
//! There is no shared write index: it would cost the consumer a second cache line per record (33
//! against 70 M records/s). The absolute position makes a word of an earlier lap invalid without
//! clearing the ring. What could still pass for a commit word is *payload* of an earlier lap, so
//! the producer stores 0 to the granule behind a record before it commits the record; a claim
//! therefore needs one granule more than its length.
//!
//! **Positions** count granules (8 bytes) since the arena was made, never restart, and are kept
//! shifted left by 16 ([`Position`]): wrapping `u64` arithmetic is then arithmetic modulo 2^48, and
//! a commit word is a position plus small change.
//!
//! ```text
//!            mask+1 granules                         overhang (one record cap)
//! |----------------------------------------------|------------------|
//!      ^released       ^head        ^tail          a record that starts before the end
//!      | kept for      | committed, | free         may run into here: no wrap marker,
//!      | recovery      | unread     |              no branch, always contiguous
//! ```
//!
//! **Who may touch what.** Granules from `released` to `tail` belong to the consumer, the others to
//! the producer. Payload is touched through raw pointers only, commit words as atomics.
#![allow(unsafe_code)] // Ring memory is shared; the protocol above says who owns which granule.

#[cfg(all(feature = "bench-internals", not(loom)))]
pub(crate) mod bench;
mod consumer;
#[cfg(not(loom))]
mod damage;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(not(loom))]
mod mapped;
mod producer;
#[cfg(all(test, not(loom)))]
mod tests;

use crossbeam_utils::CachePadded;

use crate::primitive::{AtomicI32, AtomicU32, AtomicU64, Ordering, spin_loop};

pub(crate) use consumer::{Consumer, Peeked};
#[cfg(not(loom))]
pub(crate) use mapped::{Mapped, RING_HEADER_BYTES};
pub(crate) use producer::{Claim, Producer};
#[cfg(not(loom))]
pub(crate) use {
    consumer::committed_granules,
    mapped::{KIND_AT, OWNER_BYTES, OWNER_ID, OWNER_NAME, OWNER_NAME_BYTES_MAX, OWNERS_AT},
};

/// Granules since the arena was made, shifted left by 16.
pub(crate) type Position = u64;

/// How far positions are shifted.
pub(crate) const POSITION_SHIFT: u32 = 16;

/// A ring as its users share it, in memory that a child of this process finds wiped: what leads to
/// the records, which are mapped and shared, is nobody's there, however the child was made.
#[cfg(not(loom))]
pub(crate) type SharedRing<M> = std::sync::Arc<crate::sys::wiped::Wiped<Ring<M>>>;
#[cfg(loom)]
pub(crate) type SharedRing<M> = std::sync::Arc<Ring<M>>;

/// The low bits of a tail: records since the last fold.
const COUNT_MASK: u64 = (1 << POSITION_SHIFT) - 1;

/// The shortest record: a header without fields. Bounds how many records fit a stretch.
const RECORD_GRANULES_MIN: usize = 3;

/// The longest stretch that the producer may fill before it looks at the ring again, in granules:
/// the records in it are counted in sixteen bits.
pub(crate) const STRETCH_GRANULES_MAX: usize = 128 * 1024;
const _: () = assert!(STRETCH_GRANULES_MAX / RECORD_GRANULES_MIN < COUNT_MASK as usize);

/// `granules` as a distance between positions.
#[inline(always)]
pub(crate) const fn distance(granules: usize) -> Position {
    (granules as u64) << POSITION_SHIFT
}

/// The granules from `from` to `to`, which lies at most 2^47 granules ahead or behind.
#[inline(always)]
pub(crate) const fn granules_between(from: Position, to: Position) -> i64 {
    (to.wrapping_sub(from) as i64) >> POSITION_SHIFT
}

/// Where a ring's granules are; clones are the same memory. Generic so that loom models it in two
/// variants: every granule an atomic (finds stale words), and words beside cells (finds races).
pub(crate) trait Memory: Clone {
    /// The granule as a commit word.
    fn word(&self, granule: usize) -> &AtomicU64;

    /// Where the consumer shares back how far it released.
    fn released(&self) -> &AtomicU64;
}

/// One ring. `mask + 1` granules, a power of two, and the overhang behind them.
#[repr(C)]
pub(crate) struct Ring<M> {
    producer: CachePadded<ProducerSide<M>>,
    consumer: CachePadded<ConsumerSide<M>>,
    #[cfg(not(loom))]
    damage: CachePadded<damage::Damage>,
}

/// What the producer reads and writes with each record: one cache line.
#[repr(C)]
struct ProducerSide<M> {
    /// Position of the next record; in the low 16 bits, records committed since the last fold. One
    /// word for both, because a counter of its own costs 0.8 ns a record, and because the final
    /// account then knows a count and the place that it belongs to.
    tail: AtomicU64,
    /// The position that a claim may not cross without looking: `released` of some time ago plus
    /// the capacity, less the reserve, or the wake threshold, whatever comes first.
    soft_limit: AtomicU64,
    /// Capacity less one, in granules.
    mask: u64,
    memory: M,
    /// The number of the engine, for `emit` to compare with a callsite's gate; 0: nobody's.
    engine: AtomicI32,
    /// The longest record, in granules.
    record_max: u16,
    /// For `emit`, as `engine` is: whether records get the coarse clock's time.
    has_coarse_clock: bool,
    /// Whether a thread owns the producing end.
    state: AtomicU32,
    /// Odd while a fold is under way.
    folds: AtomicU32,
    /// Records committed before the last fold.
    committed: AtomicU64,
}

/// What the consumer reads and writes with each record: a line of its own, with its own copy of
/// what never changes. A look at the producer's line would take it from the producer's core, to
/// which it has to travel back for the next record: 80 instead of 22 ns a call, measured where a
/// line takes 180 ns from core to core.
#[repr(C)]
struct ConsumerSide<M> {
    /// Position of the next record to read.
    head: AtomicU64,
    /// Capacity less one, in granules.
    mask: u64,
    memory: M,
    /// The longest record, in granules.
    record_max: u32,
}

const FREE: u32 = 0;
const OWNED: u32 = 1;

impl<M: Memory> Ring<M> {
    /// A ring over zeroed memory of `capacity` granules (a power of two) and an overhang of
    /// `record_max` granules (below 2^16), owned by nobody.
    pub(crate) fn new(memory: M, capacity: usize, record_max: usize) -> Ring<M> {
        assert!(capacity.is_power_of_two() && record_max < capacity);
        let mask = capacity as u64 - 1;
        let head = AtomicU64::new(0);
        let consumer =
            ConsumerSide { head, mask, memory: memory.clone(), record_max: record_max as u32 };
        let record_max = u16::try_from(record_max).expect("a record is at most 32 KiB long");
        Ring {
            producer: CachePadded::new(ProducerSide {
                tail: AtomicU64::new(0),
                soft_limit: AtomicU64::new(0),
                mask,
                memory,
                engine: AtomicI32::new(0),
                record_max,
                has_coarse_clock: false,
                state: AtomicU32::new(FREE),
                folds: AtomicU32::new(0),
                committed: AtomicU64::new(0),
            }),
            consumer: CachePadded::new(consumer),
            #[cfg(not(loom))]
            damage: CachePadded::new(damage::Damage::none()),
        }
    }

    /// The same, for records that get the coarse clock's time.
    pub(crate) fn with_coarse_clock(mut self) -> Ring<M> {
        self.producer.has_coarse_clock = true;
        self
    }

    /// Whether records get the coarse clock's time.
    #[inline(always)]
    pub(crate) fn has_coarse_clock(&self) -> bool {
        self.producer.has_coarse_clock
    }

    /// Granules, without the overhang. For the producer; the consumer has its own.
    pub(crate) fn capacity(&self) -> usize {
        self.producer.mask as usize + 1
    }

    /// The memory, for the producer.
    pub(crate) fn memory(&self) -> &M {
        &self.producer.memory
    }

    /// The longest record, in granules, for the producer.
    #[inline(always)]
    pub(crate) fn record_max(&self) -> usize {
        self.producer.record_max as usize
    }

    /// The engine whose producer this is.
    #[inline(always)]
    pub(crate) fn engine(&self) -> i32 {
        self.producer.engine.load(Ordering::Relaxed)
    }

    /// Names the engine. Only records emitted later compare with it.
    pub(crate) fn set_engine(&self, number: i32) {
        self.producer.engine.store(number, Ordering::Relaxed);
    }

    /// Whether no thread owns the producing end. Another thread may take it at any moment; only an
    /// owned ring stays owned until its owner gives it back.
    pub(crate) fn is_free(&self) -> bool {
        self.producer.state.load(Ordering::Relaxed) == FREE
    }

    /// Records committed over the ring's life, and where its tail stood at that moment: all before
    /// it are there to be read. The newest record, whose commit word is stored but whose tail is
    /// not, is not counted.
    pub(crate) fn committed(&self) -> (u64, Position) {
        loop {
            // Pairs with the last store in `fold`: what follows is not of before that fold.
            let before = self.producer.folds.load(Ordering::Acquire);
            // Each pairs with the Release store of the same word in `fold`: the load of `after`
            // sees that it has begun. The tail's pairs with the one in `publish` as well.
            let committed = self.producer.committed.load(Ordering::Acquire);
            let tail = self.producer.tail.load(Ordering::Acquire);
            let after = self.producer.folds.load(Ordering::Relaxed);
            if before == after && before % 2 == 0 {
                return (committed + (tail & COUNT_MASK), tail & !COUNT_MASK);
            }
            spin_loop();
        }
    }

    /// How far the consumer released, as the producer sees it.
    pub(crate) fn released(&self) -> Position {
        // Pairs with the Release store in `Consumer::release`: what it read is read.
        self.memory().released().load(Ordering::Acquire)
    }

    /// Granules that are committed or in flight but not released: what a full ring is full of.
    /// Either end may have moved on since.
    pub(crate) fn used(&self) -> usize {
        let tail = self.producer.tail.load(Ordering::Relaxed);
        granules_between(self.released(), tail & !COUNT_MASK).max(0) as usize
    }
}

/// Where a position lies in a ring of `mask + 1` granules.
#[inline(always)]
fn index_of(position: Position, mask: u64) -> usize {
    ((position >> POSITION_SHIFT) & mask) as usize
}

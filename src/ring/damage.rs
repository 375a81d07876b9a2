//! Rings whose memory has lost something: the arena's file was cut, or a page of it could not be
//! had. The collector finds out, and gives up what stands in the ring; the producer, which alone
//! may do so between two of its claims, puts new memory in place.
//!
//! 1. The collector finds that what it read is not what was stored. It says so ([`is_broken`]) and
//!    takes the producer's soft limit away, so that its next call comes to the cold path. Until
//!    then it gives up whatever comes, by the producer's own count.
//! 2. The producer notes its tail and its count, and puts memory of the process in place.
//! 3. The collector gives up what is left before that tail, and reads on behind it.
//!
//! [`is_broken`]: Ring::is_broken

use super::{Mapped, Memory, Position, Producer, Ring, SharedRing};
use crate::primitive::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use crate::sys::mmap::Watch;
use std::io;

/// What both ends know of the ring's memory. On no cache line of either: it hardly ever changes.
#[derive(Debug, Default)]
pub(super) struct Damage {
    is_broken: AtomicBool,
    /// How often memory was renewed, times two; odd while it is.
    renewals: AtomicU32,
    /// Where the tail stood then, and records committed before it.
    tail: AtomicU64,
    committed: AtomicU64,
    /// Records that the collector has taken or given up, as of its last word.
    taken: AtomicU64,
}

impl Damage {
    pub(super) const fn none() -> Damage {
        Damage {
            is_broken: AtomicBool::new(false),
            renewals: AtomicU32::new(0),
            tail: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }
}

impl Ring<Mapped> {
    /// Sends the producer to its cold path as soon as anything of the memory is lost, also where it
    /// is the producer's own thread that finds out.
    pub(super) fn watch_memory(ring: &SharedRing<Mapped>) {
        let producer = &ring.producer;
        // SAFETY: the words are the ring's own, which stays where it is and has the only lasting
        // handles to its memory, but for the collector's watch, which goes before its ring: they
        // are dropped while it is, before its words are freed.
        unsafe { ring.memory().lower_when_lost(&producer.soft_limit, &producer.tail) };
    }

    /// Whether the collector asks for new memory.
    pub(crate) fn is_broken(&self) -> bool {
        self.damage.is_broken.load(Ordering::Relaxed)
    }

    /// How the collector looks at the present memory after each record; to be made anew when that
    /// was renewed.
    pub(crate) fn watch(&self) -> Watch {
        self.consumer.memory.watch()
    }

    /// Whether all that was read so far is what was committed, by the `watch` that was made when
    /// there were as many `renewals`. For the collector, after it has copied a record.
    #[inline(always)]
    pub(crate) fn is_sound(&self, watch: &Watch, renewals: u32) -> bool {
        // In this order. Pairs with the Release stores in `renew`: whoever read the new memory
        // sees that it was renewed.
        watch.is_intact() && self.damage.renewals.load(Ordering::Acquire) == renewals
    }

    /// The collector goes on in the new memory: it does not ask any more, though it asked just when
    /// that was put in place.
    pub(crate) fn unset_broken(&self) {
        self.damage.is_broken.store(false, Ordering::Relaxed);
    }

    /// Asks the producer for new memory. For the collector, again and again: a producer that sets
    /// its limit at the same moment does not hear of it.
    pub(crate) fn set_broken(&self) {
        self.damage.is_broken.store(true, Ordering::Relaxed);
        let tail = self.producer.tail.load(Ordering::Relaxed);
        // A lower limit than the producer's own only sends it to its cold path.
        self.producer.soft_limit.store(tail, Ordering::Relaxed);
    }

    /// Whether new memory should take the ring's place: what stands in it is lost, or nothing
    /// stands in it and single pages were replaced. For the producer's cold path.
    pub(crate) fn needs_memory(&self) -> bool {
        !self.is_readable() || (self.memory().is_worn() && self.used() == 0)
    }

    /// How often the memory was renewed, and what to give up: records committed, and the position
    /// behind the last. None while it is being renewed.
    pub(crate) fn renewed(&self) -> Option<(u32, u64, Position)> {
        let damage = &self.damage;
        let renewals = damage.renewals.load(Ordering::Acquire); // pairs with `renew`
        let committed = damage.committed.load(Ordering::Acquire); // orders the next
        let tail = damage.tail.load(Ordering::Acquire); // orders the next
        let is_same = damage.renewals.load(Ordering::Relaxed) == renewals;
        (is_same && renewals % 2 == 0).then_some((renewals, committed, tail))
    }

    /// Puts memory of the process in the ring's place. Nothing that stands in it is read any more.
    ///
    /// # Errors
    /// The system's: no memory; the ring stays broken.
    ///
    /// # Safety
    ///
    /// Only the owner of the producing end, without a claim.
    pub(crate) unsafe fn renew(&self) -> io::Result<()> {
        let damage = &self.damage;
        let (committed, tail) = self.committed();
        let renewals = damage.renewals.load(Ordering::Relaxed);
        damage.renewals.store(renewals.wrapping_add(1), Ordering::Relaxed);
        // Pairs with the Acquire loads in `is_sound` and `renewed`: odd comes first.
        fence(Ordering::Release);
        damage.committed.store(committed, Ordering::Release); // pairs with `renewed`
        damage.tail.store(tail, Ordering::Release); // pairs with `renewed`
        let outcome = self.memory().leave_file();
        if outcome.is_ok() {
            // All before the tail is given up.
            self.memory().released().store(tail, Ordering::Relaxed);
            damage.is_broken.store(false, Ordering::Relaxed);
        }
        damage.renewals.store(renewals.wrapping_add(2), Ordering::Release); // pairs as above
        outcome
    }

    /// Says how many records were taken or given up so far. For the collector.
    pub(crate) fn set_taken(&self, records: u64) {
        self.damage.taken.store(records, Ordering::Release); // pairs with `taken`
    }

    /// Records that the collector has taken or given up, as of its last word.
    pub(crate) fn taken(&self) -> u64 {
        self.damage.taken.load(Ordering::Acquire) // pairs with `set_taken`
    }

    /// Whether the memory holds what was stored. For whoever looks when nobody collects, too.
    pub(crate) fn is_readable(&self) -> bool {
        !self.is_broken() && self.memory().is_intact()
    }
}

impl Producer<Mapped> {
    /// As [`Ring::renew`], for an owner that has no claim yet.
    pub(crate) fn renew(&self) -> io::Result<()> {
        // SAFETY: whoever has the producer owns the end; nobody claims without borrowing it.
        unsafe { self.ring().renew() }
    }
}

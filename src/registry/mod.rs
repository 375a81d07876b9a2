//! What callers and an engine share: the rings of live and finished threads, the filter and its
//! verdicts, the overflow limits, the counters. Callers come here on their cold paths; the
//! collector looks for new rings before each pass.

mod account;
mod left;
pub(crate) mod process;
mod retry;
pub(crate) mod room;
mod unheard;
mod verdicts;

use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::arena::{Arena, RingMemory};
use crate::clock::TickSource;
use crate::config::{Filter, Overflow, Redaction};
use crate::primitive::{AtomicU8, AtomicU64, Ordering, fence};
use crate::ring::{Mapped, Producer, Ring, SharedRing};
use crate::shared::Shared;
use crate::stats::Counter;
use left::has_room;
use retry::Retry;
use room::Room;

pub(crate) use verdicts::{Verdict, Verdicts};

const RUNNING: u8 = 0;
const CLOSED: u8 = 1;
const DRAINED: u8 = 2;

/// How rings are made and when they are full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) ring_granules: usize,
    pub(crate) record_granules: usize,
    /// Granules of each ring that only ERROR and above may fill.
    pub(crate) reserve_granules: usize,
    /// Rings beyond which a thread takes what others left, full as it may be, before it makes one.
    pub(crate) rings_max: usize,
    pub(crate) overflow: Overflow,
    pub(crate) stall_after: Duration,
}

/// A ring, where its owner waits for room, and its number in the arena, which a ring in anonymous
/// memory has not.
#[derive(Clone)]
pub(crate) struct ListedRing {
    pub(crate) ring: SharedRing<Mapped>,
    pub(crate) room: Arc<Room>,
    pub(crate) number: Option<u32>,
}

impl ListedRing {
    /// Takes the ring, unless somebody has it.
    fn take(&self) -> Option<OwnedRing> {
        let producer = Producer::take(&self.ring)?;
        Some(OwnedRing { producer, room: Arc::clone(&self.room) })
    }
}

/// A thread's own ring, and where it waits for room.
pub(crate) struct OwnedRing {
    pub(crate) producer: Producer<Mapped>,
    pub(crate) room: Arc<Room>,
}

/// The caller-facing half of an engine.
pub(crate) struct Registry {
    number: i32,
    /// The generation of the process that started the engine.
    generation: u32,
    state: AtomicU8,
    pub(crate) source: TickSource,
    pub(crate) limits: Limits,
    pub(crate) shared: Shared,
    arena: Arc<Arena>,
    /// The filter, and what it says of each callsite.
    pub(crate) verdicts: Verdicts,
    rings: Mutex<Vec<ListedRing>>,
    rings_made: AtomicU64,
    /// Whether there is memory for another.
    new_rings: Retry,
    /// The most that `submitted` has ever given.
    shown: AtomicU64,
    settling: Mutex<account::Settling>,
}

/// What a registry is made of.
pub(crate) struct Parts {
    pub(crate) source: TickSource,
    pub(crate) limits: Limits,
    pub(crate) shared: Shared,
    pub(crate) arena: Arc<Arena>,
    pub(crate) filter: Filter,
    pub(crate) redaction: Redaction,
}

impl Registry {
    /// The registry of a new engine, with a number of its own.
    pub(crate) fn new(parts: Parts) -> Registry {
        let Parts { source, limits, shared, arena, filter, redaction } = parts;
        Registry {
            number: process::next_number(),
            generation: process::generation(),
            state: AtomicU8::new(RUNNING),
            source,
            limits,
            shared,
            verdicts: Verdicts::new(filter, redaction, Arc::clone(&arena)),
            arena,
            rings: Mutex::new(Vec::new()),
            rings_made: AtomicU64::new(0),
            new_rings: Retry::new(),
            shown: AtomicU64::new(0),
            settling: Mutex::default(),
        }
    }

    /// The engine's number, unique in the process.
    pub(crate) fn number(&self) -> i32 {
        self.number
    }

    /// Whether calls are accepted, in this process.
    pub(crate) fn is_running(&self) -> bool {
        self.state.load(Ordering::Relaxed) == RUNNING && !self.is_forked()
    }

    /// Whether the engine belongs to a process that this one forked off from.
    pub(crate) fn is_forked(&self) -> bool {
        self.generation != process::generation()
    }

    /// Whether it was drained, so that what stands in a ring now was never heard.
    pub(crate) fn is_drained(&self) -> bool {
        self.state.load(Ordering::Acquire) == DRAINED // pairs with `set_drained`
    }

    /// No call is accepted from now on.
    pub(crate) fn close(&self) {
        let dropped = self.shared.counters.dropped().by_producers();
        let rings = self.lock_rings();
        // Under the list's lock: whoever counts there knows whether the engine runs. Not over
        // `DRAINED`: an engine may be closed twice.
        let closing =
            self.state.compare_exchange(RUNNING, CLOSED, Ordering::Relaxed, Ordering::Relaxed);
        if closing.is_ok() {
            // The collector is told to stop after this: its last pass finds all of these.
            self.show(committed(&rings) + dropped);
        }
        // Pairs with the fence in `Room::wait`: either the waiter sees the state or it is seen.
        fence(Ordering::SeqCst);
        rings.iter().for_each(|entry| entry.room.wake());
        drop(rings);
        self.shared.progress.wake();
    }

    /// The collector has walked every ring for the last time.
    pub(crate) fn set_drained(&self) {
        self.state.store(DRAINED, Ordering::Release); // pairs with `is_drained`
    }

    /// A ring for the calling thread: one that a finished thread left, with room, else a new one,
    /// else any that is free. None when there is no memory; then only now and then a call asks for
    /// some again.
    pub(crate) fn take_ring(&self) -> Option<OwnedRing> {
        if let Some(owned) = self.take_left(has_room) {
            return Some(owned);
        }
        if self.rings_made() >= self.limits.rings_max {
            // Threads that come and go while the output hangs must not make rings without end.
            if let Some(owned) = self.take_left(|_| true) {
                return Some(owned);
            }
        }
        // Without the list's lock: mapping may wait for a hung disk, and the collector and whoever
        // drains look at the list.
        if self.new_rings.may_ask() {
            if let Some(owned) = self.arena.map_ring().ok().and_then(|one| self.add_ring(one)) {
                self.new_rings.granted();
                return Some(owned);
            }
            self.new_rings.refused();
        }
        self.take_left(|_| true)
    }

    /// Puts memory of the process in place of a ring's that is lost, for its owner between two
    /// claims; false if there is none. Asks as seldom as for a new ring.
    pub(crate) fn renew_ring(&self, producer: &Producer<Mapped>) -> bool {
        if !self.new_rings.may_ask() {
            return false;
        }
        let outcome = producer.renew();
        if outcome.is_ok() {
            self.new_rings.granted()
        } else {
            self.new_rings.refused()
        }
        outcome.is_ok()
    }

    /// As [`take_ring`](Registry::take_ring); rather the ring that the thread had last, if that is
    /// free and has room.
    pub(crate) fn take_ring_again(&self, last: *const Ring<Mapped>) -> Option<OwnedRing> {
        let is_last = |ring: &Ring<Mapped>| ptr::eq(ring, last) && has_room(ring);
        let again = if last.is_null() { None } else { self.take_left(is_last) };
        again.or_else(|| self.take_ring())
    }

    /// Lists a new ring, which is the caller's.
    fn add_ring(&self, memory: RingMemory) -> Option<OwnedRing> {
        let Limits { ring_granules, record_granules, .. } = self.limits;
        let ring = Ring::new(Mapped::new(memory.region), ring_granules, record_granules);
        let is_coarse = self.source == TickSource::Published;
        let ring = if is_coarse { ring.with_coarse_clock() } else { ring };
        let (ring, room) = (ring.share().ok()?, Arc::default());
        let entry = ListedRing { ring, room, number: memory.number };
        if memory.number.is_none() {
            self.shared.counters.add(Counter::AnonymousRings, 1);
        }
        self.shared.counters.add(Counter::Rings, 1);
        let owned = entry.take();
        let mut rings = self.lock_rings();
        rings.push(entry);
        // Pairs with the Acquire load in `rings_made`; the list itself is behind its lock.
        self.rings_made.store(rings.len() as u64, Ordering::Release);
        owned
    }

    /// How many rings there are; the collector looks for new ones when it has fewer.
    pub(crate) fn rings_made(&self) -> usize {
        self.rings_made.load(Ordering::Acquire) as usize // pairs with `add_ring`
    }

    /// Hands the rings from the `from`th to before the `to`th to `visit`, which must not allocate:
    /// the list is locked, and the host's allocator may log.
    pub(crate) fn rings_between(&self, from: usize, to: usize, visit: impl FnMut(&ListedRing)) {
        let rings = self.lock_rings();
        let to = to.min(rings.len());
        rings[from.min(to)..to].iter().for_each(visit);
    }

    /// Forgets all rings, so that those without an owner are unmapped.
    pub(crate) fn forget_rings(&self) {
        let mut rings = self.lock_rings();
        let forgotten = std::mem::take(&mut *rings);
        drop(rings);
        drop(forgotten);
    }

    /// Records past the gate so far, `known` at least; never less than before. Those that are
    /// committed while the engine ends count once they are written: until the final account nobody
    /// knows which of them are unheard.
    pub(crate) fn submitted(&self, known: u64) -> u64 {
        let dropped = self.shared.counters.dropped().by_producers();
        let rings = self.lock_rings();
        let is_open = self.state.load(Ordering::Relaxed) == RUNNING;
        self.show(if is_open { known.max(committed(&rings) + dropped) } else { known })
    }

    /// Gives the most of `count` and all counts before.
    fn show(&self, count: u64) -> u64 {
        self.shown.fetch_max(count, Ordering::Relaxed).max(count)
    }

    fn lock_rings(&self) -> MutexGuard<'_, Vec<ListedRing>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records committed to these rings.
fn committed(rings: &[ListedRing]) -> u64 {
    rings.iter().map(|entry| entry.ring.committed().0).sum()
}

#[cfg(test)]
mod tests;

//! Room in a ring: what a call does when its record crosses the soft limit. Runs on the caller; the
//! overflow policy decides here whether it waits, and how long.

use std::time::{Duration, Instant};

use super::thread::Entry;
use super::unheard;
use crate::config::Overflow;
use crate::flush::signal::bit;
use crate::flush::{GaveUp, Limit, Patience};
use crate::level::Level;
use crate::registry::room::Awaited;
use crate::ring::{Claim, Mapped, Ring};
use crate::stats::{Counter, DropReason};
use crate::sys::thread;

/// How long records of ERROR and above may wait in a stall of the ring, whatever the policy.
const URGENT_BUDGET: Duration = Duration::from_millis(50);

/// Looks at the ring before the first yield: a collector that is at work frees room within
/// microseconds.
const SPINS: u32 = 100;
/// Yields before the thread parks, so that it does not starve the collector of its core.
const YIELDS: u32 = 10;

/// A claim of `granules`, after a wait if the policy allows one. None: the record was dropped, and
/// counted.
pub(super) fn claim(entry: &Entry, granules: usize, level: Level) -> Option<Claim> {
    // Before there is a claim: what stands in the ring is not read any more.
    let ring = entry.producer.ring();
    if ring.needs_memory() {
        let is_renewed = entry.registry.renew_ring(&entry.producer);
        if !is_renewed && !ring.is_readable() {
            return drop_record(entry, level, DropReason::NoRing);
        }
    }
    let owed = entry.owed();
    let claim = claim_room(entry, granules + owed, level)?;
    if owed == 0 {
        return Some(claim);
    }
    // The ring was too full to say whose records come: that goes first. A claim that is not
    // committed leaves no trace, and there is room for both.
    entry.announce();
    try_claim(entry, granules, level)
}

fn claim_room(entry: &Entry, granules: usize, level: Level) -> Option<Claim> {
    let ring = entry.producer.ring();
    if entry.registry.shared.actuators.sheds(level) && ring.used() > ring.capacity() / 2 {
        return drop_record(entry, level, DropReason::Shed);
    }
    if let Some(claim) = try_claim(entry, granules, level) {
        return Some(claim);
    }
    // Past the soft limit: the collector may be asleep.
    entry.registry.shared.collector.raise(bit::URGENT);
    match wait_for_room(entry, granules, level) {
        Ok(()) => try_claim(entry, granules, level).or_else(|| {
            // Room for this record was seen and only this thread takes any.
            debug_assert!(false, "{} free, {granules} asked for", ring.free());
            drop_record(entry, level, DropReason::Full)
        }),
        Err(Refusal::Dropped(reason)) => drop_record(entry, level, reason),
        Err(Refusal::Unheard) => {
            unheard();
            None
        }
    }
}

fn drop_record(entry: &Entry, level: Level, reason: DropReason) -> Option<Claim> {
    entry.registry.shared.counters.drop_record(reason, level);
    None
}

/// Why there is no room.
enum Refusal {
    Dropped(DropReason),
    /// The engine stopped.
    Unheard,
}

/// Claims if the ring has room, the reserve left alone unless the record may use it.
fn try_claim(entry: &Entry, granules: usize, level: Level) -> Option<Claim> {
    let ring = entry.producer.ring();
    // SAFETY: `with_entry` lends this thread's own producer, one claim at a time; the soft limit
    // is set within what is free.
    unsafe {
        if let Some(claim) = ring.claim(granules) {
            return Some(claim);
        }
        if ring.used() <= ring.capacity() / 2 {
            // The stall, if there was one, is over.
            entry.waited.set(Duration::ZERO);
        }
        let free = usable(entry, ring, level);
        if free <= granules {
            return None;
        }
        ring.set_soft_limit(stretch(entry, free, granules, level));
        ring.claim(granules)
    }
}

/// Granules that a record of this level may fill.
fn usable(entry: &Entry, ring: &Ring<Mapped>, level: Level) -> usize {
    let reserve = if level.is_urgent() { 0 } else { entry.registry.limits.reserve_granules };
    ring.free().saturating_sub(reserve)
}

/// How far the soft limit moves: to half of the ring at first, so that a collector asleep is woken
/// in time, then to all of it. For a record in the reserve, and while others are shed, only as far
/// as that record.
fn stretch(entry: &Entry, free: usize, granules: usize, level: Level) -> usize {
    let ring = entry.producer.ring();
    if level.is_urgent() || entry.registry.shared.actuators.is_shedding() {
        // The next call looks again.
        return granules + 1;
    }
    let half = ring.capacity() / 2;
    let to_half = half.saturating_sub(ring.used());
    if to_half > granules { to_half.min(free) } else { free }
}

fn wait_for_room(entry: &Entry, granules: usize, level: Level) -> Result<(), Refusal> {
    let registry = &*entry.registry;
    let ring = entry.producer.ring();
    let has_room = || usable(entry, ring, level) > granules;
    if has_room() {
        return Ok(());
    }
    if !registry.is_running() {
        return Err(Refusal::Unheard);
    }
    if thread::is_engines() {
        // A host's `Io` that logs: who would free the room may be waiting for this thread.
        return Err(Refusal::Dropped(DropReason::Full));
    }
    let is_patient = registry.limits.overflow == Overflow::BlockForever;
    if registry.shared.progress.is_stalled() && !is_patient {
        return Err(Refusal::Dropped(DropReason::Stalled));
    }
    let budget = budget(registry.limits.overflow, level);
    let left = budget.map(|budget| budget.saturating_sub(entry.waited.get()));
    if left == Some(Duration::ZERO) {
        return Err(Refusal::Dropped(DropReason::Full));
    }
    registry.shared.counters.add(Counter::Waits, 1);
    let start = Instant::now();
    let result = wait(entry, left, level, has_room);
    entry.waited.set(entry.waited.get() + start.elapsed());
    match result {
        // It waited for more than it needs.
        Err(Refusal::Dropped(_)) if has_room() => Ok(()),
        result => result,
    }
}

/// What a call may wait in all per stall of its ring; none: as long as it takes.
fn budget(overflow: Overflow, level: Level) -> Option<Duration> {
    let urgent = if level.is_urgent() { URGENT_BUDGET } else { Duration::ZERO };
    match overflow {
        Overflow::Drop => Some(urgent),
        Overflow::BlockFor(budget) => Some(budget.max(urgent)),
        Overflow::Block | Overflow::BlockForever => None,
    }
}

/// Waits for room: until half of the ring is free, so that a thread which fills its ring again and
/// again is not woken, and put to sleep, for an eighth of it each time.
fn wait(
    entry: &Entry,
    left: Option<Duration>,
    level: Level,
    has_room: impl Fn() -> bool,
) -> Result<(), Refusal> {
    let registry = &*entry.registry;
    for turn in 0..SPINS + YIELDS {
        if has_room() {
            return Ok(());
        }
        if turn < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
    }
    let is_patient = registry.limits.overflow == Overflow::BlockForever;
    let without_progress = if is_patient { Duration::MAX } else { registry.limits.stall_after };
    let patience = Patience { without_progress, limit: Limit::of(left) };
    let ring = entry.producer.ring();
    let awaited = if level.is_urgent() { Awaited::Any } else { Awaited::Half };
    let is_half_free = || ring.used() <= ring.capacity() / 2;
    let outcome = entry.room.wait(&registry.shared.progress, patience, awaited, || {
        if has_room() && (awaited == Awaited::Any || is_half_free()) {
            Some(Ok(()))
        } else if !registry.is_running() {
            Some(Err(Refusal::Unheard))
        } else if registry.shared.progress.is_stalled() && !is_patient {
            Some(Err(Refusal::Dropped(DropReason::Stalled)))
        } else {
            None
        }
    });
    match outcome {
        Ok(result) => result,
        Err(GaveUp::Deadline(_)) => Err(Refusal::Dropped(DropReason::Full)),
        Err(GaveUp::NoProgress(_)) => {
            registry.shared.progress.stall();
            Err(Refusal::Dropped(DropReason::Stalled))
        }
    }
}

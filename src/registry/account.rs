//! The final account: what the rings still hold when nobody collects any more. Runs on whoever
//! drains, and on threads that hand a ring back after the last pass.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Registry, process};
use crate::envelope::{self, Meta};
use crate::primitive::{Ordering, fence};
use crate::ring::{Consumer, Mapped, Memory, Position, Producer, SharedRing};

/// What stands in a ring behind its released position.
pub(crate) struct Unread {
    /// Records; control envelopes are none.
    pub(crate) records: u64,
    /// The position behind the last.
    pub(crate) end: Position,
}

/// Walks a ring that nobody collects any more.
pub(crate) fn unread(ring: &SharedRing<Mapped>) -> Unread {
    if !ring.is_readable() {
        // By the producer's count and the collector's last word.
        let (committed, end) = ring.committed();
        return Unread { records: committed.saturating_sub(ring.taken()), end };
    }
    let mut records = 0;
    let end = Consumer::new(Arc::clone(ring)).walk(|ring, peeked| {
        let meta = Meta::from_word(ring.granule_of(peeked, envelope::META));
        records += u64::from(meta.is_record());
    });
    Unread { records, end }
}

/// Counts what a drained engine's ring still holds as unheard, unless a thread owns the ring: then
/// that thread does, when it hands the ring back. Whoever takes the ring counts, and releases what
/// it counted.
fn count_unheard(ring: &SharedRing<Mapped>) -> u64 {
    let Some(_owned) = Producer::take(ring) else { return 0 };
    let Unread { records, end } = unread(ring);
    // The collector has ended: nobody else moves the position. Pairs with `Ring::released`.
    ring.memory().released().store(end, Ordering::Release);
    process::count_unheard(records);
    records
}

/// The final account of all rings, taken when the collector has ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    /// Records of calls that returned before the engine closed, or whose record was collected.
    pub(crate) committed: u64,
    /// Of these, those still in the rings.
    pub(crate) pending: u64,
}

/// How long the account waits for a call that has moved its ring's tail but not committed yet.
const IN_FLIGHT_MAX: Duration = Duration::from_millis(100);
/// What one look counts for at most.
const TURN_MAX: Duration = Duration::from_millis(10);

impl Registry {
    /// Counts what the rings hold. After a drain, what they hold was committed by calls that
    /// overlapped it: those are unheard, and not part of the account.
    pub(crate) fn settle(&self) -> Account {
        let mut account = Account::default();
        // Pairs with the fence in `emit::thread::retire`.
        fence(Ordering::SeqCst);
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in rings.iter() {
            let (mut committed, unread) = settled(&entry.ring);
            if self.is_drained() {
                committed -= unread;
                count_unheard(&entry.ring);
            } else {
                account.pending += unread;
            }
            account.committed += committed;
        }
        // Added to under the list's lock only.
        account.committed -= self.unheard_at_hand_back.load(Ordering::Relaxed);
        account
    }

    /// Counts what a ring still holds that was handed back after the engine's last pass.
    pub(crate) fn count_unheard(&self, ring: &SharedRing<Mapped>) {
        // Not while the rings are settled, or these records would be in neither count.
        let _rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        self.unheard_at_hand_back.fetch_add(count_unheard(ring), Ordering::Relaxed);
    }
}

/// Records committed to a ring and records unread in it, at one and the same moment.
fn settled(ring: &SharedRing<Mapped>) -> (u64, u64) {
    // By the looks that this thread had, not by the clock: a process that was stopped has given the
    // other no time.
    let mut waited = Duration::ZERO;
    loop {
        let unread = unread(ring);
        let (committed, tail) = ring.committed();
        if tail == unread.end {
            return (committed, unread.records);
        }
        // Between the tail's store and the commit word's a thread may lose the CPU for long.
        if waited > IN_FLIGHT_MAX {
            return (committed - 1, unread.records);
        }
        let before = Instant::now();
        std::thread::yield_now();
        waited += before.elapsed().min(TURN_MAX);
    }
}

//! The final account: what the rings still hold when nobody collects any more. Runs on whoever
//! drains, and on threads that hand a ring back after the last pass.
//!
//! Under a lock of its own, which nobody takes before the engine has drained: to read a ring may
//! wait for a disk, and whoever logs, starts or ends beside it must not. A ring's memory is only
//! read here: a store would wait for a frozen file system as well.

use std::sync::{MutexGuard, PoisonError};

use super::{ListedRing, Registry, process};
use crate::envelope::{self, Meta};
use crate::primitive::{Ordering, fence};
use crate::ring::{
    Consumer, Mapped, Peeked, Position, Producer, Ring, SharedRing, granules_between,
};

/// What stands in a ring behind the place where its records are unread.
pub(super) struct Unread {
    /// Records; control envelopes are none.
    pub(super) records: u64,
    /// The position behind the last.
    end: Position,
}

/// Walks a ring that nobody collects any more.
pub(super) fn unread(consumer: &Consumer<Mapped>) -> Unread {
    let ring = consumer.ring();
    if !ring.is_readable() {
        // By the producer's count and the collector's last word.
        let (committed, end) = ring.committed();
        return Unread { records: committed.saturating_sub(ring.taken()), end };
    }
    let mut records = 0;
    let end = consumer.walk(|ring, peeked| records += u64::from(is_record(ring, peeked)));
    Unread { records, end }
}

fn is_record(ring: &Ring<Mapped>, peeked: Peeked) -> bool {
    Meta::from_word(ring.granule_of(peeked, envelope::META)).is_record()
}

/// Counts what a drained engine's ring still holds as unheard, unless a thread owns the ring: then
/// that thread does, when it hands the ring back. Whoever takes the ring counts, and nobody counts
/// the same again.
fn count_unheard(ring: &SharedRing<Mapped>) -> u64 {
    let Some(_owned) = Producer::take(ring) else { return 0 };
    let mut consumer = Consumer::behind_last(SharedRing::clone(ring));
    let Unread { records, end } = unread(&consumer);
    consumer.skip_to(end);
    // Of a ring that cannot be read, that is where the next look begins.
    ring.set_taken(ring.committed().0);
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

/// What has been counted after the engine drained.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Records in rings that were handed back between the last pass and the account: committed,
    /// but unheard.
    unheard_at_hand_back: u64,
}

impl Registry {
    /// Counts what the rings hold. After a drain, what they hold was committed by calls that
    /// overlapped it: those are unheard, and not part of the account. What a stray store of the
    /// program may have made of a ring never makes a count wrap.
    pub(crate) fn settle(&self) -> Account {
        let settling = self.settling();
        let rings = self.all_rings();
        let mut account = Account::default();
        // Pairs with the fence in `emit::thread::retire`.
        fence(Ordering::SeqCst);
        for ring in &rings {
            if self.is_drained() {
                let (committed, unread) = settled(&Consumer::behind_last(SharedRing::clone(ring)));
                account.committed += committed.saturating_sub(unread);
                count_unheard(ring);
            } else {
                // What was read and not released is in no commit slot: it is not written.
                let (committed, unread) = settled(&Consumer::new(SharedRing::clone(ring)));
                account.committed += committed;
                account.pending += unread;
            }
        }
        account.committed = account.committed.saturating_sub(settling.unheard_at_hand_back);
        account
    }

    /// Counts what a ring still holds that was handed back after the engine's last pass.
    pub(crate) fn count_unheard(&self, ring: &SharedRing<Mapped>) {
        // Not while the rings are settled, or these records would be in neither count.
        self.settling().unheard_at_hand_back += count_unheard(ring);
    }

    fn settling(&self) -> MutexGuard<'_, Settling> {
        self.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rings there are; the list is locked only while it is copied.
    fn all_rings(&self) -> Vec<SharedRing<Mapped>> {
        let mut rings = Vec::with_capacity(self.rings_made());
        self.rings_between(0, rings.capacity(), |entry: &ListedRing| {
            rings.push(SharedRing::clone(&entry.ring));
        });
        rings
    }
}

/// Records committed to a ring and records unread in it, at one and the same moment.
fn settled(consumer: &Consumer<Mapped>) -> (u64, u64) {
    let ring = consumer.ring();
    loop {
        let (counted, tail) = ring.committed();
        let Unread { records, end } = unread(consumer);
        if granules_between(tail, end) <= 0 {
            return (counted, records);
        }
        // What stands at the tail has its commit word but is not counted yet: it is newer than the
        // count, or its thread lost the CPU between the two.
        let is_counted = ring.peek_at(tail).is_some_and(|peeked| is_record(ring, peeked));
        if ring.committed() == (counted, tail) {
            return (counted + u64::from(is_counted), records);
        }
    }
}

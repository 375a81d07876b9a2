//! Carries the controller's decision from the collector to the threads that act on it. Written by
//! the collector, read by the publisher, the keeper, and callers whose ring is more than half full.

use std::time::Duration;

use super::controller::Decision;
use crate::level::Level;
use crate::primitive::{AtomicU64, Ordering};

/// Below no level: nothing is shed.
const NOTHING: u64 = 0;

/// The part of the newest decision that other threads need, a word each: they may see one word of
/// a decision and another of the next, which does no harm.
#[derive(Debug)]
pub(crate) struct Actuators {
    publish_every_ns: AtomicU64,
    sync_gap_ns: AtomicU64,
    reserve_bytes: AtomicU64,
    /// The number of the level, which is 0 for the lowest.
    shed_below: AtomicU64,
}

impl Actuators {
    pub(crate) fn new(decision: &Decision) -> Actuators {
        let actuators = Actuators {
            publish_every_ns: AtomicU64::new(0),
            sync_gap_ns: AtomicU64::new(0),
            reserve_bytes: AtomicU64::new(0),
            shed_below: AtomicU64::new(NOTHING),
        };
        actuators.set(decision);
        actuators
    }

    /// Acts on this decision from now on.
    pub(crate) fn set(&self, decision: &Decision) {
        let ns = |time: Duration| time.as_nanos() as u64;
        let shed_below = decision.shed_below.map_or(NOTHING, |level| level as u64);
        self.publish_every_ns.store(ns(decision.publish_every), Ordering::Relaxed);
        self.sync_gap_ns.store(ns(decision.sync_gap), Ordering::Relaxed);
        self.reserve_bytes.store(decision.reserve_bytes, Ordering::Relaxed);
        self.shed_below.store(shed_below, Ordering::Relaxed);
    }

    /// How long written bytes wait to be published.
    pub(crate) fn publish_every(&self) -> Duration {
        Duration::from_nanos(self.publish_every_ns.load(Ordering::Relaxed))
    }

    /// The least time between two syncs that nobody asked for.
    pub(crate) fn sync_gap(&self) -> Duration {
        Duration::from_nanos(self.sync_gap_ns.load(Ordering::Relaxed))
    }

    /// Blocks to be reserved behind the log's end.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes.load(Ordering::Relaxed)
    }

    /// Whether anything is shed at all.
    pub(crate) fn is_shedding(&self) -> bool {
        self.shed_below.load(Ordering::Relaxed) != NOTHING
    }

    /// Whether a record of this level is shed.
    pub(crate) fn sheds(&self, level: Level) -> bool {
        (level as u64) < self.shed_below.load(Ordering::Relaxed)
    }
}

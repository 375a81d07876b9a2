//! Commit slots: what the collector has written, so that neither a crash nor a live reader ever
//! sees half of a batch. Written by the collector after each batch, read by the publisher.
//!
//! ```text
//! number | segment seq | length | bytes in all | records in all | drops told | moved
//!        | (ring, released) x moved
//! ```
//! Only after the slot is written are the rings' own `released` words stored, and only then does
//! the next batch begin; recovery redoes the stores of the newest slot.
//!
//! The publisher reads slots of the process's own that say the same: whatever somebody does to the
//! file, it knows what is written.

use super::layout::{COMMIT_SLOT_BYTES, COMMITS_AT};
use std::sync::Arc;

use super::two_slots::{TwoSlots, Words};
use super::{RegionWords, SharedRegion};
use crate::primitive::AtomicU64;
use crate::ring::Position;

pub(super) const FIXED_FIELDS: usize = 6;
pub(super) const SLOT_WORDS: usize = COMMIT_SLOT_BYTES / 8;

/// Rings that one batch may move: what a slot has room for. The end of a batch costs some 7 ns for
/// each ring that it moved; with fewer rings here than are busy, each of them moves by one record.
pub(crate) const MOVED_MAX: usize = (SLOT_WORDS - 1 - FIXED_FIELDS) / 2;

/// How far the collector has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The segment in which the newest line ends.
    pub(crate) segment: u64,
    /// Bytes of lines in that segment.
    pub(crate) len: u64,
    /// Bytes of lines in all segments of the engine's life.
    pub(crate) bytes: u64,
    /// Records written, the engine's own not among them.
    pub(crate) records: u64,
}

/// Words of a slot that the publisher reads: number and the first fields.
const LIVE_WORDS: usize = 5;

/// Memory of the process alone.
#[derive(Clone, Debug, Default)]
struct Live(Arc<[AtomicU64; 2 * LIVE_WORDS]>);

impl Words for Live {
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.0[index]
    }
}

/// The two slots in the arena, and the two that the publisher reads.
#[derive(Clone, Debug)]
pub(crate) struct Commits {
    slots: TwoSlots<RegionWords>,
    live: TwoSlots<Live>,
}

impl Commits {
    pub(crate) fn new(region: SharedRegion) -> Commits {
        let slots = TwoSlots::new(RegionWords::new(region, COMMITS_AT), SLOT_WORDS);
        Commits { slots, live: TwoSlots::new(Live::default(), LIVE_WORDS) }
    }

    /// Makes a batch durable against the process's death: its bytes, how many dropped records gap
    /// records have told by now, and how far each ring moved.
    pub(crate) fn write(&self, written: Written, told: u64, moved: &[(u32, Position)]) {
        let Written { segment, len, bytes, records } = written;
        let fixed = [segment, len, bytes, records, told, moved.len() as u64];
        let rings = moved.iter().flat_map(|(ring, released)| [u64::from(*ring), *released]);
        self.slots.write(fixed.into_iter().chain(rings));
        self.live.write(fixed.into_iter().take(LIVE_WORDS - 1));
    }

    /// The newest batch.
    pub(crate) fn read(&self) -> Written {
        let mut fields = [0; LIVE_WORDS - 1];
        self.live.read(&mut fields);
        let [segment, len, bytes, records] = fields;
        Written { segment, len, bytes, records }
    }
}

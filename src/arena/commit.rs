//! Commit slots: what the collector has written, so that neither a crash nor a live reader ever
//! sees half of a batch. Written by the collector after each batch, read by the publisher.
//!
//! ```text
//! number | segment seq | length | bytes in all | records in all | moved | (ring, released) x moved
//! ```
//! Only after the slot is written are the rings' own `released` words stored, and only then does
//! the next batch begin; recovery redoes the stores of the newest slot.

use super::layout::{COMMIT_SLOT_BYTES, COMMITS_AT};
use super::two_slots::TwoSlots;
use super::{RegionWords, SharedRegion};
use crate::ring::Position;

const FIXED_FIELDS: usize = 5;
const SLOT_WORDS: usize = COMMIT_SLOT_BYTES / 8;

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

/// The two slots.
#[derive(Clone, Debug)]
pub(crate) struct Commits {
    slots: TwoSlots<RegionWords>,
}

impl Commits {
    pub(crate) fn new(region: SharedRegion) -> Commits {
        Commits { slots: TwoSlots::new(RegionWords::new(region, COMMITS_AT), SLOT_WORDS) }
    }

    /// Makes a batch durable against the process's death: its bytes, and how far each ring moved.
    pub(crate) fn write(&self, written: Written, moved: &[(u32, Position)]) {
        let fixed =
            [written.segment, written.len, written.bytes, written.records, moved.len() as u64];
        let rings = moved.iter().flat_map(|(ring, released)| [u64::from(*ring), *released]);
        self.slots.write(fixed.into_iter().chain(rings));
    }

    /// The newest batch.
    pub(crate) fn read(&self) -> Written {
        let mut fields = [0; FIXED_FIELDS - 1];
        self.slots.read(&mut fields);
        let [segment, len, bytes, records] = fields;
        Written { segment, len, bytes, records }
    }
}

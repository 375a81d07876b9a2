//! Segments that end before they are full, so that files which change with segments can be rotated.
//! Runs on the collector.

use std::time::{Duration, Instant};

use super::batch::{Batch, Parts};
use crate::flush::signal::bit;
use crate::segment::SegmentWriter;

/// When a segment ends before it is full.
#[derive(Debug)]
pub(super) struct Sealing {
    after: Duration,
    /// Since when the present segment has records.
    since: Option<Instant>,
}

impl Sealing {
    /// So long after its first record.
    pub(super) fn new(after: Duration) -> Sealing {
        Sealing { after, since: None }
    }

    /// A new segment is begun.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }

    /// Whether the segment is old; asked again and again.
    fn is_due(&mut self, writer: &SegmentWriter) -> bool {
        self.since =
            if writer.is_open() { self.since.or_else(|| Some(Instant::now())) } else { None };
        self.since.is_some_and(|since| since.elapsed() >= self.after)
    }
}

impl Batch {
    /// Seals the segment if its first record is old.
    pub(super) fn seal_if_old(&mut self) {
        let records = self.written.records;
        let Parts { sealing, writer, shared, .. } = &mut self.parts;
        if sealing.as_mut().is_some_and(|sealing| sealing.is_due(writer)) {
            writer.seal(records);
            shared.publisher.raise(bit::SEGMENT);
        }
    }
}

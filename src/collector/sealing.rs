//! When segments end before they are full, where files of the log are made of them. Runs on the
//! collector.

use std::time::{Duration, Instant};

use super::batch::{Batch, Parts};
use crate::flush::signal::bit;
use crate::segment::SegmentWriter;

/// When a segment is sealed before it is full.
#[derive(Debug)]
pub(super) struct Sealing {
    when: SealWhen,
    /// Since when the present segment has lines.
    since: Option<Instant>,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealWhen {
    /// It becomes a file of the log then: when it is so old, and when somebody asks to see it.
    Shown(Duration),
    /// Its bytes are appended as they come, but files change with segments: when it is so old.
    Old(Duration),
}

impl Sealing {
    pub(super) fn new(when: SealWhen) -> Sealing {
        Sealing { when, since: None }
    }

    /// A new segment is begun.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }

    /// Whether the segment is old; asked again and again.
    fn is_due(&mut self, writer: &SegmentWriter) -> bool {
        self.since =
            if writer.is_open() { self.since.or_else(|| Some(Instant::now())) } else { None };
        let (SealWhen::Shown(after) | SealWhen::Old(after)) = self.when;
        self.since.is_some_and(|since| since.elapsed() >= after)
    }
}

impl Batch {
    /// Ends the segment, where it becomes a file of the log, so that what it holds is to be seen.
    pub(super) fn show(&mut self) {
        let sealing = self.parts.sealing.as_ref();
        if sealing.is_some_and(|sealing| matches!(sealing.when, SealWhen::Shown(_))) {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if self.parts.writer.is_open() {
            self.parts.writer.seal();
            self.parts.publisher.raise(bit::SEGMENT);
        }
    }

    /// Seals the segment if its first line is old.
    pub(super) fn seal_if_old(&mut self) {
        let Parts { sealing, writer, .. } = &mut self.parts;
        if sealing.as_mut().is_some_and(|sealing| sealing.is_due(writer)) {
            self.seal();
        }
    }
}

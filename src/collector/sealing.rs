//! When a segment that becomes a file of the log is sealed although it is not full. Runs on the
//! collector.

use std::time::{Duration, Instant};

/// The age of the present segment.
#[derive(Debug)]
pub(super) struct Sealing {
    after: Duration,
    /// Since when it has lines.
    since: Option<Instant>,
}

impl Sealing {
    pub(super) fn new(after: Duration) -> Sealing {
        Sealing { after, since: None }
    }

    /// Whether the segment is old; asked again and again.
    pub(super) fn is_due(&mut self, has_lines: bool) -> bool {
        self.since = if has_lines { self.since.or_else(|| Some(Instant::now())) } else { None };
        self.since.is_some_and(|since| since.elapsed() >= self.after)
    }

    /// There is another segment.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }
}

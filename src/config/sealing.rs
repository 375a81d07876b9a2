//! How long a segment that becomes a file of the log may get, and how old. The setters; `settings`
//! checks what they are given.

use std::time::Duration;

use super::Config;

/// What was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealing {
    pub(crate) bytes: usize,
    pub(crate) after: Duration,
}

impl Sealing {
    pub(super) const DEFAULT: Sealing = Sealing { bytes: 64 << 20, after: Duration::from_secs(60) };
}

impl Config {
    /// The most that one file of a log with [`SegmentMode::Seal`](crate::SegmentMode::Seal) holds,
    /// in bytes: a segment of this size is made ahead of its lines.
    ///
    /// A multiple of 64 KiB from 1 MiB to 256 MiB. Default: 64 MiB. At least two segments are there
    /// at any time, on the disk and in memory.
    pub fn segment_bytes(mut self, bytes: usize) -> Config {
        self.sealing.bytes = bytes;
        self
    }

    /// How long after its first line a segment is sealed, full or not, where the mode is
    /// [`SegmentMode::Seal`](crate::SegmentMode::Seal), or where the log is binary: its files
    /// change with segments, so that this is how late one is rotated.
    ///
    /// 10 ms to 24 h. Default: 60 s.
    pub fn seal_after(mut self, age: Duration) -> Config {
        self.sealing.after = age;
        self
    }
}

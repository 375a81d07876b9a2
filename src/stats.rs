//! What an engine says of itself: losses, counts, the state of its flow. Made on the thread that
//! asks.

mod counters;
mod flow;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::level::Level;

pub(crate) use counters::{Counter, Counters};
pub use flow::Flow;

/// Why a record was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The thread's ring was full, and the overflow policy did not let the call wait any longer.
    Full,
    /// The output had made no progress for `stall_after`, or its last append had failed.
    Stalled,
    /// There was no memory for the thread's ring.
    NoRing,
    /// The record's bytes in the ring were damaged, by a stray store of the program.
    Damaged,
    /// The pressure was critical, and its level is one that [`Shed`](crate::Shed) gives up then.
    Shed,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 5] = [
        DropReason::Full,
        DropReason::Stalled,
        DropReason::NoRing,
        DropReason::Damaged,
        DropReason::Shed,
    ];

    /// The word that stands in reports and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::Full => "full",
            DropReason::Stalled => "stalled",
            DropReason::NoRing => "no_ring",
            DropReason::Damaged => "damaged",
            DropReason::Shed => "shed",
        }
    }
}

/// Losses, by reason and level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    counts: [[u64; Level::COUNT]; DropReason::ALL.len()],
}

impl Dropped {
    /// Records dropped in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Records of this level dropped for this reason.
    pub fn count(&self, reason: DropReason, level: Level) -> u64 {
        self.counts[reason as usize][level as usize]
    }

    /// Records dropped for this reason.
    pub fn by_reason(&self, reason: DropReason) -> u64 {
        self.counts[reason as usize].iter().sum()
    }

    /// Records of this level dropped.
    pub fn by_level(&self, level: Level) -> u64 {
        self.counts.iter().map(|levels| levels[level as usize]).sum()
    }

    /// Those that never came to a ring.
    pub(crate) fn by_producers(&self) -> u64 {
        self.total() - self.by_reason(DropReason::Damaged)
    }

    /// What was lost since `earlier`.
    pub(crate) fn since(&self, earlier: &Dropped) -> Dropped {
        let mut difference = *self;
        for (levels, before) in difference.counts.iter_mut().zip(&earlier.counts) {
            for (count, before) in levels.iter_mut().zip(before) {
                *count = count.saturating_sub(*before);
            }
        }
        difference
    }
}

impl fmt::Display for Dropped {
    /// `3 (full: 2 INFO, 1 ERROR)`, or `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        if self.total() == 0 {
            return Ok(());
        }
        let mut before = " (";
        for reason in DropReason::ALL.into_iter().filter(|reason| self.by_reason(*reason) > 0) {
            write!(f, "{before}{}:", reason.as_str())?;
            let mut comma = " ";
            for level in Level::ALL.into_iter().filter(|level| self.count(reason, *level) > 0) {
                write!(f, "{comma}{} {level}", self.count(reason, level))?;
                comma = ", ";
            }
            before = "; ";
        }
        f.write_str(")")
    }
}

/// How an engine fares at the moment of asking; made by `Engine::stats`.
///
/// The figures are read one after the other while threads go on: they fit together exactly only
/// when nobody logs.
#[derive(Clone, Debug)]
pub struct Stats {
    pub(crate) submitted: u64,
    pub(crate) written: u64,
    pub(crate) dropped: Dropped,
    pub(crate) own_records: u64,
    pub(crate) late: u64,
    pub(crate) truncated: u64,
    pub(crate) waits: u64,
    pub(crate) written_bytes: u64,
    pub(crate) published_bytes: u64,
    pub(crate) synced_bytes: u64,
    pub(crate) in_doubt_bytes: u64,
    pub(crate) syncs: u64,
    pub(crate) write_failures: u64,
    pub(crate) sync_failures: u64,
    pub(crate) keeper_failures: u64,
    pub(crate) also_dropped: u64,
    pub(crate) also_failures: u64,
    pub(crate) reopens: u64,
    pub(crate) rotations: u64,
    pub(crate) rotation_failures: u64,
    pub(crate) removed_files: u64,
    pub(crate) compressed_files: u64,
    pub(crate) clock_steps: u64,
    pub(crate) rings: u64,
    pub(crate) orphans: u64,
    pub(crate) flow: Flow,
    pub(crate) stalled: bool,
    pub(crate) crash_safe: bool,
    pub(crate) clock: Clock,
    pub(crate) pinned_to: Option<usize>,
    pub(crate) log_path: Option<PathBuf>,
    pub(crate) last_failure: Option<String>,
}

/// Plain figures of `Stats`, each with its doc line.
macro_rules! figures {
    ($($(#[$doc:meta])+ $name:ident: $type:ty;)*) => {
        impl Stats {
            $($(#[$doc])+ pub fn $name(&self) -> $type { self.$name })*
        }
    };
}

figures! {
    /// Records past the gate: committed to a ring, or dropped.
    submitted: u64;
    /// Records formatted into a segment that a complete commit slot names; the publisher has them
    /// next.
    written: u64;
    /// Records of the engine's own: start, gaps, clock steps. In no other figure.
    own_records: u64;
    /// Records written out of time order, because their thread lost the CPU between its clock
    /// reading and its commit for longer than the order window.
    late: u64;
    /// Records of which a value was cut.
    truncated: u64;
    /// Calls that waited for room in their ring.
    waits: u64;
    /// Bytes of lines written into segments.
    written_bytes: u64;
    /// Bytes of lines that a reader of the log sees.
    published_bytes: u64;
    /// Bytes of lines known to be on the device; 0 where the output is no file.
    synced_bytes: u64;
    /// Bytes of lines in files whose `fdatasync` failed: nobody knows whether they are on the
    /// device, and nothing will tell. Over the engine's life, also where the file was replaced.
    in_doubt_bytes: u64;
    /// Calls of `fdatasync` that succeeded.
    syncs: u64;
    /// Appends that failed.
    write_failures: u64;
    /// Calls of `fdatasync` that failed.
    sync_failures: u64;
    /// Housekeeping that failed: preallocation, syncs of the directory.
    keeper_failures: u64;
    /// Lines that consoles beside the main output did not take: their reader was too slow or gone.
    /// The main output has them.
    also_dropped: u64;
    /// How often writing to such a console failed.
    also_failures: u64;
    /// How often the log file was opened anew, because it was renamed or deleted.
    reopens: u64;
    /// How often the log went on in a new file.
    rotations: u64;
    /// Rotations that failed; the log goes on in the old file and tries again.
    rotation_failures: u64;
    /// Rotated files that were removed, as the `retain_*` options ask for.
    removed_files: u64;
    /// Rotated files that were compressed.
    compressed_files: u64;
    /// How often the wall clock was found more than a second off and adopted at once.
    clock_steps: u64;
    /// Rings made so far; threads that ended leave theirs to later ones.
    rings: u64;
    /// Arenas of crashed processes found at start: kept, not yet recovered.
    orphans: u64;
    /// Whether the output makes no progress, so that calls whose ring is full drop at once.
    stalled: bool;
    /// Whether rings and segments all lie in files, which outlive the process. This version does
    /// not read them back.
    crash_safe: bool;
    /// The clock in use; [`Clock::Monotonic`] where the processor's counter cannot be used.
    clock: Clock;
    /// The CPU to which the collector is pinned; none where it is not.
    pinned_to: Option<usize>;
}

impl Stats {
    /// How full rings and staging are, and what the engine does about it.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Losses, by reason and level.
    pub fn losses(&self) -> &Dropped {
        &self.dropped
    }

    /// Records dropped in all.
    pub fn dropped(&self) -> u64 {
        self.dropped.total()
    }

    /// Records committed but not written yet.
    pub fn pending(&self) -> u64 {
        self.submitted.saturating_sub(self.written + self.dropped.total())
    }

    /// The visible log's absolute path; none for consoles and Null.
    pub fn log_path(&self) -> Option<&Path> {
        self.log_path.as_deref()
    }

    /// What failed last in the background, as a sentence.
    pub fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "records: {} submitted = {} written + {} dropped + {} pending",
            self.submitted,
            self.written,
            self.dropped,
            self.pending()
        )?;
        write!(
            f,
            "bytes: {} written, {} published, {} synced ({} syncs); {} rings, {}{}",
            self.written_bytes,
            self.published_bytes,
            self.synced_bytes,
            self.syncs,
            self.rings,
            if self.crash_safe { "crash-safe" } else { "not crash-safe" },
            if self.stalled { ", stalled" } else { "" }
        )?;
        if self.in_doubt_bytes > 0 {
            write!(
                f,
                "\n{} bytes may not be on the device: their sync failed",
                self.in_doubt_bytes
            )?;
        }
        write!(f, "\n{}", self.flow)?;
        if let Some(failure) = &self.last_failure {
            write!(f, "\nlast failure: {failure}")?;
        }
        Ok(())
    }
}

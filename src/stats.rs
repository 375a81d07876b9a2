//! What an engine says of itself: losses, counts, the state of its flow. Made on the thread that
//! asks.

mod counters;
mod dropped;
mod figures;
mod flow;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::clock::Clock;

pub(crate) use counters::{Counter, Counters};
pub use dropped::{DropReason, Dropped};
pub(crate) use figures::{Figures, figures};
pub use flow::Flow;

/// How an engine fares at the moment of asking; made by `Engine::stats`.
///
/// The figures are read one after the other while threads go on: they fit together exactly only
/// when nobody logs.
#[derive(Clone, Debug)]
pub struct Stats {
    pub(crate) figures: Figures,
    pub(crate) submitted: u64,
    pub(crate) flow: Flow,
    pub(crate) crash_safe: bool,
    pub(crate) log_path: Option<PathBuf>,
    pub(crate) arena_path: Option<PathBuf>,
    pub(crate) last_failure: Option<String>,
}

figures! { Stats {
    /// Records formatted into a segment that a complete commit slot names; the publisher has them
    /// next.
    written: Written;
    /// Records of the engine's own: start, gaps, clock steps. In no other figure.
    own_records: OwnRecords;
    /// Records written out of time order, because their thread lost the CPU between its clock
    /// reading and its commit for longer than the order window.
    late: Late;
    /// Records of which a value was cut.
    truncated: Truncated;
    /// Calls that waited for room in their ring.
    waits: Waits;
    /// Bytes of lines written into segments.
    written_bytes: WrittenBytes;
    /// Bytes of lines that a reader of the log sees.
    published_bytes: PublishedBytes;
    /// Bytes of lines known to be on the device; 0 where the output is no file.
    synced_bytes: SyncedBytes;
    /// Bytes of lines in files whose `fdatasync` failed: nobody knows whether they are on the
    /// device, and nothing will tell. Over the engine's life, also where the file was replaced.
    in_doubt_bytes: InDoubtBytes;
    /// Calls of `fdatasync` that succeeded.
    syncs: Syncs;
    /// Appends that failed.
    write_failures: WriteFailures;
    /// Calls of `fdatasync` that failed.
    sync_failures: SyncFailures;
    /// Housekeeping that failed: syncs of the directory, looks at old files, removals and
    /// compressions of them, reserves of blocks that could not be given back.
    keeper_failures: KeeperFailures;
    /// Lines that consoles did not take: those beside the main output because their reader was too
    /// slow or gone (the main output has them), the main output because its reader was gone (they
    /// count as published, as nobody waits for them).
    also_dropped: SideDropped;
    /// How often writing to a console beside the main output failed.
    also_failures: SideFailures;
    /// How often the log file was opened anew, because it was renamed or deleted, or because its
    /// descriptor was lost.
    reopens: Reopens;
    /// How often the program had closed the log file's descriptor, whose number may then have been
    /// another file's. The engine opens the log anew, and leaves the number alone.
    lost_descriptors: LostDescriptors;
    /// How often the log went on in a new file.
    rotations: Rotations;
    /// Rotations that failed; the log goes on in the old file and tries again.
    rotation_failures: RotationFailures;
    /// Rotated files that were removed, as the `retain_*` options ask for.
    removed_files: RemovedFiles;
    /// Rotated files that were compressed.
    compressed_files: CompressedFiles;
    /// How often the wall clock was found more than a second off and adopted at once.
    clock_steps: ClockSteps;
    /// Rings made so far; threads that ended leave theirs to later ones.
    rings: Rings;
    /// Records of dead processes that the start brought back into the log: those that lay in their
    /// rings, and lines that were written and not published.
    recovered: Recovered;
    /// Arenas of dead processes that the start has recovered and removed.
    recovered_arenas: RecoveredArenas;
    /// Arenas of dead processes found at the start that could not be recovered, and stay: damaged
    /// ones, those of another version, those for whose content there was no room.
    orphans: Orphans;
    /// How often a part of the arena's files could not be had, because somebody cut them, or their
    /// file system is full or fails, and memory of the process took its place.
    mapping_faults: MappingFaults;
    /// Arenas of crashed processes removed at start, the oldest, as there were too many of them.
    removed_orphans: RemovedOrphans;
} }

impl Stats {
    /// Records past the gate: committed to a ring, or dropped.
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Whether the output makes no progress, so that calls whose ring is full drop at once.
    pub fn stalled(&self) -> bool {
        self.figures.get(Counter::Stalled) != 0
    }

    /// Whether rings and segments all lie in files, which outlive the process: the next start
    /// brings back what is in them.
    pub fn crash_safe(&self) -> bool {
        self.crash_safe
    }

    /// The clock in use; [`Clock::Monotonic`] where the processor's counter cannot be used.
    pub fn clock(&self) -> Clock {
        Clock::of_number(self.figures.get(Counter::ClockInUse))
    }

    /// The CPU to which the collector is pinned; none where it is not.
    pub fn pinned_to(&self) -> Option<usize> {
        let cpu = self.figures.get(Counter::PinnedToPlusOne).checked_sub(1)?;
        usize::try_from(cpu).ok()
    }

    /// All counters that have a function of their own, by its name: for programs that show them
    /// all.
    #[doc(hidden)]
    pub fn figures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Stats::FIGURES.iter().map(|(name, counter)| (*name, self.figures.get(*counter)))
    }

    /// How full rings and staging are, and what the engine does about it.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Losses, by reason and level.
    pub fn losses(&self) -> &Dropped {
        &self.figures.dropped
    }

    /// Records dropped in all.
    pub fn dropped(&self) -> u64 {
        self.figures.dropped.total()
    }

    /// Records committed but not written yet.
    pub fn pending(&self) -> u64 {
        self.submitted.saturating_sub(self.written() + self.figures.dropped.total())
    }

    /// The visible log's absolute path; none for consoles and Null.
    pub fn log_path(&self) -> Option<&Path> {
        self.log_path.as_deref()
    }

    /// The file of the arena, absolute; none where it lies in anonymous memory, or this process
    /// does not know. Beside the log, in shared memory where the log's file system needs a new
    /// block for each write, or where [`arena`](crate::Config::arena) says.
    pub fn arena_path(&self) -> Option<&Path> {
        self.arena_path.as_deref()
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
            self.written(),
            self.losses(),
            self.pending()
        )?;
        write!(
            f,
            "bytes: {} written, {} published, {} synced ({} syncs); {} rings, {}{}",
            self.written_bytes(),
            self.published_bytes(),
            self.synced_bytes(),
            self.syncs(),
            self.rings(),
            if self.crash_safe { "crash-safe" } else { "not crash-safe" },
            if self.stalled() { ", stalled" } else { "" }
        )?;
        if self.in_doubt_bytes() > 0 {
            write!(
                f,
                "\n{} bytes may not be on the device: their sync failed",
                self.in_doubt_bytes()
            )?;
        }
        write!(f, "\n{}", self.flow)?;
        if let Some(failure) = &self.last_failure {
            write!(f, "\nlast failure: {failure}")?;
        }
        Ok(())
    }
}

//! What a drain tells: the counts, checked against each other, and how it went. Made on the owner's
//! thread when all engine threads have ended.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{BarrierError, Error};
use crate::stats::{Dropped, Figures, Flow, figures};

/// The account of an engine's life, made by `Engine::drain`.
///
/// `submitted == written + dropped + pending`, where each is counted by somebody else: submitted by
/// the producers, written by the collector, pending by walking the rings.
#[derive(Clone, Debug)]
pub struct DrainReport {
    pub(crate) figures: Figures,
    pub(crate) submitted: u64,
    pub(crate) pending: u64,
    pub(crate) unpublished_bytes: u64,
    pub(crate) flow: Flow,
    pub(crate) took: Duration,
    pub(crate) log_path: Option<PathBuf>,
    pub(crate) arena_path: Option<PathBuf>,
    pub(crate) last_failure: Option<String>,
}

figures! { DrainReport {
    /// Records formatted into a segment that a complete commit slot names.
    written: Written;
    /// Records of the engine's own: start, gaps, clock steps. In no other figure.
    own_records: OwnRecords;
    /// Records written out of time order.
    late: Late;
    /// Records of which a value was cut.
    truncated: Truncated;
    /// Calls that waited for room in their ring.
    waits: Waits;
    /// Bytes of lines in the visible log; where that is a console, also those that were discarded
    /// as its reader was gone.
    published_bytes: PublishedBytes;
    /// Lines that consoles did not take, as their reader was gone or, beside the main output, too
    /// slow.
    also_dropped: SideDropped;
    /// Bytes of lines in files whose `fdatasync` failed: they may not have reached the device, and
    /// a power cut may lose them. Over the engine's life, whether or not a barrier has said so.
    in_doubt_bytes: InDoubtBytes;
    /// Calls of `fdatasync` that succeeded over the engine's life.
    syncs: Syncs;
} }

impl DrainReport {
    /// Records past the gate: committed to a ring, or dropped. Calls that overlapped the drain and
    /// missed it are not among them but in [`unheard`](crate::unheard).
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Records that still lie in the rings; 0 after a drain that ended.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Bytes of lines that are written but not published; 0 after a drain that ended.
    pub fn unpublished_bytes(&self) -> u64 {
        self.unpublished_bytes
    }

    /// How long the drain took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Records dropped in all.
    pub fn dropped(&self) -> u64 {
        self.figures.dropped.total()
    }

    /// Losses, by reason and level.
    pub fn losses(&self) -> &Dropped {
        &self.figures.dropped
    }

    /// How hard the output was pressed over the engine's life, and the last decision.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Records that lie in the arena's file: all that are pending, if it is in one. The next start
    /// brings them into the log.
    pub fn left_in_arena(&self) -> u64 {
        if self.arena_path.is_some() { self.pending } else { 0 }
    }

    /// The visible log's absolute path; none for consoles and Null.
    pub fn log_path(&self) -> Option<&Path> {
        self.log_path.as_deref()
    }

    /// What failed last in the background, as a sentence.
    pub fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// Whether the counts agree: `submitted == written + dropped + pending`.
    pub fn is_balanced(&self) -> bool {
        self.submitted == self.written() + self.figures.dropped.total() + self.pending
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "drained in {:.1} ms: {} submitted = {} written + {} dropped + {} pending",
            self.took.as_secs_f64() * 1e3,
            self.submitted,
            self.written(),
            self.losses(),
            self.pending
        )?;
        if let Some(path) = &self.log_path {
            write!(f, "; log {}", path.display())?;
        }
        if self.also_dropped() > 0 {
            write!(f, "; {} lines not taken by consoles", self.also_dropped())?;
        }
        if self.flow.pressure_changes() > 0 {
            write!(f, "; pressure {}", self.flow.times())?;
        }
        if self.unpublished_bytes > 0 {
            write!(f, "; {} bytes not yet in the log", self.unpublished_bytes)?;
        }
        if let Some(path) = self.arena_path.as_ref().filter(|_| self.pending > 0) {
            write!(f, ", kept in {}", path.display())?;
        }
        if self.in_doubt_bytes() > 0 {
            write!(f, "; {} bytes may not be on the device", self.in_doubt_bytes())?;
        }
        if let Some(failure) = &self.last_failure {
            write!(f, "; last failure: {failure}")?;
        }
        Ok(())
    }
}

/// A drain did not end, or could not confirm what it had written. The engine is stopped all the
/// same, except where this call had no say: in a forked child.
#[derive(Clone, Debug)]
pub struct DrainError {
    pub(crate) reason: BarrierError,
    pub(crate) report: Option<Box<DrainReport>>,
}

impl DrainError {
    /// Why it failed.
    pub fn reason(&self) -> &BarrierError {
        &self.reason
    }

    /// The counts all the same; none when this call did not end the engine: in a forked child, on a
    /// thread of the engine, or when its time was over while another call was draining.
    pub fn report(&self) -> Option<&DrainReport> {
        self.report.as_deref()
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the drain failed: {}", self.reason)?;
        match &self.report {
            Some(report) => write!(f, " ({report})"),
            None => Ok(()),
        }
    }
}

impl StdError for DrainError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.reason)
    }
}

impl From<DrainError> for Error {
    fn from(error: DrainError) -> Error {
        Error::Drain(Box::new(error))
    }
}

//! The peers, a module each: set the logger up as its documentation does, log, close it.

mod env_logger;
mod fastlog;
mod null;
#[cfg(feature = "peers")]
mod others;
mod raw_pwrite;
mod tracing;

pub use fastlog::TARGET as FASTLOG_TARGET;

use crate::baseline;
use crate::bench::Bench;
use crate::run::{Mode, Outcome};

/// Long enough for the slower half, which takes a second.
const RECORDS: u64 = 500_000;
/// For peers that would be done before the clocks have said anything.
const MANY_RECORDS: u64 = 4_000_000;

/// Records that a bounded queue holds, where its user has to choose.
#[cfg(feature = "peers")]
const QUEUE_RECORDS: usize = 100_000;
/// Bytes of a buffered file, likewise.
const BUFFER_BYTES: usize = 64 * 1024;

/// What a row of the tables is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's engine.
    Fastlog,
    /// No logger, but what loggers are held against.
    Baseline,
    Other,
}

/// A row of the comparison.
pub struct Peer {
    pub name: &'static str,
    pub kind: Kind,
    /// The crate whose version is printed.
    pub package: &'static str,
    /// Records of the throughput modes, unless the command line says otherwise.
    pub records: u64,
    /// Modes that it does not have, with the reason.
    pub skips: &'static [(Mode, &'static str)],
    pub run: fn(&Bench) -> Outcome,
}

impl Peer {
    const fn new(name: &'static str, package: &'static str, run: fn(&Bench) -> Outcome) -> Peer {
        Peer { name, kind: Kind::Other, package, records: RECORDS, skips: &[], run }
    }

    const fn fastlog(name: &'static str, run: fn(&Bench) -> Outcome) -> Peer {
        Peer { kind: Kind::Fastlog, ..Peer::new(name, "fastlog-engine", run).fast() }
    }

    const fn baseline(name: &'static str, run: fn(&Bench) -> Outcome) -> Peer {
        Peer { kind: Kind::Baseline, ..Peer::new(name, "", run) }
    }

    const fn fast(self) -> Peer {
        Peer { records: MANY_RECORDS, ..self }
    }

    const fn skips(self, skips: &'static [(Mode, &'static str)]) -> Peer {
        Peer { skips, ..self }
    }

    /// All rows that this build has.
    pub fn all() -> impl Iterator<Item = &'static Peer> {
        #[cfg(feature = "peers")]
        let others = others::OTHERS;
        #[cfg(not(feature = "peers"))]
        let others = &[];
        FEW.iter().chain(others)
    }

    pub fn named(name: &str) -> Option<&'static Peer> {
        Peer::all().find(|peer| peer.name == name)
    }
}

const NO_CALL: &str = "it has no call to measure";

/// Rows of every build.
const FEW: &[Peer] = &[
    Peer::baseline("null", null::run).fast(),
    Peer { records: baseline::LINES_MAX, ..Peer::baseline("raw-pwrite", raw_pwrite::run) }
        .skips(&[(Mode::Latency, NO_CALL), (Mode::Alloc, NO_CALL)]),
    Peer::fastlog("fastlog", fastlog::production),
    Peer::fastlog("fastlog-block", fastlog::blocking),
    Peer::new("tracing-nonblocking", "tracing-appender", tracing::non_blocking_lossless),
    Peer::new("tracing-nonblocking-lossy", "tracing-appender", tracing::non_blocking_lossy),
    Peer::new("tracing-sync", "tracing-subscriber", tracing::sync_buffered),
    Peer::new("env-logger-file", "env_logger", env_logger::run),
];

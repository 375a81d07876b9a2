//! Drives a peer in one mode. A peer sets its logger up and calls [`Bench::drive`] with two
//! closures: log one order, and flush the logger. What it returns is what the mode found.

mod alloc;
mod inspect;
mod latency;
mod pace;
mod throughput;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::measure;
use crate::order::Order;
use crate::output;
use crate::peers::Peer;
use crate::run::{Mode, Outcome, Throughput};

const PRODUCER_CPU: usize = 0;
const BACKEND_CPU: usize = 1;

/// Records of the modes that verify and count, unless fewer are asked for.
const COUNTED_RECORDS: u64 = 100_000;

/// How a peer closed its log.
pub struct Closed {
    dropped: Option<u64>,
    is_complete: bool,
    shut_down: Option<Box<dyn FnOnce()>>,
}

impl Closed {
    /// The peer's own flush returned after everything was in the file.
    pub fn flushed() -> Closed {
        Closed { dropped: None, is_complete: true, shut_down: None }
    }

    /// The peer offers no call that waits for its thread, or one that gives up: watch the file.
    pub fn unfinished() -> Closed {
        Closed { is_complete: false, ..Closed::flushed() }
    }

    /// The peer counted what it dropped.
    pub fn dropped(self, records: u64) -> Closed {
        Closed { dropped: Some(records), ..self }
    }

    /// What is left to do when everything is in the file; not measured.
    pub fn then(self, shut_down: impl FnOnce() + 'static) -> Closed {
        Closed { shut_down: Some(Box::new(shut_down)), ..self }
    }

    /// Waits where the peer did not; when the file was complete, if that was found by waiting.
    fn settle(&self, dir: &Path) -> Option<Instant> {
        (!self.is_complete).then(|| output::settle(dir))
    }

    fn shut_down(self) {
        self.shut_down.into_iter().for_each(|shut_down| shut_down());
    }

    /// Returns when the file will change no more.
    fn finish(self, dir: &Path) {
        self.settle(dir);
        self.shut_down();
    }
}

/// One run of one peer in one mode.
pub struct Bench {
    mode: Mode,
    records: u64,
    dir: PathBuf,
}

impl Bench {
    /// A run that logs below `dir`, which is created. `records` is for the throughput modes; the
    /// others have a number of their own, and only ever log fewer.
    pub fn new(mode: Mode, records: u64, dir: &Path) -> Bench {
        fs::create_dir_all(dir).expect("the directory can be created");
        assert_eq!(output::bytes(dir), 0, "{} is not empty", dir.display());
        Bench { mode, records, dir: dir.to_owned() }
    }

    pub fn run(&self, peer: &Peer) -> Outcome {
        if let Some((_, reason)) = peer.skips.iter().find(|(mode, _)| *mode == self.mode) {
            return Outcome::Skipped((*reason).to_owned());
        }
        if self.is_pinned() {
            // The threads that the peer starts now inherit the backend's CPU.
            measure::pin_to(BACKEND_CPU);
        }
        (peer.run)(self)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a peer that lets its user choose.
    pub fn file(&self) -> PathBuf {
        self.dir.join("peer.log")
    }

    /// The same for peers that take text.
    #[cfg(feature = "peers")]
    pub fn file_name(&self) -> String {
        self.file().into_os_string().into_string().expect("the directory's name is UTF-8")
    }

    /// The CPU to pin the backend to, for peers that do it themselves.
    #[cfg(feature = "peers")]
    pub fn backend_cpu(&self) -> Option<usize> {
        self.is_pinned().then_some(BACKEND_CPU)
    }

    /// How many records the run logs: in steady state, where it warms up.
    pub fn records(&self) -> u64 {
        match self.mode {
            Mode::Throughput | Mode::Throughput2 => self.records,
            _ => self.records.min(COUNTED_RECORDS),
        }
    }

    /// Measures `log`, and `close` where the mode is about the file.
    pub fn drive(&self, log: impl Fn(&Order) + Sync, close: impl FnOnce() -> Closed) -> Outcome {
        self.drive_prepared(|| {}, log, close)
    }

    /// As [`Bench::drive`]; each producer calls `prepare` before its first record.
    pub fn drive_prepared(
        &self,
        prepare: impl Fn() + Sync,
        log: impl Fn(&Order) + Sync,
        close: impl FnOnce() -> Closed,
    ) -> Outcome {
        if self.is_pinned() {
            measure::pin_to(PRODUCER_CPU);
        }
        match self.mode {
            Mode::Latency => {
                Outcome::Latency(latency::run(&self.dir, self.records, prepare, log, close))
            }
            Mode::Throughput => Outcome::Throughput(self.throughput(1, prepare, log, close)),
            Mode::Throughput2 => Outcome::Throughput(self.throughput(2, prepare, log, close)),
            Mode::Verify => {
                Outcome::Verify(verify::run(&self.dir, self.records(), prepare, log, close))
            }
            Mode::Alloc => {
                Outcome::Alloc(alloc::run(&self.dir, self.records(), prepare, log, close))
            }
        }
    }

    fn throughput(
        &self,
        producers: u64,
        prepare: impl Fn() + Sync,
        log: impl Fn(&Order) + Sync,
        close: impl FnOnce() -> Closed,
    ) -> Throughput {
        throughput::run(&self.dir, self.records, producers, prepare, log, close)
    }

    /// Whether producer and backend each have a CPU of their own.
    fn is_pinned(&self) -> bool {
        !matches!(self.mode, Mode::Throughput | Mode::Throughput2)
    }
}

//! Positions and progress. A record is **committed** (in a ring), **written** (in a segment),
//! **published** (in the visible log), **synced** (on the device). The first three survive the
//! death of the process, the last a power cut. The engine's threads move the positions, callers of
//! `flush`, `sync` and `drain` wait for them.

pub(crate) mod actuator;
pub(crate) mod controller;
mod doubt;
pub(crate) mod due;
mod failures;
pub(crate) mod files;
mod notice;
mod patience;
pub(crate) mod pressure;
mod progress;
mod queue;
pub(crate) mod signal;

use std::time::Duration;

#[cfg(test)]
pub(crate) use self::doubt::Asked;
pub(crate) use self::failures::SyncFailure;
pub(crate) use self::notice::Notice;
pub(crate) use self::patience::{GaveUp, Limit, Patience};
pub(crate) use self::progress::Progress;
pub(crate) use self::queue::{LOOK_EVERY, WaitQueue};

/// How long something takes, smoothed over some eight times.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    ns: u64,
}

impl Latency {
    /// Once more; gives the smoothed time in nanoseconds.
    pub(crate) fn add(&mut self, time: Duration) -> u64 {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.ns = if self.ns == 0 { ns } else { self.ns - self.ns / 8 + ns / 8 };
        self.ns
    }
}

/// The engine's threads, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum EngineThread {
    Collector = 1,
    Publisher = 2,
    Keeper = 4,
}

impl EngineThread {
    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EngineThread::Collector => "collector",
            EngineThread::Publisher => "publisher",
            EngineThread::Keeper => "keeper",
        }
    }
}

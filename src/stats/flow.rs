//! How full rings and staging are, and what the controller decided about it: its part of the
//! counters, read on the thread that asks.

use std::fmt;
use std::time::Duration;

use super::{Counter, Figures};
use crate::flush::pressure::Pressure;

/// How fast records come, how hard they press on the output, and what the engine does about it.
///
/// As of the collector's last look, which comes every 10 ms, while it is parked after each park.
#[derive(Clone, Debug)]
pub struct Flow {
    pressure: Pressure,
    pressure_changes: u64,
    time_at: [Duration; 4],
    ring_fill_permille: u64,
    records_per_s: u64,
    publish_latency: Duration,
    sync_latency: Duration,
    publish_every: Duration,
    sync_gap: Duration,
    park_max: Duration,
    reserve_bytes: u64,
}

impl Flow {
    /// As the counters have it.
    pub(crate) fn of(figures: &Figures) -> Flow {
        let get = |counter| figures.get(counter);
        let time = |counter| Duration::from_nanos(get(counter));
        let state = get(Counter::Pressure) as usize;
        Flow {
            pressure: Pressure::ALL.get(state).copied().unwrap_or_default(),
            pressure_changes: get(Counter::PressureChanges),
            time_at: [
                time(Counter::CalmNs),
                time(Counter::ElevatedNs),
                time(Counter::HighNs),
                time(Counter::CriticalNs),
            ],
            ring_fill_permille: get(Counter::RingFillPermille),
            records_per_s: get(Counter::RecordsPerS),
            publish_latency: time(Counter::PublishLatencyNs),
            sync_latency: time(Counter::SyncLatencyNs),
            publish_every: time(Counter::PublishEveryNs),
            sync_gap: time(Counter::SyncGapNs),
            park_max: time(Counter::ParkMaxNs),
            reserve_bytes: get(Counter::ReserveBytes),
        }
    }

    /// The present state.
    pub fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// How often the state changed.
    pub fn pressure_changes(&self) -> u64 {
        self.pressure_changes
    }

    /// How long the output was in this state.
    pub fn time_at(&self, pressure: Pressure) -> Duration {
        self.time_at[pressure as usize]
    }

    /// Fill of the fullest ring, in thousandths.
    pub fn ring_fill_permille(&self) -> u64 {
        self.ring_fill_permille
    }

    /// Records written a second, smoothed over half a second.
    pub fn records_per_s(&self) -> u64 {
        self.records_per_s
    }

    /// How long an append to the visible log takes, smoothed over some eight of them.
    pub fn publish_latency(&self) -> Duration {
        self.publish_latency
    }

    /// How long an `fdatasync` takes, smoothed over some eight of them.
    pub fn sync_latency(&self) -> Duration {
        self.sync_latency
    }

    /// Decided: how long written lines wait to be published.
    pub fn publish_every(&self) -> Duration {
        self.publish_every
    }

    /// Decided: the least time between two syncs that nobody asked for.
    pub fn sync_gap(&self) -> Duration {
        self.sync_gap
    }

    /// Decided: how long the collector parks at most while there is nothing to do.
    pub fn park_max(&self) -> Duration {
        self.park_max
    }

    /// Decided: how many bytes of blocks are reserved behind the log's end.
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// `calm 12.0 s, high 0.3 s`: the states that were, with their times.
    pub(crate) fn times(&self) -> String {
        let seen = Pressure::ALL.into_iter().filter(|state| !self.time_at(*state).is_zero());
        let words = seen.map(|state| format!("{state} {:.1} s", self.time_at(state).as_secs_f64()));
        words.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "flow: {}, {} records/s, fullest ring {:.1} %, append {:?}, sync {:?}; publish every \
             {:?}, sync gap {:?}, park {:?}, reserve {} KiB",
            self.pressure,
            self.records_per_s,
            self.ring_fill_permille as f64 / 10.0,
            self.publish_latency,
            self.sync_latency,
            self.publish_every,
            self.sync_gap,
            self.park_max,
            self.reserve_bytes >> 10
        )?;
        if self.pressure_changes > 0 {
            write!(f, "; {} changes: {}", self.pressure_changes, self.times())?;
        }
        Ok(())
    }
}

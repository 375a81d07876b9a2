//! Runs the flush controller: reads the engine's gauges, lets it decide, and hands the decision to
//! whoever acts on it. Runs on the collector, between passes and while it waits for a segment.

use std::time::{Duration, Instant};

use super::sources::Source;
use crate::flush::controller::{Controller, Decision, Readings};
use crate::flush::pressure::Pressure;
use crate::shared::Shared;
use crate::stats::Counter;

/// How often, while there is anything to do.
const EVERY: Duration = Duration::from_millis(10);

/// For how long rates are smoothed.
const RATE_WINDOW: Duration = Duration::from_millis(500);

/// The collector's view of the flow, and the controller.
pub(super) struct Governor {
    controller: Controller,
    decision: Decision,
    shared: Shared,
    start: Instant,
    ran_at: Instant,
    records: Rate,
    bytes: Rate,
}

/// A count's growth per second, smoothed.
#[derive(Debug, Default)]
struct Rate {
    count: u64,
    per_s: f64,
}

impl Rate {
    fn update(&mut self, count: u64, elapsed: Duration) -> u64 {
        let new = (count - self.count) as f64 / elapsed.as_secs_f64().max(1e-9);
        let weight = (elapsed.as_secs_f64() / RATE_WINDOW.as_secs_f64()).min(1.0);
        self.per_s += (new - self.per_s) * weight;
        self.count = count;
        self.per_s.round() as u64
    }
}

impl Governor {
    pub(super) fn new(shared: Shared) -> Governor {
        let now = Instant::now();
        let governor = Governor {
            controller: Controller::new(shared.limits),
            decision: Decision::configured(&shared.limits),
            shared,
            start: now,
            ran_at: now,
            records: Rate::default(),
            bytes: Rate::default(),
        };
        governor.tell();
        governor
    }

    /// What holds at present.
    pub(super) fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Reads, decides and acts, if it is time to; whether it was.
    pub(super) fn look(&mut self, sources: &[Source], records: u64, bytes: u64) -> bool {
        let now = Instant::now();
        let elapsed = now - self.ran_at;
        if elapsed < EVERY {
            return false;
        }
        self.ran_at = now;
        let fill = sources.iter().map(Source::fill_permille).max().unwrap_or(0);
        let readings = Readings {
            ring_fill_permille: fill,
            records_per_s: self.records.update(records, elapsed),
            bytes_per_s: self.bytes.update(bytes, elapsed),
            unpublished_bytes: bytes.saturating_sub(self.shared.progress.published()),
            sync_latency: Duration::from_nanos(self.shared.counters.get(Counter::SyncLatencyNs)),
            disk_room_bytes: self.shared.counters.get(Counter::DiskRoomPlusOne).checked_sub(1),
            is_stalled: self.shared.progress.is_stalled(),
        };
        self.decision = self.controller.step(now - self.start, &readings);
        self.shared.actuators.set(&self.decision);
        self.shared.counters.set(Counter::RingFillPermille, fill.into());
        self.shared.counters.set(Counter::RecordsPerS, readings.records_per_s);
        self.shared.counters.set(Counter::Stalled, readings.is_stalled.into());
        self.tell();
        true
    }

    /// Shows the state and the decision to whoever looks at the counters.
    fn tell(&self) {
        let ns = |time: Duration| time.as_nanos() as u64;
        let times = self.controller.time_at();
        let counts = [
            (Counter::Pressure, self.controller.pressure() as u64),
            (Counter::PressureChanges, self.controller.changes()),
            (Counter::CalmNs, ns(times[Pressure::Calm as usize])),
            (Counter::ElevatedNs, ns(times[Pressure::Elevated as usize])),
            (Counter::HighNs, ns(times[Pressure::High as usize])),
            (Counter::CriticalNs, ns(times[Pressure::Critical as usize])),
            (Counter::PublishEveryNs, ns(self.decision.publish_every)),
            (Counter::SyncGapNs, ns(self.decision.sync_gap)),
            (Counter::ParkMaxNs, ns(self.decision.park_max)),
            (Counter::ReserveBytes, self.decision.reserve_bytes),
        ];
        counts.into_iter().for_each(|(counter, count)| self.shared.counters.set(counter, count));
    }
}

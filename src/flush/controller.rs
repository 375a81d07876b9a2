//! From what the engine sees of itself to what its actuators do: how often to publish, how close
//! syncs may follow each other, how the collector idles, how much is staged and reserved, and what
//! is shed. A state machine without disk, clock or thread; run by the collector, which is awake
//! whenever there is something to decide.

use std::time::Duration;

use super::pressure::Pressure;
use crate::level::Level;

/// What the engine sees of itself at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Readings {
    /// Fill of the fullest ring, in thousandths.
    pub(crate) ring_fill_permille: u32,
    /// Records a second, smoothed.
    pub(crate) records_per_s: u64,
    /// Bytes of lines a second, smoothed.
    pub(crate) bytes_per_s: u64,
    /// Bytes written but not published.
    pub(crate) unpublished_bytes: u64,
    /// Time an `fdatasync` takes, smoothed.
    pub(crate) sync_latency: Duration,
    /// Bytes that may be taken of the log's disk, so that enough stays free; where known.
    pub(crate) disk_room_bytes: Option<u64>,
    /// Whether the output makes no progress.
    pub(crate) is_stalled: bool,
}

/// When to sync without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncGoal {
    /// Never.
    Never,
    /// When unsynced bytes are this old.
    Within(Duration),
    /// After each append.
    EachBatch,
}

/// Whether the actuators follow the readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Adaptive,
    /// They keep to what was configured; the pressure is told all the same.
    Fixed,
}

/// What was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) mode: Mode,
    /// The publish interval; never more.
    pub(crate) publish_every: Duration,
    /// The sync interval.
    pub(crate) sync: SyncGoal,
    /// The shortest time between syncs for urgent records; none: they wait like others.
    pub(crate) urgent_sync_every: Option<Duration>,
    /// Bytes that are published at once rather than in time, so that hot segments suffice.
    pub(crate) publish_bytes: u64,
    /// The most that segments may take.
    pub(crate) staging_bytes: u64,
    /// Records below this level are shed at `Critical`; none: none are.
    pub(crate) shed_below: Option<Level>,
}

/// What becomes of segments beyond the hot ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Staging {
    /// They stay for the next burst.
    Keep,
    /// Those that are free give their memory back.
    Trim,
}

/// What the actuators do until the next decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// How long written bytes wait to be published.
    pub(crate) publish_every: Duration,
    /// The least time from the end of a sync to the beginning of the next that nobody asked for.
    pub(crate) sync_gap: Duration,
    /// The longest that the collector parks.
    pub(crate) park_max: Duration,
    /// The longest that it parks while rings hold records, all too young to be written.
    pub(crate) young_park_max: Duration,
    /// One batch holds back at most this part of a ring: 8 for an eighth.
    pub(crate) batch_part: usize,
    pub(crate) staging: Staging,
    /// Blocks reserved behind the log's end.
    pub(crate) reserve_bytes: u64,
    /// Records below this level are shed when their ring is more than half full.
    pub(crate) shed_below: Option<Level>,
}

/// Loads, in thousandths, at which pressure rises to `Elevated`, `High`, `Critical`.
const UP: [u64; 3] = [250, 500, 800];
/// Loads below which it leaves these states.
const DOWN: [u64; 3] = [125, 350, 600];

/// How long the load is below before pressure falls by one state.
pub(super) const COOLDOWN: Duration = Duration::from_secs(1);

/// Records a second below which each is published almost at once: that costs less than 200 appends
/// a second.
const TRICKLE_PER_S: u64 = 200;
const TRICKLE_PUBLISH_EVERY: Duration = Duration::from_millis(1);

/// The longest gap between syncs, whatever they take.
const SYNC_GAP_MAX: Duration = Duration::from_secs(10);

/// The longest parks, by pressure. What a trickle gains by being published at once is added to
/// `Calm`'s. Short but not none at `Critical`: a collector that has nothing to do and spins takes
/// its CPU from the publisher, for which everything waits; who fills half of a ring wakes it.
const PARK_MAX: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(5),
    Duration::from_millis(1),
    Duration::from_millis(1),
];

/// Records a second from which on the collector stays awake for records that are too young yet: it
/// is busy for a good part of the time, and the next ones come before a park ends.
const STREAM_PER_S: u64 = 1_000_000;
const YOUNG_PARK_MAX: Duration = Duration::from_millis(1);

/// The longest park of all: losses, steps of the clock and old segments are looked for in between.
const PARK_IDLE_MAX: Duration = Duration::from_millis(100);

/// Blocks are reserved for as long as this at the present rate, within bounds.
const RESERVE_FOR: Duration = Duration::from_secs(4);
const RESERVE_BYTES_MIN: u64 = 4 << 20;
pub(crate) const RESERVE_BYTES_MAX: u64 = 64 << 20;

impl Decision {
    /// What was configured, as if there were no pressure and no readings.
    pub(crate) fn configured(limits: &Limits) -> Decision {
        Decision {
            publish_every: limits.publish_every,
            sync_gap: Duration::ZERO,
            park_max: PARK_MAX[0],
            young_park_max: YOUNG_PARK_MAX,
            batch_part: 8,
            staging: Staging::Keep,
            // One that adapts begins with the least: many a program writes less in all its life.
            reserve_bytes: match limits.mode {
                Mode::Adaptive => RESERVE_BYTES_MIN,
                Mode::Fixed => RESERVE_BYTES_MAX,
            },
            shed_below: None,
        }
    }
}

/// What the controller remembers from one moment to the next.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    limits: Limits,
    pressure: Pressure,
    /// When it was run last; times are since any one moment.
    now: Duration,
    /// Since when the load is low enough for the next lower state.
    low_since: Duration,
    changes: u64,
    time_at: [Duration; 4],
}

impl Controller {
    pub(crate) fn new(limits: Limits) -> Controller {
        Controller {
            limits,
            pressure: Pressure::Calm,
            now: Duration::ZERO,
            low_since: Duration::ZERO,
            changes: 0,
            time_at: [Duration::ZERO; 4],
        }
    }

    /// The present state.
    pub(crate) fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// How often the state changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// How long it was in each state, up to the last step.
    pub(crate) fn time_at(&self) -> [Duration; 4] {
        self.time_at
    }

    /// Takes the readings of the moment `now` and decides.
    pub(crate) fn step(&mut self, now: Duration, readings: &Readings) -> Decision {
        self.time_at[self.pressure as usize] += now.saturating_sub(self.now);
        self.now = now;
        self.follow(load(readings, &self.limits));
        match self.limits.mode {
            Mode::Adaptive => self.decide(readings),
            Mode::Fixed => {
                let shed_below = self.shed_below();
                Decision { shed_below, ..Decision::configured(&self.limits) }
            }
        }
    }

    /// Up at once, down one state after a cooldown.
    fn follow(&mut self, load: u64) {
        let wanted = Pressure::ALL[UP.iter().take_while(|from| load >= **from).count()];
        if wanted > self.pressure {
            self.change(wanted);
        }
        let is_low = self.pressure > Pressure::Calm && load < DOWN[self.pressure as usize - 1];
        if !is_low {
            self.low_since = self.now;
        } else if self.now - self.low_since >= COOLDOWN {
            self.change(self.pressure.lower());
        }
    }

    fn change(&mut self, to: Pressure) {
        self.pressure = to;
        self.low_since = self.now;
        self.changes += 1;
    }

    fn decide(&self, readings: &Readings) -> Decision {
        let is_calm = self.pressure == Pressure::Calm;
        Decision {
            publish_every: self.publish_every(readings.records_per_s),
            sync_gap: self.sync_gap(readings.sync_latency),
            park_max: self.park_max(readings.records_per_s),
            young_park_max: young_park_max(readings.records_per_s),
            batch_part: if self.pressure >= Pressure::High { 16 } else { 8 },
            staging: if is_calm { Staging::Trim } else { Staging::Keep },
            reserve_bytes: reserve_bytes(readings),
            shed_below: self.shed_below(),
        }
    }

    /// A trickle is published almost at once; under pressure segments come back sooner.
    fn publish_every(&self, records_per_s: u64) -> Duration {
        let configured = self.limits.publish_every;
        match self.pressure {
            Pressure::Calm if records_per_s < TRICKLE_PER_S => {
                configured.min(TRICKLE_PUBLISH_EVERY)
            }
            Pressure::Calm => configured,
            Pressure::Elevated => configured / 2,
            Pressure::High => configured / 4,
            Pressure::Critical => Duration::ZERO,
        }
    }

    /// A record out of idle is visible within the publish interval and 20 ms: what publishing a
    /// trickle at once saves of them, the collector sleeps. A wake costs some 50 us of CPU on a
    /// virtual machine, almost all of it the kernel's, so that their number is an idle engine's
    /// cost.
    fn park_max(&self, records_per_s: u64) -> Duration {
        let saved = self.limits.publish_every.saturating_sub(self.publish_every(records_per_s));
        match self.pressure {
            Pressure::Calm => (PARK_MAX[0] + saved).min(PARK_IDLE_MAX),
            pressure => PARK_MAX[pressure as usize],
        }
    }

    /// As long as a sync takes, so that appends have half of the disk's time; twice as long while
    /// they lag. Where each batch is synced, appends wait for syncs and a gap would help nobody.
    fn sync_gap(&self, sync_latency: Duration) -> Duration {
        let times = if self.pressure >= Pressure::High { 2 } else { 1 };
        match self.limits.sync {
            SyncGoal::EachBatch => Duration::ZERO,
            SyncGoal::Never | SyncGoal::Within(_) => (sync_latency * times).min(SYNC_GAP_MAX),
        }
    }

    fn shed_below(&self) -> Option<Level> {
        self.limits.shed_below.filter(|_| self.pressure == Pressure::Critical)
    }
}

fn young_park_max(records_per_s: u64) -> Duration {
    if records_per_s < STREAM_PER_S { YOUNG_PARK_MAX } else { Duration::ZERO }
}

/// How full the fuller of rings and staging is, in thousandths.
fn load(readings: &Readings, limits: &Limits) -> u64 {
    let staged = readings.unpublished_bytes.saturating_mul(1000) / limits.staging_bytes.max(1);
    let stalled = if readings.is_stalled { 1000 } else { 0 };
    staged.max(readings.ring_fill_permille.into()).max(stalled)
}

/// Nothing is reserved where that would take what is to stay free.
fn reserve_bytes(readings: &Readings) -> u64 {
    let wanted = readings.bytes_per_s.saturating_mul(RESERVE_FOR.as_secs());
    let wanted = wanted.clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX);
    if readings.disk_room_bytes.is_none_or(|room| room > wanted) { wanted } else { 0 }
}

/// `Production`'s, for tests.
#[cfg(test)]
pub(super) const FLUSH_TESTS_LIMITS: Limits = Limits {
    mode: Mode::Adaptive,
    publish_every: Duration::from_millis(5),
    sync: SyncGoal::Within(Duration::from_secs(1)),
    urgent_sync_every: Some(Duration::from_millis(100)),
    publish_bytes: 1 << 20,
    staging_bytes: 64 << 20,
    shed_below: None,
};

#[cfg(test)]
mod tests;

//! Simulated load, disk and time: what the controller must do in each case, and must not.

use super::*;
use crate::flush::due::{self, Unpublished, Urgency};

const LIMITS: Limits = FLUSH_TESTS_LIMITS;
const STEP: Duration = Duration::from_millis(10);
const RING_BYTES: u64 = 1 << 20;
const LINE_BYTES: u64 = 150;
const GIB: u64 = 1 << 30;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A program, its ring, the staging and a disk, in steps of 10 ms.
struct World {
    controller: Controller,
    limits: Limits,
    decision: Decision,
    now: Duration,
    in_ring: u64,
    staged: u64,
    published_at: Duration,
    dropped: u64,
    appends: u64,
    records_per_s: u64,
    disk_room: u64,
    seen: Vec<Decision>,
    states: Vec<Pressure>,
}

/// What the world does for a while.
#[derive(Clone, Copy)]
struct Weather {
    records_per_s: u64,
    disk_bytes_per_s: u64,
    sync_latency: Duration,
}

const FAIR: Weather =
    Weather { records_per_s: 0, disk_bytes_per_s: 500 << 20, sync_latency: Duration::ZERO };

impl World {
    fn new(limits: Limits) -> World {
        World {
            controller: Controller::new(limits),
            limits,
            decision: Decision::configured(&limits),
            now: Duration::ZERO,
            in_ring: 0,
            staged: 0,
            published_at: Duration::ZERO,
            dropped: 0,
            appends: 0,
            records_per_s: 0,
            disk_room: 100 * GIB,
            seen: Vec::new(),
            states: Vec::new(),
        }
    }

    fn run(&mut self, length: Duration, weather: Weather) {
        let end = self.now + length;
        while self.now < end {
            self.now += STEP;
            self.arrive(weather.records_per_s);
            self.publish(weather.disk_bytes_per_s);
            self.records_per_s = weather.records_per_s;
            let readings = Readings {
                ring_fill_permille: (self.in_ring * 1000 / RING_BYTES) as u32,
                records_per_s: weather.records_per_s,
                bytes_per_s: weather.records_per_s * LINE_BYTES,
                unpublished_bytes: self.staged,
                sync_latency: weather.sync_latency,
                disk_room_bytes: Some(self.disk_room),
                is_stalled: weather.disk_bytes_per_s == 0 && self.staged > 0,
            };
            self.decision = self.controller.step(self.now, &readings);
            self.seen.push(self.decision);
            self.states.push(self.controller.pressure());
        }
    }

    /// A step's records go to the ring, and on to the staging as far as that has room.
    fn arrive(&mut self, records_per_s: u64) {
        let bytes = records_per_s * LINE_BYTES * STEP.as_millis() as u64 / 1000;
        let total = self.in_ring + bytes;
        let moved = total.min(self.limits.staging_bytes - self.staged);
        self.staged += moved;
        self.in_ring = total - moved;
        self.dropped += self.in_ring.saturating_sub(RING_BYTES);
        self.in_ring = self.in_ring.min(RING_BYTES);
    }

    fn publish(&mut self, disk_bytes_per_s: u64) {
        let since_publish = self.now - self.published_at;
        let waiting = Unpublished { bytes: self.staged, since_publish, urgency: Urgency::None };
        let is_due = due::publish_in(&waiting, self.decision.publish_every, &self.limits).is_zero();
        if self.staged > 0 && is_due {
            let most = disk_bytes_per_s * STEP.as_millis() as u64 / 1000;
            let written = self.staged.min(most);
            self.staged -= written;
            self.appends += u64::from(written > 0);
            self.published_at = self.now;
        }
    }

    fn highest(&self) -> Pressure {
        self.states.iter().copied().max().expect("it ran")
    }
}

fn production() -> World {
    World::new(LIMITS)
}

#[test]
fn an_idle_engine_is_calm_and_parks_as_long_as_it_may() {
    let mut world = production();
    world.run(secs(60), FAIR);
    assert_eq!((world.highest(), world.controller.changes()), (Pressure::Calm, 0));
    // Together 5 ms and 20.
    assert_eq!(world.decision.park_max, Duration::from_millis(24));
    assert_eq!(world.decision.publish_every, Duration::from_millis(1));
    assert_eq!(world.decision.staging, Staging::Trim);
    assert_eq!(world.decision.reserve_bytes, RESERVE_BYTES_MIN);
}

#[test]
fn a_trickle_is_published_almost_at_once_and_a_steady_load_in_batches() {
    let mut world = production();
    world.run(secs(10), Weather { records_per_s: 100, ..FAIR });
    assert_eq!(world.decision.publish_every, Duration::from_millis(1));
    world.run(secs(10), Weather { records_per_s: 100_000, ..FAIR });
    assert_eq!(world.decision.publish_every, LIMITS.publish_every);
    assert_eq!(world.decision.park_max, Duration::from_millis(20));
    assert_eq!(world.decision.young_park_max, Duration::from_millis(1));
    assert_eq!((world.highest(), world.dropped), (Pressure::Calm, 0));
    // Four seconds' worth.
    assert_eq!(world.decision.reserve_bytes, 4 * 100_000 * LINE_BYTES);
    // What is configured is never exceeded, however short.
    let hasty = Limits { publish_every: Duration::from_micros(100), ..LIMITS };
    let mut world = World::new(hasty);
    world.run(secs(1), Weather { records_per_s: 1, ..FAIR });
    assert_eq!(world.decision.publish_every, hasty.publish_every);
    // Nobody who publishes each ten seconds waits so long for a step of the clock to be seen.
    let mut world = World::new(Limits { publish_every: secs(10), ..LIMITS });
    world.run(secs(1), Weather { records_per_s: 0, ..FAIR });
    assert_eq!(world.decision.park_max, Duration::from_millis(100));
}

#[test]
fn a_burst_raises_pressure_at_once_and_it_falls_one_state_a_second() {
    let mut world = production();
    // 150 MB/s more than the disk takes.
    let burst = Weather { records_per_s: 3_000_000, disk_bytes_per_s: 300 << 20, ..FAIR };
    world.run(Duration::from_millis(500), burst);
    assert_eq!(world.highest(), Pressure::Critical);
    assert_eq!(world.decision.publish_every, Duration::ZERO);
    assert_eq!(
        (world.decision.park_max, world.decision.batch_part),
        (Duration::from_millis(1), 16)
    );
    assert_eq!(world.decision.young_park_max, Duration::ZERO, "a stream is waited for awake");
    assert_eq!(world.decision.staging, Staging::Keep);
    let before = world.states.len();
    world.run(secs(10), Weather { disk_bytes_per_s: 300 << 20, ..FAIR });
    assert_eq!(world.decision.staging, Staging::Trim);
    let down: Vec<_> = world.states[before..].to_vec();
    assert!(down.is_sorted_by(|a, b| a >= b), "no state twice");
    for state in [Pressure::High, Pressure::Elevated] {
        let steps = down.iter().filter(|s| **s == state).count() as u32;
        let stayed = STEP * steps;
        assert!((COOLDOWN..COOLDOWN + 2 * STEP).contains(&stayed), "{state}: {stayed:?}");
    }
    assert_eq!(down.last(), Some(&Pressure::Calm));
    let total: Duration = world.controller.time_at().iter().sum();
    assert_eq!(total, world.now);
}

#[test]
fn a_load_at_a_threshold_does_not_flap() {
    let mut controller = Controller::new(LIMITS);
    let mut now = Duration::ZERO;
    for turn in 0..10_000 {
        now += STEP;
        // Around the way up of `High`, well above its way down.
        let ring_fill_permille = if turn % 2 == 0 { 510 } else { 360 };
        let _ = controller.step(now, &Readings { ring_fill_permille, ..Readings::default() });
    }
    assert_eq!((controller.pressure(), controller.changes()), (Pressure::High, 1));
    // Below, but never for the whole cooldown.
    for turn in 0..10_000 {
        now += STEP;
        let ring_fill_permille = if turn % 90 == 0 { 360 } else { 0 };
        let _ = controller.step(now, &Readings { ring_fill_permille, ..Readings::default() });
    }
    assert_eq!((controller.pressure(), controller.changes()), (Pressure::High, 1));
}

#[test]
fn days_of_ups_and_downs_change_the_state_a_few_times_each() {
    let mut world = production();
    const HOUR: u64 = 10; // Seconds that stand for one.
    for day in 0..3 {
        for hour in 0..24 {
            let is_day = (8..20).contains(&hour);
            let records_per_s = if is_day { 1_000_000 } else { 50 };
            // At noon the disk is busy elsewhere.
            let disk = if hour == 12 { 100 << 20 } else { 500 << 20 };
            world.run(secs(HOUR), Weather { records_per_s, disk_bytes_per_s: disk, ..FAIR });
        }
        // Up to `Critical` at noon through what lies between, and down again.
        assert!(world.controller.changes() <= 8 * (day + 1), "{}", world.controller.changes());
        assert_eq!(world.controller.pressure(), Pressure::Calm);
    }
    assert_eq!(world.highest(), Pressure::Critical);
    assert!(world.controller.changes() >= 3 * 4);
}

#[test]
fn slow_syncs_get_further_apart_and_publication_goes_on() {
    let mut world = production();
    let slow = Weather { records_per_s: 100_000, sync_latency: secs(2), ..FAIR };
    world.run(secs(30), slow);
    assert_eq!(world.decision.sync_gap, secs(2));
    assert_eq!((world.highest(), world.dropped), (Pressure::Calm, 0));
    assert!(world.appends >= 30 * 40, "{}", world.appends);
    world.run(secs(1), Weather { sync_latency: secs(60), ..slow });
    assert_eq!(world.decision.sync_gap, SYNC_GAP_MAX);
    world.run(secs(1), Weather { sync_latency: Duration::from_millis(3), ..slow });
    assert_eq!(world.decision.sync_gap, Duration::from_millis(3));
    let mut durable = World::new(Limits { sync: SyncGoal::EachBatch, ..LIMITS });
    durable.run(secs(1), slow);
    assert_eq!(durable.decision.sync_gap, Duration::ZERO);
}

#[test]
fn a_slow_disk_presses_and_nothing_is_shed_unless_asked_for() {
    let slow = Weather { records_per_s: 1_000_000, disk_bytes_per_s: 50 << 20, ..FAIR };
    let mut world = production();
    world.run(secs(20), slow);
    assert_eq!(world.controller.pressure(), Pressure::Critical);
    assert!(world.seen.iter().all(|decision| decision.shed_below.is_none()));
    let shedding = Limits { shed_below: Some(Level::Info), ..LIMITS };
    for mode in [Mode::Adaptive, Mode::Fixed] {
        let mut world = World::new(Limits { mode, ..shedding });
        world.run(secs(20), slow);
        for (decision, state) in world.seen.iter().zip(&world.states) {
            let is_shedding = decision.shed_below == Some(Level::Info);
            assert_eq!(is_shedding, *state == Pressure::Critical);
        }
        assert!(world.states.contains(&Pressure::Critical));
    }
}

#[test]
fn on_a_full_disk_nothing_is_reserved_and_a_recovered_one_is_calm_again() {
    let mut world = production();
    world.run(secs(5), Weather { records_per_s: 10_000, ..FAIR });
    assert!(world.decision.reserve_bytes >= RESERVE_BYTES_MIN);
    world.disk_room = 0;
    world.run(STEP, Weather { records_per_s: 10_000, ..FAIR });
    assert_eq!(world.decision.reserve_bytes, 0);
    // Nothing can be appended at all.
    world.run(secs(60), Weather { records_per_s: 10_000, disk_bytes_per_s: 0, ..FAIR });
    assert_eq!(world.controller.pressure(), Pressure::Critical);
    assert!(world.dropped > 0, "staging and ring are full by now");
    world.disk_room = 100 * GIB;
    world.run(secs(10), Weather { records_per_s: 10_000, ..FAIR });
    assert_eq!(world.controller.pressure(), Pressure::Calm);
    assert!(world.staged < LIMITS.publish_bytes);
    assert!(world.decision.reserve_bytes >= RESERVE_BYTES_MIN);
}

#[test]
fn fixed_actuators_keep_to_what_was_configured_and_pressure_is_told() {
    let fixed = Limits { mode: Mode::Fixed, ..LIMITS };
    let mut world = World::new(fixed);
    world.run(secs(5), FAIR);
    world.run(secs(5), Weather { records_per_s: 5_000_000, sync_latency: secs(2), ..FAIR });
    assert!(world.seen.iter().all(|decision| *decision == Decision::configured(&fixed)));
    assert_eq!(world.highest(), Pressure::Critical);
}

#[test]
fn the_first_reserve_is_the_least_unless_it_stays_as_it_is() {
    let fixed = Limits { mode: Mode::Fixed, ..LIMITS };
    let reserves = [LIMITS, fixed].map(|limits| Decision::configured(&limits).reserve_bytes);
    assert_eq!(reserves, [RESERVE_BYTES_MIN, RESERVE_BYTES_MAX]);
}

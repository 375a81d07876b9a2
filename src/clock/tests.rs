//! A simulated machine stands in for the clocks, so that hours pass in milliseconds.

use std::time::Duration;

use proptest::prelude::*;

use super::piece::{Piece, utc_ns};
use super::sample::{Rate, measure_rate};
use super::tick_clock::Stepped;
use super::*;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const HOUR: u64 = 3_600 * SECOND;

/// A machine whose counter, monotonic clock and wall clock run as they are told to.
struct Machine {
    /// Counted from a value that wraps soon, to be rid of lucky zeros.
    ticks: u64,
    ticks_rest: f64,
    ghz: f64,
    monotonic_ns: u64,
    utc_ns: i64,
    utc_rest: f64,
}

impl Machine {
    fn new(ghz: f64) -> Machine {
        Machine {
            ticks: u64::MAX - 1_000_000_000,
            ticks_rest: 0.0,
            ghz,
            monotonic_ns: 5 * SECOND,
            utc_ns: 1_795_210_380_000_000_000,
            utc_rest: 0.0,
        }
    }

    fn run(&mut self, ns: u64) {
        self.run_with(ns, 0.0, 0.0);
    }

    /// Lets time pass with a counter and a wall clock that run fast by so many ppm.
    fn run_with(&mut self, ns: u64, counter_ppm: f64, wall_ppm: f64) {
        self.monotonic_ns += ns;
        let ticks = ns as f64 * self.ghz * (1.0 + counter_ppm * 1e-6) + self.ticks_rest;
        self.ticks = self.ticks.wrapping_add(ticks.floor() as u64);
        self.ticks_rest = ticks.fract();
        let surplus = ns as f64 * wall_ppm * 1e-6 + self.utc_rest;
        self.utc_ns += ns as i64 + surplus.floor() as i64;
        self.utc_rest = surplus - surplus.floor();
    }

    fn sample(&self) -> Sample {
        let Machine { ticks, monotonic_ns, utc_ns, .. } = *self;
        Sample { ticks, monotonic_ns, utc_ns, window_ticks: 200 }
    }

    /// A clock started here whose rate is wrong by so many ppm.
    fn start(&self, wrong_ppm: f64) -> TickClock {
        let mut to = Machine { ticks_rest: 0.0, utc_rest: 0.0, ..*self };
        to.run_with(1_000 * SECOND, -wrong_ppm, 0.0);
        let rate = Rate::between(&self.sample(), &to.sample()).unwrap();
        TickClock::start(TickSource::Tsc, rate, self.sample())
    }

    /// What the clock says beyond the wall clock.
    fn error_ns(&self, clock: &TickClock) -> i64 {
        clock.utc_ns(self.ticks) - self.utc_ns
    }

    fn update_if_due(&self, clock: &mut TickClock) -> Option<Stepped> {
        if clock.due(self.ticks) { clock.update(self.sample()) } else { None }
    }

    /// Runs for `ns` in 20 ms naps, about as an idle collector does; returns all steps and the
    /// largest error outside of the naps in which a step was adopted.
    fn follow(&mut self, clock: &mut TickClock, ns: u64) -> (Vec<Stepped>, u64) {
        let (mut steps, mut worst_ns) = (Vec::new(), 0);
        for _ in 0..ns / (20 * MS) {
            self.run(20 * MS);
            match self.update_if_due(clock) {
                Some(step) => steps.push(step),
                None => worst_ns = worst_ns.max(self.error_ns(clock).unsigned_abs()),
            }
        }
        (steps, worst_ns)
    }
}

/// A clock that has followed its machine for ten minutes.
fn settled() -> (Machine, TickClock) {
    let mut machine = Machine::new(2.3);
    let mut clock = machine.start(50.0);
    machine.follow(&mut clock, 600 * SECOND);
    assert!(machine.error_ns(&clock).abs() <= 1);
    (machine, clock)
}

#[test]
fn the_formula_of_a_piece_floors_and_extrapolates_both_ways() {
    // Two and a half nanoseconds a tick.
    let piece = Piece { base_ticks: 100, base_utc_ns: 1_000, mult: 5, shift: 1 };
    let converted = [97, 98, 99, 100, 101, 102, 103].map(|ticks| piece.utc_ns(ticks));
    assert_eq!(converted, [992, 995, 997, 1_000, 1_002, 1_005, 1_007]);
}

#[test]
fn a_counter_may_wrap_within_a_piece() {
    let base_ticks = u64::MAX - 9;
    let piece = Piece { base_ticks, base_utc_ns: 0, mult: 1 << 48, shift: 48 };
    assert_eq!(piece.utc_ns(10), 20);
    assert_eq!(utc_ns(&[piece; 2], 10), 20);
}

#[test]
fn a_tick_is_converted_by_the_piece_that_covers_it() {
    let older = Piece { base_ticks: 100, base_utc_ns: 1_000, mult: 1, shift: 0 };
    let newer = Piece { base_ticks: 200, base_utc_ns: 1_100, mult: 2, shift: 0 };
    let converted = [50, 100, 199, 200, 201].map(|ticks| utc_ns(&[older, newer], ticks));
    assert_eq!(converted, [950, 1_000, 1_099, 1_100, 1_102]);
}

#[test]
fn a_rate_error_of_50_ppm_at_the_start_is_never_seen_as_more_than_10_us() {
    for wrong_ppm in [50.0, -50.0] {
        let mut machine = Machine::new(2.3);
        let mut clock = machine.start(wrong_ppm);
        let (steps, worst_ns) = machine.follow(&mut clock, 2 * SECOND);
        assert_eq!(steps, []);
        assert!((4_000..10_000).contains(&worst_ns), "{worst_ns} ns at first");
        let (_, later_ns) = machine.follow(&mut clock, 60 * SECOND);
        assert!(later_ns <= 2, "{later_ns} ns later");
    }
}

/// The counter wanders by 100 ppm to either side, with periods between ten minutes and an hour,
/// while every sample is wrong by up to 100 ns. The bound: the learnt rate is off by at most
/// 200 ppm, so that twice the interval of 0.5 s (and the nap of 20 ms) yields 208 us.
#[test]
fn hours_of_100_ppm_drift_stay_within_208_us_of_the_wall_clock() {
    let mut machine = Machine::new(2.3);
    let mut clock = machine.start(50.0);
    let (mut worst_ns, mut updates, mut noise) = (0, 0, 1_u64);
    let naps = 6 * HOUR / (20 * MS);
    for nap in 0..naps {
        let hours = nap as f64 * 20e-3 / 3_600.0;
        let turns = if hours < 3.0 { hours } else { hours * 6.0 };
        machine.run_with(20 * MS, 100.0 * (turns * std::f64::consts::TAU).sin(), 0.0);
        if clock.due(machine.ticks) {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut sample = machine.sample();
            sample.utc_ns += (noise >> 33) as i64 % 201 - 100;
            assert_eq!(clock.update(sample), None);
            updates += 1;
        }
        worst_ns = worst_ns.max(machine.error_ns(&clock).unsigned_abs());
    }
    assert!(updates > 41_000, "{updates} updates");
    assert!(worst_ns <= 208_000, "{worst_ns} ns");
}

#[test]
fn a_wall_clock_set_10_s_back_or_ahead_steps_once_and_goes_on() {
    for set_ns in [-10_000_000_000_i64, 10_000_000_000, 1_000_000_100] {
        let (mut machine, mut clock) = settled();
        let before = (machine.ticks, clock.utc_ns(machine.ticks));
        machine.utc_ns += set_ns;
        let mut steps = Vec::new();
        for _ in 0..30 {
            machine.run(20 * MS);
            steps.extend(machine.update_if_due(&mut clock));
        }
        let [Stepped { offset_ns }] = steps[..] else { panic!("{} steps", steps.len()) };
        assert!((offset_ns - set_ns).unsigned_abs() <= 2, "{offset_ns} ns for {set_ns} ns");
        // Records from before the step keep the time from before the step.
        assert_eq!(clock.utc_ns(before.0), before.1);
        let (steps, worst_ns) = machine.follow(&mut clock, 60 * SECOND);
        assert_eq!(steps, []);
        assert!(worst_ns <= 2, "{worst_ns} ns");
    }
}

#[test]
fn a_step_below_one_second_is_slewed_away_at_500_ppm() {
    for set_ns in [400_000_000_i64, -400_000_000] {
        let (mut machine, mut clock) = settled();
        machine.utc_ns += set_ns;
        let mut before = machine.sample();
        before.utc_ns = clock.utc_ns(before.ticks);
        // 800 s are what 400 ms take; 2 s are for noticing and for the last interval.
        for _ in 0..802_000 / 20 {
            machine.run(20 * MS);
            assert_eq!(machine.update_if_due(&mut clock), None);
            let utc_ns = clock.utc_ns(machine.ticks);
            let slew_ns = utc_ns - before.utc_ns - 20 * MS as i64;
            assert!(slew_ns.unsigned_abs() <= 20 * MS / 2_000 + 2, "{slew_ns} ns in 20 ms");
            before.utc_ns = utc_ns;
        }
        let error_ns = machine.error_ns(&clock);
        assert!(error_ns.unsigned_abs() <= 100, "{error_ns} ns left of {set_ns} ns");
    }
}

/// Each leaves the clock wrong by seconds, and the counter's rate unlearnable for a moment.
#[test]
fn a_counter_that_stands_still_or_jumps_ends_in_one_step() {
    type Event = fn(&mut Machine);
    let events: [(&str, Event); 5] = [
        ("suspended, wall goes on", |m| m.utc_ns += HOUR as i64),
        ("suspended, counter alone stands still", |m| {
            m.utc_ns += HOUR as i64;
            m.monotonic_ns += HOUR;
        }),
        ("counter jumps ahead", |m| m.ticks = m.ticks.wrapping_add(HOUR)),
        ("counter jumps back", |m| m.ticks = m.ticks.wrapping_sub(HOUR)),
        ("counter is reset", |m| m.ticks = 0),
    ];
    for (event, happen) in events {
        let (mut machine, mut clock) = settled();
        happen(&mut machine);
        let (steps, _) = machine.follow(&mut clock, SECOND);
        assert_eq!(steps.len(), 1, "{event}: {steps:?}");
        machine.follow(&mut clock, SECOND);
        let (steps, worst_ns) = machine.follow(&mut clock, 60 * SECOND);
        assert_eq!(steps, [], "{event}");
        assert!(worst_ns <= 100, "{event}: {worst_ns} ns");
    }
}

#[test]
fn a_counter_that_repeats_one_value_does_not_stop_the_steps() {
    let (mut machine, mut clock) = settled();
    let ticks = machine.ticks;
    for _ in 0..5 {
        machine.run(10 * SECOND);
        machine.ticks = ticks;
        let Some(Stepped { offset_ns }) = clock.update(machine.sample()) else { panic!("no step") };
        assert!((offset_ns - 10_000_000_000).abs() <= 2, "{offset_ns} ns");
        assert_eq!(clock.utc_ns(ticks), machine.utc_ns);
    }
}

#[test]
fn a_host_with_another_frequency_is_learnt_within_a_second() {
    for ghz in [2.6, 1.0, 0.1, 5.0] {
        let (mut machine, mut clock) = settled();
        machine.ghz = ghz;
        machine.follow(&mut clock, 2 * SECOND);
        let before_ns = machine.error_ns(&clock);
        let (_, _) = machine.follow(&mut clock, 10 * SECOND);
        let after_ns = machine.error_ns(&clock);
        // The rate is right by now: what the wrong one did is slewed away at 500 ppm.
        let gained_ns = before_ns.abs() - after_ns.abs();
        assert!(
            after_ns.abs() <= 100 || (4_990_000..5_010_000).contains(&gained_ns),
            "{ghz} GHz: {before_ns} ns, ten seconds later {after_ns} ns"
        );
    }
}

#[test]
fn after_a_reset_ticks_from_before_the_sample_have_the_new_time() {
    let (mut machine, mut clock) = settled();
    machine.ticks = 1;
    machine.run(50 * MS);
    let (record_ticks, record_ns) = (machine.ticks, machine.utc_ns);
    machine.run(50 * MS);
    assert!(machine.update_if_due(&mut clock).is_some());
    let error_ns = clock.utc_ns(record_ticks) - record_ns;
    assert!(error_ns.abs() <= 2, "{error_ns} ns");
}

#[test]
fn a_sample_before_the_newest_piece_has_begun_changes_nothing() {
    let (mut machine, mut clock) = settled();
    machine.run(SECOND);
    clock.update(machine.sample());
    let pieces = clock.pieces();
    machine.run(4 * MS);
    assert_eq!(clock.update(machine.sample()), None);
    assert_eq!(clock.pieces(), pieces);
    machine.run(2 * MS);
    assert_eq!(clock.update(machine.sample()), None);
    assert_eq!(clock.pieces()[0], pieces[1]);
}

#[test]
fn a_short_baseline_does_not_spoil_the_rate() {
    let mut machine = Machine::new(2.3);
    let mut clock = machine.start(50.0);
    let one_second = clock.ticks_of(Duration::from_secs(1));
    machine.run(6 * MS);
    // Over 6 ms this is 160 ppm.
    let noisy = Sample { monotonic_ns: machine.monotonic_ns + 1_000, ..machine.sample() };
    assert_eq!(clock.update(noisy), None);
    assert_eq!(clock.ticks_of(Duration::from_secs(1)), one_second);
}

#[test]
fn a_crystal_that_warms_up_is_followed_within_20_minutes() {
    let mut machine = Machine::new(2.3);
    let mut clock = machine.start(0.0);
    machine.follow(&mut clock, HOUR);
    machine.ghz *= 1.0 + 10e-6;
    let (_, worst_ns) = machine.follow(&mut clock, HOUR / 3);
    assert!(worst_ns <= 11_000, "{worst_ns} ns at first");
    let (_, worst_ns) = machine.follow(&mut clock, 60 * SECOND);
    assert!(worst_ns <= 2, "{worst_ns} ns later");
}

#[test]
fn samples_with_a_wide_window_are_rejected_unless_all_are_wide() {
    let (mut machine, mut clock) = settled();
    let pieces = clock.pieces();
    machine.run(SECOND);
    // The thread lost the CPU for 100 ms between its readings.
    let preempted = Sample { window_ticks: 230_000_000, ..machine.sample() };
    assert_eq!(clock.update(preempted), None);
    assert_eq!(clock.pieces(), pieces);
    assert!(clock.due(machine.ticks), "a rejected sample is soon taken again");
    assert_eq!(clock.update(machine.sample()), None);
    assert_ne!(clock.pieces(), pieces);

    // 10 us are allowed at first, 160 us after four rejections.
    machine.run(SECOND);
    let slow = Sample { window_ticks: 300_000, ..machine.sample() };
    let pieces = clock.pieces();
    let mut rejected = 0;
    while clock.pieces() == pieces {
        assert_eq!(clock.update(slow), None);
        rejected += 1;
    }
    assert_eq!(rejected, 5);
}

#[test]
fn samples_are_due_after_100_ms_then_up_to_500_ms() {
    let mut machine = Machine::new(3.0);
    let mut clock = machine.start(0.0);
    for wait_ms in [100, 200, 400, 500, 500, 500] {
        machine.run((wait_ms - 1) * MS);
        assert!(!clock.due(machine.ticks), "before {wait_ms} ms");
        machine.run(MS + 100);
        assert!(clock.due(machine.ticks), "after {wait_ms} ms");
        clock.update(machine.sample());
    }
    assert!(clock.due(machine.ticks.wrapping_sub(SECOND)), "when the counter ran backwards");
}

#[test]
fn late_samples_do_not_make_the_clock_swing() {
    // Regularly late, rarely late, and alternately on time and very late.
    let gaps: [&[u64]; 3] = [&[1_700], &[500, 500, 500, 500, 4_000], &[500, 10_000]];
    for gaps in gaps {
        let (mut machine, mut clock) = settled();
        for (round, gap_ms) in gaps.iter().cycle().take(2_000).enumerate() {
            machine.run(gap_ms * MS);
            let mut sample = machine.sample();
            sample.utc_ns += if round % 3 == 0 { 100 } else { -100 };
            assert_eq!(clock.update(sample), None);
            let error_ns = machine.error_ns(&clock);
            assert!(error_ns.abs() <= 5_000, "{gaps:?}: {error_ns} ns in round {round}");
        }
    }
}

#[test]
fn the_monotonic_source_counts_nanoseconds_exactly() {
    assert_eq!(measure_rate(TickSource::Monotonic), Rate::ONE);
    let sample = Machine::new(1.0).sample();
    let clock = TickClock::start(TickSource::Monotonic, Rate::ONE, sample);
    assert_eq!(clock.utc_ns(sample.ticks.wrapping_add(12_345)), sample.utc_ns + 12_345);
    assert_eq!(clock.utc_ns(sample.ticks - 12_345), sample.utc_ns - 12_345);
    assert_eq!(clock.ticks_of(Duration::from_nanos(12_345)), 12_345);
    assert_eq!(clock.ticks_of(Duration::MAX), u64::MAX);
}

#[test]
fn durations_become_ticks_at_the_learnt_rate() {
    let (_, clock) = settled();
    let ticks = clock.ticks_of(Duration::from_secs(1_000));
    assert!(ticks.abs_diff(2_300_000_000_000) <= 1_000, "{ticks} ticks");
    assert_eq!(clock.ticks_of(Duration::ZERO), 0);
    assert_eq!(clock.ticks_of(Duration::MAX), u64::MAX);
}

#[test]
fn counters_from_a_slow_timer_to_a_fast_tsc_are_followed() {
    for ghz in [0.0192, 0.024, 0.0625, 1.0, 6.2] {
        let mut machine = Machine::new(ghz);
        let mut clock = machine.start(20.0);
        machine.follow(&mut clock, 10 * SECOND);
        let (steps, worst_ns) = machine.follow(&mut clock, 60 * SECOND);
        assert_eq!(steps, []);
        // A tick of a slow timer lasts 52 ns; a sample can be no better.
        assert!(worst_ns as f64 <= 3.0 + 3.0 / ghz, "{ghz} GHz: {worst_ns} ns");
    }
}

#[test]
fn sources_that_no_counter_could_be_have_no_rate() {
    let start = Machine::new(1.0).sample();
    let after = |ticks: u64, ns: u64| Sample {
        ticks: start.ticks.wrapping_add(ticks),
        monotonic_ns: start.monotonic_ns.wrapping_add(ns),
        ..start
    };
    assert_eq!(Rate::between(&start, &after(1_000, 1_000)), Some(Rate::ONE));
    let impossible = [(0, 0), (0, 5), (5, 0), (1_u64.wrapping_neg(), 5), (5, 1_u64.wrapping_neg())];
    for (ticks, ns) in impossible.into_iter().chain([(10_000_000, 1), (1, 10_000_000)]) {
        assert_eq!(Rate::between(&start, &after(ticks, ns)), None, "{ticks} ticks in {ns} ns");
    }
}

#[test]
fn the_real_clocks_agree_with_the_wall_clock() {
    for wanted in [Clock::Tsc, Clock::Monotonic, Clock::Coarse] {
        let source = TickSource::choose(wanted, Readings::Published);
        let mut clock = TickClock::calibrate(source);
        assert_eq!(clock.update(Sample::take(source, 4)), None);
        let before_ns = crate::sys::clock::realtime_ns();
        let utc_ns = clock.utc_ns(source.now());
        let after_ns = crate::sys::clock::realtime_ns();
        let (earliest, latest) = (before_ns - MS as i64, after_ns + MS as i64);
        assert!((earliest..=latest).contains(&utc_ns), "{source:?}: {utc_ns}, {before_ns}");
        let one_second = clock.ticks_of(Duration::from_secs(1));
        assert!((1_000_000..10_000_000_000).contains(&one_second), "{one_second} ticks");
    }
}

#[test]
fn statistics_see_which_clock_is_in_use() {
    assert_eq!(TickSource::choose(Clock::Monotonic, Readings::Published).clock(), Clock::Monotonic);
    let expected = if crate::sys::clock::tsc_is_fit() { Clock::Tsc } else { Clock::Monotonic };
    assert_eq!(TickSource::choose(Clock::default(), Readings::Kept).clock(), expected);
    for readings in [Readings::Published, Readings::Kept] {
        assert_eq!(TickSource::choose(Clock::Coarse, readings).clock(), Clock::Coarse);
    }
}

#[test]
fn a_coarse_stamp_is_never_late_and_no_older_than_it_says() {
    for readings in [Readings::Published, Readings::Kept] {
        let source = TickSource::choose(Clock::Coarse, readings);
        let mut last = 0;
        for round in 0..10_000 {
            let stamp = source.stamp();
            let now = source.now();
            assert!(stamp <= now && stamp >= last, "{source:?}: {last} {stamp} {now}");
            let stale = source.staleness(now);
            assert!(stamp >= now - stale || source == TickSource::KernelCoarse);
            if round % 100 == 0 {
                source.publish(now);
                let is_new = source.stamp() + coarse::step_ticks() >= now;
                assert!(source != TickSource::Published || is_new);
            }
            last = stamp;
        }
    }
}

/// One stretch of a machine's life, and where in it the collector looks at ticks.
#[derive(Clone, Debug)]
struct Stretch {
    ms: u64,
    counter_ppm: f64,
    wall_ppm: f64,
    set_wall_ns: i64,
    /// Nanoseconds from the present.
    looks_ns: Vec<i64>,
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let look = -100_000_000_i64..4_900_000;
    (
        1_u64..300,
        -200.0..200.0,
        -300.0..300.0,
        prop_oneof![9 => Just(0), 1 => -200_000_000_i64..200_000_000],
        prop::collection::vec(look, 0..12),
    )
        .prop_map(|(ms, counter_ppm, wall_ppm, set_wall_ns, looks_ns)| Stretch {
            ms,
            counter_ppm,
            wall_ppm,
            set_wall_ns,
            looks_ns,
        })
}

/// Offsets that are slewed rather than adopted, with something to spare.
const SLEWED_NS: i64 = 900_000_000;

/// Signed distance of ticks on a counter that wraps.
fn distance(from: u64, to: u64) -> i64 {
    to.wrapping_sub(from) as i64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// All looks of a whole life together are ordered: no re-base ever contradicts what the
    /// collector has seen before it, as far back as the older piece reaches.
    #[test]
    fn ordered_ticks_have_ordered_times_across_updates(
        life in prop::collection::vec(stretch(), 1..40),
        wrong_ppm in -200.0..200.0,
    ) {
        let mut machine = Machine::new(2.3);
        let origin = machine.ticks;
        let mut clock = machine.start(wrong_ppm);
        let mut seen = Vec::new();
        let mut first_covered = origin.wrapping_sub(1 << 40);
        for part in life {
            machine.run_with(part.ms * MS, part.counter_ppm, part.wall_ppm);
            // Settings of the wall clock may add up to more than is slewed; that is another test's.
            let error_ns = machine.error_ns(&clock);
            if (error_ns - part.set_wall_ns).abs() < SLEWED_NS
                && (error_ns + part.set_wall_ns).abs() < SLEWED_NS
            {
                machine.utc_ns += part.set_wall_ns;
            }
            for round in 0..2 {
                for look_ns in &part.looks_ns {
                    let ahead = (*look_ns as f64 * machine.ghz) as i64;
                    let ticks = machine.ticks.wrapping_add(ahead as u64);
                    if distance(first_covered, ticks) >= 0 {
                        seen.push((distance(origin, ticks), clock.utc_ns(ticks)));
                    }
                }
                if round == 0 && clock.due(machine.ticks) {
                    prop_assert_eq!(clock.update(machine.sample()), None);
                    first_covered = clock.pieces()[0].base_ticks;
                }
            }
            let error_ns = machine.error_ns(&clock).unsigned_abs();
            prop_assert!(error_ns < SECOND * 2, "{} ns", error_ns);
        }
        seen.sort_unstable();
        for pair in seen.windows(2) {
            let [(from, from_ns), (to, to_ns)] = [pair[0], pair[1]];
            // The same tick has the same time before and after an update.
            let in_order = if from == to { from_ns == to_ns } else { from_ns <= to_ns };
            prop_assert!(in_order, "{:?} before {:?}", pair[0], pair[1]);
        }
    }

    /// Around each re-base, 100 ms to either side: continuous (less than 2 ns of a jump between
    /// neighbouring ticks) and strictly increasing where ticks are 1 ns or more apart.
    #[test]
    fn the_function_is_continuous_and_strictly_increasing(
        life in prop::collection::vec(stretch(), 1..10),
        mut looks in prop::collection::vec(-230_000_000_i64..230_000_000, 2..50),
    ) {
        let mut machine = Machine::new(2.3);
        let mut clock = machine.start(100.0);
        looks.sort_unstable();
        looks.dedup();
        for part in life {
            machine.run_with(part.ms * MS, part.counter_ppm, part.wall_ppm);
            machine.utc_ns += part.set_wall_ns;
            machine.update_if_due(&mut clock);
            let base = clock.pieces()[1].base_ticks;
            let jump_ns = clock.utc_ns(base) - clock.utc_ns(base.wrapping_sub(1));
            prop_assert!((0..2).contains(&jump_ns), "{} ns", jump_ns);
            for pair in looks.windows(2) {
                let [from, to] = [pair[0], pair[1]].map(|at| base.wrapping_add(at as u64));
                let (ticks, ns) = (pair[1] - pair[0], clock.utc_ns(to) - clock.utc_ns(from));
                prop_assert!(ns >= 0 && (ticks < 3 || ns > 0), "{} ns in {} ticks", ns, ticks);
                let exact = ticks as f64 / 2.3;
                prop_assert!((ns as f64 - exact).abs() <= 2.0 + exact * 2e-3);
            }
        }
    }

    #[test]
    fn no_piece_and_no_tick_panics(
        pieces: [(u64, i64, u64, u64); 2],
        ticks: u64,
    ) {
        let pieces = pieces.map(|(base_ticks, base_utc_ns, mult, shift)| {
            Piece { base_ticks, base_utc_ns, mult, shift }
        });
        utc_ns(&pieces, ticks);
    }

    /// Whatever the clocks say, a clock goes on, and reports when it broke its own time line.
    #[test]
    fn no_sequence_of_samples_panics(
        wild in prop::collection::vec(any::<(u64, u64, i64, u64, u8)>(), 1..30),
        source in prop::sample::select(vec![TickSource::Tsc, TickSource::Monotonic]),
    ) {
        let machine = Machine::new(2.3);
        let mut clock = TickClock::start(source, Rate::ONE, machine.sample());
        for (ticks, monotonic_ns, utc_ns, window, tame) in wild {
            let mut sample = Sample { ticks, monotonic_ns, utc_ns, window_ticks: window };
            // Mixed with values that stand still, so that each check is reached.
            if tame & 1 == 1 { sample.ticks = machine.ticks; }
            if tame & 2 == 2 { sample.monotonic_ns = machine.monotonic_ns; }
            if tame & 4 == 4 { sample.utc_ns = machine.utc_ns; }
            if tame & 8 == 8 { sample.window_ticks %= 1_000; }
            let before_ns = clock.utc_ns(sample.ticks);
            let pieces = clock.pieces();
            match clock.update(sample) {
                Some(Stepped { offset_ns }) => {
                    prop_assert!(offset_ns.unsigned_abs() > SECOND);
                    prop_assert_eq!(clock.utc_ns(sample.ticks), sample.utc_ns);
                }
                None if clock.pieces() != pieces => {
                    prop_assert!(before_ns.abs_diff(sample.utc_ns) <= SECOND);
                }
                None => {}
            }
            clock.due(ticks);
            clock.ticks_of(Duration::from_nanos(window));
        }
    }
}

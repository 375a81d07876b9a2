//! What the actuators buy: the adaptive controller against the best of several fixed settings,
//! under several loads.
//!
//! The adaptive engine has to be told no more than the presets say. A fixed one is told its publish
//! and sync intervals and keeps to them (`FlushControl::Fixed`). For each load and each measure the
//! table names the fixed setting that did best, which for every measure may be another one, and
//! how the adaptive engine compares with that and with its *twin*: the fixed engine of the same
//! intervals. Where the adaptive one loses, that is what stands there.
//!
//! A ratio to nothing is shown as `(0)`. The best of several is also the luckiest of several: a ratio a little above 1 is no loss.

mod measure;
#[path = "actuators/run.rs"]
mod run;

use std::fmt;
use std::time::Duration;

use fastlog::FlushControl::{self, Adaptive, Fixed};
use fastlog::{Flow, Overflow, Pressure};
use measure::Length;
use run::{Load, METRICS, Outcome, Setting, run};

const fn setting(control: FlushControl, publish_ms: u64, sync_ms: u64) -> Setting {
    Setting {
        control,
        publish_every: Duration::from_millis(publish_ms),
        sync_every: Duration::from_millis(sync_ms),
    }
}

const FIXED: [Setting; 7] = [
    setting(Fixed, 1, 1000),
    setting(Fixed, 5, 1000),
    setting(Fixed, 20, 1000),
    setting(Fixed, 100, 1000),
    setting(Fixed, 5, 100),
    setting(Fixed, 5, 10),
    setting(Fixed, 1, 10),
];
/// `Production`'s intervals, and those of somebody who wants his records on the disk soon; with
/// the place of each one's twin.
const ADAPTIVE: [(Setting, usize); 2] =
    [(setting(Adaptive, 5, 1000), 1), (setting(Adaptive, 5, 10), 5)];

struct Part {
    name: &'static str,
    load: Load,
    seconds: u64,
}

const BURST: u64 = 1_000_000;
/// `Production`'s.
const IMPATIENT: Overflow = Overflow::BlockFor(Duration::from_millis(10));

/// Bursts come last: what they leave to the disk would disturb the others.
const FULL: [Part; 5] = [
    Part { name: "trickle of 10 records/s", load: Load::Trickle, seconds: 4 },
    Part { name: "steady 100,000 records/s", load: Load::Steady, seconds: 3 },
    Part {
        name: "100,000 records/s, syncs take 200 ms and appends wait for them",
        load: Load::SlowSync,
        seconds: 4,
    },
    Part {
        name: "a burst of 1,000,000 each second, calls wait 10 ms at most",
        load: Load::Bursts(BURST, IMPATIENT),
        seconds: 3,
    },
    Part {
        name: "a burst of 1,000,000 each second, calls wait for room",
        load: Load::Bursts(BURST, Overflow::Block),
        seconds: 3,
    },
];
const TEST_LENGTH: Duration = Duration::from_millis(50);
const TEST_BURST: u64 = 10_000;

/// Outcomes under one load: of the fixed settings, then of the adaptive ones.
type Outcomes = Vec<Outcome>;

fn main() {
    let Some(length) = measure::length("actuators") else { return };
    println!(
        "preset `Production`, publish and sync intervals as told. p50 to p99.9: a call, timed with \
         the processor's counter, which is included; in calls: all of them, waits too. seen: from \
         the call to a log that has its line, looked at every 100 us. CPU: of a core, by the \
         process without the threads that log and look"
    );
    let outcomes: Vec<Outcomes> = FULL.iter().map(|part| measured(part, length)).collect();
    overall(&outcomes);
}

fn settings() -> impl Iterator<Item = Setting> {
    FIXED.into_iter().chain(ADAPTIVE.map(|(setting, _)| setting))
}

fn measured(part: &Part, length: Length) -> Outcomes {
    let (load, time) = match (part.load, length) {
        (load, Length::Full) => (load, Duration::from_secs(part.seconds)),
        (Load::Bursts(_, overflow), Length::Short) => {
            (Load::Bursts(TEST_BURST, overflow), TEST_LENGTH)
        }
        (load, Length::Short) => (load, TEST_LENGTH),
    };
    println!("\n{}, {time:?} each", part.name);
    head();
    let row = |setting: Setting| {
        let (outcome, flow) = run(load, &setting, time);
        let values = METRICS.iter().zip(outcome).map(|((_, digits), x)| format!("{x:>14.digits$}"));
        print!("{:<18}{}", named(&setting), values.collect::<String>());
        println!("{}", if setting.control == Adaptive { pressed(&flow) } else { String::new() });
        outcome
    };
    let outcomes: Outcomes = settings().map(row).collect();
    verdict(&outcomes);
    outcomes
}

/// How long which pressure was decided on, from `Elevated` up.
fn pressed(flow: &Flow) -> String {
    let above = Pressure::ALL.into_iter().filter(|state| *state > Pressure::Calm);
    let times = above.map(|state| (state, flow.time_at(state))).filter(|(_, time)| !time.is_zero());
    times.map(|(state, time)| format!("  {state} {:.1} s", time.as_secs_f64())).collect()
}

fn head() {
    let names = METRICS.map(|(name, _)| format!("{name:>14}"));
    println!("{:<18}{}", "", names.concat());
}

fn named(setting: &Setting) -> String {
    format!("{:?} {:?}/{:?}", setting.control, setting.publish_every, setting.sync_every)
}

/// The fixed setting that did best by this measure.
fn best(outcomes: &Outcomes, metric: usize) -> usize {
    let value = |row: &usize| outcomes[*row][metric];
    (0..FIXED.len()).min_by(|a, b| value(a).total_cmp(&value(b))).expect("there are settings")
}

/// Each measure: the best fixed setting, and the adaptive ones in terms of it and of their twins.
fn verdict(outcomes: &Outcomes) {
    print!("{:<18}{:>30}", "", "best fixed");
    ADAPTIVE.iter().for_each(|(setting, _)| print!(" | {:>18} x best x twin", named(setting)));
    println!();
    for (metric, (name, digits)) in METRICS.into_iter().enumerate() {
        let best = best(outcomes, metric);
        let value = format!("{:.digits$} ({})", outcomes[best][metric], named(&FIXED[best]));
        print!("{name:<18}{value:>30}");
        for ((_, twin), outcome) in ADAPTIVE.iter().zip(&outcomes[FIXED.len()..]) {
            let x = outcome[metric];
            let [to_best, to_twin] =
                [best, *twin].map(|other| Ratio::of(x, outcomes[other][metric]));
            print!(" | {x:>18.digits$} {to_best:>6} {to_twin:>6}");
        }
        println!();
    }
}

/// Each setting where it does worst: one that is good under one load may be bad under another.
fn overall(loads: &[Outcomes]) {
    println!("\nall loads: each setting's highest ratio to the best fixed one under the same load");
    head();
    for (row, setting) in settings().enumerate() {
        print!("{:<18}", named(&setting));
        for metric in 0..METRICS.len() {
            let ratios = loads.iter().map(|outcomes| {
                Ratio::of(outcomes[row][metric], outcomes[best(outcomes, metric)][metric])
            });
            let worst = ratios.reduce(|a, b| if b.0 > a.0 { b } else { a });
            print!("{:>14}", worst.expect("there are loads"));
        }
        println!();
    }
}

/// How many times as much; 1 where both are nothing.
#[derive(Clone, Copy)]
struct Ratio(f64);

impl Ratio {
    fn of(value: f64, to: f64) -> Ratio {
        Ratio(if value == to { 1.0 } else { value / to })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() { f.pad(&format!("{:.2}", self.0)) } else { f.pad("(0)") }
    }
}

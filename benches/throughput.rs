//! Records a second through the whole engine, in `Overflow::Block`: to `Output::Null`, and to a
//! file beside a raw `pwrite` loop over the same bytes, measured in turns.
//!
//! A run is a fixed number of records, from the first call to the return of `flush`. Beside it the
//! processor time of the whole process, callers and engine, which a busy machine changes less. Not
//! in criterion: a run takes a second, and the ratio to the raw loop is the figure.

mod measure;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Output, Overflow, Preset, SyncPolicy, fastlog};
use measure::{Length, process_cpu};

/// What a run took.
struct Run {
    time: Duration,
    cpu: Duration,
}

/// What a run does.
struct Plan {
    records: u64,
    rounds: usize,
}

const FULL: Plan = Plan { records: 1_000_000, rounds: 5 };
const TEST: Plan = Plan { records: 2_000, rounds: 1 };

/// Bytes per `pwrite` of the raw loop.
const CHUNK_BYTES: usize = 256 * 1024;

fn main() {
    let Some(length) = measure::length("throughput") else { return };
    let plan = if length == Length::Full { FULL } else { TEST };
    println!("{} records a run, median of {} runs", plan.records, plan.rounds);
    null(&plan);
    for producers in [1, 2, 4] {
        file(&plan, producers);
    }
}

fn config(dir: &Path) -> Config {
    Config::preset(Preset::Production)
        .dir(dir)
        .name("throughput")
        .overflow(Overflow::Block)
        .sync(SyncPolicy::Never)
        .ignore_env()
}

fn null(plan: &Plan) {
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let dir = tempfile::tempdir().expect("a directory");
        let (run, _) = run(config(dir.path()).output(Output::Null), plan.records, 1);
        times.push(run.time);
        cpu.push(run.cpu);
    }
    println!(
        "null, 1 producer: {:.2} M records/s; {} ns of CPU a record",
        rate(plan.records, median(times)),
        each(plan.records, median(cpu))
    );
}

fn file(plan: &Plan, producers: u64) {
    let (mut engine_times, mut raw_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = Vec::new();
    for _ in 0..plan.rounds {
        let dir = tempfile::tempdir().expect("a directory");
        let (run, bytes) = run(config(dir.path()), plan.records, producers);
        let raw = write_raw(dir.path(), &bytes);
        engine_times.push(run.time);
        cpu.push(run.cpu);
        raw_times.push(raw);
        ratios.push(raw.as_secs_f64() / run.time.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "file, {producers} producer(s): {:.2} M records/s; {} ns of CPU a record; raw pwrite of the \
         same bytes: {:.2} M records/s; ratio {:.2}",
        rate(plan.records, median(engine_times)),
        each(plan.records, median(cpu)),
        rate(plan.records, median(raw_times)),
        ratios[ratios.len() / 2]
    );
}

/// Logs the records and waits until a reader sees them; the time, and the log's bytes.
fn run(config: Config, records: u64, producers: u64) -> (Run, Vec<u8>) {
    let engine = Engine::start(config).expect("the engine starts");
    let (start, before) = (Instant::now(), process_cpu());
    thread::scope(|scope| {
        for _ in 0..producers {
            scope.spawn(|| log(records / producers));
        }
    });
    engine.flush().expect("the engine runs");
    let run = Run { time: start.elapsed(), cpu: process_cpu() - before };
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced() && report.written() == records, "{report}");
    let bytes = report.log_path().map(|log| std::fs::read(log).expect("the log"));
    (run, bytes.unwrap_or_default())
}

fn log(records: u64) {
    for i in 0..records {
        let price = 1.0 + i as f64 * 0.25;
        fastlog!(INFO, "order accepted", user_id = i, price, symbol = "ACME.NYS");
    }
}

/// Writes the bytes to a file of their own.
fn write_raw(dir: &Path, bytes: &[u8]) -> Duration {
    let file = File::create(dir.join("raw")).expect("a file");
    let start = Instant::now();
    let mut at = 0;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        file.write_all_at(chunk, at).expect("room on the disk");
        at += chunk.len() as u64;
    }
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn rate(records: u64, time: Duration) -> f64 {
    records as f64 / time.as_secs_f64() / 1e6
}

fn each(records: u64, time: Duration) -> u128 {
    time.as_nanos() / u128::from(records)
}

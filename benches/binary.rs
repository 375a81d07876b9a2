//! Binary logs beside JSON in the same run: records a second through the whole engine to
//! `Output::Null`, bytes a record, the collector's work alone, and how fast they are read back.
//!
//! Not in criterion: a run is a fixed number of records, and the ratios are the figures. With one
//! of `engine`, `write`, `json` or `read` as an argument only that runs, for counting its instructions
//! (`valgrind --tool=callgrind`).

use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fastlog::bench_support::{BinaryLog, Lines, binary_lines, envelope};
use fastlog::{Config, Engine, Format, Output, Overflow, Preset, SyncPolicy, fastlog};

/// What a run does.
struct Plan {
    records: u64,
    rounds: usize,
}

const FULL: Plan = Plan { records: 2_000_000, rounds: 7 };
const COUNTED: Plan = Plan { records: 100_000, rounds: 1 };
const TEST: Plan = Plan { records: 2_000, rounds: 1 };

const SEGMENT_BYTES: usize = 1 << 20;
const NAMES: [&str; 3] = ["user_id", "price", "symbol"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let plan = if is_test { TEST } else { FULL };
    match arguments.iter().find(|argument| !argument.starts_with('-')).map(String::as_str) {
        Some("write") => drop(write(COUNTED.records)),
        Some("engine") => drop(through_the_engine(Format::Binary, COUNTED.records)),
        Some("json") => drop(json(COUNTED.records)),
        Some("read") => drop(read(&write(COUNTED.records).1)),
        Some(filter) if !"binary".contains(filter) => {}
        _ => compare(&plan),
    }
}

fn compare(plan: &Plan) {
    println!("{} records a run, median and best of {} runs", plan.records, plan.rounds);
    let (mut json_times, mut binary_times) = (Vec::new(), Vec::new());
    let mut bytes = [0; 2];
    for _ in 0..plan.rounds {
        let [json_bytes, binary_bytes] = &mut bytes;
        for (format, times, bytes) in [
            (Format::Json, &mut json_times, json_bytes),
            (Format::Binary, &mut binary_times, binary_bytes),
        ] {
            let time;
            (time, *bytes) = through_the_engine(format, plan.records);
            times.push(time);
        }
    }
    let per_record = bytes.map(|bytes| bytes as f64 / plan.records as f64);
    show("engine to null, json", plan, &mut json_times);
    println!("    {:.1} bytes a record", per_record[0]);
    show("engine to null, binary", plan, &mut binary_times);
    println!("    {:.1} bytes a record", per_record[1]);
    let (mut json_times, mut write_times, mut read_times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        json_times.push(json(plan.records));
        let (time, segments) = write(plan.records);
        write_times.push(time);
        read_times.push(read(&segments));
    }
    show("one thread, envelopes to json", plan, &mut json_times);
    show("one thread, envelopes to binary", plan, &mut write_times);
    show("one thread, binary to json", plan, &mut read_times);
}

fn show(what: &str, plan: &Plan, times: &mut [Duration]) {
    times.sort();
    let rate = |time: Duration| plan.records as f64 / time.as_secs_f64() / 1e6;
    let (median, best) = (times[times.len() / 2], times[0]);
    println!("{what}: {:.2} M records/s, best {:.2}", rate(median), rate(best));
}

/// From the first call to the return of `flush`; the time, and the bytes that were written.
fn through_the_engine(format: Format, records: u64) -> (Duration, u64) {
    let config = Config::preset(Preset::Production)
        .dir(Path::new("unused"))
        .output(Output::Null)
        .format(format)
        .overflow(Overflow::Block)
        .sync(SyncPolicy::Never)
        .ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| log(records));
    });
    engine.flush().expect("the engine runs");
    let time = start.elapsed();
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced() && report.written() == records, "{report}");
    (time, report.published_bytes())
}

fn log(records: u64) {
    for i in 0..records {
        let price = 1.0 + i as f64 * 0.25;
        fastlog!(INFO, "order accepted", user_id = i, price, symbol = "ACME.NYS");
    }
}

/// Envelopes that differ, each a thousand ticks after the other; those of a loop over a few.
fn envelopes() -> Vec<Vec<u8>> {
    let one = |i: u64| envelope(&(&i, (&(1.0 + i as f64 * 0.25), (&"ACME.NYS", ()))));
    (0..64).map(one).collect()
}

fn set_ticks(envelope: &mut [u8], ticks: u64) {
    envelope[8..16].copy_from_slice(&ticks.to_le_bytes());
}

fn json(records: u64) -> Duration {
    let mut envelopes = envelopes();
    let mut lines = Lines::new(Format::Json, "order accepted", &NAMES);
    let mut out = vec![0; 4_096];
    let start = Instant::now();
    for n in 0..records {
        let envelope = &mut envelopes[n as usize % 64];
        set_ticks(envelope, n * 1_000);
        black_box(lines.line(envelope, n as i64 * 500, &mut out));
    }
    start.elapsed()
}

/// The time, and the segments.
fn write(records: u64) -> (Duration, Vec<Vec<u8>>) {
    let mut envelopes = envelopes();
    let mut log = BinaryLog::new("order accepted", &NAMES);
    let segments = records as usize * 40 / SEGMENT_BYTES + 2;
    // Faulted in, as segments are.
    let mut segments = vec![vec![1; SEGMENT_BYTES]; segments];
    let (mut segment, mut len) = (0, 0);
    let start = Instant::now();
    for n in 0..records {
        let envelope = &mut envelopes[n as usize % 64];
        set_ticks(envelope, n * 1_000);
        let mut put = log.put(envelope, &mut segments[segment][len..]);
        if put == 0 {
            segments[segment].truncate(len);
            (segment, len) = (segment + 1, 0);
            put = log.put(envelope, &mut segments[segment]);
        }
        len += put;
    }
    let time = start.elapsed();
    segments[segment].truncate(len);
    segments.truncate(segment + 1);
    (time, segments)
}

fn read(segments: &[Vec<u8>]) -> Duration {
    let start = Instant::now();
    let mut bytes = 0;
    for segment in segments {
        binary_lines(
            segment,
            |line| bytes += black_box(line).len(),
            |offset, what| panic!("at {offset}: {what}"),
        );
    }
    assert!(bytes > 0);
    start.elapsed()
}

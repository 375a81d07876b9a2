//! Runs one stage of the journey a number of times, for `instructions.sh` to count instructions
//! under valgrind: `instructions <stage> <times>`. Two runs, one twice as long: the difference is
//! free of what the start costs.

use std::hint::black_box;

use fastlog::bench_support::{Lines, Passes, envelope};
use fastlog::{Config, Engine, Format, Output, Overflow, Preset, fastlog};

/// A stage's name, and what runs it so many times.
type Stage = (&'static str, fn(u64));

const STAGES: [Stage; 11] = [
    ("call", call),
    ("json", |times| lines(Format::Json, "order accepted", price, times)),
    ("json-holes", |times| {
        lines(Format::Json, "order of {user_id} at {price} for {symbol}", price, times);
    }),
    ("json-ryu", |times| lines(Format::Json, "order accepted", |at| 1.0 / at as f64, times)),
    ("logfmt", |times| lines(Format::Logfmt, "order accepted", price, times)),
    ("text", |times| lines(Format::Text, "order accepted", price, times)),
    ("collect", |times| collect(Passes::new(1), 1, times)),
    ("collect-2-rings", |times| collect(Passes::new(2), 2, times)),
    ("collect-8-rings", |times| collect(Passes::new(8), 8, times)),
    ("collect-64-rings", |times| collect(Passes::new(64), 64, times)),
    ("collect-from-file", |times| {
        let dir = tempfile::tempdir().expect("a directory");
        collect(Passes::in_file(dir.path(), 1), 1, times);
    }),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [stage, times] if !stage.starts_with('-') => {
            let times = times.parse().expect("a number of times");
            let stage = STAGES.iter().find(|(name, _)| name == stage).expect("a stage");
            (stage.1)(times);
        }
        _ if arguments.iter().any(|argument| argument == "--test") => {
            STAGES.iter().for_each(|(_, run)| run(100));
        }
        _ => STAGES.iter().for_each(|(name, _)| println!("{name}")),
    }
}

/// Prices as they are: few digits.
fn price(at: u64) -> f64 {
    1.0 + at as f64 * 0.25
}

/// The call alone, as its thread sees it: only this function is counted.
fn call(times: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::preset(Preset::Production).dir(dir.path()).output(Output::Null);
    let config = config.overflow(Overflow::Block).ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    (0..times).for_each(counted_call);
    let report = engine.drain().expect("the engine drains");
    assert_eq!(report.written(), times);
}

#[inline(never)]
fn counted_call(at: u64) {
    fastlog!(
        INFO,
        "order accepted",
        user_id = at,
        price = price(at),
        symbol = black_box("ACME.NYS")
    );
}

fn envelopes(price: fn(u64) -> f64) -> Vec<Vec<u8>> {
    let of = |at: u64| envelope(&(&(at * 7919), (&price(at), (&"ACME.NYS", ()))));
    (1..=1024).map(of).collect()
}

fn lines(format: Format, template: &str, price: fn(u64) -> f64, times: u64) {
    const START_NS: i64 = 1_795_210_380_123_456_789;
    let names = ["user_id", "price", "symbol"];
    let envelopes = envelopes(price);
    let mut lines = Lines::new(format, template, &names);
    let mut out = [0; 4096];
    for at in 0..times as usize {
        let utc_ns = START_NS + at as i64 * 100;
        let len = lines.line(&envelopes[at % envelopes.len()], utc_ns, black_box(&mut out));
        assert!(len > 0, "a line");
    }
}

/// From the rings to the segments, in order of time; what emits is not the engine's hot path but
/// counts as well: some 30 instructions.
fn collect(mut passes: Passes, rings: usize, times: u64) {
    const AT_ONCE: u64 = 1024;
    let mut envelopes: Vec<Vec<u64>> = envelopes(price)
        .iter()
        .map(|bytes| {
            let words = bytes.chunks_exact(8);
            words.map(|word| u64::from_le_bytes(word.try_into().expect("eight"))).collect()
        })
        .collect();
    let mut written = 0;
    for at in 0..times {
        let words = &mut envelopes[at as usize % AT_ONCE as usize];
        // A full ring says so once, and has looked by then.
        while !passes.emit(at as usize % rings, words) {}
        if at % AT_ONCE == AT_ONCE - 1 || at + 1 == times {
            written = passes.pass();
        }
    }
    assert_eq!(written, times);
}

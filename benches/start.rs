//! What an engine takes before its first record: the time of `start`, of a thread's first record,
//! of a drain, and the memory. Preset `Production`, on the file system of the temporary directory:
//! arena and log are made and allocated there. Medians and worst of some engines, one after the
//! other; the memory of each is what the process has more than before it.
//!
//! `cargo bench --bench start`; with `--test`, two engines.

mod measure;

use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Preset, fastlog};
use measure::{Length, quantile, resident_bytes};

/// What one engine took.
struct Taken {
    start: Duration,
    first_record: Duration,
    drain: Duration,
    resident_bytes: u64,
}

fn main() {
    let Some(length) = measure::length("start") else { return };
    let engines = if length == Length::Full { 50 } else { 2 };
    let taken: Vec<Taken> = (0..engines).map(|_| take()).collect();
    println!("{engines} engines one after the other, `Production`: median, worst");
    show("start", taken.iter().map(|taken| taken.start));
    show("a thread's first record", taken.iter().map(|taken| taken.first_record));
    show("drain", taken.iter().map(|taken| taken.drain));
    let mut memory: Vec<u64> = taken.iter().map(|taken| taken.resident_bytes).collect();
    let [median, worst] = [0.5, 1.0].map(|part| quantile(&mut memory, part) as f64 / 1e6);
    println!("resident with one thread, more than before: {median:.1} MB, {worst:.1} MB");
}

fn take() -> Taken {
    let dir = tempfile::tempdir().expect("a directory");
    let before = resident_bytes();
    let at = Instant::now();
    let config = Config::preset(Preset::Production).dir(dir.path()).name("start").ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    let start = at.elapsed();
    let at = Instant::now();
    fastlog!(INFO, "first", n = 1);
    let first_record = at.elapsed();
    engine.flush().expect("published");
    let resident_bytes = resident_bytes().saturating_sub(before);
    let at = Instant::now();
    let report = engine.drain().expect("the engine drains");
    assert_eq!((report.written(), report.is_balanced()), (1, true), "{report}");
    Taken { start, first_record, drain: at.elapsed(), resident_bytes }
}

fn show(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<Duration> = times.collect();
    println!("{what}: {:?}, {:?}", quantile(&mut times, 0.5), quantile(&mut times, 1.0));
}

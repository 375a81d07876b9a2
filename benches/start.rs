//! What an engine takes before its first record: the time of `start`, of the first record of a
//! thread with a new ring and of one that takes over a ring, of a drain, and the memory. Preset
//! `Production`, on the file system of the temporary directory: arena and log are made and allocated
//! there. Medians and worst of some engines, one after the other; the memory of each is what the
//! process has more than before it. Each is used by threads of its own: one that has used an engine
//! before gives back that one's ring first.
//!
//! `cargo bench --bench start`; with `--test`, two engines.

mod measure;

use std::thread;
use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Preset, fastlog};
use measure::{Length, quantile, resident_bytes};

/// What one engine took.
struct Taken {
    start: Duration,
    new_ring: Duration,
    left_ring: Duration,
    drain: Duration,
    resident_bytes: u64,
}

fn main() {
    let Some(length) = measure::length("start") else { return };
    let engines = if length == Length::Full { 50 } else { 2 };
    let taken: Vec<Taken> = (0..engines).map(|_| take()).collect();
    println!("{engines} engines one after the other, `Production`: median, worst");
    show("start", taken.iter().map(|taken| taken.start));
    show("a thread's first record, a new ring", taken.iter().map(|taken| taken.new_ring));
    show(
        "a thread's first record, the ring of one that ended",
        taken.iter().map(|taken| taken.left_ring),
    );
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
    let new_ring = thread::spawn(log_one).join().expect("no panic");
    engine.flush().expect("published");
    let resident_bytes = resident_bytes().saturating_sub(before);
    let left_ring = thread::spawn(log_one).join().expect("no panic");
    let at = Instant::now();
    let report = engine.drain().expect("the engine drains");
    assert_eq!((report.written(), report.is_balanced()), (2, true), "{report}");
    Taken { start, new_ring, left_ring, drain: at.elapsed(), resident_bytes }
}

/// What the calling thread's first record takes.
fn log_one() -> Duration {
    let at = Instant::now();
    fastlog!(INFO, "first", n = 1);
    at.elapsed()
}

fn show(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<Duration> = times.collect();
    println!("{what}: {:?}, {:?}", quantile(&mut times, 0.5), quantile(&mut times, 1.0));
}

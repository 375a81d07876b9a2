//! Promise [P8]: the records of one thread keep their order, and all threads come out merged by
//! time, except those counted in `late`; nothing is lost or doubled.
//!
//! Attacked with eight threads on rings that overflow all the time, bursts, a slow thread, records
//! of ERROR among others, an order window of nothing, and a chain of causes across threads whose
//! every link must come out in order.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{config, drain, lines};
use fastlog::{Clock, Config, DrainReport, Engine, Idle, Logger, fastlog};
use serde_json::Value;

const STEADY: u64 = 6;
const BURSTY: u64 = STEADY;
const SLOW: u64 = STEADY + 1;
const THREADS: usize = STEADY as usize + 2;
const STEADY_RECORDS: u64 = 15_000;
const BURSTS: u64 = 30;
const BURST_RECORDS: u64 = 400;

fn log(logger: &Logger, worker: u64, n: u64) {
    if n % 97 == 13 {
        fastlog!(logger: logger, ERROR, "bad", worker, n);
    } else {
        fastlog!(logger: logger, INFO, "good {n}", worker, n);
    }
}

/// Gives the CPU away some times, so that others get ahead.
fn pause(times: u32) {
    (0..times).for_each(|_| thread::yield_now());
}

/// Eight threads log to an engine; how many records each.
fn run(engine: &Engine) -> [u64; THREADS] {
    let (logger, is_over) = (engine.logger(), AtomicBool::new(false));
    let (logger, is_over) = (&logger, &is_over);
    thread::scope(|scope| {
        let steady = (0..STEADY).map(|worker| {
            scope.spawn(move || (0..STEADY_RECORDS).for_each(|n| log(logger, worker, n)))
        });
        let steady: Vec<_> = steady.collect();
        let bursty = scope.spawn(move || {
            for burst in 0..BURSTS {
                (0..BURST_RECORDS).for_each(|n| log(logger, BURSTY, burst * BURST_RECORDS + n));
                pause(50);
            }
        });
        let slow = scope.spawn(move || {
            let mut n = 0;
            while !is_over.load(Ordering::Relaxed) {
                log(logger, SLOW, n);
                n += 1;
                pause(5);
            }
            n
        });
        for worker in steady {
            worker.join().expect("no panic");
        }
        bursty.join().expect("no panic");
        is_over.store(true, Ordering::Relaxed);
        let slow = slow.join().expect("no panic");
        let mut logged = [STEADY_RECORDS; THREADS];
        (logged[BURSTY as usize], logged[SLOW as usize]) = (BURSTS * BURST_RECORDS, slow);
        logged
    })
}

fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().unwrap_or_else(|| panic!("no {key} in {line}"))
}

/// Runs eight threads and checks all that this file promises.
fn check(configure: impl FnOnce(Config) -> Config) -> DrainReport {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(configure(config(dir.path()))).expect("the engine starts");
    let logged = run(&engine);
    let report = drain(&engine);
    assert_eq!(report.dropped(), 0, "{report}");
    assert_eq!(report.written(), logged.iter().sum::<u64>());

    let (mut next, mut times) = ([0; THREADS], [const { String::new() }; THREADS]);
    let (mut newest, mut late) = (String::new(), 0);
    for line in lines(&report) {
        let (worker, n) = (number(&line, "worker") as usize, number(&line, "n"));
        assert_eq!(n, next[worker], "thread {worker} is out of order");
        next[worker] += 1;
        let is_bad = n % 97 == 13;
        assert_eq!(line["level"], if is_bad { "ERROR" } else { "INFO" });
        let time = line["timestamp"].as_str().expect("a time").to_owned();
        assert_eq!(time.len(), "2026-11-20T21:33:00.123456789Z".len(), "{time}");
        assert!(time >= times[worker], "the clock of thread {worker} ran back to {time}");
        late += u64::from(time < newest);
        newest = newest.max(time.clone());
        times[worker] = time;
    }
    assert_eq!(next, logged, "every record of every thread, once");
    assert!(late <= report.late(), "{late} lines out of order, {} counted", report.late());
    report
}

/// A thread that loses the CPU in the middle of a call is rare.
fn check_few_late(report: &DrainReport) {
    assert!(report.late() <= report.written() / 50, "{} late: {report}", report.late());
}

#[test]
fn eight_threads_on_full_rings_come_out_in_order() {
    check_few_late(&check(|config| config.record_bytes(1024).ring_bytes(16 << 10)));
}

#[test]
fn eight_threads_on_wide_rings_come_out_in_order() {
    check_few_late(&check(|config| config.ring_bytes(4 << 20)));
}

#[test]
fn without_an_order_window_what_is_late_is_counted() {
    let window = Duration::ZERO;
    check(|config| config.order_window(window).clock(Clock::Monotonic).ring_bytes(1 << 20));
}

/// Each record is logged because another thread has logged the one before: no thread loses the CPU
/// in between without the whole chain waiting, so nothing may be late.
fn check_chain(clock: Clock) {
    const LINKS: u64 = 8_000;
    const HANDS: u64 = 4;
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).clock(clock)).expect("the engine starts");
    let (logger, turn) = (engine.logger(), Arc::new(AtomicU64::new(0)));
    let hands = (0..HANDS).map(|hand| {
        let (logger, turn) = (logger.clone(), Arc::clone(&turn));
        thread::spawn(move || {
            for link in (hand..LINKS).step_by(HANDS as usize) {
                while turn.load(Ordering::Acquire) != link {
                    thread::yield_now();
                }
                log(&logger, hand, link);
                turn.store(link + 1, Ordering::Release);
            }
        })
    });
    for hand in hands.collect::<Vec<_>>() {
        hand.join().expect("no panic");
    }
    let report = drain(&engine);
    let links: Vec<u64> = lines(&report).iter().map(|line| number(line, "n")).collect();
    assert!(links.iter().copied().eq(0..LINKS), "causes come before their effects");
    assert_eq!(report.late(), 0, "{report}");
}

#[test]
fn causes_come_before_effects() {
    check_chain(Clock::Tsc);
}

#[test]
fn causes_come_before_effects_on_the_system_clock_too() {
    check_chain(Clock::Monotonic);
}

/// Stamps as old as the collector's last look: who spins looks all the time, and parked it is the
/// kernel's clock.
#[test]
fn a_coarse_clock_keeps_the_order_too() {
    for idle in [Idle::Spin, Idle::Park] {
        let report = check(|config| config.clock(Clock::Coarse).idle(idle).ring_bytes(1 << 20));
        check_few_late(&report);
    }
}

/// The process's engine, of which calls take the short path.
#[test]
fn a_coarse_clock_on_the_short_path_tells_the_time() {
    const RECORDS: u64 = 50_000;
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path()).clock(Clock::Coarse).idle(Idle::Spin);
    let start = jiff::Timestamp::now();
    let engine = Engine::start(config).expect("the engine starts");
    assert_eq!(engine.stats().clock(), Clock::Coarse);
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for n in 0..RECORDS {
                    fastlog!(INFO, "on the short path", worker, n);
                }
            });
        }
    });
    let report = drain(&engine);
    let end = jiff::Timestamp::now();
    let (mut next, mut newest) = ([0; 4], [start - Duration::from_millis(5); 4]);
    for line in lines(&report) {
        let (worker, n) = (number(&line, "worker") as usize, number(&line, "n"));
        assert_eq!(n, next[worker], "thread {worker} is out of order");
        next[worker] += 1;
        let text = line["timestamp"].as_str().expect("a time");
        let time: jiff::Timestamp = text.parse().expect("a time");
        assert!(time >= newest[worker] && time <= end, "{} {time} {end}", newest[worker]);
        newest[worker] = time;
    }
    assert_eq!(next, [RECORDS; 4]);
}

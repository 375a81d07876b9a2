//! Promise: what `stats` counts only grows, on every thread that asks, while callers log and the
//! engine ends, and it ends at what the report says.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastlog::{Config, Engine, Output, Stats, fastlog};

const ROUNDS: usize = 28;
const LOOKERS: usize = 2;
const CALLERS: usize = 2;

/// Every count of `Stats` that is no gauge.
fn counts(stats: &Stats) -> [u64; 12] {
    [
        stats.submitted(),
        stats.written(),
        stats.dropped(),
        stats.own_records(),
        stats.late(),
        stats.truncated(),
        stats.waits(),
        stats.written_bytes(),
        stats.published_bytes(),
        stats.synced_bytes(),
        stats.syncs(),
        stats.rings(),
    ]
}

/// Looks until it is told to stop; gives how often.
fn look(engine: &Engine, is_over: &AtomicBool) -> u64 {
    let (mut last, mut looks) = ([0; 12], 0);
    loop {
        let is_last = is_over.load(Ordering::Acquire);
        let stats = engine.stats();
        let now = counts(&stats);
        let has_grown = last.iter().zip(&now).all(|(before, now)| now >= before);
        assert!(has_grown, "{now:?} after {last:?}");
        assert_eq!(stats.submitted(), stats.written() + stats.dropped() + stats.pending());
        (last, looks) = (now, looks + 1);
        if is_last {
            return looks;
        }
    }
}

/// Logs until nobody hears it.
fn log(logger: &fastlog::Logger) {
    let mut number = 0_u64;
    let unheard = fastlog::unheard();
    while fastlog::unheard() == unheard {
        fastlog!(logger: logger, INFO, "counted", number);
        number += 1;
    }
}

/// One engine's life; gives how often its statistics were looked at.
fn live(engine: &Engine, after: Duration) -> u64 {
    let is_over = AtomicBool::new(false);
    let mut looks = 0;
    thread::scope(|scope| {
        let lookers: Vec<_> =
            (0..LOOKERS).map(|_| scope.spawn(|| look(engine, &is_over))).collect();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| engine.logger())
            .map(|own| scope.spawn(move || log(&own)))
            .collect();
        thread::sleep(after);
        let report = common::drain(engine);
        for caller in callers {
            caller.join().expect("a caller ends");
        }
        is_over.store(true, Ordering::Release);
        for looker in lookers {
            looks += looker.join().expect("no count has shrunk");
        }
        let stats = engine.stats();
        let expected = (report.submitted(), report.written(), report.dropped());
        let dropped_since = stats.dropped() - report.dropped();
        let seen = (stats.submitted() - dropped_since, stats.written(), report.dropped());
        assert_eq!(seen, expected, "{report}");
    });
    looks
}

#[test]
fn no_count_ever_shrinks() {
    let mut looks = 0;
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let config = Config::default().dir(dir.path()).name("counts").ignore_env();
        let config = if round % 2 == 0 { config } else { config.output(Output::Null) };
        let engine = Engine::detached(config).expect("the engine starts");
        // As a rule in the middle of a pass; no figure depends on it.
        looks += live(&engine, Duration::from_micros(500 * (round as u64 % 7)));
    }
    assert!(looks >= (ROUNDS * LOOKERS) as u64, "{looks} looks");
}

/// The records are committed before anybody looks, and the rings are forgotten while somebody does.
#[test]
fn a_first_look_during_a_drain_sees_what_was_committed_before() {
    const RECORDS: u64 = 1_000;
    for _ in 0..10 {
        let (engine, _dir) = common::engine();
        let logger = engine.logger();
        (0..RECORDS).for_each(|number| fastlog!(logger: logger, INFO, "before", number));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let looker = scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    assert_eq!(engine.stats().submitted(), RECORDS);
                }
            });
            common::drain(&engine);
            is_over.store(true, Ordering::Release);
            looker.join().expect("all were submitted, at each look");
        });
        assert_eq!(engine.stats().submitted(), RECORDS);
    }
}

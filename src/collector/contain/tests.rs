use std::collections::HashSet;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::*;
use crate::callsite::Callsite;
use crate::macro_support::{admit, emit_to};
use crate::value::Fields;
use crate::{Config, DrainReport, Engine, Format, Level, Logger, Overflow};

/// The target of records over which the collector panics, and what it says then.
pub(super) const POISON: &str = "poison";
const WORDS: &str = "a test's poison";

static GOOD: Callsite = Callsite::new(Level::Info, "good", "good", &["key"], "f", 1);
static BAD: Callsite = Callsite::new(Level::Error, POISON, "bad", &["key"], "f", 2);

/// As the macro does.
fn log(logger: &Logger, callsite: &'static Callsite, fields: impl Fields) {
    assert!(admit(logger, callsite));
    emit_to(logger, callsite, fields);
}

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts what these tests provoke, instead of printing it, for one test at a time.
fn counting() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() == Some(WORDS) {
                PANICS.fetch_add(1, Ordering::Relaxed);
            } else {
                before(info);
            }
        }));
    });
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    PANICS.store(0, Ordering::Relaxed);
    one
}

fn start(dir: &Path, format: Format) -> Engine {
    let config = Config::default().dir(dir).name("test").ignore_env();
    Engine::detached(config.format(format).overflow(Overflow::BlockForever)).expect("it starts")
}

fn text(report: &DrainReport) -> String {
    let bytes = std::fs::read(report.log_path().expect("a file")).expect("the log");
    String::from_utf8_lossy(&bytes).into_owned()
}

// [D15]
#[test]
fn a_record_over_which_the_collector_panics_costs_that_record_alone() {
    let _counting = counting();
    for format in [Format::Json, Format::Text, Format::Logfmt, Format::Binary] {
        PANICS.store(0, Ordering::Relaxed);
        let dir = tempfile::tempdir().expect("a directory");
        let engine = start(dir.path(), format);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let logger = engine.logger();
                scope.spawn(move || {
                    for n in 0..1_000 {
                        let key = format!("<{thread}-{n}>");
                        log(&logger, &GOOD, (&key, ()));
                        if thread == 0 && n % 400 == 100 {
                            log(&logger, &BAD, (&key, ()));
                        }
                        if n % 100 == 0 {
                            // So that it is met in many passes.
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
        engine.flush().expect("the engine goes on");
        let failure = engine.stats().last_failure().expect("it is told").to_owned();
        assert!(failure.contains("`poison`, which is dropped"), "{failure}");
        let report = engine.drain().expect("as if nothing had been");
        assert!(report.is_balanced() && report.pending() == 0, "{report}");
        assert_eq!((report.written(), report.dropped()), (3_000, 3), "{report}");
        let losses = report.losses();
        assert_eq!(losses.count(DropReason::Panicked, Level::ERROR), 3, "{losses}");
        assert_eq!(PANICS.load(Ordering::Relaxed), 3);
        let text = text(&report);
        let is_there = |key: String| text.matches(&key).count() == 1;
        for thread in 0..3 {
            let missing = (0..1_000).filter(|n| !is_there(format!("<{thread}-{n}>"))).count();
            assert_eq!(missing, 0, "{format:?}: each good record is there once");
        }
        assert_eq!(text.matches("the collector panicked over").count(), told(format), "{format:?}");
        assert!(text.contains("panicked=3"), "a gap tells how many were lost");
    }
}

/// How often one warning stands in a file: lines have it as their message and as a field.
fn told(format: Format) -> usize {
    if format == Format::Binary { 1 } else { 2 }
}

// [D15]
#[test]
fn a_call_whose_every_record_is_poison_panics_some_times_and_no_more() {
    let _counting = counting();
    for format in [Format::Json, Format::Binary] {
        PANICS.store(0, Ordering::Relaxed);
        let dir = tempfile::tempdir().expect("a directory");
        let engine = start(dir.path(), format);
        let logger = engine.logger();
        for n in 0..5_000 {
            log(&logger, &BAD, (&n, ()));
            log(&logger, &GOOD, (&n, ()));
        }
        let report = engine.drain().expect("the engine goes on");
        assert!(report.is_balanced() && report.pending() == 0, "{report}");
        assert_eq!(report.losses().count(DropReason::Panicked, Level::ERROR), 5_000, "{report}");
        assert_eq!((report.written(), report.dropped()), (5_000, 5_000), "{report}");
        assert_eq!(PANICS.load(Ordering::Relaxed), 16, "as often as is borne");
        let text = text(&report);
        assert_eq!(text.matches("the collector panicked over").count(), told(format));
        if format == Format::Json {
            let lines: HashSet<_> = text.lines().filter(|line| line.contains("good")).collect();
            assert_eq!(lines.len(), 5_000);
        }
    }
}

#[test]
fn panics_besides_records_are_borne_until_they_are_too_many() {
    let _counting = counting();
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(dir.path(), Format::Json);
    let logger = engine.logger();
    let shared = &logger.registry().shared;
    for round in 1..=u64::from(OTHERS_MAX) {
        shared.progress.tell(Notice::Warning(WORDS.to_owned()));
        log(&logger, &GOOD, (&round, ()));
        engine.flush().expect("the engine goes on");
        while PANICS.load(Ordering::Relaxed) < round {
            engine.flush().expect("the engine goes on");
        }
    }
    let failure = engine.stats().last_failure().expect("told").to_owned();
    assert!(failure.contains("besides records"), "{failure}");
    assert_eq!(engine.stats().written(), u64::from(OTHERS_MAX));
    shared.progress.tell(Notice::Warning(WORDS.to_owned()));
    let error = engine.drain().expect_err("one too many");
    assert!(error.to_string().contains("panicked"), "{error}");
}

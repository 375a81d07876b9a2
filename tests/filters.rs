//! Promise: a record is logged exactly if the filter in force lets its level and target pass: the
//! longest target at `::` decides, a new filter holds for every call that begins after
//! `set_filter`, each engine has its own. A call that is not logged evaluates nothing, and one that
//! was cut off at compile time is not in the program.
//!
//! Attacked with random filters beside an oracle, with filters that change while threads log, with
//! engines that disagree about one callsite, and with a crate built with the cut-off features.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use common::{Log, drain, lines, wait_until};
use fastlog::{Engine, Level, Logger, debug, fastlog, info, warn};
use proptest::prelude::*;

/// Targets, some of which begin others without being their parents.
const TARGETS: [&str; 8] =
    ["app", "app::db", "app::db::pool", "app::dbx", "apple", "app::d", "other", "a"];

/// Calls at every level for every target; gives those that evaluated their argument.
fn call_all(logger: Option<&Logger>) -> BTreeSet<(String, Level)> {
    let evaluated = RefCell::new(BTreeSet::new());
    macro_rules! calls {
        ($($target:literal)+) => {$(
            for level in Level::ALL {
                let note = || evaluated.borrow_mut().insert(($target.to_owned(), level));
                match logger {
                    Some(l) => {
                        fastlog!(logger: l, target: $target, level: level, "m", new = note());
                    }
                    None => fastlog!(target: $target, level: level, "m", new = note()),
                }
            }
        )+};
    }
    calls!("app" "app::db" "app::db::pool" "app::dbx" "apple" "app::d" "other" "a");
    evaluated.into_inner()
}

/// The (target, level)s of the lines that were published since the last time.
fn logged(log: &mut Log) -> BTreeSet<(String, Level)> {
    let lines = log.new_lines();
    let all = lines.iter().map(|line| {
        let text = |key: &str| line[key].as_str().expect("a text").to_owned();
        (text("target"), text("level").parse().expect("a level"))
    });
    let all: BTreeSet<_> = all.collect();
    assert_eq!(all.len(), lines.len(), "no call logs twice");
    all
}

/// A least level; none is `off`.
type Threshold = Option<Level>;

/// What a filter says, written anew: by the segments of paths, not by text.
fn expected(default: Threshold, directives: &[(String, Threshold)]) -> BTreeSet<(String, Level)> {
    let mut expected = BTreeSet::new();
    for target in TARGETS {
        let path: Vec<&str> = target.split("::").collect();
        let mut threshold = default;
        for len in 1..=path.len() {
            let prefix = path[..len].join("::");
            let last = directives.iter().rev().find(|(target, _)| *target == prefix);
            threshold = last.map_or(threshold, |(_, threshold)| *threshold);
        }
        let passing = Level::ALL.into_iter().filter(|level| threshold.is_some_and(|t| *level >= t));
        expected.extend(passing.map(|level| (target.to_owned(), level)));
    }
    expected
}

fn threshold() -> impl Strategy<Value = Threshold> {
    prop::option::weighted(0.8, prop::sample::select(Level::ALL.to_vec()))
}

fn directive() -> impl Strategy<Value = (String, Threshold)> {
    let other = prop::sample::select(vec!["db", "app::db::pool::x", "App", "app::db::poo"]);
    let target = prop_oneof![4 => prop::sample::select(TARGETS.to_vec()), 1 => other];
    (target.prop_map(str::to_owned), threshold())
}

fn written(threshold: Threshold) -> String {
    threshold.map_or("off".to_owned(), |level| level.as_str().to_lowercase())
}

#[test]
fn the_longest_target_decides_for_the_process_and_for_loggers() {
    let own = RefCell::new(Log::detached(|config| config));
    let process = RefCell::new(Log::of_process(|config| config));
    let logger = own.borrow().engine.logger();
    let seen = Cell::new(0);
    proptest!(|(
        defaults in (threshold(), threshold()),
        directives in (
            prop::collection::vec(directive(), 0..7), prop::collection::vec(directive(), 0..7),
        ),
    )| {
        let filter = |default, directives: &[(String, Threshold)]| {
            let all = directives.iter().map(|(target, t)| format!("{target}={}", written(*t)));
            all.chain([written(default)]).collect::<Vec<_>>().join(",")
        };
        // Two engines with filters of their own ask about the same callsites.
        let (mut own, mut process) = (own.borrow_mut(), process.borrow_mut());
        own.engine.set_filter(filter(defaults.0, &directives.0)).expect("a filter");
        process.engine.set_filter(filter(defaults.1, &directives.1)).expect("a filter");
        let of_own = expected(defaults.0, &directives.0);
        let of_process = expected(defaults.1, &directives.1);
        for _ in 0..2 {
            prop_assert_eq!(&call_all(Some(&logger)), &of_own);
            prop_assert_eq!(&call_all(None), &of_process);
            prop_assert_eq!(&logged(&mut own), &of_own);
            prop_assert_eq!(&logged(&mut process), &of_process);
            seen.set(seen.get() + of_own.len() as u64 + of_process.len() as u64);
        }
    });
    let written = drain(&own.borrow().engine).written() + drain(&process.borrow().engine).written();
    assert!(written == seen.get() && written > 1_000, "{written} of {}", seen.get());
}

#[test]
fn off_is_off_and_a_bad_filter_changes_nothing() {
    let mut log = Log::detached(|config| config.level(Level::WARN));
    let logger = log.engine.logger();
    let mut levels = |filter: Option<&str>| {
        if let Some(filter) = filter {
            log.engine.set_filter(filter).expect("a filter");
        }
        let all = Level::ALL.into_iter();
        all.for_each(|level| fastlog!(logger: logger, target: "app::db", level: level, "m"));
        log.new_lines().len()
    };
    assert_eq!(levels(None), 3, "the configured level");
    assert_eq!(levels(Some("off")), 0);
    assert_eq!(levels(Some("off,app=error")), 2);
    assert_eq!(levels(Some("trace,app=off")), 0);
    assert_eq!(levels(Some("trace,app::d=off")), 6);
    assert_eq!(levels(Some("app=INFO,app=Debug")), 5, "the last of two for one target");
    assert_eq!(levels(Some("")), 3, "the configured level is the default again");
    for bad in ["loud", "app=loud", "app::=info", "=info", "a b=info"] {
        assert!(log.engine.set_filter(bad).is_err(), "{bad}");
    }
    for level in [Level::INFO, Level::WARN] {
        fastlog!(logger: logger, target: "app::db", level: level, "m");
    }
    assert_eq!(log.new_lines().len(), 1);
    drain(&log.engine);
    let log = Log::detached(|config| config.level(Level::ERROR).filter("info,x=off"));
    let logger = log.engine.logger();
    info!(logger: logger, "passes");
    warn!(logger: logger, target: "x::y", "does not");
    debug!(logger: logger, "does not");
    assert_eq!(lines(&drain(&log.engine)).len(), 1);
}

/// What one thread saw of its calls while the filter changed.
#[derive(Default)]
struct Seen {
    logged: BTreeSet<u64>,
    not_logged: u64,
}

#[test]
fn a_new_filter_holds_for_every_call_that_begins_after_it_is_set() {
    const THREADS: u64 = 3;
    const CHANGES: u32 = 300;
    let mut log = Log::detached(|config| config);
    let logger = log.engine.logger();
    // Even: the filter is changing. Else it stands: in every other state it lets calls pass.
    let state = AtomicU32::new(0);
    let is_over = AtomicBool::new(false);
    let calls = AtomicU32::new(0);
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (state, is_over, calls, logger) = (&state, &is_over, &calls, logger.clone());
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    let mut number = thread << 32;
                    while !is_over.load(Ordering::Acquire) {
                        number += 1;
                        let before = state.load(Ordering::Acquire);
                        let is_evaluated = Cell::new(false);
                        let evaluate = || {
                            is_evaluated.set(true);
                            number
                        };
                        fastlog!(logger: logger, INFO, "m", number = evaluate());
                        let after = state.load(Ordering::Acquire);
                        if before == after && before % 2 == 1 {
                            assert_eq!(is_evaluated.get(), before % 4 == 1, "in state {before}");
                        }
                        if is_evaluated.get() {
                            seen.logged.insert(number);
                        } else {
                            seen.not_logged += 1;
                        }
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                    seen
                })
            })
            .collect();
        for change in 0..CHANGES {
            let filter = if change % 2 == 0 { "info" } else { "off" };
            log.engine.set_filter(filter).expect("a filter");
            state.fetch_add(1, Ordering::Release);
            let before = calls.load(Ordering::Relaxed);
            wait_until("some calls", || calls.load(Ordering::Relaxed) >= before + 30);
            state.fetch_add(1, Ordering::Release);
        }
        is_over.store(true, Ordering::Release);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let expected: BTreeSet<u64> =
        seen.iter().flat_map(|seen| seen.logged.iter().copied()).collect();
    let numbers = log.new_lines();
    let numbers: BTreeSet<u64> =
        numbers.iter().map(|line| line["number"].as_u64().expect("a number")).collect();
    assert!(numbers == expected, "{} logged, {} expected", numbers.len(), expected.len());
    let not_logged: u64 = seen.iter().map(|seen| seen.not_logged).sum();
    assert!(numbers.len() > 1_000 && not_logged > 1_000, "{} and {not_logged}", numbers.len());
    drain(&log.engine);
}

#[test]
fn what_a_filter_asks_for_in_vain_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let list = "off,thing-doer=debug,drv[span]=info,a/b=off";
    let engine = Engine::detached(common::config(dir.path()).filter(list)).expect("it starts");
    let logger = engine.logger();
    fastlog!(logger: logger, DEBUG, target: "thing_doer::inner", "with an underscore");
    fastlog!(logger: logger, DEBUG, target: "thing-doer", "with a hyphen");
    fastlog!(logger: logger, ERROR, target: "other", "refused");
    for (filter, why) in [("a*=info", "`a*`, which fits nothing"), ("inof", "is no level")] {
        let error = engine.set_filter(filter).expect_err(filter).to_string();
        assert!(error.contains(why), "{error}");
    }
    fastlog!(logger: logger, ERROR, target: "other", "refused as before");
    engine.set_filter("off,other-one=error").expect("a filter");
    fastlog!(logger: logger, ERROR, target: "other_one", "set at run time");
    let report = drain(&engine);
    let messages: Vec<_> = lines(&report).iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["with an underscore", "with a hyphen", "set at run time"]);
    let all = common::all_lines(report.log_path().expect("a file"));
    let told: Vec<_> = all.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, directive) in told.iter().zip(["`drv[span]=info`", "`a/b=off`"]) {
        let message = line["message"].as_str().expect("a text");
        assert!(message.contains(directive) && message.contains("left out"), "{message}");
    }
}

/// What a crate with these features evaluates and logs.
fn cut_off(features: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cut_off");
    let dir = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--features", features, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .args(["--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/cut_off"), "--"])
        .arg(dir.path())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn calls_below_the_compiled_level_vanish() {
    assert_eq!(cut_off("warn"), "wecWEC 6 2");
    let program = concat!(env!("CARGO_TARGET_TMPDIR"), "/cut_off/debug/cut-off");
    let program = std::fs::read(program).expect("the program");
    let holds = |text: &[u8]| program.windows(text.len()).any(|bytes| bytes == text);
    assert!(holds(b"stays: warn"));
    assert!(!holds(b"vanishes below warn"), "a call that was cut off is in the program");
}

//! Promise: the process has one engine, which it owns. `fastlog!` logs to it from its start to its
//! drain, and what no engine hears is counted, argument by argument unevaluated. Attacked by
//! starting twice and at the same time, by draining and starting again under threads that log
//! without a pause, by filters that change meanwhile, by handles that go, by a second engine
//! beside.

mod common;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use common::child::{run, run_with};
use common::{config, drain, give_way, lines, patient, wait_until};
use fastlog::{Config, DrainReport, Engine, Error, fastlog, unheard};
use serde_json::{Value, json};

/// A configuration for the process's engine, with a log of this name.
fn named(dir: &Path, name: &str) -> Config {
    config(dir).name(name)
}

/// Threads that log without a pause, each record with the thread's number and its own.
struct Loggers {
    stop: Arc<AtomicBool>,
    calls: Arc<[AtomicU64]>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Loggers {
    fn start(count: usize) -> Loggers {
        let stop = Arc::new(AtomicBool::new(false));
        let calls: Arc<[AtomicU64]> = (0..count).map(|_| AtomicU64::new(0)).collect();
        let threads = (0..count).map(|by| {
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            thread::spawn(move || {
                for n in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    fastlog!(INFO, "record {n} of {by}", n, by);
                    calls[by].store(n + 1, Ordering::Relaxed);
                    if n % 64 == 0 {
                        // There are more of them than cores: nobody shall wait long for his turn.
                        give_way();
                    }
                }
            })
        });
        let threads = threads.collect();
        Loggers { stop, calls, threads }
    }

    /// Waits until each thread has called some times more.
    fn wait_for_each(&self, more: u64) {
        let before: Vec<u64> = self.calls.iter().map(|n| n.load(Ordering::Relaxed)).collect();
        wait_until("calls of every thread", || {
            let pairs = self.calls.iter().zip(&before);
            pairs.into_iter().all(|(now, before)| now.load(Ordering::Relaxed) >= before + more)
        });
    }

    /// Ends the threads; their calls in all.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("it only logs"));
        self.calls.iter().map(|calls| calls.load(Ordering::Relaxed)).sum()
    }
}

/// Thread and number of each line, which must be in order within each thread.
fn numbers(lines: &[Value], threads: usize) -> Vec<(u64, u64)> {
    let mut last = vec![None; threads];
    let mut numbers = Vec::with_capacity(lines.len());
    for line in lines {
        let (by, n) = (line["by"].as_u64().unwrap(), line["n"].as_u64().unwrap());
        assert!(last[by as usize] < Some(n), "thread {by}: {n} is out of order");
        last[by as usize] = Some(n);
        numbers.push((by, n));
    }
    numbers
}

#[test]
fn a_second_start_is_an_error_that_says_so() {
    run("a_second_start_is_an_error_that_says_so", |dir| {
        let first = Engine::start(named(dir, "first")).unwrap();
        for _ in 0..3 {
            let error = Engine::start(named(dir, "second")).unwrap_err();
            assert!(matches!(error, Error::AlreadyRunning), "{error:?}");
            assert_eq!(
                error.to_string(),
                "this process already has a running engine: use `Engine::current()`, drain it \
                 first, or start this one with `Engine::detached`"
            );
        }
        assert!(!dir.join("second.jsonl").exists());
        fastlog!(INFO, "to the first");
        assert_eq!(lines(&drain(&first)).len(), 1);
        // The place is free again, also after a start that failed for another reason.
        let missing = dir.join("no").join("such");
        let error = Engine::start(named(dir, "second").dir(&missing)).unwrap_err();
        assert!(matches!(error, Error::Directory { .. }), "{error:?}");
        let error = Engine::start(named(dir, "bad name")).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        let second = Engine::start(named(dir, "second")).unwrap();
        fastlog!(INFO, "to the second");
        fastlog!(INFO, "to the second");
        assert_eq!(lines(&drain(&second)).len(), 2);
    });
}

#[test]
fn of_many_starts_at_once_one_wins() {
    run("of_many_starts_at_once_one_wins", |dir| {
        for round in 0..5 {
            let barrier = Barrier::new(8);
            let start = |n| {
                let config = named(dir, &format!("round-{round}-{n}"));
                barrier.wait();
                Engine::start(config)
            };
            let results: Vec<_> = thread::scope(|scope| {
                let start = &start;
                let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || start(n))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
            assert_eq!((won.len(), lost.len()), (1, 7));
            for error in lost {
                assert!(matches!(error, Err(Error::AlreadyRunning)), "{error:?}");
            }
            fastlog!(INFO, "to whoever won");
            assert_eq!(lines(&drain(won[0].as_ref().unwrap())).len(), 1);
        }
    });
}

#[test]
fn start_again_while_old_threads_log() {
    const THREADS: usize = 4;
    const ENGINES: usize = 6;
    run("start_again_while_old_threads_log", |dir| {
        assert_eq!(unheard(), 0);
        let loggers = Loggers::start(THREADS);
        loggers.wait_for_each(100);
        let mut reports: Vec<DrainReport> = Vec::new();
        for n in 0..ENGINES {
            let engine = Engine::start(named(dir, &format!("engine-{n}"))).unwrap();
            // Every thread logs to this one, and to none while there is none.
            loggers.wait_for_each(500);
            reports.push(drain(&engine));
            if n % 2 == 0 {
                loggers.wait_for_each(100);
            }
        }
        let calls = loggers.end();
        let mut seen = BTreeSet::new();
        let (mut submitted, mut written) = (0, 0);
        for report in &reports {
            let numbers = numbers(&lines(report), THREADS);
            let threads: BTreeSet<u64> = numbers.iter().map(|(thread, _)| *thread).collect();
            assert_eq!(threads.len(), THREADS, "all threads found {:?}", report.log_path());
            assert!(numbers.len() >= THREADS * 400, "{report}");
            for number in numbers {
                assert!(seen.insert(number), "{number:?} stands in two logs");
            }
            assert_eq!(report.dropped(), 0, "{report}");
            submitted += report.submitted();
            written += report.written();
        }
        assert_eq!(written, submitted);
        assert_eq!(seen.len() as u64, written);
        assert_eq!(calls, written + unheard());
        assert!(unheard() >= 300 * THREADS as u64, "those between two engines");
    });
}

#[test]
fn drain_while_eight_threads_log() {
    const THREADS: usize = 8;
    run("drain_while_eight_threads_log", |dir| {
        let (mut calls, mut submitted) = (0, 0);
        for round in 0..5 {
            let engine = Engine::start(named(dir, &format!("round-{round}"))).unwrap();
            let loggers = Loggers::start(THREADS);
            loggers.wait_for_each(200);
            // Two drains at once, from different threads, get one report.
            let other = engine.clone();
            let concurrent = thread::spawn(move || drain(&other));
            let report = drain(&engine);
            let again = concurrent.join().unwrap();
            loggers.wait_for_each(200);
            calls += loggers.end();
            assert_eq!(report.dropped(), 0, "{report}");
            assert_eq!(report.to_string(), again.to_string());
            assert_eq!(report.to_string(), drain(&engine).to_string());
            let numbers = numbers(&lines(&report), THREADS);
            // What is in the log is a prefix of each thread's calls: nothing before is missing.
            for thread in 0..THREADS as u64 {
                let of_it = numbers.iter().filter(|(by, _)| *by == thread);
                assert!(of_it.map(|(_, n)| *n).eq(0..of_thread(&numbers, thread)), "{thread}");
            }
            submitted += report.submitted();
            assert_eq!(calls, submitted + unheard(), "round {round}: {report}");
        }
    });
}

fn of_thread(numbers: &[(u64, u64)], thread: u64) -> u64 {
    numbers.iter().filter(|(by, _)| *by == thread).count() as u64
}

#[test]
fn the_engine_outlives_its_handles() {
    run("the_engine_outlives_its_handles", |dir| {
        let engine = Engine::start(named(dir, "app")).unwrap();
        let (logger, second) = (engine.logger(), engine.clone());
        fastlog!(INFO, "with handles");
        drop((engine, second));
        fastlog!(logger: logger, INFO, "with a logger");
        drop(logger);
        fastlog!(INFO, "without");
        thread::spawn(|| fastlog!(INFO, "without, elsewhere")).join().unwrap();
        let engine = Engine::current().expect("it runs");
        assert_eq!(lines(&drain(&engine)).len(), 4);
    });
}

#[test]
fn calls_without_an_engine_only_count() {
    let ended = run("calls_without_an_engine_only_count", |dir| {
        let evaluated = AtomicU64::new(0);
        let evaluate = || evaluated.fetch_add(1, Ordering::Relaxed);
        let log = || {
            fastlog!(ERROR, "a value", value = evaluate());
            fastlog!(INFO, "values", a = ?evaluate(), b = %evaluate(), c = evaluate());
            fastlog!(level: fastlog::Level::WARN, "dynamic {}", n = evaluate());
        };
        // The call itself evaluates five, once.
        log();
        assert_eq!((unheard(), evaluated.load(Ordering::Relaxed)), (3, 0), "before the start");
        let engine = Engine::start(named(dir, "app")).unwrap();
        log();
        assert_eq!((unheard(), evaluated.load(Ordering::Relaxed)), (3, 5), "while it runs");
        let logger = engine.logger();
        assert_eq!(lines(&drain(&engine)).len(), 3);
        log();
        assert_eq!((unheard(), evaluated.load(Ordering::Relaxed)), (6, 5), "after the drain");
        fastlog!(logger: logger, ERROR, "to the drained one", value = evaluate());
        engine.prepare_thread();
        assert_eq!(evaluated.load(Ordering::Relaxed), 5, "through a logger");
        assert!(unheard() >= 7);
        assert_eq!(common::all_lines(&dir.join("app.jsonl")).len(), 4, "and nothing is appended");
    });
    if let Some(ended) = ended.filter(|_| cfg!(debug_assertions)) {
        let said = ended.stderr.matches("a record was logged while no engine ran").count();
        assert_eq!(said, 1, "{ended}");
    }
}

#[test]
fn current_is_the_engine_that_runs() {
    run("current_is_the_engine_that_runs", |dir| {
        assert!(Engine::current().is_none());
        let detached = Engine::detached(named(dir, "detached")).unwrap();
        assert!(Engine::current().is_none(), "a detached engine is nobody's default");
        for name in ["one", "two"] {
            let engine = Engine::start(named(dir, name)).unwrap();
            let current = Engine::current().expect("it runs");
            assert_eq!(current.stats().log_path(), engine.stats().log_path());
            let elsewhere = thread::spawn(Engine::current).join().unwrap().expect("everywhere");
            fastlog!(INFO, "seen by all handles");
            elsewhere.flush().unwrap();
            assert_eq!(engine.stats().written(), 1);
            drain(&current);
            assert!(Engine::current().is_none());
            assert_eq!(lines(&drain(&engine)).len(), 1);
            assert_eq!(engine.stats().written(), 1, "the figures stay");
        }
        drain(&detached);
    });
}

/// Each epoch has its filter; a call that began in an epoch may have been decided by this filter
/// or by the next, so where two that follow each other agree, its fate is certain.
#[test]
fn set_filter_while_threads_log() {
    const THREADS: usize = 4;
    const FILTERS: [(&str, bool); 4] = [
        ("off", false),
        ("warn,default_engine=info", false),
        ("error,default_engine=debug", true),
        ("trace,default=off,default_engine::x=off", true),
    ];
    run("set_filter_while_threads_log", |dir| {
        let engine = Engine::start(named(dir, "app").filter("off")).unwrap();
        let epochs: u64 = 120;
        let filter_of = |epoch: u64| FILTERS[epoch as usize % FILTERS.len()];
        let (epoch, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let progress: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
        let called = Mutex::new(vec![0_u64; epochs as usize + 1]);
        engine.set_filter(filter_of(0).0).unwrap();
        thread::scope(|scope| {
            for progress in &progress {
                let (epoch, stop, called) = (&epoch, &stop, &called);
                scope.spawn(move || {
                    let mut calls = vec![0; epochs as usize + 1];
                    while !stop.load(Ordering::Relaxed) {
                        let now = epoch.load(Ordering::SeqCst);
                        fastlog!(DEBUG, "a call", epoch = now);
                        calls[now as usize] += 1;
                        if progress.fetch_add(1, Ordering::Relaxed) % 256 == 0 {
                            give_way();
                        }
                    }
                    let mut called = called.lock().unwrap();
                    called.iter_mut().zip(calls).for_each(|(sum, calls)| *sum += calls);
                });
            }
            for next in 1..=epochs {
                let before: Vec<_> = progress.iter().map(|n| n.load(Ordering::Relaxed)).collect();
                wait_until("calls in this epoch", || {
                    let pairs = progress.iter().zip(&before);
                    pairs.into_iter().all(|(n, before)| n.load(Ordering::Relaxed) > before + 5)
                });
                engine.set_filter(filter_of(next).0).unwrap();
                epoch.store(next, Ordering::SeqCst);
            }
            stop.store(true, Ordering::Relaxed);
        });
        let error = engine.set_filter("loud").unwrap_err();
        assert!(error.to_string().contains("`loud` is no level"), "{error}");
        let report = drain(&engine);
        let mut logged = vec![0_u64; epochs as usize + 1];
        for line in lines(&report) {
            logged[line["epoch"].as_u64().unwrap() as usize] += 1;
        }
        let called = called.into_inner().unwrap();
        let mut checked = [0, 0];
        for epoch in 0..epochs {
            let (now, next) = (filter_of(epoch).1, filter_of(epoch + 1).1);
            if now == next {
                let expected = if now { called[epoch as usize] } else { 0 };
                assert_eq!(logged[epoch as usize], expected, "epoch {epoch}");
                checked[usize::from(now)] += 1;
            }
        }
        assert_eq!(checked, [30, 30]);
        assert_eq!(unheard(), 0, "a disabled call is heard, and refused");
    });
}

#[test]
fn the_environment_filters() {
    let filter = "error,default_engine=warn,noisy=off";
    let with_filter = |command: &mut std::process::Command| {
        command.env("FASTLOG", filter);
    };
    let ended = run_with("the_environment_filters", with_filter, |dir| {
        let log = || {
            fastlog!(INFO, "info");
            fastlog!(WARN, "warn");
            fastlog!(WARN, target: "other", "other warn");
            fastlog!(ERROR, target: "other", "other error");
            fastlog!(CRITICAL, target: "noisy::x", "noisy");
            fastlog!(DEBUG, "debug");
        };
        let messages = |engine: &Engine| -> Vec<String> {
            let lines = lines(&drain(engine));
            lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
        };
        // The configuration reads the environment here: it says nothing of ignoring it.
        let fresh = |name: &str| patient(Config::default().dir(dir).name(name));
        let engine = Engine::start(fresh("env").filter("debug")).unwrap();
        log();
        assert_eq!(messages(&engine), ["warn", "other error"]);
        let engine = Engine::start(fresh("ignored").filter("debug").ignore_env()).unwrap();
        log();
        assert_eq!(
            messages(&engine),
            ["info", "warn", "other warn", "other error", "noisy", "debug"]
        );
        // What the program sets at run time goes before both.
        let engine = Engine::start(fresh("set").filter("debug")).unwrap();
        engine.set_filter("off,default_engine=info").unwrap();
        log();
        assert_eq!(messages(&engine), ["info", "warn"]);
        let detached = Engine::detached(fresh("detached")).unwrap();
        let logger = detached.logger();
        fastlog!(logger: logger, INFO, "info");
        fastlog!(logger: logger, WARN, "warn");
        assert_eq!(
            messages(&detached),
            ["info", "warn"],
            "a log of its own asks the program alone"
        );
    });
    if let Some(ended) = ended {
        assert_eq!(ended.stderr, "", "{ended}");
    }
}

#[test]
fn a_bad_environment_is_ignored_with_a_warning() {
    let bad = |command: &mut std::process::Command| {
        command.env("FASTLOG", "info,app=loud\u{1b}[31m\nx");
    };
    let warning = "the environment variable FASTLOG = `info,app=loud\\u{1b}[31m\\nx` is ignored: ";
    let ended = run_with("a_bad_environment_is_ignored_with_a_warning", bad, |dir| {
        let engine =
            Engine::start(patient(Config::default()).dir(dir).name("app").filter("warn")).unwrap();
        fastlog!(INFO, "below what the program asks for");
        fastlog!(WARN, "as it asks for");
        let report = drain(&engine);
        assert_eq!(lines(&report).len(), 1);
        let all = common::all_lines(report.log_path().unwrap());
        assert_eq!(all.len(), 3);
        assert_eq!((&all[1]["level"], &all[1]["target"]), (&json!("WARN"), &json!("fastlog")));
        let message = all[1]["message"].as_str().unwrap();
        assert!(message.starts_with(warning), "{message}");
        assert!(message.ends_with("the filter stays `warn`"), "{message}");
    });
    if let Some(ended) = ended {
        assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
        assert!(ended.stderr.starts_with(&format!("fastlog: {warning}")), "{ended}");
    }
}

#[test]
fn an_environment_that_is_no_text_is_told() {
    let bad = |command: &mut std::process::Command| {
        command.env("FASTLOG", std::ffi::OsStr::from_bytes(b"debug\xff"));
    };
    let ended = run_with("an_environment_that_is_no_text_is_told", bad, |dir| {
        let engine = Engine::start(patient(Config::default()).dir(dir).name("app")).unwrap();
        fastlog!(DEBUG, "below what the program asks for");
        fastlog!(INFO, "as it asks for");
        let report = drain(&engine);
        assert_eq!(lines(&report).len(), 1);
        let all = common::all_lines(report.log_path().unwrap());
        let message = all[1]["message"].as_str().unwrap();
        assert!(message.contains("FASTLOG") && message.contains("not UTF-8"), "{message}");
    });
    if let Some(ended) = ended {
        assert!(ended.stderr.contains("FASTLOG") && ended.stderr.lines().count() == 1, "{ended}");
    }
}

#[test]
fn a_detached_engine_beside_does_not_mix() {
    const THREADS: u64 = 4;
    const RECORDS: u64 = 5_000;
    run("a_detached_engine_beside_does_not_mix", |dir| {
        let engine = Engine::start(named(dir, "default")).unwrap();
        let audits: Vec<Engine> =
            (0..2).map(|n| Engine::detached(named(dir, &format!("audit-{n}"))).unwrap()).collect();
        thread::scope(|scope| {
            for by in 0..THREADS {
                let loggers: Vec<_> = audits.iter().map(Engine::logger).collect();
                scope.spawn(move || {
                    for n in 0..RECORDS {
                        fastlog!(INFO, "of the default", n, by, log = "default");
                        // One callsite for both: only the logger decides.
                        for (log, logger) in loggers.iter().enumerate() {
                            fastlog!(logger: logger, INFO, "of {log}", n, by, log);
                        }
                    }
                });
            }
        });
        // Filters are the engines' own as well.
        audits[0].set_filter("off").unwrap();
        for (log, audit) in audits.iter().enumerate() {
            fastlog!(logger: audit.logger(), WARN, "last", n = RECORDS, by = 0, log);
        }
        fastlog!(WARN, "last", n = RECORDS, by = 0, log = "default");
        let expected = [json!("default"), json!(0), json!(1)];
        let extra = [1, 0, 1];
        for (index, engine) in [&engine, &audits[0], &audits[1]].into_iter().enumerate() {
            let lines = lines(&drain(engine));
            assert!(lines.iter().all(|line| line["log"] == expected[index]), "{index}");
            assert_eq!(numbers(&lines, 4).len() as u64, THREADS * RECORDS + extra[index]);
        }
        assert_eq!(unheard(), 0);
    });
}

#[test]
fn bound_fields_keep_their_order_and_give_way_to_the_call() {
    run("bound_fields_keep_their_order_and_give_way_to_the_call", |dir| {
        let engine = Engine::start(named(dir, "app")).unwrap();
        let base = engine.logger().with("request", "r-17").with("attempt", 2);
        let child = base.with("user", "ann").with("attempt", 3_u64).with("list", &[1, 2][..]);
        let odd = base.with("level", "shadow").with("a b\"c", f64::NAN).with("", "empty");
        fastlog!(logger: base, INFO, "base");
        fastlog!(logger: child, INFO, "child", rows = 7);
        fastlog!(logger: child, INFO, "the call wins", attempt = "own", request = 1);
        fastlog!(logger: odd, INFO, "odd");
        fastlog!(logger: base, INFO, "base again");
        fastlog!(INFO, "without");
        drop((base, odd));
        fastlog!(logger: child, INFO, "{attempt} of the call", attempt = 9);
        let report = drain(&engine);
        assert_eq!(lines(&report).len(), 7);
        let text = std::fs::read_to_string(report.log_path().unwrap()).unwrap();
        // As text: what serde_json reads would hide order and repetition.
        let tails: Vec<&str> = text.lines().skip(1).map(after_message).collect();
        assert_eq!(
            tails,
            [
                r#""request":"r-17","attempt":2}"#,
                r#""request":"r-17","user":"ann","attempt":3,"list":[1,2],"rows":7}"#,
                r#""user":"ann","list":[1,2],"attempt":"own","request":1}"#,
                r#""request":"r-17","attempt":2,"fields.level":"shadow","a b\"c":null,"":"empty"}"#,
                r#""request":"r-17","attempt":2}"#,
                "}",
                r#""request":"r-17","user":"ann","list":[1,2],"attempt":9}"#,
            ]
        );
    });
}

/// What follows the message of a line.
fn after_message(line: &str) -> &str {
    let (_, rest) = line.split_once(r#""message":""#).expect("a message");
    let (_, fields) = rest.split_once('"').expect("its end");
    fields.trim_start_matches(',')
}

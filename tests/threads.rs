//! Promise [P2]: threads come and go as they like. Ten thousand short ones take no memory, more
//! live ones than the arena holds lose nothing, and what a thread logs while it ends or unwinds is
//! heard under its name.
//!
//! Attacked with thread-local destructors before and after the engine's own, with panics in the
//! middle of a call's arguments, and with the fewest rings that may be had.

#![allow(unsafe_code)] // Keys of the threads' library, and threads of C, have no safe form.

mod common;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use common::{config, drain, engine, lines, resident_bytes};
use fastlog::{Clock, Detail, Engine, Logger, Overflow, display, fastlog};
use serde_json::Value;

fn named(name: &str, work: impl FnOnce() + Send + 'static) -> thread::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).expect("a thread").join()
}

/// Lines by message.
fn by_message(lines: &[Value]) -> HashMap<&str, &Value> {
    lines.iter().map(|line| (line["message"].as_str().expect("a message"), line)).collect()
}

#[test]
fn ten_thousand_short_threads_take_no_memory() {
    const THREADS: u64 = 10_000;
    const AT_A_TIME: u64 = 4;
    const RECORDS: u64 = 3;
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).include(Detail::Thread));
    let engine = engine.expect("the engine starts");
    let logger = engine.logger();
    let mut before = 0;
    for round in 0..THREADS / AT_A_TIME {
        if round == 100 {
            before = resident_bytes();
        }
        thread::scope(|scope| {
            for worker in 0..AT_A_TIME {
                let (logger, number) = (&logger, round * AT_A_TIME + worker);
                let name = format!("short-{number}");
                let work = move || {
                    (0..RECORDS).for_each(|n| fastlog!(logger: logger, INFO, "hi", number, n));
                };
                thread::Builder::new().name(name).spawn_scoped(scope, work).expect("a thread");
            }
        });
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes more, other tests' included");
    // Each thread's records fill a small part of a ring: some more rings than threads at a time
    // only where the collector lagged behind.
    let rings = engine.stats().rings();
    assert!((1..=4 * AT_A_TIME).contains(&rings), "{rings} rings");
    let report = drain(&engine);
    assert_eq!((report.written(), report.dropped()), (THREADS * RECORDS, 0), "{report}");
    let mut next = vec![0; THREADS as usize];
    for line in lines(&report) {
        let number = line["number"].as_u64().expect("a number");
        assert_eq!(line["thread"], format!("short-{number}"), "the next owner of a ring");
        assert_eq!(line["n"], next[number as usize], "{line}");
        next[number as usize] += 1;
    }
    assert!(next.iter().all(|count| *count == RECORDS));
}

#[test]
fn more_threads_than_the_arena_holds_lose_nothing() {
    const THREADS: usize = 24;
    const MAX: usize = 16;
    const RECORDS: u64 = 200;
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path()).max_rings(MAX).include(Detail::Thread);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    let (all, go_on) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    let is_safe = engine.stats().crash_safe();
    assert!(is_safe, "the test needs a file system with blocks to give");
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let (all, go_on, logger) = (&all, &go_on, &logger);
            let work = move || {
                fastlog!(logger: logger, INFO, "here", worker, n = 0);
                all.wait();
                go_on.wait();
                (1..RECORDS).for_each(|n| fastlog!(logger: logger, INFO, "here", worker, n));
            };
            let builder = thread::Builder::new().name(format!("live-{worker}"));
            builder.spawn_scoped(scope, work).expect("a thread");
        }
        all.wait();
        let stats = engine.stats();
        assert_eq!(stats.rings(), THREADS as u64, "all live at once");
        assert!(!stats.crash_safe(), "{stats}");
        go_on.wait();
    });
    let report = drain(&engine);
    assert_eq!((report.written(), report.dropped()), (THREADS as u64 * RECORDS, 0), "{report}");
    let mut next = [0; THREADS];
    for line in lines(&report) {
        let worker = line["worker"].as_u64().expect("a number") as usize;
        assert_eq!(line["thread"], format!("live-{worker}"));
        assert_eq!(line["n"], next[worker], "{line}");
        next[worker] += 1;
    }
    assert_eq!(next, [RECORDS; THREADS]);
}

#[test]
fn as_many_threads_as_the_arena_holds_stay_crash_safe() {
    const MAX: usize = 16;
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).max_rings(MAX)).expect("the engine starts");
    let (logger, all) = (engine.logger(), Barrier::new(MAX));
    thread::scope(|scope| {
        for worker in 0..MAX {
            let (all, logger) = (&all, &logger);
            scope.spawn(move || {
                fastlog!(logger: logger, INFO, "here", worker);
                all.wait();
            });
        }
    });
    let stats = engine.stats();
    assert!(stats.rings() == MAX as u64 && stats.crash_safe(), "{stats}");
    assert_eq!(drain(&engine).written(), MAX as u64);
}

/// Logs when the thread's locals are destroyed.
struct Last {
    logger: Logger,
    when: &'static str,
}

impl Drop for Last {
    fn drop(&mut self) {
        let when = self.when;
        fastlog!(logger: self.logger, WARN, "ends {when}", when);
        // Again: what the first call borrowed has to be usable once more.
        fastlog!(logger: self.logger, INFO, "ended {when}", when, text = format!("{when:?}"));
    }
}

thread_local! {
    static EARLY: RefCell<Option<Last>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn destructors_of_thread_locals_are_heard_before_and_after_ours() {
    const ROUNDS: u64 = 50;
    let (engine, _dir) = engine();
    for _ in 0..ROUNDS {
        let logger = engine.logger();
        let ended = named("ends", move || {
            let last = |when| Some(Last { logger: logger.clone(), when });
            // Destructors are registered by first use, this one before the engine's own.
            EARLY.with(|early| early.replace(last("early")));
            fastlog!(logger: logger, INFO, "lives", list = format!("{:?}", [1, 2]));
            LATE.with(|late| late.replace(last("late")));
        });
        ended.expect("no panic");
        // And one that has never logged before it ends.
        let logger = engine.logger();
        let ended = named("only ends", move || {
            EARLY.with(|early| early.replace(Some(Last { logger, when: "alone" })));
        });
        ended.expect("no panic");
    }
    let rings = engine.stats().rings();
    assert!(rings <= 4, "{rings} rings: borrowed ones were not given back");
    let report = drain(&engine);
    assert_eq!((report.written(), report.dropped()), (7 * ROUNDS, 0), "{report}");
    let all = lines(&report);
    for message in ["ends early", "ended early", "ends late", "ends alone", "ended alone"] {
        let count = all.iter().filter(|line| line["message"] == message).count() as u64;
        assert_eq!(count, ROUNDS, "{message}");
    }
}

// [D13]
#[test]
fn a_panic_that_unwinds_through_a_logging_thread_harms_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).include(Detail::Thread));
    let engine = engine.expect("the engine starts");
    let logger = engine.logger();
    let unwound = named("doomed", move || {
        fastlog!(logger: logger, INFO, "before");
        let _guard = Last { logger: logger.clone(), when: "in unwinding" };
        let caught = catch_unwind(AssertUnwindSafe(|| {
            fastlog!(logger: logger, INFO, "never", n = if true { panic!("in an argument") } else { 1 });
        }));
        assert!(caught.is_err());
        fastlog!(logger: logger, INFO, "after a caught panic", n = 2);
        panic!("uncaught");
    });
    assert!(unwound.is_err());
    fastlog!(logger: engine.logger(), INFO, "elsewhere");
    let report = drain(&engine);
    let all = lines(&report);
    let by_message = by_message(&all);
    assert_eq!(all.len(), 5, "{all:?}");
    for message in ["before", "after a caught panic", "ends in unwinding", "ended in unwinding"] {
        assert_eq!(by_message[message]["thread"], "doomed", "{message}");
    }
    assert!(by_message.contains_key("elsewhere") && !by_message.contains_key("never"));
}

#[test]
fn threads_are_shown_by_name_or_by_number() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).include(Detail::Thread));
    let engine = engine.expect("the engine starts");
    let odd = "quotes \" and \u{1F980} and \\";
    for name in ["plain", odd] {
        let logger = engine.logger();
        let message = name.to_owned();
        let done = named(name, move || fastlog!(logger: logger, INFO, "{message}", message));
        done.expect("no panic");
    }
    // Longer than a record, and than the piece that the log keeps.
    let crab = "\u{1F980}".repeat(20_000);
    let logger = engine.logger();
    let long = named(&crab, move || {
        (0..2_000).for_each(|_| fastlog!(logger: logger, INFO, "long"));
    });
    long.expect("no panic");
    let logger = engine.logger();
    let nameless = thread::spawn(move || fastlog!(logger: logger, INFO, "nameless"));
    nameless.join().expect("no panic");
    let report = drain(&engine);
    let all = lines(&report);
    let by_message = by_message(&all);
    assert_eq!(by_message["plain"]["thread"], "plain");
    assert_eq!(by_message[odd]["thread"], odd);
    let shown = by_message["long"]["thread"].as_str().expect("a name");
    assert!(crab.starts_with(shown) && !shown.is_empty(), "{shown}");
    assert_eq!(report.written(), 2 + 2_000 + 1);
    let shown = &by_message["nameless"]["thread"];
    let text = shown.as_str().map_or(shown.to_string(), ToOwned::to_owned);
    assert!(text.parse::<u64>().is_ok_and(|id| id > 0), "{text}");
}

#[test]
fn a_thread_that_takes_over_a_full_ring_shows_its_own_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = common::disk::Disk::new();
    let config = config(dir.path())
        .overflow(Overflow::Drop)
        .max_rings(16)
        .record_bytes(1024)
        .ring_bytes(16 << 10)
        .staging_bytes(4 << 20)
        .include(Detail::Thread)
        .io(std::sync::Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    disk.block();
    let filler = "x".repeat(600);
    // Leaves more full rings than there may be.
    for number in 0..300 {
        let (logger, filler) = (logger.clone(), filler.clone());
        let done = named(&format!("gone-{number}"), move || {
            for _ in 0..40 {
                fastlog!(logger: logger, ERROR, "full", number, filler = &filler);
            }
        });
        done.expect("no panic");
    }
    let (told, listened) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let work = || {
            fastlog!(logger: logger, ERROR, "full", number = 300, filler = &filler);
            told.wait();
            listened.wait();
            fastlog!(logger: logger, ERROR, "own", number = 300);
        };
        let heir = thread::Builder::new().name("gone-300".to_owned());
        heir.spawn_scoped(scope, work).expect("a thread");
        told.wait();
        disk.heal();
        engine.flush().expect("it works again");
        listened.wait();
    });
    let report = drain(&engine);
    assert!(report.dropped() > 0, "{report}");
    let all = lines(&report);
    for line in &all {
        assert_eq!(line["thread"], format!("gone-{}", line["number"]), "{}", line["message"]);
    }
    assert!(by_message(&all).contains_key("own"));
}

#[test]
fn a_prepared_thread_has_its_ring_already() {
    let (engine, _dir) = engine();
    assert_eq!(engine.stats().rings(), 0);
    (0..3).for_each(|_| engine.prepare_thread());
    let stats = engine.stats();
    assert_eq!((stats.rings(), stats.submitted()), (1, 0), "{stats}");
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "one");
    let copy = engine.clone();
    thread::spawn(move || copy.prepare_thread()).join().expect("no panic");
    let stats = engine.stats();
    assert_eq!((stats.rings(), stats.submitted()), (2, 1), "{stats}");
    let report = drain(&engine);
    assert_eq!(report.written(), 1);
    engine.prepare_thread();
    assert_eq!(engine.stats().rings(), 2, "not after the drain");
}

/// Logs `t` and the step with whatever is left of the thread.
struct Steps {
    logger: Logger,
    t: u64,
}

impl Drop for Steps {
    fn drop(&mut self) {
        fastlog!(logger: self.logger, INFO, "step", t = self.t, step = 2);
    }
}

thread_local! {
    static STEPS: RefCell<Option<Steps>> = const { RefCell::new(None) };
}

/// What a thread logs last and what its locals' destructors log has one time with a coarse clock:
/// only that it stands in one ring keeps the order.
#[test]
fn a_thread_that_ends_keeps_its_order_with_a_coarse_clock() {
    const ROUNDS: u64 = 100;
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).clock(Clock::Coarse)).expect("it starts");
    for t in 0..ROUNDS {
        let (logger, other) = (engine.logger(), engine.logger());
        let [up, go] = [(); 2].map(|()| std::sync::Arc::new(Barrier::new(2)));
        let (is_up, may_go) = (up.clone(), go.clone());
        // Has the first ring until the other thread has the second.
        let holder = thread::spawn(move || {
            fastlog!(logger: other, INFO, "holder");
            is_up.wait();
            may_go.wait();
        });
        up.wait();
        let ends = thread::spawn(move || {
            // Before the engine's own guards: destroyed behind them.
            STEPS.with(|steps| steps.replace(Some(Steps { logger: logger.clone(), t })));
            fastlog!(logger: logger, INFO, "step", t, step = 0);
            go.wait();
            holder.join().expect("no panic");
            fastlog!(logger: logger, INFO, "step", t, step = 1);
        });
        ends.join().expect("no panic");
    }
    let mut next = [0; ROUNDS as usize];
    for line in lines(&drain(&engine)).iter().filter(|line| line["message"] == "step") {
        let t = line["t"].as_u64().expect("a number") as usize;
        assert_eq!(line["step"], next[t], "{line}");
        next[t] += 1;
    }
    assert_eq!(next, [3; ROUNDS as usize]);
}

/// A thread that renders, and never logs, has a scratch and no ring.
#[test]
fn threads_that_only_bind_take_no_memory() {
    const THREADS: u64 = 3_000;
    let (engine, _dir) = engine();
    let root = engine.logger();
    let mut before = 0;
    for number in 0..THREADS {
        if number == 100 {
            before = resident_bytes();
        }
        let root = root.clone();
        let bound = thread::spawn(move || root.with("peer", display(&number)));
        bound.join().expect("no panic");
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more: 16 KiB each would be 48 MB");
    assert_eq!(engine.stats().rings(), 0);
    drop(root);
    assert_eq!(drain(&engine).written(), 0);
}

/// What the destructor of the key is to log with.
static OF_KEY: std::sync::Mutex<Option<Logger>> = std::sync::Mutex::new(None);

/// The destructor of another library's key. Its value says which one, and how often it comes yet.
unsafe extern "C" fn logs_from_a_key(value: *mut c_void) {
    let logger = OF_KEY.lock().expect("no panic").clone().expect("set by the test");
    let (index, left) = (value.addr() % 2, value.addr() / 2);
    fastlog!(logger: logger, INFO, "from a key", left, text = %left);
    if left > 1 {
        set_key(index, left - 1);
    }
}

/// Two keys, one made before the engine's own and one behind.
static KEYS: std::sync::Mutex<[libc::pthread_key_t; 2]> = std::sync::Mutex::new([0; 2]);

fn make_key(index: usize) {
    let mut keys = KEYS.lock().expect("no panic");
    // SAFETY: the place is valid for the call.
    let made = unsafe { libc::pthread_key_create(&raw mut keys[index], Some(logs_from_a_key)) };
    assert_eq!(made, 0);
}

/// Sets a key for this thread, whose destructor comes so often.
fn set_key(index: usize, times: usize) {
    let key = KEYS.lock().expect("no panic")[index];
    let value = (2 * times + index) as *const c_void;
    // SAFETY: the keys are never deleted; the value is a number.
    assert_eq!(unsafe { libc::pthread_setspecific(key, value) }, 0);
}

fn set_both_keys(times: usize) {
    (0..2).for_each(|index| set_key(index, times));
}

extern "C" fn of_c(times: *mut c_void) -> *mut c_void {
    set_both_keys(times.addr());
    std::ptr::null_mut()
}

/// A thread of C code, which Rust knows nothing of.
fn run_thread_of_c(times: usize) {
    let mut thread = 0;
    // SAFETY: `thread` is valid for the calls, and joined once.
    unsafe {
        let (attributes, times) = (std::ptr::null(), times as *mut c_void);
        assert_eq!(libc::pthread_create(&raw mut thread, attributes, of_c, times), 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

#[test]
fn rings_of_threads_that_log_from_keys_come_back() {
    const ROUNDS: u64 = 30;
    let (engine, _dir) = engine();
    make_key(0);
    engine.prepare_thread();
    // This thread's own ring stays its own.
    let own = engine.stats().rings();
    make_key(1);
    *OF_KEY.lock().expect("no panic") = Some(engine.logger());
    let mut sent = 0;
    for round in 0..ROUNDS {
        // As often as the threads' library looks at keys, at least.
        let times = (round % 4 + 1) as usize;
        run_thread_of_c(times);
        thread::spawn(move || set_both_keys(times)).join().expect("no panic");
        let logger = engine.logger();
        let both = thread::spawn(move || {
            fastlog!(logger: logger, INFO, "lives", text = %1);
            set_both_keys(times);
        });
        both.join().expect("no panic");
        // Each of the two keys comes so often, on three threads; one of these logs besides.
        sent += 3 * 2 * times as u64 + 1;
    }
    let rings = engine.stats().rings();
    assert!(rings <= own + 2, "{rings} rings of {ROUNDS} rounds, a thread at a time");
    *OF_KEY.lock().expect("no panic") = None;
    let report = drain(&engine);
    assert_eq!((report.written(), report.dropped()), (sent, 0), "{report}");
}

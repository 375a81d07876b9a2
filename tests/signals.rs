//! Promise [P5]: a handler of a signal may log. Where it has interrupted a call of the same thread,
//! or another of the engine's functions, its record is turned away and counted; the interrupted
//! record stays whole, and the counts agree. Attacked with a storm of signals on a thread whose
//! calls are inside the engine most of the time: between claim and commit of long records, while
//! texts are rendered, while the ring is full, at barriers.

#![allow(unsafe_code)] // Signals have no safe form.

mod common;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::{config, drain, lines, wait_until};
use fastlog::{Engine, Level, Overflow, fastlog, unheard};

static FROM_HANDLER: AtomicU64 = AtomicU64::new(0);

/// Engine and handler are the process's: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

extern "C" fn handler(_: libc::c_int) {
    let n = FROM_HANDLER.fetch_add(1, Ordering::Relaxed);
    fastlog!(INFO, "from the handler", n, text = %format_args!("handler {n}"));
}

/// Runs `work` while signals come to this thread as fast as another can send them; how many came.
fn in_a_storm(work: impl FnOnce()) -> u64 {
    FROM_HANDLER.store(0, Ordering::Relaxed);
    // SAFETY: the action is zeroed and then complete; the handler only stores and logs.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    // SAFETY: has no preconditions.
    let me = unsafe { libc::pthread_self() };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // SAFETY: that thread waits for this one.
                assert_eq!(unsafe { libc::pthread_kill(me, libc::SIGUSR1) }, 0);
                (0..50).for_each(|_| std::hint::spin_loop());
            }
        });
        wait_until("the first signal", || FROM_HANDLER.load(Ordering::Relaxed) > 0);
        work();
        is_over.store(true, Ordering::Relaxed);
    });
    FROM_HANDLER.load(Ordering::Relaxed)
}

// [D25]
#[test]
fn a_call_that_a_handler_interrupts_stays_whole() {
    const RECORDS: u64 = 3_000;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::start(config(dir.path()).overflow(Overflow::Block)).expect("it starts");
    // What a handler must not do first: this thread's ring and scratch are made, the handler's
    // callsite is registered.
    fastlog!(INFO, "warm", text = %0);
    handler(0);
    let before = unheard();
    let filler = "x".repeat(8_000);
    let sent = in_a_storm(|| {
        for n in 0..RECORDS {
            fastlog!(INFO, "long", n, filler);
            fastlog!(ERROR, "rendered", n, text = %format_args!("{n} of {RECORDS}"));
            if n % 100 == 0 {
                engine.flush().expect("it runs");
                let stats = engine.stats();
                assert!(stats.submitted() >= 2 * n, "{stats}");
            }
        }
    });
    let turned_away = unheard() - before;
    assert!(turned_away > 0, "none of {sent} came at the right time");
    let report = drain(&engine);
    let heard = sent - turned_away;
    assert_eq!(report.submitted(), 2 + 2 * RECORDS + heard, "{report}");
    assert_eq!(report.dropped(), 0, "{report}");
    let all = lines(&report);
    let mut next = [0; 2];
    let mut of_handler = 0;
    for line in &all {
        let kind = match line["message"].as_str().expect("a message") {
            "long" => {
                assert_eq!(line["filler"].as_str().map(str::len), Some(filler.len()));
                0
            }
            "rendered" => {
                assert_eq!(line["text"], format!("{} of {RECORDS}", line["n"]), "{line}");
                1
            }
            "from the handler" => {
                assert_eq!(line["text"], format!("handler {}", line["n"]), "{line}");
                of_handler += 1;
                continue;
            }
            _ => continue,
        };
        assert_eq!(line["n"], next[kind], "{line}");
        next[kind] += 1;
    }
    assert_eq!(next, [RECORDS; 2]);
    assert_eq!(of_handler, heard + 1, "of the handler's, those that were heard");
}

/// Locks of the engine are held while a handler logs for the first time since a start.
#[test]
fn a_handler_that_comes_into_a_start_or_an_end_is_turned_away() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let mut written = 0;
    // The scratch is made outside the handler.
    fastlog!(INFO, "unheard", text = %0);
    let before = unheard();
    let sent = in_a_storm(|| {
        for n in 0..5_u64 {
            let engine = Engine::start(config(dir.path())).expect("it starts");
            engine.prepare_thread();
            engine.set_filter("debug").expect("a filter");
            fastlog!(INFO, "between", n);
            assert!(Engine::current().is_some());
            written += drain(&engine).written();
        }
    });
    assert_eq!(written + (unheard() - before), sent + 5, "each is heard or counted");
}

/// The signals whose handlers come one into the other, and the level at which each logs.
fn nested() -> [(libc::c_int, Level); 5] {
    let first = libc::SIGRTMIN();
    [
        (first, Level::TRACE),
        (first + 1, Level::INFO),
        (first + 2, Level::WARN),
        (first + 3, Level::ERROR),
        (first + 4, Level::CRITICAL),
    ]
}

/// Raises the signal that follows this one while it is rendered, into this thread.
struct RaisesNext(libc::c_int);

impl fmt::Display for RaisesNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = self.0 + 1;
        if nested().iter().any(|(signal, _)| *signal == next) {
            // SAFETY: takes a number; its handler is there.
            assert_eq!(unsafe { libc::raise(next) }, 0);
        }
        write!(f, "after {next}")
    }
}

extern "C" fn nested_handler(signal: libc::c_int) {
    FROM_HANDLER.fetch_add(1, Ordering::Relaxed);
    let level = nested().iter().find(|(one, _)| *one == signal).map(|(_, level)| *level);
    let Some(level) = level else { return };
    fastlog!(level: level, "nested", signal, text = %RaisesNext(signal));
    // And where its own call may be on its way out.
    fastlog!(level: level, "nested again", signal);
}

/// Five handlers deep, at every level, into calls that wait for room in a ring that is full most of
/// the time: whatever is turned away, nobody waits for himself.
// [D25]
#[test]
fn handlers_within_handlers_never_wait_for_a_ring_that_their_own_thread_holds_up() {
    const RECORDS: u64 = 3_000;
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path()).overflow(Overflow::Block).level(Level::TRACE);
    let config = config.record_bytes(1024).ring_bytes(16 << 10);
    let engine = Engine::start(config).expect("it starts");
    for (signal, _) in nested() {
        // SAFETY: the action is zeroed and then complete; others, and itself, may come into it.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nested_handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART | libc::SA_NODEFER;
            assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
        }
    }
    FROM_HANDLER.store(0, Ordering::Relaxed);
    let (first, before) = (nested()[0].0, unheard());
    fastlog!(INFO, "warm", text = %0);
    nested_handler(first);
    // SAFETY: has no preconditions.
    let me = unsafe { libc::pthread_self() };
    let is_over = AtomicBool::new(false);
    let filler = "x".repeat(900);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // SAFETY: that thread waits for this one. Full queues refuse, and are tried again.
                unsafe { libc::pthread_kill(me, first) };
                (0..2_000).for_each(|_| std::hint::spin_loop());
            }
        });
        for n in 0..RECORDS {
            fastlog!(INFO, "long", n, filler);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let turned_away = unheard() - before;
    let report = drain(&engine);
    assert_eq!(report.dropped(), 0, "{report}");
    let by_handlers = 2 * FROM_HANDLER.load(Ordering::Relaxed);
    assert_eq!(report.submitted() + turned_away, 1 + RECORDS + by_handlers, "{report}");
    let all = lines(&report);
    let own: Vec<_> = all.iter().filter(|line| line["message"] == "long").collect();
    assert_eq!(own.len() as u64, RECORDS);
    assert!(own.iter().enumerate().all(|(n, line)| line["n"] == n), "whole, and in order");
    for (_, level) in nested() {
        let is_there =
            all.iter().any(|line| line["message"] == "nested" && line["level"] == level.as_str());
        assert!(is_there, "{level} was heard from {by_handlers} calls of handlers");
    }
    assert!(all.iter().any(|line| line["text"] == format!("after {}", first + 1)));
}

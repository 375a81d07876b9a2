//! Promise [P1] [P7]: in steady state neither a call nor any thread of the engine allocates or
//! frees memory. Attacked with every kind of value, records that are cut, bound fields, urgent
//! records, several threads, segments and syncs in number, barriers; every allocation of the whole
//! process counts, in a child in which nothing else runs.

#![allow(unsafe_code)] // A global allocator has no safe form.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use common::child::run;
use common::{config, drain, give_way};
use fastlog::{Clock, Config, Engine, Idle, Logger, Output, SyncPolicy, chain, display, fastlog};

/// Counts while it is told to.
struct Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);
/// Where the first one happened.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Whether this thread does what is no part of the promise.
    static IS_EXEMPT: Cell<bool> = const { Cell::new(false) };
}

fn count(counter: &AtomicU64) {
    if !IS_COUNTING.load(Ordering::Relaxed) || IS_EXEMPT.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    if counter.fetch_add(1, Ordering::Relaxed) == 0 {
        uncounted(|| {
            let trace = Backtrace::force_capture().to_string();
            FIRST.lock().unwrap().get_or_insert(trace);
        });
    }
}

/// Runs what may allocate.
fn uncounted<R>(work: impl FnOnce() -> R) -> R {
    IS_EXEMPT.set(true);
    let result = work();
    IS_EXEMPT.set(false);
    result
}

// SAFETY: hands everything on to the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(&ALLOCATIONS);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(&FREES);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(&ALLOCATIONS);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(&ALLOCATIONS);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An error with a cause, none of which allocates when it is shown.
#[derive(Debug)]
struct Failed(Option<&'static Failed>);

static CAUSE: Failed = Failed(Some(&Failed(None)));

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it failed, with {} cause", u8::from(self.0.is_some()))
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// Values that are made before anything is counted.
struct Values {
    long: String,
    logger: Logger,
    numbers: Vec<f64>,
    words: Vec<String>,
}

impl Values {
    fn new(engine: &Engine) -> Values {
        Values {
            long: "long \u{1f980}\n".repeat(10_000),
            logger: engine.logger().with("request", "r-17").with("attempt", 2),
            numbers: vec![1.5, f64::NAN, -0.0, 1e300],
            words: vec!["one".to_owned(), "two \"three\"".to_owned()],
        }
    }

    /// One record of every kind; how many these are.
    fn log(&self, n: u64) -> u64 {
        let Values { long, logger, numbers, words } = self;
        let error = Failed(Some(&CAUSE));
        fastlog!(INFO, "plain");
        fastlog!(INFO, "order {n} took {ms:.2} ms", n, ms = n as f64 / 7.0);
        fastlog!(WARN, "numbers", a = i128::MIN, b = u64::MAX, c = -1_i8, d = 0.1_f32, e = 'x');
        fastlog!(INFO, "text {}", text = words[1], none = None::<u32>, some = Some("thing"));
        fastlog!(INFO, "rendered", ?words, %error, both = display(&error), pair = ?(1, "two"));
        fastlog!(INFO, "an error", error = chain(&error));
        fastlog!(INFO, "slices", numbers, words, bytes = &[0_u8, 255][..]);
        fastlog!(INFO, "times", took = Duration::from_micros(n), at = std::time::UNIX_EPOCH);
        fastlog!(logger: logger, INFO, "bound", attempt = n);
        fastlog!(level: fastlog::Level::INFO, "a level of the run", n);
        fastlog!(TRACE, "disabled", long);
        if n % 64 == 0 {
            fastlog!(ERROR, "urgent {}", n);
            fastlog!(INFO, "cut", long);
            fastlog!(INFO, "cut when rendered", %long, debug = ?long);
            return 13;
        }
        10
    }
}

const THREADS: usize = 3;
const WARM_UP: u64 = 129;

/// Logs from several threads until this many bytes are published; nothing may be allocated between
/// the warm-up and the end of that.
fn assert_steady(dir: &Path, change: impl FnOnce(Config) -> Config, bytes: u64) {
    let engine = Engine::start(change(config(dir))).unwrap();
    let (warm, armed, over) =
        (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    let expected = AtomicU64::new(0);
    let is_enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (engine, warm, armed, over) = (&engine, &warm, &armed, &over);
            let (expected, is_enough) = (&expected, &is_enough);
            scope.spawn(move || {
                let values = Values::new(engine);
                let mut logged = 0;
                (0..WARM_UP).for_each(|n| logged += values.log(n));
                warm.wait();
                armed.wait();
                for n in WARM_UP.. {
                    if is_enough.load(Ordering::Relaxed) {
                        break;
                    }
                    logged += values.log(n);
                }
                over.wait();
                // Counted until the engine has written all of it.
                over.wait();
                expected.fetch_add(logged, Ordering::Relaxed);
            });
        }
        warm.wait();
        engine.sync().unwrap();
        let syncs = engine.stats().syncs();
        IS_COUNTING.store(true, Ordering::SeqCst);
        armed.wait();
        for part in 1..=4 {
            while uncounted(|| engine.stats().published_bytes()) < bytes * part / 4 {
                give_way();
            }
            engine.flush().unwrap();
            engine.sync().unwrap();
        }
        is_enough.store(true, Ordering::Relaxed);
        over.wait();
        engine.sync().unwrap();
        IS_COUNTING.store(false, Ordering::SeqCst);
        over.wait();
        let stats = engine.stats();
        // Each `sync` above had something new to sync.
        assert!(stats.log_path().is_none() || stats.syncs() >= syncs + 4, "{stats}");
    });
    let report = drain(&engine);
    let counts = (ALLOCATIONS.load(Ordering::SeqCst), FREES.load(Ordering::SeqCst));
    let first = FIRST.lock().unwrap().take().unwrap_or_default();
    assert_eq!(counts, (0, 0), "allocations and frees; the first:\n{first}");
    assert_eq!(report.submitted(), expected.into_inner());
    assert_eq!(report.dropped(), 0, "{report}");
    assert!(report.truncated() > 100, "{report}");
    assert!(report.published_bytes() >= bytes, "{report}");
}

const MIB: u64 = 1 << 20;

#[test]
fn to_a_file() {
    run("to_a_file", |dir| assert_steady(dir, |config| config, 24 * MIB));
}

#[test]
fn to_a_binary_file() {
    run("to_a_binary_file", |dir| {
        let change = |config: Config| config.format(fastlog::Format::Binary);
        assert_steady(dir, |config| change(config).include(fastlog::Detail::Thread), 24 * MIB);
    });
}

#[test]
fn to_a_file_with_many_syncs() {
    run("to_a_file_with_many_syncs", |dir| {
        let change = |config: Config| config.sync(SyncPolicy::EachBatch).clock(Clock::Monotonic);
        assert_steady(dir, change, 12 * MIB);
    });
}

#[test]
fn without_a_file() {
    run("without_a_file", |dir| {
        assert_steady(dir, |config| config.output(Output::Null).idle(Idle::Spin), 24 * MIB);
    });
}

#[test]
fn to_a_console_as_text() {
    let ended = run("to_a_console_as_text", |dir| {
        let change = |config: Config| {
            // Each barrier waits for all that is staged, at the speed of a pipe.
            let config = config.output(Output::Stderr).staging_bytes(4 * MIB as usize);
            config.format(fastlog::Format::Text).colour(fastlog::Colour::Always)
        };
        assert_steady(dir, change, 8 * MIB);
    });
    assert!(ended.is_none_or(|ended| ended.stderr.len() as u64 >= 8 * MIB));
}

#[test]
fn a_counted_allocation_is_noticed() {
    run("a_counted_allocation_is_noticed", |_| {
        IS_COUNTING.store(true, Ordering::SeqCst);
        drop(std::hint::black_box(Box::new(7)));
        IS_COUNTING.store(false, Ordering::SeqCst);
        // The harness may not have come to rest yet.
        assert!(ALLOCATIONS.load(Ordering::SeqCst) >= 1);
        assert!(FREES.load(Ordering::SeqCst) >= 1);
        assert!(FIRST.lock().unwrap().is_some());
    });
}

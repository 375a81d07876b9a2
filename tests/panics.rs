//! Promise [P5]: a panic on one of the engine's own threads ends neither the process nor the log.
//! The program's calls go on, and wait for nobody who is gone; what happened is told in
//! `stats().last_failure()` and by `drain`, in words.
//!
//! What a panic on the collector costs stands beside it, in `src/collector/contain/tests.rs`.

mod common;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{all_lines, child, config, drain, wait_until};
use fastlog::{Engine, Format, Io, OsIo, Output, Overflow, fastlog};

const WORDS: &str = "a disk's driver that panics";

/// The system's calls, of which some panic once they are told to.
#[derive(Debug, Default)]
struct Panics {
    appends: AtomicBool,
    syncs: AtomicBool,
    writes: AtomicBool,
}

fn panic_if(is_armed: &AtomicBool) {
    assert!(!is_armed.load(Ordering::Relaxed), "{WORDS}");
}

impl Io for Panics {
    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        panic_if(&self.appends);
        OsIo.append(fd, bytes, offset)
    }

    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        panic_if(&self.syncs);
        OsIo.fdatasync(fd)
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        panic_if(&self.writes);
        OsIo.write(fd, bytes)
    }
}

/// Calls of a thread that would wait for room for ever, were there anybody to wait for.
fn log_a_lot(engine: &Engine) {
    let logger = engine.logger();
    let filler = "x".repeat(1000);
    for n in 0..20_000 {
        fastlog!(logger: logger, INFO, "a line", n, filler);
    }
}

fn failure(engine: &Engine) -> String {
    wait_until("the failure", || engine.stats().last_failure().is_some_and(|f| f.contains(WORDS)));
    engine.stats().last_failure().expect("just seen").to_owned()
}

// [D16]
#[test]
fn a_panic_on_the_publisher_ends_the_log_and_not_the_program() {
    child::run("a_panic_on_the_publisher_ends_the_log_and_not_the_program", |dir| {
        let io = Arc::new(Panics::default());
        let config = config(dir).io(io.clone()).overflow(Overflow::Block);
        let engine = Engine::start(config.ring_bytes(128 << 10)).expect("the engine starts");
        fastlog!(INFO, "before");
        engine.flush().expect("it works");
        io.appends.store(true, Ordering::Relaxed);
        // More than rings and segments hold.
        for _ in 0..5 {
            log_a_lot(&engine);
        }
        assert!(failure(&engine).contains("the publisher thread panicked"));
        assert!(engine.stats().dropped() > 0, "nobody is waited for who is gone");
        let error = engine.drain().expect_err("not all is in the log");
        assert!(error.to_string().contains("publisher"), "{error}");
        let report = error.report().expect("counts");
        assert!(report.is_balanced(), "{report}");
        let lines = all_lines(report.log_path().expect("a file"));
        assert_eq!(lines.iter().filter(|line| line["message"] == "before").count(), 1);
    });
}

// [D16]
#[test]
fn a_panic_on_the_keeper_leaves_the_lines_and_is_told_by_barriers() {
    child::run("a_panic_on_the_keeper_leaves_the_lines_and_is_told_by_barriers", |dir| {
        let io = Arc::new(Panics::default());
        let engine = Engine::start(config(dir).io(io.clone())).expect("the engine starts");
        io.syncs.store(true, Ordering::Relaxed);
        fastlog!(INFO, "before");
        let error = engine.sync_timeout(Duration::from_secs(60)).expect_err("it has panicked");
        assert!(error.to_string().contains("keeper"), "{error}");
        assert!(failure(&engine).contains("the keeper thread panicked"));
        for n in 0..1_000 {
            fastlog!(INFO, "after", n);
        }
        let error = engine.drain().expect_err("nothing was synced");
        assert!(error.to_string().contains("keeper"), "{error}");
        let report = error.report().expect("counts");
        assert!(report.is_balanced() && report.dropped() == 0, "{report}");
        let lines = all_lines(report.log_path().expect("a file"));
        assert_eq!(lines.iter().filter(|line| line["message"] == "after").count(), 1_000);
    });
}

// [D17]
#[test]
fn a_panic_on_the_writer_of_a_console_costs_that_console_alone() {
    child::run("a_panic_on_the_writer_of_a_console_costs_that_console_alone", |dir| {
        let io = Arc::new(Panics::default());
        io.writes.store(true, Ordering::Relaxed);
        let config = config(dir).io(io.clone()).also(Output::stdout().format(Format::Json));
        let engine = Engine::start(config).expect("the engine starts");
        for n in 0..1_000 {
            fastlog!(INFO, "a line", n);
        }
        let sentence = "the writer to <stdout> panicked";
        wait_until("the failure", || {
            engine.stats().last_failure().is_some_and(|failure| failure.contains(sentence))
        });
        fastlog!(INFO, "after");
        let report = drain(&engine);
        assert_eq!((report.written(), report.dropped()), (1_001, 0), "{report}");
        // The engine's start record is among them.
        assert_eq!(engine.stats().also_dropped(), 1_002, "all of the console's, counted");
    });
}

//! Promise: several outputs at once, each with its own level and look. A console that stalls or
//! breaks costs its own lines, counted, and never the main output's.

mod common;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{config, drain, lines, wait_until};
use fastlog::{
    Config, Engine, FileKind, FileStatus, Format, Io, Level, OsIo, Output, Preset, fastlog,
};
use serde_json::Value;

const STDOUT: i32 = 1;
const EPIPE: i32 = 32;

/// Consoles that the test reads, stalls and breaks.
#[derive(Debug, Default)]
struct Consoles {
    stdout: Mutex<Vec<u8>>,
    stderr: Mutex<Vec<u8>>,
    is_stalled: AtomicBool,
    /// What writing to the standard output fails with; 0: it does not.
    error: AtomicI32,
    attempts: AtomicI32,
}

impl Consoles {
    fn text(&self, console: &Output) -> String {
        let bytes = if *console == Output::Stdout { &self.stdout } else { &self.stderr };
        String::from_utf8(bytes.lock().expect("no panic").clone()).expect("UTF-8")
    }
}

impl Io for Consoles {
    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<FileStatus> {
        let status = OsIo.fstat(fd)?;
        let is_console = fd.as_raw_fd() <= 2;
        Ok(FileStatus { kind: if is_console { FileKind::Pipe } else { status.kind }, ..status })
    }

    fn poll_writable(&self, fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
        let is_stalled = fd.as_raw_fd() == STDOUT && self.is_stalled.load(Ordering::Relaxed);
        if is_stalled {
            // As long as a poll lasts.
            std::thread::sleep(timeout);
        }
        Ok(!is_stalled)
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let is_stdout = fd.as_raw_fd() == STDOUT;
        let error = self.error.load(Ordering::Relaxed);
        if is_stdout && error != 0 {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::from_raw_os_error(error));
        }
        let console = if is_stdout { &self.stdout } else { &self.stderr };
        console.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

fn engine(dir: &Path, change: impl FnOnce(Config) -> Config) -> (Engine, Arc<Consoles>) {
    let consoles = Arc::<Consoles>::default();
    let config = change(config(dir)).io(Arc::clone(&consoles) as _);
    (Engine::detached(config).expect("the engine starts"), consoles)
}

fn log_all_levels(engine: &Engine, n: u64) {
    let logger = engine.logger();
    for level in Level::ALL {
        fastlog!(logger: logger, level: level, "a record", n);
    }
}

#[test]
fn each_output_has_its_level_and_its_look() {
    const ROUNDS: u64 = 1_000;
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, consoles) = engine(dir.path(), |config| {
        let stdout = Output::stdout().level(Level::WARN).format(Format::Json);
        config.also(stdout).also(Output::stderr().level(Level::ERROR)).level(Level::DEBUG)
    });
    (0..ROUNDS).for_each(|n| log_all_levels(&engine, n));
    let stats = engine.stats();
    let report = drain(&engine);
    assert_eq!((stats.also_dropped(), stats.also_failures()), (0, 0), "{stats}");
    let all = lines(&report);
    assert_eq!(all.len() as u64, 5 * ROUNDS);
    // The same lines, as far as they are wanted, in the same order.
    let above = |level: Level| {
        let lines = all.iter().filter(move |line| {
            line["level"].as_str().expect("a level").parse::<Level>().expect("a level") >= level
        });
        lines.cloned().collect::<Vec<_>>()
    };
    let stdout = consoles.text(&Output::Stdout);
    let stdout: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(stdout, above(Level::WARN));
    let stderr = consoles.text(&Output::Stderr);
    let errors = above(Level::ERROR);
    assert_eq!(stderr.lines().count(), errors.len());
    for (line, expected) in stderr.lines().zip(&errors) {
        let shown = format!("a record  n={}", expected["n"]);
        assert!(line.ends_with(&shown), "{line}");
        assert!(line.contains(expected["level"].as_str().expect("a level")), "{line}");
    }
}

#[test]
fn the_engines_own_records_go_everywhere_and_pairs_are_pairs() {
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, consoles) =
        engine(dir.path(), |config| config.also(Output::stdout().format(Format::Logfmt)));
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "one", text = "a b");
    drain(&engine);
    let text = consoles.text(&Output::Stdout);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains(" target=fastlog message=\"engine started, log "), "{text}");
    assert!(lines[1].ends_with(" target=outputs message=\"one\" text=\"a b\""), "{text}");
}

#[test]
fn a_reader_that_stalls_costs_its_own_lines() {
    const RECORDS: u64 = 100_000;
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, consoles) =
        engine(dir.path(), |config| config.also(Output::stdout().format(Format::Json)));
    consoles.is_stalled.store(true, Ordering::Relaxed);
    let logger = engine.logger();
    for n in 0..RECORDS {
        fastlog!(logger: logger, INFO, "nobody reads the standard output", n);
    }
    // The file does not wait for it.
    engine.flush().expect("published");
    let stats = engine.stats();
    assert!(stats.published_bytes() > 10 << 20 && stats.also_dropped() > RECORDS / 2, "{stats}");
    consoles.is_stalled.store(false, Ordering::Relaxed);
    // With the start record; before that the console's buffer may be full.
    wait_until("the console to go on", || {
        let shown = consoles.text(&Output::Stdout).lines().count() as u64;
        shown + engine.stats().also_dropped() == RECORDS + 1
    });
    fastlog!(logger: logger, INFO, "the last");
    let report = drain(&engine);
    assert_eq!(lines(&report).len() as u64, RECORDS + 1);
    let text = consoles.text(&Output::Stdout);
    let shown = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let shown: Vec<_> = shown.filter(|line| line["target"] != "fastlog").collect();
    assert_eq!(shown.last().expect("a line")["message"], "the last");
    let numbers: Vec<_> = shown.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    let dropped = engine.stats().also_dropped();
    assert_eq!(shown.len() as u64 + dropped, RECORDS + 1, "every line is shown or counted");
}

#[test]
fn a_reader_that_stalls_holds_up_the_end_for_a_second_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, consoles) = engine(dir.path(), |config| config.also(Output::stdout()));
    consoles.is_stalled.store(true, Ordering::Relaxed);
    log_all_levels(&engine, 0);
    let start = Instant::now();
    let report = drain(&engine);
    let took = start.elapsed();
    assert_eq!(report.written(), 4);
    assert!(took >= Duration::from_millis(900), "it was given its time: {took:?}");
    assert_eq!(consoles.text(&Output::Stdout), "");
    // The start record as well.
    assert_eq!(engine.stats().also_dropped(), 5);
}

#[test]
fn a_broken_pipe_is_told_once_and_the_log_goes_on() {
    const RECORDS: u64 = 1_000;
    let dir = tempfile::tempdir().expect("a directory");
    let (engine, consoles) = engine(dir.path(), |config| config.also(Output::stdout()));
    engine.flush().expect("published");
    wait_until("the start record", || !consoles.text(&Output::Stdout).is_empty());
    consoles.error.store(EPIPE, Ordering::Relaxed);
    let logger = engine.logger();
    for n in 0..RECORDS {
        fastlog!(logger: logger, INFO, "into a broken pipe", n);
    }
    wait_until("the failure", || engine.stats().also_failures() > 0);
    // Whoever had the descriptor may put another in its place: it is not for this engine.
    consoles.error.store(0, Ordering::Relaxed);
    wait_until("all to be dropped", || engine.stats().also_dropped() >= RECORDS);
    let stats = engine.stats();
    let failure = stats.last_failure().expect("told");
    assert!(failure.contains("<stdout>") && failure.contains("roken pipe"), "{failure}");
    let report = drain(&engine);
    assert_eq!((report.written(), lines(&report).len() as u64), (RECORDS, RECORDS));
    let stats = engine.stats();
    assert_eq!((stats.also_dropped(), stats.also_failures()), (RECORDS, 1), "{stats}");
    assert_eq!(consoles.attempts.load(Ordering::Relaxed), 1);
}

/// What a stream fails with whose reader is gone: pipe, socket, terminal, closed descriptor.
const FINAL: [i32; 5] = [EPIPE, 104, 107, 5, 9];

#[test]
fn a_main_output_without_a_reader_costs_its_lines_and_nobody_waits() {
    const RECORDS: u64 = 30_000;
    for error in FINAL {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, consoles) = engine(dir.path(), |config| {
            let config = config.output(Output::Stdout).ring_bytes(1 << 18);
            // Whoever waits for it waits for ever, and so does the test.
            config.overflow(fastlog::Overflow::BlockForever).sync(fastlog::SyncPolicy::Never)
        });
        let logger = engine.logger();
        engine.flush().expect("published");
        let before = consoles.text(&Output::Stdout).lines().count() as u64;
        assert_eq!(before, 1, "the start record");
        consoles.error.store(error, Ordering::Relaxed);
        for n in 0..RECORDS {
            fastlog!(logger: logger, INFO, "nobody is there", n);
        }
        engine.flush().expect("nobody waits for a reader that is gone");
        // Whoever had the descriptor may put another in its place: it is not for this engine.
        consoles.error.store(0, Ordering::Relaxed);
        fastlog!(logger: logger, INFO, "the last");
        engine.sync().expect("there is nothing to sync");
        let report = drain(&engine);
        assert_eq!((report.written(), report.unpublished_bytes()), (RECORDS + 1, 0), "{report}");
        assert_eq!((report.dropped(), report.also_dropped()), (0, RECORDS + 1), "{report}");
        assert!(report.to_string().contains("lines not taken by consoles"), "{report}");
        let stats = engine.stats();
        assert_eq!((stats.also_dropped(), stats.write_failures()), (RECORDS + 1, 1), "{stats}");
        assert!(!stats.stalled(), "{stats}");
        let failure = report.last_failure().expect("told");
        assert!(failure.contains("the reader of <stdout> is gone"), "{failure}");
        assert_eq!(consoles.attempts.load(Ordering::Relaxed), 1, "no second try");
        assert_eq!(consoles.text(&Output::Stdout).lines().count() as u64, before);
    }
}

#[test]
fn a_console_beside_without_a_reader_is_final_whatever_it_was() {
    for error in FINAL {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, consoles) = engine(dir.path(), |config| config.also(Output::stdout()));
        engine.flush().expect("published");
        wait_until("the start record", || !consoles.text(&Output::Stdout).is_empty());
        consoles.error.store(error, Ordering::Relaxed);
        log_all_levels(&engine, 0);
        wait_until("the failure", || engine.stats().also_failures() > 0);
        consoles.error.store(0, Ordering::Relaxed);
        log_all_levels(&engine, 1);
        let report = drain(&engine);
        assert_eq!((report.written(), report.also_dropped()), (8, 8), "{report}");
        assert_eq!(consoles.attempts.load(Ordering::Relaxed), 1, "no second try");
    }
}

#[test]
fn a_console_is_written_by_one_output_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let twice = config(dir.path()).also(Output::stderr()).also(Output::stderr());
    let main = Config::preset(Preset::Development).ignore_env().also(Output::stderr());
    for (config, with) in [(twice, "`also`"), (main, "`output`")] {
        let error = Engine::detached(config).expect_err("two writers").to_string();
        assert!(error.contains("`also`") && error.contains(with), "{error}");
        assert!(error.contains("each console once"), "{error}");
    }
}

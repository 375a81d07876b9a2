//! Promise [P1] [P5]: a full disk never hurts the host. While it is full calls come back within six
//! seconds, earlier lines stay as they are, every loss is counted, and when there is room again the
//! log goes on where it stopped.
//!
//! Attacked by a tmpfs of 8 MiB that the log itself fills, under every preset, with the arena in it
//! and elsewhere, and with the standard output and error of a process redirected into it. Each
//! case is a process of its own, so that a SIGBUS would show. Needs the right to mount; without it
//! the test says so and passes.

mod common;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::mount::{SmallDisk, mount};
use common::wait_until;
use fastlog::{Config, Engine, Logger, Preset, fastlog};

/// Tells a child of this executable what to do: preset, arena.
const CASE: &str = "FASTLOG_TEST_FULL_DISK";
/// Where the child finds the small disk.
const DISK: &str = "FASTLOG_TEST_FULL_DISK_AT";
/// Where it finds a directory elsewhere.
const ELSEWHERE: &str = "FASTLOG_TEST_FULL_DISK_NOT_AT";
/// What a call may take while the disk is full.
const CALL_MAX: Duration = Duration::from_secs(6);
const STAGING_BYTES: usize = 8 << 20;
const THREADS: u64 = 3;
/// So many that staging and rings overflow.
const RECORDS_EACH: u64 = 16_000;
const LAST_RECORDS: u64 = 1_000;

/// Runs a case in a process of its own.
fn run(case: &str) {
    let Some(disk) = SmallDisk::mount() else {
        println!("not tested: mounting a tmpfs is not allowed here");
        return;
    };
    let elsewhere = tempfile::tempdir().expect("a directory");
    let verdict = tempfile::NamedTempFile::new().expect("a file");
    let child = Command::new(std::env::current_exe().expect("this executable"))
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CASE, case)
        .env(DISK, disk.path())
        .env(ELSEWHERE, elsewhere.path())
        .env("RUST_BACKTRACE", "0")
        .stdout(verdict.reopen().expect("the file"))
        .stderr(Stdio::inherit())
        .status();
    let status: ExitStatus = child.expect("a child");
    let said = fs::read_to_string(verdict.path()).expect("its words");
    assert!(status.success() && said.contains(DONE), "{case}: {status}\n{said}");
}

/// What the child says last.
const DONE: &str = "all is well";

/// One case. Ignored: the other tests run it.
#[test]
#[ignore = "a part of the other tests"]
fn child() {
    let (Ok(case), Some(disk)) = (std::env::var(CASE), std::env::var_os(DISK)) else { return };
    let disk = PathBuf::from(disk);
    // The own ends of what may be redirected into the full disk.
    let verdict = std::io::stdout().as_fd().try_clone_to_owned().expect("a descriptor");
    std::panic::set_hook(Box::new({
        let verdict = verdict.try_clone().expect("a descriptor");
        move |panic| {
            let _ = rustix::io::write(&verdict, format!("{panic}\n").as_bytes());
        }
    }));
    let mut words = case.split(' ');
    let preset: Preset = words.next().unwrap_or_default().parse().expect("a preset");
    let arena = words.next();
    let ended = std::panic::catch_unwind(|| match arena {
        Some("born-full") => born_full(preset, &disk),
        arena => fill(preset, arena, &disk),
    });
    if ended.is_ok() {
        rustix::io::write(&verdict, DONE.as_bytes()).expect("the verdict");
    }
    // Not to libtest, which would write to what is redirected.
    std::process::exit(i32::from(ended.is_err()));
}

/// The configuration of a case, and where its lines go.
fn configure(preset: Preset, arena: Option<&str>, disk: &Path) -> (Config, PathBuf) {
    let config = Config::preset(preset).dir(disk).name("full").staging_bytes(STAGING_BYTES);
    let config = match arena {
        Some("inside") => config.arena_dir(disk.join("arena")),
        Some("elsewhere") => config.arena_dir(std::env::var_os(ELSEWHERE).expect("a directory")),
        _ => config,
    };
    let console = disk.join("console");
    let redirect = || File::create(&console).expect("room for a file");
    match preset {
        Preset::Container => rustix::stdio::dup2_stdout(redirect()).expect("redirected"),
        Preset::Development => rustix::stdio::dup2_stderr(redirect()).expect("redirected"),
        _ => return (config.ignore_env(), disk.join("full.jsonl")),
    }
    (config.ignore_env(), console)
}

/// Logs, and gives the time of the slowest call.
fn log(logger: &Logger, worker: u64, numbers: std::ops::Range<u64>) -> Duration {
    let filler = "x".repeat(500);
    let slowest = numbers.map(|n| {
        let start = Instant::now();
        if n % 50 == 0 {
            fastlog!(logger: logger, ERROR, "record", worker, n, filler);
        } else {
            fastlog!(logger: logger, INFO, "record", worker, n, filler);
        }
        start.elapsed()
    });
    slowest.max().unwrap_or_default()
}

/// Logs until the disk is full, and then as much as staging and rings hold, several times; how many
/// calls.
fn overfill(engine: &Engine, logger: &Logger, worker: u64) -> u64 {
    const ROUND: u64 = 500;
    let mut calls = 0;
    let mut round = || {
        let slowest = log(logger, worker, calls..calls + ROUND);
        assert!(slowest < CALL_MAX, "a call took {slowest:?}");
        calls += ROUND;
    };
    wait_until("the disk to be full", || {
        round();
        engine.stats().write_failures() > 0
    });
    (0..RECORDS_EACH / ROUND).for_each(|_| round());
    calls
}

/// Fills the disk with the log, frees it, and goes on.
fn fill(preset: Preset, arena: Option<&str>, disk: &Path) {
    let (config, log_path) = configure(preset, arena, disk);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    let calls: u64 = thread::scope(|scope| {
        let threads = (0..THREADS).map(|worker| {
            let (engine, logger) = (&engine, &logger);
            scope.spawn(move || overfill(engine, logger, worker))
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    let stats = engine.stats();
    assert!(stats.stalled() && stats.dropped() > 0, "{stats}");
    let failure = stats.last_failure().expect("a sentence").to_owned();
    assert!(failure.contains("cannot append") && failure.contains("os error 28"), "{failure}");
    let start = Instant::now();
    assert!(engine.flush_timeout(Duration::from_millis(100)).is_err(), "it cannot be published");
    assert!(start.elapsed() < CALL_MAX);
    let early = fs::read(&log_path).expect("the log");
    assert!(early.len() > 1 << 20, "{} bytes", early.len());

    assert!(mount("remount,size=64m", disk), "the disk grows");
    wait_until("the log to go on", || {
        let stats = engine.stats();
        !stats.stalled() && stats.published_bytes() == stats.written_bytes()
    });
    let before = engine.stats().dropped();
    // Slowly enough for any policy.
    for n in 0..LAST_RECORDS {
        log(&logger, THREADS, n..n + 1);
        if n % 100 == 99 {
            engine.flush().expect("it works again");
        }
    }
    assert_eq!(engine.stats().dropped(), before, "no loss once there is room");
    engine.sync().expect("it works again");
    let report = common::drain(&engine);
    assert_eq!(report.submitted(), calls + LAST_RECORDS, "{report}");
    let late = fs::read(&log_path).expect("the log");
    assert!(late.starts_with(&early), "earlier bytes stay as they are");
    let late = String::from_utf8(late).expect("text");
    check(&late, preset, [report.written(), report.own_records()]);
}

/// Every line is whole, every thread's records are in order, and there are as many as counted.
fn check(text: &str, preset: Preset, [written, own]: [u64; 2]) {
    assert!(text.ends_with('\n'));
    let (mut next, mut records, mut others) = ([0; THREADS as usize + 1], 0, 0);
    for line in text.lines() {
        let Some((thread, n)) = record(line, preset) else {
            others += 1;
            continue;
        };
        assert!(n >= next[thread], "thread {thread}: {n} is out of order or doubled");
        next[thread] = n + 1;
        records += 1;
    }
    assert_eq!((records, others), (written, own));
    assert_eq!(next[THREADS as usize], LAST_RECORDS, "the last ones are all there");
}

/// Thread and number of a record of ours; none for the engine's own.
fn record(line: &str, preset: Preset) -> Option<(usize, u64)> {
    if preset == Preset::Development {
        let value = |key: &str| line.split_once(key)?.1.split(' ').next()?.parse().ok();
        let (thread, n): (Option<u64>, _) = (value(" worker="), value(" n="));
        let record = thread.zip(n).map(|(thread, n)| (thread as usize, n));
        assert_eq!(record.is_some(), line.ends_with(&"x".repeat(500)), "{line}");
        return record;
    }
    let line: serde_json::Value = serde_json::from_str(line).expect(line);
    if line["target"] == "fastlog" {
        return None;
    }
    assert_eq!(line["filler"].as_str().map(str::len), Some(500));
    let number = |key: &str| line[key].as_u64().expect("a number");
    Some((number("worker") as usize, number("n")))
}

/// There is no room at all, neither for the arena nor for a line.
fn born_full(preset: Preset, disk: &Path) {
    let ballast = disk.join("ballast");
    let _ = fs::write(&ballast, vec![0; 16 << 20]);
    let start = |patience| {
        let (config, _) = configure(preset, None, disk);
        Engine::detached(config.barrier_patience(patience))
    };
    if preset == Preset::Durable {
        // It cannot promise what its start promises, says why, and leaves nothing behind.
        let error = start(Duration::from_secs(3)).expect_err("nothing can be synced");
        let text = error.to_string();
        assert!(text.contains("full.jsonl") && text.contains("os error 28"), "{text}");
        fs::remove_file(&ballast).expect("removed");
        let names = || fs::read_dir(disk.join(".fastlog")).expect("the private directory");
        assert_eq!(names().count(), 1, "the lock file alone");
        wait_until("the name to be free again", || {
            let engine = start(Duration::from_secs(10)).expect("there is room");
            let report = common::drain(&engine);
            report.log_path() == Some(&disk.join("full.jsonl"))
        });
        return;
    }
    let engine = start(Duration::from_secs(10)).expect("the host runs, the log comes later");
    let logger = engine.logger();
    // As much as the disk has room for in the end.
    let slowest = log(&logger, 0, 0..RECORDS_EACH / 2);
    assert!(slowest < CALL_MAX, "a call took {slowest:?}");
    wait_until("the first failure", || engine.stats().write_failures() > 0);
    fs::remove_file(&ballast).expect("removed");
    wait_until("the log to begin", || !engine.stats().stalled());
    common::drain(&engine);
}

#[test]
fn production_with_its_arena_on_the_full_disk() {
    run("production inside");
}

#[test]
fn production_with_its_arena_elsewhere() {
    run("production elsewhere");
}

// [S16] [D31] [D32] [D34]
#[test]
fn production_in_its_own_directory() {
    run("production");
}

#[test]
fn durable_with_its_arena_on_the_full_disk() {
    run("durable inside");
}

#[test]
fn durable_with_its_arena_elsewhere() {
    run("durable elsewhere");
}

#[test]
fn low_latency_with_its_arena_on_the_full_disk() {
    run("low-latency inside");
}

#[test]
fn low_latency_with_its_arena_in_shared_memory() {
    run("low-latency");
}

#[test]
fn container_with_its_output_on_the_full_disk() {
    run("container");
}

#[test]
fn development_with_its_output_on_the_full_disk() {
    run("development");
}

#[test]
fn a_disk_that_is_full_before_the_start() {
    run("production born-full");
    run("durable born-full");
}

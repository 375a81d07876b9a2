//! Promise [P2] [P5]: whichever call to the disk goes wrong, and however, the engine goes on: earlier
//! bytes stay as they are, each line is there once and whole, the counts agree, and the failure is
//! told.
//!
//! Attacked by letting the Nth call of each kind fail, or take less than it was given, for N from 1
//! on until there is no Nth: while the engine runs, and from its start on. What runs is a log that
//! rotates, is renamed by others, loses its directory, syncs and is drained.

mod common;
#[path = "sweep/nth.rs"]
mod nth;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::disk::{EIO, ENOSPC, inode, memory_dir};
use common::{all_lines, settle, wait_until};
use fastlog::{Engine, Io, Logger, Stats, fastlog};
use nth::{Call, How, Nth};

/// Linux's numbers.
const EINTR: i32 = 4;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const EFBIG: i32 = 27;

const FILE_BYTES: u64 = 64 << 10;
/// Some seventy bytes more than this each: a file has room for 32 of them.
const PAD_BYTES: usize = 1_900;
/// Records between two disturbances: more than a file has room for.
const RECORDS: u64 = 40;

/// How a call goes wrong.
fn ways(call: Call) -> &'static [How] {
    match call {
        Call::Append => &[
            How::Fails(EIO),
            How::Fails(ENOSPC),
            How::Fails(EFBIG),
            How::Fails(EINTR),
            How::Takes(0),
            How::Takes(1),
            How::Takes(1_000),
        ],
        Call::Fdatasync | Call::SyncDir | Call::Fallocate => &[How::Fails(EIO), How::Fails(ENOSPC)],
        Call::OpenExisting | Call::CreateLog => &[How::Fails(EMFILE), How::Fails(EACCES)],
        _ => &[How::Fails(EIO)],
    }
}

/// Whether the failure shows. What does not is made good at once by another way, or is of no
/// consequence: a reserve or a file that is not there ahead, a look at how much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Always,
    WhereItMatters,
}

fn shows(call: Call, how: How) -> Shows {
    match (call, how) {
        (Call::Append, How::Takes(1..)) => Shows::WhereItMatters,
        (Call::Append | Call::Fdatasync | Call::SyncDir | Call::Link, _) => Shows::Always,
        (Call::ReadDirNames, _) => Shows::Always,
        _ => Shows::WhereItMatters,
    }
}

fn log(logger: &Logger, from: u64) {
    let pad = "x".repeat(PAD_BYTES);
    for n in from..from + RECORDS {
        fastlog!(logger: logger, INFO, "one of many", n, pad = pad.as_str());
    }
}

/// The log's files below a directory, by inode, and what they hold.
fn files(dir: &Path) -> BTreeMap<u64, (PathBuf, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != ".fastlog") {
                dirs.push(path);
            } else if path.is_file() {
                found.insert(inode(&path), (path.clone(), fs::read(&path).expect("a file")));
            }
        }
    }
    found
}

/// What an engine is to live through; gives how its statistics were at the end, before the drain.
fn live(engine: &Engine, dir: &Path) -> Stats {
    let (logger, logs) = (engine.logger(), dir.join("logs"));
    let flush = |what| engine.flush().unwrap_or_else(|error| panic!("{what}: {error}"));
    // A barrier may well say that something is in doubt.
    let sync = || drop(engine.sync());
    log(&logger, 0);
    flush("the first file is full");
    sync();
    let early = files(dir);
    log(&logger, RECORDS);
    flush("it rotates on");
    fs::rename(logs.join("test.jsonl"), logs.join("moved")).expect("renamed by others");
    log(&logger, 2 * RECORDS);
    flush("the log goes on under its name");
    sync();
    fs::rename(&logs, dir.join("gone")).expect("moved away by others");
    log(&logger, 3 * RECORDS);
    flush("the log goes on, in its directory or without");
    sync();
    log(&logger, 4 * RECORDS);
    flush("nothing holds it up");
    let late = files(dir);
    for (ino, (path, bytes)) in early {
        let grown = late.get(&ino).map(|(_, bytes)| bytes);
        let is_kept = grown.is_some_and(|grown| grown.starts_with(&bytes));
        assert!(is_kept, "{} is not what it was", path.display());
    }
    engine.stats()
}

/// Each record once, each line whole, in all files.
fn check_lines(dir: &Path) {
    let paths = files(dir).into_values().map(|(path, _)| path);
    let lines = paths.flat_map(|path| all_lines_and_a_torn_last(&path));
    let mut numbers: Vec<u64> = lines.filter_map(|line| line["n"].as_u64()).collect();
    numbers.sort_unstable();
    let whole = 0..5 * RECORDS;
    assert!(numbers.iter().copied().eq(whole), "{} lines: {numbers:?}", numbers.len());
}

/// Where a file is replaced inside a line, that is written whole in the next one.
fn all_lines_and_a_torn_last(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).expect("UTF-8");
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    if whole.len() == text.len() {
        return all_lines(path);
    }
    whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn start(dir: &Path, disk: &Arc<Nth>) -> Result<Engine, fastlog::Error> {
    let config = common::config(&dir.join("logs")).rotate_bytes(FILE_BYTES).keep_free_bytes(0);
    Engine::detached(config.io(Arc::clone(disk) as Arc<dyn Io>))
}

/// Whether the failure is in the statistics, and told.
fn check_told(disk: &Nth, stats: &Stats, (call, how): (Call, How)) {
    if disk.fired.load(Ordering::SeqCst) == 0 || shows(call, how) == Shows::WhereItMatters {
        return;
    }
    let failures = [
        stats.write_failures(),
        stats.sync_failures(),
        stats.rotation_failures(),
        stats.keeper_failures(),
    ];
    assert!(failures.iter().sum::<u64>() > 0, "it is counted: {stats}");
    assert!(stats.last_failure().is_some(), "it is told: {stats}");
    if call == Call::Fdatasync {
        assert_eq!(stats.sync_failures(), 1, "{stats}");
    }
}

/// One life with the Nth call going wrong; whether there was an Nth.
fn run(call: Call, how: How, nth: u64) -> bool {
    let dir = memory_dir();
    let disk = Arc::new(Nth::new(call, how, nth));
    let engine = start(dir.path(), &disk).expect("nothing goes wrong yet");
    disk.is_armed.store(true, Ordering::SeqCst);
    let stats = live(&engine, dir.path());
    check_told(&disk, &stats, (call, how));
    let report = match engine.drain() {
        Ok(report) => report,
        // What a refused sync leaves in doubt is nobody's fault but the disk's.
        Err(error) => {
            let report = error.report().expect("an account").clone();
            assert!(call == Call::Fdatasync, "{error}");
            report
        }
    };
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    assert_eq!((report.submitted(), report.dropped()), (5 * RECORDS, 0), "{report}");
    assert_eq!(report.unpublished_bytes(), 0, "{report}");
    check_lines(dir.path());
    disk.fired.load(Ordering::SeqCst) > 0
}

/// A start with the Nth call going wrong; whether there was an Nth.
fn run_start(call: Call, how: How, nth: u64) -> bool {
    let dir = memory_dir();
    let (logs, torn) = (dir.path().join("logs"), "{\"n\":");
    fs::create_dir(&logs).expect("a directory");
    fs::write(logs.join("test.jsonl"), torn).expect("what a killed process has left");
    let disk = Arc::new(Nth::new(call, how, nth));
    disk.is_armed.store(true, Ordering::SeqCst);
    let log_and_drain = |engine: Engine| {
        let logger = engine.logger();
        log(&logger, 0);
        drop(logger);
        match engine.drain() {
            Ok(report) => assert!(report.is_balanced() && report.dropped() == 0, "{report}"),
            Err(error) => assert!(call == Call::Fdatasync || call == Call::SyncDir, "{error}"),
        }
    };
    match start(dir.path(), &disk) {
        Ok(engine) => log_and_drain(engine),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("os error") && text.contains("logs"), "it says why: {text}");
            // Nothing is in the way of the next.
            let engine = start(dir.path(), &disk).expect("the fault is over");
            log_and_drain(engine);
        }
    }
    // What was left open is a line of its own by now, and nothing is glued to it.
    let files: Vec<_> = files(&logs).into_values().collect();
    let texts = files.iter().map(|(_, bytes)| std::str::from_utf8(bytes).expect("UTF-8"));
    let lines = texts.flat_map(str::lines).filter(|line| !line.is_empty() && *line != torn);
    let numbers = lines.filter_map(|line| {
        serde_json::from_str::<serde_json::Value>(line).expect(line)["n"].as_u64()
    });
    assert_eq!(numbers.count() as u64, RECORDS);
    disk.fired.load(Ordering::SeqCst) > 0
}

/// Runs for N from 1 on until there is no Nth; how many faults there were.
fn sweep(run: fn(Call, How, u64) -> bool, calls: &[Call]) -> u64 {
    let mut faults = 0;
    for call in calls {
        for how in ways(*call) {
            let mut nth = 1;
            let outcome = |nth| std::panic::catch_unwind(|| run(*call, *how, nth));
            while outcome(nth).unwrap_or_else(|_| panic!("{call:?} {how:?}, the {nth}th")) {
                nth += 1;
            }
            println!("{call:?} {how:?}: {} times", nth - 1);
            faults += nth - 1;
        }
    }
    faults
}

// [D30] [D31] [D33] [D34]
#[test]
fn appends_that_fail_or_are_short() {
    assert!(sweep(run, &[Call::Append]) > 7 * 10);
}

// [D35] [D36]
#[test]
fn syncs_that_fail() {
    assert!(sweep(run, &[Call::Fdatasync, Call::SyncDir]) > 10);
}

#[test]
fn names_that_cannot_be_changed() {
    let calls = [Call::Link, Call::Rename, Call::RenameNew, Call::Unlink, Call::CreateDir];
    assert!(sweep(run, &calls) > 10);
}

#[test]
fn files_that_cannot_be_opened() {
    assert!(sweep(run, &[Call::OpenExisting, Call::OpenToRead, Call::CreateLog]) > 10);
}

#[test]
fn looks_that_fail() {
    assert!(sweep(run, &[Call::Fstat, Call::Stat, Call::Statvfs, Call::ReadDirNames]) > 30);
}

#[test]
fn what_is_only_for_convenience() {
    let calls = [Call::Fallocate, Call::FreeBehindEnd, Call::SetMode, Call::SetOwner];
    assert!(sweep(run, &calls) > 0);
}

#[test]
fn a_start_whose_calls_fail() {
    assert!(sweep(run_start, &Call::ALL) > 30);
}

/// A file is replaced inside a line, and while that is done the Nth call goes wrong.
fn run_inside_a_line(call: Call, how: How, nth: u64) -> bool {
    const RECORDS: u64 = 5;
    let dir = memory_dir();
    let disk = Arc::new(Nth::new(call, how, nth));
    let engine = start(dir.path(), &disk).expect("nothing goes wrong yet");
    let logger = engine.logger();
    let log = |n| fastlog!(logger: logger, ERROR, "one of few", n);
    log(0);
    engine.flush().expect("published");
    let published = engine.stats().published_bytes();
    disk.tears.store(true, Ordering::SeqCst);
    (1..RECORDS).for_each(log);
    wait_until("a part of a line", || engine.stats().published_bytes() > published);
    let logs = dir.path().join("logs");
    fs::rename(logs.join("test.jsonl"), logs.join("moved")).expect("renamed by others");
    disk.is_armed.store(true, Ordering::SeqCst);
    disk.tears.store(false, Ordering::SeqCst);
    engine.flush().expect("published");
    let report = settle(&engine);
    assert_eq!((report.written(), report.unpublished_bytes()), (RECORDS, 0), "{report}");
    let paths = files(dir.path()).into_values().map(|(path, _)| path);
    let lines = paths.flat_map(|path| all_lines_and_a_torn_last(&path));
    let mut numbers: Vec<u64> = lines.filter_map(|line| line["n"].as_u64()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..RECORDS), "{numbers:?}");
    disk.fired.load(Ordering::SeqCst) > 0
}

#[test]
fn a_file_that_is_replaced_inside_a_line_while_calls_fail() {
    let calls = [Call::OpenExisting, Call::CreateLog, Call::Fstat, Call::Stat, Call::SetMode];
    assert!(sweep(run_inside_a_line, &calls) > 5);
}

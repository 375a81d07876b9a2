//! Promise: with `SegmentMode::Seal` segments become the files of the log themselves: whole lines,
//! each once, in order, no byte behind them; by size, by age, and whenever somebody asks to see
//! them; made ahead, whatever the disk does. Nothing stays beside the log.
#![cfg(not(fastlog_portable))]

mod common;

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::disk::{Disk, EIO, ENOSPC, Faults};
use common::mount::SmallDisk;
use common::{config, wait_until};
use fastlog::{
    BarrierError, Config, DrainReport, Engine, Io, OsIo, Output, Preset, Reserve, SegmentMode,
    SyncPolicy, fastlog,
};
use serde_json::Value;

const MIB: usize = 1 << 20;

fn sealing(dir: &Path) -> Config {
    config(dir).segment_mode(SegmentMode::Seal).segment_bytes(MIB)
}

fn start(config: Config) -> Engine {
    Engine::detached(config).expect("the engine starts")
}

/// Names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The complete files, the oldest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let names = names(dir).into_iter().filter(|name| name.ends_with(".jsonl"));
    let mut files: Vec<_> = names.map(|name| dir.join(name)).collect();
    files.sort_by_key(|path| number(path));
    files
}

/// The number in a complete file's name.
fn number(path: &Path) -> u64 {
    let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
    stem.rsplit('-').next().and_then(|number| number.parse().ok()).expect(&stem)
}

/// The program's lines of all files, which hold nothing but lines.
fn lines(dir: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for path in files(dir) {
        let of_file = common::all_lines(&path);
        assert!(!of_file.is_empty(), "{}", path.display());
        lines.extend(of_file.into_iter().filter(|line| line["target"] != "fastlog"));
    }
    lines
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    for n in numbers {
        fastlog!(logger: logger, INFO, "a record of a sealed log", n, filler = "0123456789");
    }
}

/// Ends the engine: balanced, nothing pending, and nothing beside the log but the lock.
fn drain(engine: &Engine, dir: &Path) -> DrainReport {
    let report = common::drain(engine);
    assert_eq!(names(&dir.join(".fastlog")), ["test.lock"], "{report}");
    report
}

fn assert_counts_from_0(lines: &[Value], count: u64) {
    assert!(lines.iter().map(|line| line["n"].as_u64().expect("a number")).eq(0..count));
}

#[test]
fn full_segments_become_files_with_every_line_once_and_in_order() {
    const THREADS: u64 = 4;
    const RECORDS: u64 = 40_000;
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(sealing(dir.path()));
    thread::scope(|scope| {
        for by in 0..THREADS {
            let logger = engine.logger().with("by", by);
            scope.spawn(move || {
                for n in 0..RECORDS {
                    fastlog!(logger: logger, INFO, "from one of several threads", n);
                }
            });
        }
    });
    let report = drain(&engine, dir.path());
    assert_eq!(report.written(), THREADS * RECORDS);
    assert_eq!(report.log_path(), Some(&*dir.path().canonicalize().expect("it is there")));
    let files = files(dir.path());
    assert!(files.len() >= 10, "{} files", files.len());
    for (path, n) in files.iter().zip(1..) {
        let len = fs::metadata(path).expect("a file").len() as usize;
        assert!((1..=MIB).contains(&len) && number(path) == n, "{} {len}", path.display());
    }
    // All but the last are full.
    for path in &files[..files.len() - 1] {
        let len = fs::metadata(path).expect("a file").len() as usize;
        assert!(len > MIB - 1000, "{}: {len}", path.display());
    }
    let lines = lines(dir.path());
    assert_eq!(lines.len() as u64, THREADS * RECORDS);
    for by in 0..THREADS {
        let of_it: Vec<_> = lines.iter().filter(|line| line["by"] == by).cloned().collect();
        assert_counts_from_0(&of_it, RECORDS);
    }
    let stats = engine.stats();
    assert_eq!(stats.rotations(), files.len() as u64, "{stats}");
    assert_eq!(stats.syncs(), files.len() as u64, "{stats}");
}

#[test]
fn a_segment_is_sealed_when_it_is_old() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(sealing(dir.path()).seal_after(Duration::from_millis(50)));
    for n in 0..3 {
        log(&engine, n..n + 1);
        wait_until("the record", || lines(dir.path()).len() as u64 == n + 1);
    }
    // Nothing new: no file.
    let before = files(dir.path()).len();
    let report = drain(&engine, dir.path());
    assert_eq!((report.written(), files(dir.path()).len()), (3, before));
    assert_counts_from_0(&lines(dir.path()), 3);
}

#[test]
fn a_barrier_shows_what_came_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(sealing(dir.path()));
    for n in 0..5 {
        log(&engine, n * 100..(n + 1) * 100);
        if n % 2 == 0 { engine.flush() } else { engine.sync() }.expect("it is published");
        assert_counts_from_0(&lines(dir.path()), (n + 1) * 100);
        let stats = engine.stats();
        assert_eq!(stats.published_bytes(), stats.synced_bytes(), "{stats}");
        // Nothing new: no file.
        let before = files(dir.path()).len();
        engine.flush().expect("there is nothing to do");
        assert_eq!(files(dir.path()).len(), before);
    }
    // Others that log meanwhile do not hold it up.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 500;
            while !stop.load(Ordering::Relaxed) {
                log(&engine, n..n + 10);
                n += 10;
            }
        });
        for _ in 0..20 {
            engine.flush_timeout(Duration::from_secs(60)).expect("it is published");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let report = drain(&engine, dir.path());
    assert_counts_from_0(&lines(dir.path()), report.written());
}

/// Makes segments fail, and notes when each was made.
#[derive(Debug, Default)]
struct Segments {
    /// What making one fails with; 0: it does not.
    error: AtomicI32,
    made: Mutex<Vec<PathBuf>>,
}

impl Io for Segments {
    fn create_segment(&self, path: &Path) -> io::Result<fs::File> {
        let file = OsIo.create_segment(path)?;
        self.made.lock().expect("no panic").push(path.to_owned());
        Ok(file)
    }

    fn fallocate(&self, fd: BorrowedFd<'_>, r: Reserve, at: u64, len: u64) -> io::Result<()> {
        match self.error.load(Ordering::Relaxed) {
            0 => OsIo.fallocate(fd, r, at, len),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

#[test]
fn the_next_segment_waits_before_it_is_needed() {
    let dir = tempfile::tempdir().expect("a directory");
    let segments = Arc::<Segments>::default();
    let config = sealing(dir.path()).segment_bytes(16 * MIB).io(Arc::clone(&segments) as _);
    let engine = start(config);
    let made = || segments.made.lock().expect("no panic").len();
    wait_until("the second", || made() == 2);
    log(&engine, 0..10);
    engine.flush().expect("published");
    // Only now the second is taken, with the next record; then a third is made.
    assert_eq!(made(), 2);
    log(&engine, 10..20);
    wait_until("the third", || made() == 3);
    drain(&engine, dir.path());
    assert_counts_from_0(&lines(dir.path()), 20);
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing_that_was_taken() {
    for error in [ENOSPC, EIO] {
        let dir = tempfile::tempdir().expect("a directory");
        let segments = Arc::<Segments>::default();
        let config = sealing(dir.path()).ring_bytes(128 << 10).io(Arc::clone(&segments) as _);
        let engine = start(config);
        wait_until("the segments ahead", || segments.made.lock().expect("no panic").len() >= 5);
        segments.error.store(error, Ordering::Relaxed);
        // More than is ready: calls drop, since the output makes no progress.
        log(&engine, 0..100_000);
        let stats = engine.stats();
        assert!(stats.dropped() > 0 && stats.stalled(), "{stats}");
        let failure = stats.last_failure().expect("told");
        assert!(failure.contains("cannot make a segment in"), "{failure}");
        segments.error.store(0, Ordering::Relaxed);
        wait_until("progress", || !engine.stats().stalled());
        engine.flush().expect("published");
        log(&engine, 100_000..100_100);
        let report = drain(&engine, dir.path());
        let lines = lines(dir.path());
        assert_eq!(lines.len() as u64, report.written());
        let numbers: Vec<_> = lines.iter().map(|line| line["n"].as_u64()).collect();
        assert!(numbers.is_sorted() && numbers.ends_with(&[Some(100_098), Some(100_099)]));
    }
}

#[test]
fn a_full_segment_is_to_be_seen_although_there_is_no_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let segments = Arc::<Segments>::default();
    let config = sealing(dir.path()).ring_bytes(128 << 10).io(Arc::clone(&segments) as _);
    let engine = start(config);
    wait_until("the segments ahead", || segments.made.lock().expect("no panic").len() >= 5);
    segments.error.store(ENOSPC, Ordering::Relaxed);
    log(&engine, 0..100_000);
    // Without a barrier, which could not pass: the collector waits for a segment.
    wait_until("the last full segment", || {
        let stats = engine.stats();
        stats.stalled() && stats.published_bytes() == stats.written_bytes()
    });
    let (seen, stats) = (lines(dir.path()).len() as u64, engine.stats());
    assert_eq!(seen, stats.written(), "{stats}");
    assert!(stats.dropped() > 0 && stats.pending() > 0, "{stats}");
    segments.error.store(0, Ordering::Relaxed);
    let report = drain(&engine, dir.path());
    assert_eq!(lines(dir.path()).len() as u64, report.written());
}

/// Lets no segment be made for a while; nothing fails.
#[derive(Debug, Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
    made: AtomicI32,
}

impl Gate {
    fn close(&self) {
        *self.is_closed.lock().expect("no panic") = true;
    }

    fn open(&self) {
        *self.is_closed.lock().expect("no panic") = false;
        self.opened.notify_all();
    }
}

impl Io for Gate {
    fn create_segment(&self, path: &Path) -> io::Result<fs::File> {
        let is_closed = self.is_closed.lock().expect("no panic");
        drop(self.opened.wait_while(is_closed, |is_closed| *is_closed).expect("no panic"));
        self.made.fetch_add(1, Ordering::Relaxed);
        OsIo.create_segment(path)
    }
}

#[test]
fn calls_that_found_the_output_stalled_are_accepted_again_when_it_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let gate = Arc::<Gate>::default();
    let config = sealing(dir.path()).ring_bytes(128 << 10).io(Arc::clone(&gate) as _);
    let engine = start(config.stall_after(Duration::from_secs(1)));
    wait_until("the segments ahead", || gate.made.load(Ordering::Relaxed) >= 5);
    let mut calls = 0;
    let mut round = || {
        let before = engine.stats().dropped();
        log(&engine, calls..calls + 10_000);
        calls += 10_000;
        engine.stats().dropped() - before
    };
    wait_until("a round without a loss", || round() == 0);
    gate.close();
    wait_until("a stall", || round() > 0);
    let stats = engine.stats();
    assert!(stats.stalled() && stats.dropped() > 0, "{stats}");
    assert_eq!((stats.keeper_failures(), stats.write_failures()), (0, 0), "{stats}");
    assert!(round() > 0, "while it stands still");
    gate.open();
    // More than the segments that were ready: each round needs new ones.
    for _ in 0..3 {
        wait_until("a round without a loss", || round() == 0);
    }
    assert!(!engine.stats().stalled());
    let report = drain(&engine, dir.path());
    assert_eq!(report.submitted(), calls, "{report}");
    let lines = lines(dir.path());
    assert_eq!(lines.len() as u64, report.written());
    assert!(lines.iter().map(|line| line["n"].as_u64()).is_sorted());
}

/// A small disk that the log fills: segments of a part of it, then smaller ones, then none.
#[test]
fn a_full_disk_does_not_stop_the_host_and_the_log_goes_on_when_there_is_room() {
    const CALL_MAX: Duration = Duration::from_secs(6);
    let Some(disk) = SmallDisk::mount() else {
        println!("not tested: mounting a tmpfs is not allowed here");
        return;
    };
    let elsewhere = tempfile::tempdir().expect("a directory");
    let config = Config::default().ignore_env().dir(disk.path()).name("test");
    let config = config.segment_mode(SegmentMode::Seal).segment_bytes(4 * MIB);
    // Else old files would make room.
    let config = config.keep_free_bytes(0);
    let engine = start(config.arena_dir(elsewhere.path()));
    let mut calls = 0;
    let mut slowest = Duration::ZERO;
    let mut round = || {
        let start = Instant::now();
        log(&engine, calls..calls + 1_000);
        slowest = slowest.max(start.elapsed());
        calls += 1_000;
    };
    wait_until("the disk to be full", || {
        round();
        engine.stats().stalled()
    });
    (0..20).for_each(|_| round());
    let stats = engine.stats();
    assert!(stats.keeper_failures() > 0 && stats.dropped() > 0, "{stats}");
    assert!(slowest < CALL_MAX, "{slowest:?}");
    let early = lines(disk.path());
    assert!(early.len() > 20_000, "{} lines: {stats}", early.len());
    disk.grow();
    wait_until("the log to go on", || !engine.stats().stalled());
    engine.flush().expect("there is room");
    let before = engine.stats().dropped();
    for n in 0..100 {
        log(&engine, calls + n * 10..calls + n * 10 + 10);
        engine.flush().expect("there is room");
    }
    assert_eq!(engine.stats().dropped(), before, "no loss once there is room");
    let report = drain(&engine, disk.path());
    assert_eq!(report.submitted(), calls + 1_000, "{report}");
    let late = lines(disk.path());
    assert_eq!(late.len() as u64, report.written());
    assert!(late.starts_with(&early), "earlier lines stay as they are");
    assert!(late.iter().map(|line| line["n"].as_u64()).is_sorted());
}

#[test]
fn what_cannot_get_its_name_yet_gets_it_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let engine = start(sealing(dir.path()).io(Arc::clone(&disk) as _));
    disk.set(Faults { sync_dir_error: Some(EIO), ..Faults::default() });
    log(&engine, 0..10);
    let error = engine.flush_timeout(Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, BarrierError::Timeout { .. }), "{error}");
    let stats = engine.stats();
    assert!(stats.write_failures() > 0 && stats.stalled(), "{stats}");
    disk.heal();
    engine.sync().expect("it has its name");
    drain(&engine, dir.path());
    assert_counts_from_0(&lines(dir.path()), 10);
}

#[test]
fn a_refused_sync_is_told_and_never_tried_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let engine = start(sealing(dir.path()).io(Arc::clone(&disk) as _));
    disk.set(Faults { sync_error: Some(0), ..Faults::default() });
    log(&engine, 0..10);
    engine.flush().expect("a reader sees it");
    let error = engine.sync().unwrap_err();
    assert!(matches!(error, BarrierError::Sync { .. }), "{error}");
    disk.heal();
    let syncs = disk.synced().len();
    assert!(engine.sync().is_err(), "still unknown");
    assert_eq!(disk.synced().len(), syncs, "no second one");
    // Another file.
    log(&engine, 10..20);
    engine.sync().expect("it is on the device");
    drain(&engine, dir.path());
    assert_counts_from_0(&lines(dir.path()), 20);
}

#[test]
fn a_refused_sync_is_told_by_the_next_barrier_although_later_files_are_good() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let engine = start(sealing(dir.path()).io(Arc::clone(&disk) as _));
    disk.set(Faults { sync_error: Some(0), ..Faults::default() });
    log(&engine, 0..10);
    engine.flush().expect("a reader sees it");
    disk.heal();
    log(&engine, 10..20);
    engine.flush().expect("a reader sees it");
    let stats = engine.stats();
    assert_eq!((stats.sync_failures(), stats.syncs()), (1, 1), "{stats}");
    let error = engine.sync().unwrap_err();
    assert!(matches!(error, BarrierError::Sync { .. }), "{error}");
    engine.sync().expect("it answers for what came after");
    let bad = fs::metadata(&files(dir.path())[0]).expect("a file").len();
    let stats = engine.stats();
    assert_eq!(stats.in_doubt_bytes(), bad, "{stats}");
    assert_eq!(stats.synced_bytes() + bad, stats.published_bytes(), "{stats}");
    assert_eq!(drain(&engine, dir.path()).in_doubt_bytes(), bad);
    assert_counts_from_0(&lines(dir.path()), 20);
}

#[test]
fn a_refused_sync_that_nobody_was_told_of_makes_the_drain_fail() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let engine = start(sealing(dir.path()).io(Arc::clone(&disk) as _));
    disk.set(Faults { sync_error: Some(0), ..Faults::default() });
    log(&engine, 0..10);
    engine.flush().expect("a reader sees it");
    disk.heal();
    log(&engine, 10..20);
    let error = engine.drain().unwrap_err();
    assert!(matches!(error.reason(), BarrierError::Sync { .. }), "{error}");
    let report = error.report().expect("the counts all the same");
    assert!(report.is_balanced() && report.written() == 20 && report.in_doubt_bytes() > 0);
}

/// Removes a directory, in which the engine may make files meanwhile.
fn remove_all(dir: &Path) {
    wait_until("the directory to go", || match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => false,
        other => other.map(|()| true).expect("it goes"),
    });
}

#[test]
fn a_directory_that_is_removed_comes_back() {
    let parent = tempfile::tempdir().expect("a directory");
    let dir = parent.path().join("logs");
    let engine = start(sealing(&dir));
    log(&engine, 0..10);
    engine.flush().expect("published");
    remove_all(&dir);
    log(&engine, 10..20);
    engine.flush().expect("published");
    log(&engine, 20..50_000);
    let report = common::drain(&engine);
    assert_eq!(report.written(), 50_000);
    let numbers: Vec<_> = lines(&dir).iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert!(numbers.into_iter().eq(10..50_000));
}

#[test]
fn a_segment_that_is_restored_in_part_is_not_published_before_it_is_whole() {
    let parent = tempfile::tempdir().expect("a directory");
    let dir = parent.path().join("logs");
    let disk = Disk::new();
    let engine = start(sealing(&dir).io(Arc::clone(&disk) as _));
    // Several pieces, in one segment.
    log(&engine, 0..5_000);
    wait_until("the lines", || engine.stats().pending() == 0);
    let (stats, writes) = (engine.stats(), disk.writes());
    assert!((600 << 10..MIB as u64).contains(&stats.written_bytes()), "{stats}");
    remove_all(&dir);
    // The third write takes nothing, the sixth one byte.
    disk.set(Faults { hiccup_every: Some(3), ..Faults::default() });
    engine.flush().expect("published");
    let stats = engine.stats();
    assert!(stats.write_failures() >= 1 && disk.writes() >= writes + 6, "{stats}");
    assert_counts_from_0(&lines(&dir), 5_000);
    assert_eq!(files(&dir).len(), 1);
    disk.heal();
    common::drain(&engine);
    assert_counts_from_0(&lines(&dir), 5_000);
}

#[test]
fn a_log_goes_on_behind_the_files_of_the_last_run() {
    let dir = tempfile::tempdir().expect("a directory");
    // First appended to, then sealed twice, then appended to again.
    let appended = start(config(dir.path()));
    log(&appended, 0..10);
    common::drain(&appended);
    for from in [10, 20] {
        let engine = start(sealing(dir.path()));
        log(&engine, from..from + 10);
        drain(&engine, dir.path());
        assert_counts_from_0(&lines(dir.path()), from + 10);
        assert!(!dir.path().join("test.jsonl").exists());
    }
    let appended = start(config(dir.path()));
    log(&appended, 30..40);
    common::drain(&appended);
    assert_eq!(names(dir.path()).iter().filter(|name| name.ends_with(".jsonl")).count(), 4);
    let numbers: Vec<_> = files_of_all(dir.path());
    assert_eq!(numbers, [1, 2, 3]);
}

/// The numbers of the complete files, where there is an appended one as well.
fn files_of_all(dir: &Path) -> Vec<u64> {
    let names = names(dir).into_iter().filter(|name| name.starts_with("test-"));
    names.map(|name| number(Path::new(&name))).collect()
}

/// A process that died with a segment under both names.
#[test]
fn a_segment_with_two_names_loses_the_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(sealing(dir.path()));
    log(&engine, 0..10);
    drain(&engine, dir.path());
    let named = &files(dir.path())[0];
    let private = dir.path().join(".fastlog");
    fs::hard_link(named, private.join("test.4711-00ff.1.segment")).expect("a link");
    // One that has no other name may hold lines that are nowhere else.
    fs::write(private.join("test.4711-00ff.2.segment"), "a line\n").expect("a file");
    let engine = start(sealing(dir.path()));
    common::drain(&engine);
    assert_eq!(names(&private), ["test.4711-00ff.2.segment", "test.lock"]);
    assert_eq!(lines(dir.path()).len(), 10);
}

/// A backup, say, that somebody links to a segment of a process that died.
#[test]
fn a_segment_with_a_name_that_is_not_the_logs_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    drain(&start(sealing(dir.path())), dir.path());
    let private = dir.path().join(".fastlog");
    let segment = private.join("test.4711-00ff.1.segment");
    let text = "{\"a\":\"line\"}\n".repeat(100) + &"\0".repeat(4096);
    fs::write(&segment, &text).expect("a file");
    let elsewhere = [dir.path().join("backup"), dir.path().join("other-20261120T000000Z-1.jsonl")];
    elsewhere.iter().for_each(|link| fs::hard_link(&segment, link).expect("a link"));
    let engine = start(sealing(dir.path()));
    log(&engine, 0..10);
    let report = common::drain(&engine);
    assert_eq!(report.written(), 10);
    for path in elsewhere.iter().chain([&segment]) {
        assert_eq!(fs::read_to_string(path).expect("a file"), text, "{}", path.display());
    }
    assert_eq!(fs::metadata(&segment).expect("a file").nlink(), 3);
}

#[test]
fn old_files_are_removed_as_rotated_ones_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(sealing(dir.path()).retain_files(2));
    for n in 0..6 {
        log(&engine, n..n + 1);
        engine.flush().expect("published");
    }
    wait_until("the removal", || engine.stats().removed_files() >= 4);
    drain(&engine, dir.path());
    let numbers: Vec<_> = lines(dir.path()).iter().map(|line| line["n"].as_u64()).collect();
    assert_eq!(numbers.last(), Some(&Some(5)));
    assert!(files(dir.path()).len() <= 3, "{:?}", names(dir.path()));
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let cases = [
        (sealing(dir.path()).output(Output::Null), "`output` is `Null`: use `Output::File`"),
        (
            Config::preset(Preset::Durable).ignore_env().segment_mode(SegmentMode::Seal),
            "`sync` is `EachBatch`: use another `SyncPolicy`",
        ),
        (sealing(dir.path()).segment_bytes(MIB + 1), "a multiple of 64 KiB from 1 MiB to 256 MiB"),
        (sealing(dir.path()).seal_after(Duration::ZERO), "`seal_after`"),
    ];
    for (config, sentence) in cases {
        let error = Engine::detached(config).unwrap_err().to_string();
        assert!(error.contains(sentence), "{error}");
    }
    let policy = sealing(dir.path()).sync(SyncPolicy::Never);
    let engine = start(policy);
    log(&engine, 0..1);
    drain(&engine, dir.path());
}

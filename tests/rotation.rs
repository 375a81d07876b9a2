//! Promise: the log goes on in new files, and no line is lost, written twice, cut or out of order by
//! that; the log's name exists at every instant; a rotated file never changes; old files go as
//! configured.

mod common;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::disk::{Disk, Faults, memory_dir};
use common::{all_lines, drain, wait_until};
use fastlog::{Config, Engine, Io, OsIo, Rotate, SyncPolicy, UrgentSync, fastlog};

const KIB: u64 = 1 << 10;

fn config(dir: &Path) -> Config {
    common::config(dir).rotate_bytes(64 * KIB)
}

/// The rotated files of the log `test`, the oldest first.
fn rotated(dir: &Path) -> Vec<PathBuf> {
    let names =
        fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut names: Vec<_> = names
        .filter(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            name.starts_with("test-") && name.ends_with(".jsonl")
        })
        .collect();
    names.sort_by_key(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (rest, number) = name.rsplit_once('-').expect("a number");
        (number.parse::<u64>().expect("digits"), rest.to_owned())
    });
    names
}

/// The program's `n`s in all files, in their order, and how many files there are.
fn numbers(dir: &Path) -> (Vec<u64>, usize) {
    let mut files = rotated(dir);
    files.push(dir.join("test.jsonl"));
    let lines = files.iter().flat_map(|path| all_lines(path));
    let numbers = lines.filter_map(|line| line["n"].as_u64()).collect();
    (numbers, files.len())
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    for n in numbers {
        fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
    }
}

/// Files must not pile up, open and on the disk, where they come faster than the device takes them:
/// what retention removes is not synced before, and where too many wait the log is not rotated.
#[test]
fn a_slow_device_neither_holds_up_the_removal_of_old_files_nor_takes_all_descriptors() {
    const ROTATIONS: u64 = 100;
    let dir = memory_dir();
    let disk = Disk::new();
    let config = config(dir.path()).retain_files(3).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("the engine starts");
    disk.set(Faults { sync_delay: Duration::from_millis(50), ..Faults::default() });
    let mut n = 0;
    wait_until("many rotations", || {
        log(&engine, n..n + 1_000);
        n += 1_000;
        engine.stats().rotations() >= ROTATIONS
    });
    let report = drain(&engine);
    let (numbers, files) = numbers(dir.path());
    assert!(numbers.ends_with(&[n - 2, n - 1]) && files <= 5, "{files} files: {report}");
    let stats = engine.stats();
    assert!(stats.removed_files() >= ROTATIONS - 5, "{stats}");
}

// [S9]
#[test]
fn a_device_that_is_slower_than_the_log_costs_few_descriptors_and_the_drain_waits_for_it() {
    let dir = memory_dir();
    let disk = Disk::new();
    let config = config(dir.path()).io(Arc::clone(&disk) as _);
    // Less than the device takes for all, more than for one.
    let config = config.barrier_patience(Duration::from_secs(2));
    let engine = Engine::detached(config).expect("the engine starts");
    let open = || {
        let links = fs::read_dir("/proc/self/fd").expect("the kernel tells").flatten();
        let paths = links.filter_map(|link| fs::read_link(link.path()).ok());
        paths.filter(|path| path.starts_with(dir.path())).count()
    };
    disk.set(Faults { sync_blocked: true, ..Faults::default() });
    let mut n = 0;
    wait_until("rotations to stop", || {
        log(&engine, n..n + 1_000);
        n += 1_000;
        engine.flush().expect("published");
        fs::metadata(dir.path().join("test.jsonl")).expect("the log").len() > 3 * 64 * KIB
    });
    let rotations = engine.stats().rotations();
    assert!((8..40).contains(&rotations), "{rotations}");
    log(&engine, n..n + 2_000);
    engine.flush().expect("published");
    assert_eq!((engine.stats().rotations(), engine.stats().rotation_failures()), (rotations, 0));
    assert!(open() < 32, "{} files are open", open());
    disk.set(Faults { sync_delay: Duration::from_millis(200), ..Faults::default() });
    let start = std::time::Instant::now();
    drain(&engine);
    assert!(start.elapsed() > Duration::from_secs(2), "longer than its patience");
    let (numbers, _) = numbers(dir.path());
    assert!(numbers.iter().copied().eq(0..n + 2_000), "{} lines", numbers.len());
}

// [S10] [S14]
#[test]
fn every_line_is_there_once_and_in_order_and_no_file_is_too_long() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    for n in (0..50_000).step_by(2_000) {
        // Fewer files at a time than may wait for the device.
        log(&engine, n..n + 2_000);
        engine.sync().expect("synced");
    }
    let report = drain(&engine);
    let (numbers, files) = numbers(dir.path());
    assert!(numbers.iter().copied().eq(0..50_000), "{} lines", numbers.len());
    assert!(files > 50, "{files} files");
    assert_eq!(report.written(), 50_000);
    for path in rotated(dir.path()) {
        let len = fs::metadata(&path).expect("a file").len();
        // All but a line's length of the room is used.
        assert!((63 * KIB..=64 * KIB).contains(&len), "{len} bytes in {path:?}");
        assert_eq!(fs::metadata(&path).expect("a file").nlink(), 1);
    }
    let private = fs::read_dir(dir.path().join(".fastlog")).expect("a directory");
    let left: Vec<_> = private.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["test.lock"], "nothing but the lock is left");
}

// [S1] [S11] [S12] [S18]
#[test]
fn the_name_is_always_there_and_rotated_files_never_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    let is_over = Arc::new(AtomicBool::new(false));
    let looks = Arc::new(AtomicU64::new(0));
    let watcher = std::thread::spawn({
        let (path, is_over) = (dir.path().join("test.jsonl"), Arc::clone(&is_over));
        let looks = Arc::clone(&looks);
        move || {
            while !is_over.load(Ordering::Relaxed) {
                let text = fs::read(&path).expect("the name exists at every instant");
                assert!(!text.contains(&0), "a hole");
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut seen = std::collections::BTreeMap::new();
    let mut n = 0;
    while seen.len() < 20 || looks.load(Ordering::Relaxed) < 100 {
        log(&engine, n..n + 100);
        n += 100;
        engine.flush().expect("published");
        for path in rotated(dir.path()) {
            let text = fs::read(&path).expect("a rotated file");
            let inode = fs::metadata(&path).expect("a file").ino();
            let before = seen.entry(path.clone()).or_insert_with(|| (inode, text.clone()));
            assert!(*before == (inode, text), "{path:?} changed");
        }
    }
    is_over.store(true, Ordering::Relaxed);
    watcher.join().expect("all looks were good");
    drain(&engine);
}

/// Each file that somebody renames is one more that is open, and nobody asks for a sync.
#[test]
fn files_that_others_rename_do_not_keep_the_log_from_rotating() {
    const RENAMES: u64 = 40;
    let dir = tempfile::tempdir().expect("a directory");
    let never = config(dir.path()).sync(SyncPolicy::Never).urgent_sync(UrgentSync::Never);
    let engine = Engine::detached(never).expect("the engine starts");
    let path = dir.path().join("test.jsonl");
    for n in 0..RENAMES {
        log(&engine, n..n + 1);
        engine.flush().expect("published");
        fs::rename(&path, dir.path().join(format!("by-others-{n}"))).expect("renamed");
    }
    let mut n = RENAMES;
    wait_until("a rotation", || {
        log(&engine, n..n + 100);
        n += 100;
        engine.flush().expect("published");
        engine.stats().rotations() >= 2
    });
    assert_eq!(engine.stats().reopens(), RENAMES);
    drain(&engine);
}

// [S5] [S6]
#[test]
fn numbers_go_on_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    for round in 0..3 {
        let engine = Engine::detached(config(dir.path())).expect("the engine starts");
        log(&engine, round * 2_000..(round + 1) * 2_000);
        drain(&engine);
    }
    let (numbers, files) = numbers(dir.path());
    assert!(numbers.iter().copied().eq(0..6_000), "{} lines in {files} files", numbers.len());
    let expected: Vec<_> = (1..files).map(|number| format!("-{number:06}.jsonl")).collect();
    for (path, end) in rotated(dir.path()).iter().zip(&expected) {
        assert!(path.to_string_lossy().ends_with(end), "{path:?}: {end}");
    }
}

#[test]
fn a_file_of_an_earlier_day_is_rotated_with_the_first_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("test.jsonl");
    for (period, expected) in [(Rotate::Never, 0), (Rotate::Daily, 1), (Rotate::Hourly, 2)] {
        fs::write(&path, b"{\"old\":1}\n").expect("the log of a former day");
        let two_days_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 86_400);
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(two_days_ago).expect("an old file");
        let config = common::config(dir.path()).rotate(period);
        let engine = Engine::detached(config).expect("the engine starts");
        log(&engine, 0..1);
        drain(&engine);
        assert_eq!(rotated(dir.path()).len(), expected, "{period:?}");
    }
    for path in rotated(dir.path()) {
        assert!(fs::read(&path).expect("a file").starts_with(b"{\"old\":1}\n"));
    }
}

/// The records of the engine's own whose message begins like this, in all files.
fn told(dir: &Path, beginning: &str) -> usize {
    let mut files = rotated(dir);
    files.push(dir.join("test.jsonl"));
    let lines = files.iter().flat_map(|path| all_lines(path));
    let own = lines.filter(|line| line["target"] == "fastlog");
    own.filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with(beginning)))
        .count()
}

/// Lets the second step of rotations, or another, fail for a while.
#[derive(Debug, Default)]
struct Broken {
    link: AtomicBool,
    rename: AtomicBool,
    /// Attempts.
    renames: AtomicU64,
}

impl Io for Broken {
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.link.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(common::disk::ENOSPC));
        }
        OsIo.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.renames.fetch_add(1, Ordering::Relaxed);
        if self.rename.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(common::disk::EIO));
        }
        OsIo.rename(from, to)
    }
}

// [S22] [S23]
#[test]
fn a_rotation_that_fails_costs_no_line_and_is_tried_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let io = Arc::new(Broken::default());
    io.link.store(true, Ordering::Relaxed);
    let engine = Engine::detached(config(dir.path()).io(io.clone())).expect("the engine starts");
    log(&engine, 0..2_000);
    engine.flush().expect("published all the same");
    assert!(engine.stats().rotation_failures() > 0 && engine.stats().rotations() == 0);
    let failure = engine.stats().last_failure().unwrap_or_default().to_owned();
    assert!(failure.starts_with("cannot rotate "), "{failure}");
    io.link.store(false, Ordering::Relaxed);
    io.rename.store(true, Ordering::Relaxed);
    let mut n = 2_000;
    wait_until("the second step to fail", || {
        log(&engine, n..n + 1);
        n += 1;
        engine.flush().expect("published");
        io.renames.load(Ordering::Relaxed) > 0
    });
    assert!(rotated(dir.path()).is_empty(), "one file, one name");
    io.rename.store(false, Ordering::Relaxed);
    wait_until("a rotation", || {
        log(&engine, n..n + 1);
        n += 1;
        engine.flush().expect("published");
        engine.stats().rotations() > 0
    });
    let failures = engine.stats().rotation_failures();
    drain(&engine);
    let (numbers, _) = numbers(dir.path());
    assert!(numbers.iter().copied().eq(0..n), "{} of {n} lines", numbers.len());
    assert_eq!(told(dir.path(), "cannot rotate ") as u64, failures, "each is told");
}

// [S19]
#[test]
fn a_process_that_died_between_the_two_steps_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    let old = dir.path().join("test-20261120T213300Z-000004.jsonl");
    fs::write(&live, b"{\"n\":0}\n{\"n\":1}\n").expect("a log");
    fs::hard_link(&live, &old).expect("the first step");
    let before = fs::read(&old).expect("a file");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    log(&engine, 2..10);
    drain(&engine);
    assert_eq!(fs::read(&old).expect("a file"), before, "a rotated file never changes");
    assert_eq!(rotated(dir.path()), [old]);
    assert!(numbers(dir.path()).0.into_iter().eq(0..10));
}

#[test]
fn old_files_go_and_descriptors_stay_few() {
    let dir = tempfile::tempdir().expect("a directory");
    let descriptors = || fs::read_dir("/proc/self/fd").expect("the kernel tells").count();
    let config = config(dir.path()).retain_files(5).sync(fastlog::SyncPolicy::Never);
    let engine = Engine::detached(config).expect("the engine starts");
    let before = descriptors();
    log(&engine, 0..200_000);
    engine.flush().expect("published");
    wait_until("the keeper", || {
        // Counted after the files are gone.
        let stats = engine.stats();
        rotated(dir.path()).len() <= 5 && stats.removed_files() + 5 >= stats.rotations()
    });
    // Other tests of this file have open files as well.
    wait_until("files to be closed", || descriptors() < before + 20);
    let rotations = engine.stats().rotations();
    assert!(rotations > 200, "{rotations}");
    drain(&engine);
    assert!(told(dir.path(), "removed test-") > 0, "removals are told");
    let (numbers, files) = numbers(dir.path());
    assert!(files <= 6);
    // The newest are there without a gap.
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert_eq!(numbers.last(), Some(&199_999));
}

#[test]
fn names_next_to_each_other_keep_their_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let start = |name: &str| {
        let config = config(dir.path()).name(name).retain_files(0);
        Engine::detached(config).expect("the engine starts")
    };
    let (one, other) = (start("test"), start("test-2"));
    log(&other, 0..1);
    other.flush().expect("published");
    let kept = dir.path().join("test-2.jsonl");
    log(&one, 0..5_000);
    drain(&one);
    assert!(kept.exists());
    drain(&other);
    let error = Engine::detached(config(dir.path()).name("a-20261120T213300Z-000001"));
    let error = error.expect_err("a rotated file's name").to_string();
    assert!(error.contains("does not end as those of rotated or recovered files do"), "{error}");
}

// [S15]
#[test]
fn half_a_line_of_another_time_gets_its_newline_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("test.jsonl");
    let former = "{\"n\":0}\n{\"n\":";
    fs::write(&path, former).expect("written");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    log(&engine, 1..3);
    drain(&engine);
    let text = fs::read_to_string(&path).expect("UTF-8");
    let ours = text.strip_prefix(former).and_then(|rest| rest.strip_prefix('\n'));
    let ours: Vec<serde_json::Value> = ours
        .expect("the newline, then lines")
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(ours.iter().filter_map(|line| line["n"].as_u64()).eq(1..3), "{text}");
}

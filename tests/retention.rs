//! Promise: retention removes complete files of this log alone, the oldest first by their numbers
//! whatever a clock has said, never the newest nor what was there before the log's first engine; and
//! the log tells each that goes, beyond 100 at once together. One look reads the directory once,
//! however many files there are.

mod common;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{all_lines, drain, wait_until};
use fastlog::{Config, Engine, FileStatus, Io, OsIo, Reserve, Space, fastlog};
use serde_json::Value;

const KIB: u64 = 1 << 10;
const LINE: &str = "{\"message\":\"of an earlier time\"}\n";

fn config(dir: &Path) -> Config {
    common::config(dir).rotate_bytes(64 * KIB).keep_free_bytes(0)
}

/// A complete file of the log `base`, last written at `modified`.
fn plant(dir: &Path, base: &str, start: &str, number: u64, modified: SystemTime) -> PathBuf {
    let path = dir.join(format!("{base}-{start}-{number:06}.jsonl"));
    fs::write(&path, LINE).expect("a file");
    let file = File::options().write(true).open(&path).expect("a file");
    file.set_modified(modified).expect("a time");
    path
}

fn plant_now(dir: &Path, base: &str, number: u64) -> PathBuf {
    plant(dir, base, "20261120T213300Z", number, SystemTime::now())
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    let names = entries.map(|entry| entry.file_name().into_string().expect("UTF-8"));
    names.filter(|name| !name.starts_with(".fastlog")).collect()
}

/// The numbers of the rotated files of a base.
fn numbers(dir: &Path, base: &str) -> Vec<u64> {
    let begin = format!("{base}-");
    let names = names(dir);
    let rests = names.iter().filter_map(|name| name.strip_prefix(&begin));
    let numbers = rests.filter_map(|rest| rest.split(['-', '.']).nth(1)?.parse().ok());
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    for n in numbers {
        fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
    }
}

/// Logs until the log was rotated so often.
fn rotate(engine: &Engine, times: u64) {
    let (mut n, before) = (0, engine.stats().rotations());
    wait_until("rotations", || {
        log(engine, n..n + 500);
        n += 500;
        engine.flush().expect("published");
        engine.stats().rotations() >= before + times
    });
}

/// What the log's present file says of removed files: name, bytes and reason.
fn told(engine: &Engine) -> Vec<(String, u64, String)> {
    engine.flush().expect("published");
    let stats = engine.stats();
    let lines = all_lines(stats.log_path().expect("a file"));
    let is_told = |line: &&Value| line["target"] == "fastlog" && !line["reason"].is_null();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let told = lines.iter().filter(is_told);
    told.map(|line| (text(&line["name"]), line["bytes"].as_u64().unwrap(), text(&line["reason"])))
        .collect()
}

// [S4]
#[test]
fn logs_of_like_names_keep_their_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let neighbours = ["test.2", "test.4711", "test.4711-2", "test-2", "tests", "test.jsonl"];
    for number in 1..4 {
        plant_now(dir.path(), "test", number);
        plant_now(dir.path(), "test@4711", number);
        for base in neighbours {
            plant_now(dir.path(), base, number);
            fs::write(dir.path().join(format!("{base}.jsonl")), LINE).expect("a file");
        }
    }
    let engine = Engine::detached(config(dir.path()).retain_files(1)).expect("it starts");
    wait_until("the keeper", || engine.stats().removed_files() == 5);
    let mut expected: Vec<_> = (1..4).map(|n| ("test@4711", n)).chain([("test", 1)]).collect();
    expected.push(("test", 2));
    let mut expected: Vec<_> = expected
        .into_iter()
        .map(|(base, n)| format!("{base}-20261120T213300Z-{n:06}.jsonl"))
        .map(|name| (name, LINE.len() as u64, "retain_files".to_owned()))
        .collect();
    let mut told_now = Vec::new();
    wait_until("five records", || {
        told_now = told(&engine);
        told_now.len() == 5
    });
    told_now.sort();
    expected.sort();
    assert_eq!(told_now, expected);
    drain(&engine);
    assert_eq!(numbers(dir.path(), "test"), [3]);
    for base in neighbours {
        assert_eq!(numbers(dir.path(), base), [1, 2, 3], "{base}");
        assert!(dir.path().join(format!("{base}.jsonl")).exists(), "{base}");
    }
}

// [S27] [S28]
#[test]
fn of_thousands_that_go_at_once_the_log_tells_together() {
    const FILES: u64 = 400;
    let dir = tempfile::tempdir().expect("a directory");
    (1..=FILES).for_each(|n| drop(plant_now(dir.path(), "test", n)));
    let config = common::config(dir.path()).keep_free_bytes(0).retain_files(1);
    let engine = Engine::detached(config).expect("it starts");
    wait_until("the keeper", || engine.stats().removed_files() == FILES - 1);
    let mut told_now = Vec::new();
    wait_until("the records", || {
        told_now = told(&engine);
        told_now.last().is_some_and(|(name, ..)| name.contains(" files, "))
    });
    assert_eq!(told_now.iter().map(|(_, bytes, _)| bytes).sum::<u64>(), 399 * LINE.len() as u64);
    let (name, ..) = told_now.pop().expect("the last");
    assert!(name.starts_with("299 files, test-") && name.ends_with("-000399.jsonl"), "{name}");
    assert_eq!(told_now.len(), 100);
    drain(&engine);
}

/// Whatever has a rotated file's name and is none hangs nothing, stops nothing and stays.
#[test]
#[cfg(unix)]
fn what_is_no_file_stays_and_hangs_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |end: &str| dir.path().join(format!("test-20261120T213300Z-{end}"));
    let outside = tempfile::NamedTempFile::new().expect("a file");
    fs::write(outside.path(), LINE).expect("a file");
    let strange = ["000001.jsonl", "000002.jsonl.zst", "000003.jsonl", "000004.jsonl.gz"].map(path);
    let pipes = std::process::Command::new("mkfifo").args(&strange[..2]).status();
    assert!(pipes.expect("mkfifo is there").success());
    std::os::unix::fs::symlink(outside.path(), &strange[2]).expect("a link");
    fs::create_dir(&strange[3]).expect("a directory");
    fs::write(strange[3].join("something"), LINE).expect("a file");
    for number in [2, 4, 5, 6, 7] {
        plant_now(dir.path(), "test", number);
    }
    let config = config(dir.path()).retain_files(8);
    #[cfg(feature = "compress")]
    let config = config.compress(fastlog::Compression::Gzip);
    let engine = Engine::detached(config).expect("it starts");
    rotate(&engine, 8);
    wait_until("the keeper", || engine.stats().removed_files() >= 5);
    #[cfg(feature = "compress")]
    wait_until("the packer", || engine.stats().compressed_files() > 0);
    drain(&engine);
    for path in &strange {
        assert!(fs::symlink_metadata(path).is_ok(), "{path:?} is gone");
    }
    assert_eq!(fs::read_to_string(outside.path()).expect("UTF-8"), LINE);
    assert!(strange[3].join("something").exists());
}

// [S31]
#[test]
fn the_newest_stays_where_the_limit_has_no_room_for_one() {
    for limit in [0, KIB, 64 * KIB] {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(dir.path()).retain_bytes(limit);
        let engine = Engine::detached(config).expect("it starts");
        rotate(&engine, 4);
        let rotations = || engine.stats().rotations();
        wait_until("the keeper", || engine.stats().removed_files() == rotations() - 1);
        assert_eq!(numbers(dir.path(), "test"), [rotations()], "limit {limit}");
        drain(&engine);
    }
}

#[test]
fn none_stays_where_none_is_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).retain_files(0)).expect("it starts");
    rotate(&engine, 3);
    wait_until("the keeper", || engine.stats().removed_files() == engine.stats().rotations());
    drain(&engine);
    assert_eq!(names(dir.path()).into_iter().collect::<Vec<_>>(), ["test.jsonl"]);
}

// [S26]
#[test]
fn a_clock_that_was_wrong_removes_nothing_early_and_holds_nothing_up() {
    let day = Duration::from_secs(86_400);
    let (wrong, never_set) = (UNIX_EPOCH + day * 47_482, UNIX_EPOCH + day / 2);
    for modified in [wrong, never_set, SystemTime::now()] {
        for start in ["20991231T235959Z", "19700101T000000Z"] {
            let dir = tempfile::tempdir().expect("a directory");
            (1..4).for_each(|n| drop(plant(dir.path(), "test", start, n, modified)));
            let config = config(dir.path()).retain_files(4).retain_age(day);
            let engine = Engine::detached(config).expect("it starts");
            rotate(&engine, 1);
            assert_eq!(numbers(dir.path(), "test").first(), Some(&1), "nothing goes early");
            rotate(&engine, 4);
            let newest = 3 + engine.stats().rotations();
            wait_until("the keeper", || {
                numbers(dir.path(), "test").into_iter().eq(newest - 3..=newest)
            });
            drain(&engine);
        }
    }
}

#[test]
fn files_that_are_old_by_a_good_clock_go_for_their_age() {
    let dir = tempfile::tempdir().expect("a directory");
    let days_ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
    for (number, days) in [(1, 50), (2, 40), (3, 20), (4, 10)] {
        plant(dir.path(), "test", "20260101T000000Z", number, days_ago(days));
    }
    let engine = Engine::detached(config(dir.path())).expect("it starts");
    wait_until("the keeper", || engine.stats().removed_files() == 2);
    assert_eq!(numbers(dir.path(), "test"), [3, 4]);
    wait_until("two records", || told(&engine).len() == 2);
    assert!(told(&engine).iter().all(|(_, _, reason)| reason == "retain_age"));
    drain(&engine);
}

/// Counting on from a number that is too high would end at 0, or the program.
// [S8]
#[test]
fn numbers_that_no_log_reaches_are_nobodys() {
    let strange = [
        u64::MAX,
        u64::MAX - 1,
        i64::MAX as u64 + 1,
        i64::MAX as u64,
        (1 << 60) + 1,
        10_000_000_000_000_000_000,
    ];
    for (number, expected) in strange.map(|n| (n, 1)).into_iter().chain([
        (0, 1),
        (999_999, 1_000_000),
        (u64::from(u32::MAX), u64::from(u32::MAX) + 1),
        (1 << 53, (1 << 53) + 1),
        ((1 << 60) - 1, 1 << 60),
    ]) {
        let dir = tempfile::tempdir().expect("a directory");
        let planted = plant_now(dir.path(), "test", number);
        let engine = Engine::detached(config(dir.path()).retain_files(1)).expect("it starts");
        log(&engine, 0..600);
        let report = drain(&engine);
        assert_eq!(report.written(), 600);
        assert_eq!(numbers(dir.path(), "test").iter().rfind(|n| **n != number), Some(&expected));
        if strange.contains(&number) {
            assert!(planted.exists(), "{number} is not this log's");
        }
    }
}

/// At the end of all numbers the log goes on in one file and says why.
#[test]
fn when_no_number_is_left_the_log_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    plant_now(dir.path(), "test", 1 << 60);
    let engine = Engine::detached(config(dir.path())).expect("it starts");
    log(&engine, 0..1_000);
    engine.flush().expect("published");
    let failure = engine.stats().last_failure().expect("a sentence").to_owned();
    assert!(failure.contains("no number is left"), "{failure}");
    drain(&engine);
    assert_eq!(numbers(dir.path(), "test"), [1 << 60]);
}

// [S7]
#[test]
fn what_was_there_before_the_first_engine_stays() {
    const FORMER: u64 = 5 << 20;
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    fs::write(&live, LINE.repeat(FORMER as usize / LINE.len() + 1)).expect("a log");
    let config = || config(dir.path()).retain_bytes(300 * KIB).retain_files(3);
    for _ in 0..2 {
        let engine = Engine::detached(config()).expect("it starts");
        rotate(&engine, 6);
        drain(&engine);
    }
    let former: Vec<_> =
        names(dir.path()).into_iter().filter(|name| name.ends_with("-000000.jsonl")).collect();
    assert_eq!(former.len(), 1, "{former:?}");
    let text = fs::read_to_string(dir.path().join(&former[0])).expect("UTF-8");
    assert!(text.len() as u64 >= FORMER && text.lines().all(|line| line == LINE.trim_end()));
    let numbers = numbers(dir.path(), "test");
    assert_eq!(numbers.len(), 4, "it takes nobody's place: {numbers:?}");
}

#[test]
fn what_was_there_before_stays_also_if_a_later_run_rotates_it() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("test.jsonl"), LINE).expect("a log");
    // Where the file system does not tell when files were made, nobody can know later.
    if fs::metadata(dir.path()).and_then(|metadata| metadata.created()).is_err() {
        return println!("skipped: no times of birth here");
    }
    // Their grain is that of the kernel's clock.
    let made = |name: &str| {
        fs::metadata(dir.path().join(name)).and_then(|metadata| metadata.created()).expect("a time")
    };
    let probe = dir.path().join("probe");
    wait_until("the next instant", || {
        fs::remove_file(&probe).ok();
        fs::write(&probe, "").expect("a file");
        made("probe") > made("test.jsonl")
    });
    let config = || config(dir.path()).retain_files(2);
    let engine = Engine::detached(config()).expect("it starts");
    log(&engine, 0..10);
    drain(&engine);
    let engine = Engine::detached(config()).expect("it starts");
    rotate(&engine, 6);
    drain(&engine);
    let former = names(dir.path()).into_iter().find(|name| name.ends_with("-000000.jsonl"));
    let text = fs::read_to_string(dir.path().join(former.expect("it stays"))).expect("UTF-8");
    assert!(text.starts_with(LINE));
    assert_eq!(numbers(dir.path(), "test").len(), 3);
}

// [S30]
#[test]
fn a_second_engine_that_has_ended_is_part_of_the_history_and_one_that_lives_is_not() {
    const SURPLUS: u64 = 8 << 20;
    let dir = tempfile::tempdir().expect("a directory");
    let gone = dir.path().join("test@4711.jsonl");
    fs::write(&gone, LINE).expect("a file");
    let file = File::options().write(true).open(&gone).expect("a file");
    // Where the file system cannot, there is nothing to give back.
    let _ = OsIo.fallocate(file.as_fd(), Reserve::KeepSize, LINE.len() as u64, SURPLUS);
    drop(file);
    let first = Engine::detached(config(dir.path()).retain_files(5)).expect("it starts");
    let second = Engine::detached(config(dir.path()).retain_files(5)).expect("it starts");
    let second_path = second.stats().log_path().expect("a file").to_owned();
    wait_until("the reserve", || fs::metadata(&gone).expect("a file").blocks() * 512 < SURPLUS);
    log(&second, 0..10);
    second.flush().expect("published");
    rotate(&first, 8);
    wait_until("the keeper", || !gone.exists() && numbers(dir.path(), "test").len() <= 5);
    assert!(second_path.exists(), "it lives");
    drain(&second);
    drain(&first);
    let engine = Engine::detached(config(dir.path()).retain_files(0)).expect("it starts");
    wait_until("the keeper", || !second_path.exists());
    drain(&engine);
    assert_eq!(names(dir.path()).into_iter().collect::<Vec<_>>(), ["test.jsonl"]);
}

/// A file system that calls this user by another number.
#[derive(Debug)]
struct Mapped;

impl Io for Mapped {
    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        Ok(FileStatus { uid: 4_294_967_294, ..OsIo.stat(path)? })
    }
}

#[test]
fn what_second_engines_left_goes_also_where_owners_are_mapped() {
    let dir = tempfile::tempdir().expect("a directory");
    let gone = dir.path().join("test@4711.jsonl");
    fs::write(&gone, LINE).expect("a file");
    let config = config(dir.path()).retain_files(0).io(Arc::new(Mapped));
    let engine = Engine::detached(config).expect("it starts");
    wait_until("the keeper", || !gone.exists());
    drain(&engine);
}

/// A directory in which the file of the given name is another user's, and has a reserve.
#[derive(Debug)]
struct Foreign {
    name: &'static str,
    refusals: AtomicU64,
}

impl Foreign {
    fn refuse<T>(&self, path: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if !path.ends_with(self.name) {
            return work();
        }
        self.refusals.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

impl Io for Foreign {
    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        let reserve = if path.ends_with(self.name) { 8 << 20 } else { 0 };
        let status = OsIo.stat(path)?;
        Ok(FileStatus { disk_bytes: status.disk_bytes + reserve, ..status })
    }

    fn open_existing(&self, path: &Path) -> io::Result<File> {
        self.refuse(path, || OsIo.open_existing(path))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.refuse(path, || OsIo.unlink(path))
    }
}

#[test]
fn a_file_that_cannot_be_removed_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let stays = plant_now(dir.path(), "test", 1);
    let name = "test-20261120T213300Z-000001.jsonl";
    let disk = Arc::new(Foreign { name, refusals: AtomicU64::new(0) });
    let engine = Engine::detached(config(dir.path()).retain_files(1).io(disk.clone()));
    let engine = engine.expect("it starts");
    while disk.refusals.load(Ordering::Relaxed) < 6 {
        rotate(&engine, 1);
    }
    drain(&engine);
    let stats = engine.stats();
    assert!(stats.last_failure().is_some_and(|text| text.contains(name)), "{stats}");
    assert_eq!(stats.keeper_failures(), 1, "{stats}");
    assert!(stays.exists());
}

/// A disk on which as much is free as it is told; counts who looks at what.
#[derive(Debug)]
struct Watched {
    is_full: AtomicBool,
    total_bytes: u64,
    lists: AtomicU64,
    /// Of rotated files.
    stats: AtomicU64,
}

impl Watched {
    fn new(total_bytes: u64) -> Arc<Watched> {
        let (lists, stats) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Watched { is_full: AtomicBool::new(false), total_bytes, lists, stats })
    }
}

impl Io for Watched {
    fn statvfs(&self, _: &Path) -> io::Result<Space> {
        let is_full = self.is_full.load(Ordering::Relaxed);
        let free_bytes = if is_full { 0 } else { self.total_bytes };
        Ok(Space { free_bytes, total_bytes: self.total_bytes })
    }

    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        if path.to_string_lossy().contains("Z-") {
            self.stats.fetch_add(1, Ordering::Relaxed);
        }
        OsIo.stat(path)
    }

    fn read_dir_names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        OsIo.read_dir_names(path)
    }
}

#[test]
fn a_disk_that_others_fill_does_not_cost_the_history() {
    let dir = tempfile::tempdir().expect("a directory");
    // Half of the disk, 1 MiB, is the log's share; each file takes 64 KiB of it.
    let disk = Watched::new(2 << 20);
    let config = common::config(dir.path()).rotate_bytes(64 * KIB).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("it starts");
    rotate(&engine, 30);
    let rotations = engine.stats().rotations();
    assert_eq!(numbers(dir.path(), "test").len() as u64, rotations);
    disk.is_full.store(true, Ordering::Relaxed);
    rotate(&engine, 1);
    wait_until("the keeper", || numbers(dir.path(), "test").len() < 20);
    rotate(&engine, 10);
    wait_until("the word", || {
        let failure = engine.stats().last_failure().unwrap_or_default().to_owned();
        failure.contains("others fill it")
    });
    wait_until("the keeper", || numbers(dir.path(), "test").len() < 20);
    drain(&engine);
    // How much longer than asked for a file becomes depends on the machine's other work: bytes, not
    // files.
    let rotated = names(dir.path()).into_iter().filter(|name| name != "test.jsonl");
    let bytes = |name| fs::metadata(dir.path().join(name)).expect("a file").len();
    let left: u64 = rotated.map(bytes).sum();
    assert!(left > 768 * KIB, "{left} bytes are left");
    let texts = names(dir.path()).into_iter();
    let texts = texts.map(|name| fs::read_to_string(dir.path().join(name)).expect("UTF-8"));
    let text: String = texts.collect();
    let told = text.lines().filter(|line| line.contains("others fill it")).count();
    assert_eq!(told, 1, "told once");
    assert!(text.matches("\"reason\":\"keep_free_bytes\"").count() > 5);
}

#[test]
fn a_look_at_many_files_reads_the_directory_once_and_each_file_once() {
    const FILES: u64 = 600;
    let dir = tempfile::tempdir().expect("a directory");
    (1..=FILES).for_each(|n| drop(plant_now(dir.path(), "test", n)));
    let disk = Watched::new(1 << 40);
    let config = common::config(dir.path()).retain_files(100).io(Arc::clone(&disk) as _);
    #[cfg(feature = "compress")]
    let config = config.compress(fastlog::Compression::Zstd);
    let engine = Engine::detached(config).expect("it starts");
    wait_until("the keeper", || engine.stats().removed_files() == FILES - 100);
    #[cfg(feature = "compress")]
    wait_until("the packer", || engine.stats().compressed_files() == 100);
    drain(&engine);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert!(count(&disk.lists) < 20, "{} lists", count(&disk.lists));
    // One for each file in each of two looks, and some for each that is compressed.
    assert!(count(&disk.stats) < 2 * FILES + 100 * 4 + 100, "{} looks", count(&disk.stats));
    assert_eq!(numbers(dir.path(), "test").into_iter().sum::<u64>(), (501..=600).sum::<u64>());
}

#[test]
fn a_rotation_beside_many_files_does_not_look_at_each() {
    const FILES: u64 = 600;
    let dir = tempfile::tempdir().expect("a directory");
    (1..=FILES).for_each(|n| drop(plant_now(dir.path(), "test", n)));
    let disk = Watched::new(1 << 40);
    let config = config(dir.path()).retain_files(FILES as usize).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("it starts");
    rotate(&engine, 30);
    let rotations = || engine.stats().rotations();
    wait_until("the keeper", || engine.stats().removed_files() == rotations());
    drain(&engine);
    let stats = disk.stats.load(Ordering::Relaxed);
    // Should the test take minutes, all are looked at once more in each.
    assert!(stats < 5 * FILES, "{stats} looks at files for {} rotations", rotations());
}

// [S29]
#[test]
fn what_goes_while_the_engine_ends_is_counted_and_not_told() {
    const ROTATIONS: u64 = 12;
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Watched::new(1 << 40);
    let config = config(dir.path()).retain_files(2).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("it starts");
    rotate(&engine, ROTATIONS);
    drain(&engine);
    let stats = engine.stats();
    let texts = names(dir.path()).into_iter().map(|name| dir.path().join(name));
    let told = texts.flat_map(|path| all_lines(&path)).filter(|line| line["reason"].is_string());
    assert_eq!(numbers(dir.path(), "test").len(), 2);
    assert_eq!(stats.removed_files(), stats.rotations() - 2, "all that went are counted");
    assert!(told.count() as u64 <= stats.removed_files());
}

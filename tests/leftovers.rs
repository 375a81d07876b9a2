//! Promise: what a killed engine leaves behind is cleared away, and what is cleared away is nobody
//! else's: no line of another writer is cut off, no lock is lost, no file of another log goes.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{drain, wait_until};
use fastlog::{Config, Engine, Io, OsIo, Reserve, fastlog};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn config(dir: &Path) -> Config {
    common::config(dir).keep_free_bytes(0)
}

/// The directory beside the log.
fn private_dir(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    let mut private = entries.filter(|e| e.file_name().to_string_lossy().starts_with(".fastlog"));
    private.next().expect("an engine made it").path()
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect()
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    for n in numbers {
        fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
    }
}

#[test]
fn what_killed_engines_left_goes_and_what_is_others_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Engine::detached(config(dir.path())).expect("it starts");
    drain(&first);
    let private = private_dir(dir.path());
    let gone = [
        "test.packing",
        "test.next",
        "test@4711.lock",
        "test@4711.packing",
        "test@4711-2.next",
        "test@4711-2.now",
    ];
    let others = [
        "other.packing",
        "test.2.packing",
        "test.4711.lock",
        "test.2@4711.lock",
        "test-2.next",
        "test@x.packing",
    ];
    for name in gone.iter().chain(&others) {
        fs::write(private.join(name), "half of something").expect("a file");
    }
    let engine = Engine::detached(config(dir.path())).expect("it starts");
    let second = Engine::detached(config(dir.path())).expect("it starts, with another name");
    let lock = format!("test@{}.lock", std::process::id());
    wait_until("the keepers", || {
        let names = names(&private);
        gone.iter().all(|gone| !names.contains(*gone))
    });
    let left = names(&private);
    assert!(left.contains("test.lock") && left.contains(&lock), "they live: {left:?}");
    assert!(others.iter().all(|other| left.contains(*other)), "{left:?}");
    log(&second, 0..10);
    drain(&second);
    drain(&engine);
    // The next one takes the lock of the second, which has ended, away.
    let engine = Engine::detached(config(dir.path())).expect("it starts");
    wait_until("the keeper", || !names(&private).contains(&lock));
    assert_eq!(names(dir.path()).iter().filter(|name| name.contains('@')).count(), 1, "the log");
    drain(&engine);
}

/// A complete file with blocks behind its end; none where the file system cannot.
fn with_surplus(path: &Path) -> Option<File> {
    fs::write(path, "{}\n").expect("a file");
    let file = File::options().write(true).open(path).expect("a file");
    OsIo.fallocate(file.as_fd(), Reserve::KeepSize, 3, 8 * MIB).ok()?;
    Some(file)
}

fn disk_bytes(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").blocks() * 512
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn a_reserve_is_given_back_once_nobody_has_the_file_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |n| dir.path().join(format!("test-20261120T213300Z-00000{n}.jsonl"));
    let (free, written) = (path(1), path(2));
    let (Some(_), Some(mut writer)) = (with_surplus(&free), with_surplus(&written)) else {
        eprintln!("skipped: no blocks can be reserved here");
        return;
    };
    let start = || Engine::detached(config(dir.path())).expect("it starts");
    let engine = start();
    wait_until("the reserve", || disk_bytes(&free) < MIB);
    drain(&engine);
    assert!(disk_bytes(&written) >= 8 * MIB, "somebody may append to it");
    writer.write_all(b"{\"n\":1}\n").expect("written");
    drop(writer);
    let engine = start();
    wait_until("the reserve", || disk_bytes(&written) < MIB);
    drain(&engine);
    assert_eq!(fs::read_to_string(&written).expect("UTF-8"), "{\"n\":1}\n");
    assert_eq!(engine.stats().keeper_failures(), 0);
}

// [S32]
#[test]
fn nothing_that_another_writer_appends_is_cut_off() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    let is_over = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !is_over.load(Ordering::Relaxed) {
                let open = File::options().append(true).create(true).open(&live);
                let mut file = open.expect("the log");
                for _ in 0..20 {
                    file.write_all(format!("{{\"other\":{n}}}\n").as_bytes()).expect("written");
                    n += 1;
                }
                written.store(n, Ordering::Relaxed);
                common::give_way();
            }
        });
        let mut n = 0;
        for _ in 0..8 {
            let config = config(dir.path()).rotate_bytes(256 * KIB);
            let engine = Engine::detached(config).expect("it starts");
            let before = written.load(Ordering::Relaxed);
            wait_until("rotations", || {
                log(&engine, n..n + 200);
                n += 200;
                let is_mixed = written.load(Ordering::Relaxed) > before + 100;
                engine.stats().rotations() >= 4 && is_mixed
            });
            drain(&engine);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let files = names(dir.path()).into_iter().filter(|name| name.ends_with(".jsonl"));
    let texts = files.map(|name| fs::read_to_string(dir.path().join(name)).expect("UTF-8"));
    let text: String = texts.collect();
    let mut others: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line))
        .filter_map(|line| line["other"].as_u64())
        .collect();
    others.sort_unstable();
    let written = written.into_inner();
    assert!(others.into_iter().eq(0..written), "not all of {written} lines are there");
}

//! Promise: what a file system or a filter of system calls refuses, and what need not be, costs the
//! log nothing: links, renames to another file system, syncs of directories, looks at the name, new
//! files, reading the log.

mod common;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use common::disk::{Disk, ENOSPC, Faults};
use common::{all_lines, child, config, drain, numbers, wait_until};
use fastlog::{Engine, FileStatus, Io, OsIo, SyncPolicy, fastlog};
use tempfile::TempDir;

const LOG_BYTES: u64 = 64 << 10;
const LINES: u64 = 5_000;
/// Linux's numbers.
const EPERM: i32 = 1;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EXDEV: i32 = 18;
const EINVAL: i32 = 22;
const EMFILE: i32 = 24;
const EMLINK: i32 = 31;
const ENOSYS: i32 = 38;
const EOPNOTSUPP: i32 = 95;

/// A file system that refuses what is set.
#[derive(Debug, Default)]
struct Refusing {
    link: AtomicI32,
    /// Of whatever lies in the private directory.
    rename_from_private: AtomicI32,
    rename_new: AtomicI32,
    sync_dir: AtomicI32,
    /// Looks at the log's own name.
    stat: AtomicI32,
    /// New files of the log.
    create: AtomicI32,
    has_created: AtomicBool,
}

impl Refusing {
    fn check(of: &AtomicI32) -> io::Result<()> {
        match of.load(Ordering::Relaxed) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    fn check_rename(&self, from: &Path) -> io::Result<()> {
        let is_private = from.parent().is_some_and(|parent| parent.ends_with(".fastlog"));
        if is_private { Refusing::check(&self.rename_from_private) } else { Ok(()) }
    }
}

impl Io for Refusing {
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Refusing::check(&self.link)?;
        OsIo.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.parent() != from.parent() {
            self.check_rename(from)?;
        }
        OsIo.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.parent() != from.parent() {
            self.check_rename(from)?;
        }
        Refusing::check(&self.rename_new)?;
        OsIo.rename_new(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Refusing::check(&self.sync_dir)?;
        OsIo.sync_dir(path)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        if path.ends_with("test.jsonl") {
            Refusing::check(&self.stat)?;
        }
        OsIo.stat(path)
    }

    fn create_log(&self, path: &Path, mode: u32) -> io::Result<fs::File> {
        if path.ends_with("test.jsonl") {
            self.has_created.store(true, Ordering::Relaxed);
            Refusing::check(&self.create)?;
        }
        OsIo.create_log(path, mode)
    }
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    for n in numbers {
        fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
    }
}

/// An engine of a file system that refuses, which has published all lines of many small files.
fn logged(io: Refusing) -> (Engine, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path()).rotate_bytes(LOG_BYTES).io(Arc::new(io));
    let engine = Engine::detached(config).expect("it starts");
    log(&engine, 0..LINES);
    engine.flush().expect("published");
    (engine, dir)
}

// [S20] [S21]
#[test]
fn without_links_or_on_two_file_systems_the_log_rotates() {
    let cases =
        [(EPERM, 0), (EOPNOTSUPP, 0), (EMLINK, 0), (ENOSYS, 0), (0, EXDEV), (EACCES, EXDEV)];
    for (link, rename) in cases {
        let (engine, dir) = logged(Refusing {
            link: link.into(),
            rename_from_private: rename.into(),
            ..Refusing::default()
        });
        let live = fs::metadata(dir.path().join("test.jsonl")).expect("it is there").len();
        assert!(live <= LOG_BYTES, "{link} {rename}: {live} bytes");
        let stats = engine.stats();
        assert!(
            stats.rotations() >= 5 && stats.rotation_failures() == 0,
            "{link} {rename}: {stats}"
        );
        drain(&engine);
        assert!(numbers(dir.path()).into_iter().eq(0..LINES), "{link} {rename}");
        let hidden = fs::read_dir(dir.path()).expect("a directory").filter(|entry| {
            let name = entry.as_ref().expect("it").file_name();
            name.to_string_lossy().ends_with(".now")
        });
        assert_eq!(hidden.count(), 0, "nothing is left beside the log");
    }
}

// [S22]
#[test]
fn where_nothing_works_the_file_grows_and_the_log_says_so() {
    let (engine, dir) =
        logged(Refusing { link: EPERM.into(), rename_new: EACCES.into(), ..Refusing::default() });
    let stats = engine.stats();
    assert!(stats.rotations() == 0 && stats.rotation_failures() > 0, "{stats}");
    assert!(stats.last_failure().is_some_and(|text| text.starts_with("cannot rotate ")), "{stats}");
    drain(&engine);
    assert!(numbers(dir.path()).into_iter().eq(0..LINES));
    let lines = all_lines(&dir.path().join("test.jsonl"));
    let is_told = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|text| text.starts_with("cannot rotate "))
    };
    assert!(lines.iter().any(is_told));
}

#[test]
fn a_directory_that_needs_no_sync_is_no_failure_and_one_that_fails_is() {
    for (error, is_good) in [(EINVAL, true), (EOPNOTSUPP, true), (ENOSYS, true), (EIO, false)] {
        let dir = tempfile::tempdir().expect("a directory");
        let io = Arc::new(Refusing::default());
        io.sync_dir.store(error, Ordering::Relaxed);
        let durable = config(dir.path()).sync(SyncPolicy::EachBatch).io(io);
        let engine = Engine::detached(durable);
        assert_eq!(engine.is_ok(), is_good, "{error}: {engine:?}");
        if let Ok(engine) = engine {
            log(&engine, 0..10);
            engine.sync().expect("on the device");
            drain(&engine);
        }
    }
}

/// As after a change of user, and with descriptors used up.
// [S34]
#[test]
fn an_open_file_is_good_until_it_is_proved_bad() {
    let dir = tempfile::tempdir().expect("a directory");
    let io = Arc::new(Refusing::default());
    let engine = Engine::detached(config(dir.path()).io(io.clone())).expect("it starts");
    let (live, moved) = (dir.path().join("test.jsonl"), dir.path().join("moved.jsonl"));
    let mut n = 0;
    let mut more = |engine: &Engine| {
        log(engine, n..n + 100);
        n += 100;
        engine.flush().expect("published");
        n
    };
    more(&engine);
    for error in [EACCES, EIO, EMFILE] {
        io.stat.store(error, Ordering::Relaxed);
        more(&engine);
    }
    let stats = engine.stats();
    assert_eq!((stats.reopens(), stats.write_failures()), (0, 0), "{stats}");
    assert!(stats.last_failure().is_some_and(|text| text.starts_with("cannot look at")), "{stats}");
    io.stat.store(0, Ordering::Relaxed);
    more(&engine);
    // Renamed, and no descriptor for a new one.
    io.create.store(EMFILE, Ordering::Relaxed);
    fs::rename(&live, &moved).expect("renamed");
    more(&engine);
    assert!(io.has_created.load(Ordering::Relaxed) && !live.exists(), "it was tried");
    assert_eq!(engine.stats().write_failures(), 0, "{}", engine.stats());
    io.create.store(0, Ordering::Relaxed);
    let mut all = 0;
    wait_until("a new file", || {
        all = more(&engine);
        live.exists()
    });
    drain(&engine);
    assert!(numbers(dir.path()).into_iter().eq(0..all), "all of {all}");
}

/// By a process that may not read it, as who may do everything may read it all the same.
#[test]
fn a_log_that_may_only_be_written_opens() {
    let case = "a_log_that_may_only_be_written_opens";
    if child::case().as_deref() == Some(case) {
        let dir = child::dir();
        let error = fs::read(dir.join("test.jsonl")).expect_err("it may not be read");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let engine = Engine::detached(config(&dir)).expect("it starts");
        log(&engine, 1..10);
        drain(&engine);
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    fs::write(&live, "{\"n\":0}\n").expect("a log");
    if child::is_root() {
        for path in [&live, dir.path()] {
            chown(path, Some(child::NOBODY), Some(child::NOBODY)).expect("root may");
        }
    }
    fs::set_permissions(&live, Permissions::from_mode(0o200)).expect("ours");
    let ended = child::run_as_nobody(case, dir);
    assert!(ended.status.success(), "{ended}");
    let live = ended.dir.path().join("test.jsonl");
    fs::set_permissions(&live, Permissions::from_mode(0o600)).expect("ours");
    let text = fs::read_to_string(&live).expect("the log");
    let lines = text.lines().filter(|line| !line.is_empty());
    let parsed = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    assert_eq!(parsed.filter(|line| line["n"].is_u64()).count(), 10);
}

#[test]
fn a_log_that_may_only_be_appended_to_opens() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    fs::write(&live, "").expect("a log");
    let chattr = |flag: &str| {
        let done = std::process::Command::new("chattr").arg(flag).arg(&live).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !chattr("+a") {
        eprintln!("skipped: no `chattr +a` here");
        return;
    }
    let engine = Engine::detached(config(dir.path()));
    let outcome = engine.map(|engine| {
        log(&engine, 0..10);
        engine.drain()
    });
    assert!(chattr("-a"));
    outcome.expect("it starts").expect("it drains");
    let text = fs::read_to_string(&live).expect("the log");
    assert_eq!(text.matches("\"n\":").count(), 10);
}

/// A process that died on a full disk has left a line without its end, and the disk is still full.
#[test]
fn a_line_that_was_left_open_does_not_hold_up_a_start_on_a_full_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("test.jsonl");
    fs::write(&path, "{\"n\":0}\n{\"n\":").expect("a log");
    let disk = Disk::new();
    disk.set(Faults { write_error: Some(ENOSPC), ..Faults::default() });
    let config = common::config(dir.path()).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("the host starts");
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "when there is room", n = 1);
    wait_until("a failure", || engine.stats().write_failures() > 0);
    disk.heal();
    let report = drain(&engine);
    assert_eq!(report.written(), 1);
    let text = fs::read_to_string(&path).expect("the log");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["{\"n\":0}", "{\"n\":"], "as they were");
    let parse = |line: &&str| serde_json::from_str::<serde_json::Value>(line).expect(line);
    assert_eq!(lines[2..].iter().map(parse).filter(|line| line["n"] == 1).count(), 1, "{text}");
    assert!(text.contains("cannot end the last line"), "{text}");
}

//! Promise [P5]: limits of the process and of its disk do not hurt the host. A file that may not
//! become longer (`RLIMIT_FSIZE`) is a failure and no signal, on the host's own threads too; with
//! little room on the disk the engine starts, and says what that costs; memory that may be locked
//! is left to the host.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // Limits and signal masks have no safe form.

mod common;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::child;
use common::mount::{Image, SmallDisk, fill, mount};
use fastlog::{Arena, Config, Engine, OpenFailure, Overflow, Preset, Rotate, SyncPolicy, fastlog};

/// Tells a child where a disk without room is.
const DISK: &str = "FASTLOG_TEST_DISK";

fn limit(resource: libc::__rlimit_resource_t, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the call reads `limit` alone.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

/// The signals that wait for this thread, and those that it blocks.
fn signals() -> [u64; 3] {
    let status = fs::read_to_string("/proc/thread-self/status").expect("the kernel tells");
    ["SigPnd:", "ShdPnd:", "SigBlk:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    })
}

fn config(dir: &Path) -> Config {
    let config = Config::default().dir(dir).name("test").rotate(Rotate::Never).ignore_env();
    config.overflow(Overflow::Drop).barrier_patience(std::time::Duration::from_secs(2))
}

/// From nothing to more than all files of an engine: each step is met on the host's thread, by
/// `start`, by a thread's first record, and by `drain`.
#[test]
fn a_file_that_may_not_become_longer_is_a_failure_and_no_signal() {
    let case = "a_file_that_may_not_become_longer_is_a_failure_and_no_signal";
    if let Some(size) = std::env::var_os("FASTLOG_TEST_FSIZE") {
        let size: u64 = size.to_str().and_then(|size| size.parse().ok()).expect("a number");
        limit(libc::RLIMIT_FSIZE, size);
        let before = signals();
        for preset in [Preset::Production, Preset::Durable, Preset::Archive] {
            let dir = child::dir().join(format!("{size}-{preset:?}"));
            let engine = Config::preset(preset).dir(&dir).name("test").ignore_env();
            let engine = engine.barrier_patience(std::time::Duration::from_millis(100));
            let Ok(engine) = Engine::detached(engine.overflow(Overflow::Drop)) else { continue };
            end_in_balance(&engine, 1_000);
        }
        assert_eq!(signals(), before, "no signal waits, and none is blocked");
        return;
    }
    for size in [0, 1, 4096, 100_000, 600_000, 3 << 20, 20 << 20] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = child::command(case, dir.path());
        let ended =
            child::Running::start(command.env("FASTLOG_TEST_FSIZE", size.to_string()), dir).end();
        assert!(ended.status.success(), "{size}: {ended}");
    }
}

/// What has a descriptor goes on, what needs one more is told and waits.
#[test]
fn a_process_that_has_used_up_its_descriptors_keeps_its_log() {
    /// More than a file has room for.
    const ROUND: u64 = 1_000;
    child::run("a_process_that_has_used_up_its_descriptors_keeps_its_log", |dir| {
        let config = common::config(dir).rotate_bytes(64 << 10).keep_free_bytes(0);
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        let mut next = 0;
        let mut log = || {
            (next..next + ROUND).for_each(|n| fastlog!(logger: logger, INFO, "load", n));
            next += ROUND;
            engine.flush().expect("published");
        };
        log();
        engine.sync().expect("synced");
        let before = descriptors(|limit| libc::rlimit { rlim_cur: 0, ..limit });
        let null = fs::File::open("/dev/null").expect_err("there is none left");
        assert_eq!(null.raw_os_error(), Some(libc::EMFILE));
        let rotations = engine.stats().rotations();
        let all_of = |failures: &fastlog::Stats| failures.rotation_failures() > 0;
        common::wait_until("a rotation to fail", || {
            log();
            all_of(&engine.stats())
        });
        let failure = engine.stats().last_failure().expect("a sentence").to_owned();
        assert!(failure.contains("os error 24"), "{failure}");
        assert!(engine.stats().rotations() <= rotations + 1, "by the file that was made ahead");
        descriptors(|_| before);
        common::wait_until("a rotation", || {
            log();
            engine.stats().rotations() > rotations + 1
        });
        engine.sync().expect("the names as well");
        let report = common::drain(&engine);
        assert_eq!(report.written(), next, "{report}");
        assert!(common::numbers(dir).into_iter().eq(0..next));
    });
}

/// Changes how many descriptors this process may have; gives how many it might.
fn descriptors(change: impl FnOnce(libc::rlimit) -> libc::rlimit) -> libc::rlimit {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to `before` alone.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) }, 0);
    let after = change(before);
    // SAFETY: the call reads `after` alone.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const after) }, 0);
    before
}

/// Room on a disk of memory, in steps of a quarter of a MiB.
#[test]
fn with_little_room_the_engine_starts_and_logs() {
    const DISK_BYTES: usize = 16 << 20;
    const STEP: usize = 256 << 10;
    const RECORDS: u64 = 200;
    let dir = tempfile::tempdir().expect("a directory");
    if !mount("size=16m", dir.path()) {
        println!("not tested: mounting a tmpfs is not allowed here");
        return;
    }
    let mut checked = 0;
    for places in [None, Some(Arena::Dir(dir.path().join("arena")))] {
        for steps in 1..=32 {
            let (disk, logs) = (dir.path(), dir.path().join("logs"));
            fs::create_dir_all(&logs).expect("a directory");
            fs::write(disk.join("ballast"), vec![1; DISK_BYTES - steps * STEP]).expect("room");
            let base = config(&logs).sync(SyncPolicy::Every(std::time::Duration::from_secs(60)));
            let base = match &places {
                Some(place) => base.arena(place.clone()),
                None => base,
            };
            let engine = Engine::detached(base).unwrap_or_else(|error| panic!("{steps}: {error}"));
            let logger = engine.logger();
            (0..RECORDS).for_each(|n| fastlog!(logger: logger, INFO, "with little room", n));
            drop(logger);
            let stats = engine.stats();
            assert!(!stats.crash_safe(), "the rings have no room in a file: {stats}");
            if places.is_none() {
                let report = common::drain(&engine);
                assert_eq!((report.written(), report.dropped()), (RECORDS, 0), "{steps}");
                let lines = common::all_lines(report.log_path().expect("a file"));
                let told = lines.iter().filter(|line| {
                    line["warning"].as_str().is_some_and(|text| text.contains("kill -9"))
                });
                assert_eq!(told.count(), 1, "{lines:?}");
                assert_eq!(lines[0]["crash_safe"], false);
            } else {
                // Where the user wants the arena there, it may take all there is.
                common::settle(&engine);
            }
            for name in ["ballast", "logs", "arena"].map(|name| disk.join(name)) {
                let _ = fs::remove_file(&name).or_else(|_| fs::remove_dir_all(&name));
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 64);
    let unmounted = Command::new("umount").arg("-l").arg(dir.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
}

/// Of memory, where names cost nothing, and a real one, where a directory needs a block.
#[test]
fn without_any_room_the_host_lives_and_hears_why_there_is_no_log() {
    const RECORDS: u64 = 200;
    let case = "without_any_room_the_host_lives_and_hears_why_there_is_no_log";
    let dir_of_case = std::env::var_os(DISK).map(PathBuf::from);
    if let Some(dir) = dir_of_case.filter(|_| child::case().is_some()) {
        assert!(fs::write(dir.join("one byte"), "x").is_err(), "there is no room");
        for preset in [Preset::Production, Preset::Durable, Preset::LowLatency, Preset::Archive] {
            let config = || {
                let config = Config::preset(preset).dir(dir.join(format!("{preset:?}")));
                let config = config.name("test").ignore_env().overflow(Overflow::Drop);
                config.barrier_patience(std::time::Duration::from_millis(100))
            };
            match Engine::detached(config()) {
                Ok(engine) => end_in_balance(&engine, RECORDS),
                Err(error) => {
                    let error = format!("{error} {}", error.source().expect("the system's"));
                    assert!(error.contains("No space left on device"), "{error}");
                }
            }
            let config = config().on_open_failure(OpenFailure::Stderr);
            let engine = Engine::detached(config).unwrap_or_else(|error| panic!("{error}"));
            end_in_balance(&engine, RECORDS);
        }
        return;
    }
    let memory = SmallDisk::mount();
    let ext4 = Image::mount("ext4", 16);
    if memory.is_none() {
        println!("not tested: mounting a tmpfs is not allowed here");
    }
    let disks = memory.iter().map(|disk| disk.path().to_owned());
    for disk in disks.chain(ext4.iter().map(Image::path)) {
        fill(&disk.join("ballast"));
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = child::command(case, dir.path());
        let ended = child::Running::start(command.env(DISK, &disk), dir).end();
        assert!(ended.status.success(), "{}: {ended}", disk.display());
    }
}

/// Logs; whatever became of it, the account is right.
fn end_in_balance(engine: &Engine, records: u64) {
    let logger = engine.logger();
    (0..records).for_each(|n| fastlog!(logger: logger, INFO, "without room", n));
    drop(logger);
    let report = common::settle(engine);
    assert!(report.submitted() >= records, "{report}");
}

fn locked_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn rings_leave_most_of_the_memory_that_may_be_locked() {
    const LIMIT: u64 = 4 << 20;
    child::run("rings_leave_most_of_the_memory_that_may_be_locked", |dir| {
        limit(libc::RLIMIT_MEMLOCK, LIMIT);
        let mut most = 0;
        for place in [Arena::InLogDir, Arena::Anonymous] {
            let dir: PathBuf = dir.join(format!("{place:?}"));
            let config = common::config(&dir).arena(place).ring_bytes(256 << 10);
            let engine = Engine::detached(config).expect("the engine starts");
            let logger = engine.logger();
            let all_log = std::sync::Barrier::new(20);
            std::thread::scope(|scope| {
                for worker in 0..20 {
                    let (logger, all_log) = (&logger, &all_log);
                    scope.spawn(move || {
                        fastlog!(logger: logger, INFO, "a ring each", worker);
                        all_log.wait();
                    });
                }
            });
            assert_eq!(engine.stats().rings(), 20);
            most = most.max(locked_bytes());
            assert!(locked_bytes() <= LIMIT / 8, "{} bytes", locked_bytes());
            drop(logger);
            common::drain(&engine);
        }
        assert!(most > 0, "what is within the share is locked");
        assert_eq!(locked_bytes(), 0, "all of it is given back");
    });
}

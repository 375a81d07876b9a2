//! Promise [P2] [P4]: after `flush` a reader sees, and after `sync` the device has, every record
//! logged before; `drain` does all that, once, for whoever asks; and none of them waits for ever.
//!
//! Attacked by many threads that flush and read at once, by drains at the same time and in the
//! middle of logging, with a disk that hangs, and with one that refuses a sync.

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use common::disk::{Disk, EIO, Faults, inode};
use common::{all_lines, config, drain, give_way, lines, wait_until};
use fastlog::{BarrierError, Config, Engine, InUse, Io, OsIo, SyncPolicy, UrgentSync, fastlog};
use tempfile::TempDir;

const NEVER: Duration = Duration::from_secs(3600);
/// What a loaded machine may add to a time limit.
const SLACK: Duration = Duration::from_secs(60);

/// An engine that syncs only when asked, on a disk of its own.
fn rig(configure: impl FnOnce(Config) -> Config) -> (Engine, Arc<Disk>, TempDir) {
    let (disk, dir) = (Disk::new(), tempfile::tempdir().expect("a directory"));
    let config = config(dir.path())
        .sync(SyncPolicy::Never)
        .urgent_sync(UrgentSync::Never)
        .io(Arc::clone(&disk) as _);
    (Engine::detached(configure(config)).expect("the engine starts"), disk, dir)
}

fn log_path(engine: &Engine) -> PathBuf {
    engine.stats().log_path().expect("a file").to_owned()
}

/// The numbers `n` of the lines in a log that may be growing.
fn numbers(path: &Path) -> HashSet<u64> {
    let text = fs::read_to_string(path).expect("the log");
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let values = whole.lines().map(|line| serde_json::from_str(line).expect(line));
    values.filter_map(|line: serde_json::Value| line["n"].as_u64()).collect()
}

fn arena_files(dir: &Path) -> usize {
    let names = fs::read_dir(dir.join(".fastlog")).expect("the private directory");
    let paths = names.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|end| end != "lock")).count()
}

// [S17]
#[test]
fn after_flush_a_reader_sees_everything_from_all_threads() {
    const THREADS: u64 = 6;
    const ROUNDS: u64 = 25;
    let (engine, _, _dir) = rig(|config| config.publish_every(Duration::from_secs(10)));
    let (path, logger) = (log_path(&engine), engine.logger());
    let noise_ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let noise = scope.spawn(|| {
            while !noise_ends.load(Ordering::Relaxed) {
                fastlog!(logger: logger, INFO, "noise");
                give_way();
            }
        });
        let checks = (0..THREADS).map(|thread| {
            let (engine, path, logger) = (&engine, &path, &logger);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let n = thread * ROUNDS + round;
                    fastlog!(logger: logger, INFO, "mine", n);
                    engine.flush().expect("it flushes");
                    let text = fs::read_to_string(path).expect("the log");
                    assert!(text.contains(&format!(r#""n":{n}}}"#)), "{n} is not to be seen");
                }
            })
        });
        for check in checks.collect::<Vec<_>>() {
            check.join().expect("no panic");
        }
        // What others logged before counts as well.
        fastlog!(logger: logger, INFO, "last", n = THREADS * ROUNDS);
        let other = thread::spawn({
            let engine = engine.clone();
            move || engine.flush()
        });
        other.join().expect("no panic").expect("it flushes");
        assert_eq!(numbers(&path).len() as u64, THREADS * ROUNDS + 1);
        noise_ends.store(true, Ordering::Relaxed);
        noise.join().expect("no panic");
    });
    drain(&engine);
}

#[test]
fn after_sync_the_device_was_asked_and_no_more_often_than_needed() {
    const RECORDS: u64 = 20;
    let (engine, disk, _dir) = rig(|config| config);
    let (ino, logger) = (inode(&log_path(&engine)), engine.logger());
    for n in 0..RECORDS {
        let before = disk.synced().len();
        fastlog!(logger: logger, INFO, "one", n);
        engine.sync().expect("it syncs");
        let synced = disk.synced();
        assert!(synced.len() > before && synced[before..].contains(&ino), "record {n}: {synced:?}");
        let stats = engine.stats();
        assert!(stats.synced_bytes() == stats.published_bytes() && stats.syncs() > n, "{stats}");
    }
    let report = drain(&engine);
    assert_eq!(report.syncs(), disk.synced().len() as u64, "{report}");
}

#[test]
fn many_syncs_share_few_calls_and_all_are_true() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 20;
    let (engine, disk, _dir) = rig(|config| config);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (engine, logger) = (&engine, engine.logger());
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    fastlog!(logger: logger, INFO, "one", n = thread * ROUNDS + round);
                    let before = engine.stats().written_bytes();
                    engine.sync().expect("it syncs");
                    assert!(engine.stats().synced_bytes() >= before);
                }
            });
        }
    });
    let report = drain(&engine);
    assert_eq!(report.written(), THREADS * ROUNDS);
    assert!(report.syncs() <= THREADS * ROUNDS + 1, "{} syncs", report.syncs());
    assert_eq!(disk.synced().len() as u64, report.syncs());
}

// [D10]
#[test]
fn all_drains_give_the_same_report_while_others_log() {
    const DRAINERS: usize = 6;
    const LOGGERS: u64 = 4;
    for _ in 0..5 {
        let (engine, _, _dir) = rig(|config| config.ring_bytes(128 << 10));
        let (calls, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        let start = Barrier::new(DRAINERS + LOGGERS as usize);
        let reports = thread::scope(|scope| {
            let (calls, is_over, start) = (&calls, &is_over, &start);
            for _ in 0..LOGGERS {
                let logger = engine.logger();
                scope.spawn(move || {
                    (0..100).for_each(|n| fastlog!(logger: logger, INFO, "before", n));
                    calls.fetch_add(100, Ordering::Relaxed);
                    start.wait();
                    while !is_over.load(Ordering::Relaxed) {
                        fastlog!(logger: logger, INFO, "during");
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let drains = (0..DRAINERS).map(|_| {
                let engine = &engine;
                scope.spawn(move || {
                    start.wait();
                    engine.drain().expect("it drains").to_string()
                })
            });
            let drains: Vec<_> = drains.collect();
            let reports = drains.into_iter().map(|one| one.join().expect("no panic"));
            let reports: Vec<_> = reports.collect();
            is_over.store(true, Ordering::Relaxed);
            reports
        });
        let report = drain(&engine);
        assert!(reports.iter().all(|other| *other == report.to_string()), "{reports:?}");
        let heard = lines(&report);
        let before = heard.iter().filter(|line| line["message"] == "before").count() as u64;
        assert_eq!(before, 100 * LOGGERS, "what was logged before is there");
        assert_eq!(report.dropped(), 0);
        assert!(report.submitted() <= calls.load(Ordering::Relaxed));
        let unheard = fastlog::unheard();
        fastlog!(logger: engine.logger(), INFO, "after");
        assert!(fastlog::unheard() > unheard, "calls after the drain are counted");
    }
}

#[test]
fn a_drained_engine_answers_that_it_does_not_run() {
    let (engine, _, dir) = rig(|config| config);
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "heard");
    let first = drain(&engine);
    assert_eq!(drain(&engine).to_string(), first.to_string(), "a second drain tells the same");
    let short = Duration::from_millis(1);
    assert_eq!(engine.drain_timeout(short).expect("the same").to_string(), first.to_string());
    for answer in
        [engine.flush(), engine.sync(), engine.flush_timeout(short), engine.sync_timeout(short)]
    {
        assert_eq!(answer, Err(BarrierError::NotRunning));
    }
    fastlog!(logger: logger, ERROR, "not heard");
    assert_eq!(lines(&first).len(), 1);
    assert_eq!(arena_files(dir.path()), 0, "a clean drain leaves no arena");
    let again = Engine::detached(config(dir.path())).expect("the name is free again");
    assert_eq!(again.stats().log_path(), first.log_path());
    drain(&again);
}

#[test]
fn time_limits_hold_while_the_disk_hangs() {
    const RECORDS: u64 = 500;
    let limit = Duration::from_millis(200);
    let (engine, disk, dir) = rig(|config| config);
    engine.flush().expect("the start record is there");
    disk.block();
    let logger = engine.logger();
    (0..RECORDS).for_each(|n| fastlog!(logger: logger, INFO, "stuck", n));
    let timed = |work: &dyn Fn() -> BarrierError| {
        let start = Instant::now();
        let error = work();
        let took = start.elapsed();
        assert!(took >= limit && took < limit + SLACK, "{took:?}: {error}");
        assert!(matches!(error, BarrierError::Timeout { waited } if waited >= limit), "{error}");
    };
    timed(&|| engine.flush_timeout(limit).expect_err("the disk hangs"));
    timed(&|| engine.sync_timeout(limit).expect_err("the disk hangs"));
    let start = Instant::now();
    let error = engine.drain_timeout(limit).expect_err("the disk hangs");
    assert!(start.elapsed() < limit + SLACK);
    assert!(matches!(error.reason(), BarrierError::Timeout { .. }), "{error}");
    let report = error.report().expect("the counts all the same");
    assert!(report.is_balanced(), "{report}");
    assert_eq!((report.submitted(), report.dropped()), (RECORDS, 0), "{report}");
    assert!(report.unpublished_bytes() > 0, "what is left is named: {report}");
    assert!(report.to_string().contains("bytes not yet in the log"), "{report}");
    assert_eq!(arena_files(dir.path()), 2, "what is left stays in the arena");
    let other = engine.drain().expect_err("the same answer again");
    assert_eq!(other.to_string(), error.to_string());
    disk.heal();
}

#[test]
fn barriers_give_up_without_progress_and_tell_how_many_wait() {
    const RECORDS: u64 = 12_000;
    let patience = Duration::from_secs(1);
    let (engine, disk, dir) = rig(|config| {
        // So much staging that it fills, so wide a ring that it holds the rest.
        config.barrier_patience(patience).staging_bytes(4 << 20).ring_bytes(16 << 20)
    });
    wait_until("the start record", || engine.stats().published_bytes() > 0);
    disk.block();
    let (logger, filler) = (engine.logger(), "x".repeat(600));
    (0..RECORDS).for_each(|n| fastlog!(logger: logger, INFO, "stuck", n, filler));
    let error = engine.flush().expect_err("nothing moves");
    assert!(matches!(error, BarrierError::Stalled { waited } if waited >= patience), "{error}");
    let error = engine.drain().expect_err("nothing moves");
    assert!(matches!(error.reason(), BarrierError::Stalled { .. }), "{error}");
    let report = error.report().expect("the counts all the same");
    assert!(report.is_balanced(), "{report}");
    assert_eq!((report.submitted(), report.dropped()), (RECORDS, 0), "{report}");
    assert!(report.pending() > 0, "{report}");
    assert_eq!(report.left_in_arena(), report.pending());
    assert_eq!(arena_files(dir.path()), 2, "what is left stays in the arena");
    disk.heal();
}

#[test]
fn a_drain_without_time_is_balanced_all_the_same() {
    for _ in 0..10 {
        let (engine, _, _dir) = rig(|config| config.ring_bytes(1 << 20));
        let logger = engine.logger();
        (0..3_000).for_each(|n| fastlog!(logger: logger, INFO, "hurry", n));
        let report = match engine.drain_timeout(Duration::ZERO) {
            Ok(report) => report,
            Err(error) => error.report().expect("the counts").clone(),
        };
        assert!(report.is_balanced(), "{report}");
        assert_eq!(report.submitted(), 3_000, "{report}");
    }
}

#[test]
fn a_detached_engine_drains_when_its_last_handle_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path()).publish_every(Duration::from_secs(10)));
    let engine = engine.expect("the engine starts");
    let (path, logger) = (log_path(&engine), engine.logger());
    let (copy, bound) = (engine.clone(), logger.with("bound", true));
    fastlog!(logger: logger, INFO, "one", n = 1);
    drop(engine);
    drop(logger);
    fastlog!(logger: bound, INFO, "two", n = 2);
    drop(copy);
    fastlog!(logger: bound, INFO, "three", n = 3);
    drop(bound);
    let logged = all_lines(&path);
    let logged: Vec<_> = logged.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!(logged, [1, 2, 3], "the last handle's end published everything");
    assert_eq!(arena_files(dir.path()), 0, "and ended the engine");
}

// [D35] [D36]
#[test]
fn a_refused_sync_is_told_until_the_file_is_replaced_and_never_tried_again() {
    let (engine, disk, dir) = rig(|config| config);
    let (path, logger) = (log_path(&engine), engine.logger());
    let bad = inode(&path);
    fastlog!(logger: logger, INFO, "lost", n = 0);
    disk.set(Faults { sync_error: Some(bad), ..Faults::default() });
    let check = |error: BarrierError| {
        let BarrierError::Sync { path: named, text, .. } = &error else { panic!("{error}") };
        assert_eq!(named, &path);
        assert!(text.contains("os error 5"), "{error}");
    };
    let syncs_of = |ino| disk.synced().iter().filter(|synced| **synced == ino).count();
    check(engine.sync().expect_err("the device refuses"));
    assert_eq!(syncs_of(bad), 1);
    // From now on the device would say that all is well. It would not be true.
    disk.heal();
    for n in 1..6 {
        fastlog!(logger: logger, INFO, "lost", n);
        check(engine.sync().expect_err("it stays lost"));
    }
    let stats = engine.stats();
    assert_eq!((stats.sync_failures(), syncs_of(bad)), (1, 1), "never tried again: {stats}");
    assert!(stats.last_failure().is_some_and(|text| text.contains("cannot sync")), "{stats}");

    let aside = dir.path().join("test.jsonl.1");
    for n in 6..9 {
        fs::rename(&path, &aside).expect("a rename");
        fastlog!(logger: logger, INFO, "kept", n);
        engine.sync().unwrap_or_else(|error| panic!("the file is replaced: {error}"));
        assert!(syncs_of(inode(&path)) >= 1 && inode(&path) != bad);
        assert_eq!(syncs_of(bad), 1, "not when it was replaced either");
        if n == 6 {
            // The number of a file that goes could come back.
            fs::rename(&aside, dir.path().join("bad")).expect("a rename");
        }
    }
    assert_eq!(numbers(&path), HashSet::from([8]));
    drain(&engine);
    assert_eq!(syncs_of(bad), 1);
}

/// Opened by its name, it has another descriptor, of which the system would say that all is well.
#[test]
fn a_file_that_refused_is_known_again_when_it_is_opened_anew() {
    let (engine, disk, dir) = rig(|config| config);
    let (path, logger) = (log_path(&engine), engine.logger());
    let (bad, aside) = (inode(&path), dir.path().join("aside"));
    fastlog!(logger: logger, INFO, "lost", n = 0);
    disk.set(Faults { sync_error: Some(bad), ..Faults::default() });
    engine.sync().expect_err("the device refuses");
    disk.heal();
    fs::rename(&path, &aside).expect("a rename");
    fastlog!(logger: logger, INFO, "in a good file", n = 1);
    engine.sync().expect("the file is replaced");
    fs::rename(&aside, &path).expect("somebody puts it back");
    let syncs_of = |ino| disk.synced().iter().filter(|synced| **synced == ino).count();
    for n in 2..5 {
        fastlog!(logger: logger, INFO, "in the bad one", n);
        let error = engine.sync().expect_err("it has refused before");
        assert!(matches!(error, BarrierError::Sync { .. }), "{error}");
        assert!(engine.stats().in_doubt_bytes() > 0);
    }
    assert_eq!((inode(&path), syncs_of(bad)), (bad, 1), "never tried again");
    assert_eq!(numbers(&path), HashSet::from([0, 2, 3, 4]));
    engine.drain().expect_err("what is in it is in doubt");
}

#[test]
fn a_refused_sync_makes_drain_fail_with_a_balanced_report() {
    let (engine, disk, _dir) = rig(|config| config);
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "lost", n = 0);
    disk.set(Faults { sync_error: Some(0), ..Faults::default() });
    let error = engine.drain().expect_err("the device refuses");
    let BarrierError::Sync { path, text, .. } = error.reason() else { panic!("{error}") };
    assert_eq!(Some(path.as_path()), engine.stats().log_path());
    assert!(text.contains("os error 5") && error.to_string().contains("power cut"), "{error}");
    let report = error.report().expect("the counts all the same");
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    assert_eq!((report.written(), disk.synced().len()), (1, 1));
    assert_eq!(report.unpublished_bytes(), 0);
}

#[test]
fn a_sync_by_itself_that_fails_is_told_at_the_next_barrier() {
    let every = SyncPolicy::Every(Duration::from_millis(1));
    let (engine, disk, _dir) = rig(|config| config.sync(every));
    let logger = engine.logger();
    disk.set(Faults { sync_error: Some(0), ..Faults::default() });
    fastlog!(logger: logger, INFO, "lost");
    wait_until("the sync to fail", || engine.stats().sync_failures() == 1);
    // The start record may have been synced before.
    let syncs = disk.synced().len();
    engine.flush().expect("it is published all the same");
    let error = engine.sync().expect_err("the device refused");
    assert!(matches!(error, BarrierError::Sync { .. }), "{error}");
    let error = engine.drain().expect_err("the device refused");
    assert!(matches!(error.reason(), BarrierError::Sync { .. }), "{error}");
    assert!(error.report().is_some_and(|report| report.is_balanced()));
    assert_eq!(disk.synced().len(), syncs, "once, however often anybody asks");
}

/// Where each batch is synced, segments are used again once they are: a file that refuses must not
/// hold them for ever.
#[test]
fn a_refused_sync_does_not_stop_a_durable_log() {
    const RECORDS: u64 = 12_000;
    let (engine, disk, dir) = rig(|config| {
        // Three times the staging is logged.
        config.sync(SyncPolicy::EachBatch).staging_bytes(4 << 20).stall_after(SLACK)
    });
    let (path, logger, text) = (log_path(&engine), engine.logger(), "x".repeat(1_000));
    let bad = inode(&path);
    disk.set(Faults { sync_error: Some(bad), ..Faults::default() });
    for n in 0..RECORDS {
        fastlog!(logger: logger, INFO, "lost", n, text = text.as_str());
    }
    check_refused(engine.sync(), bad);
    assert_eq!(numbers(&path).len() as u64, RECORDS, "it is published all the same");
    let stats = engine.stats();
    assert!(stats.in_doubt_bytes() > 12 << 20 && stats.synced_bytes() < 1 << 20, "{stats}");
    // The way out.
    fs::rename(&path, dir.path().join("bad")).expect("a rename");
    let mut n = RECORDS;
    wait_until("a sync of the next file", || {
        fastlog!(logger: logger, INFO, "good", n);
        n += 1;
        engine.sync().is_ok()
    });
    let report = drain(&engine);
    assert_eq!((report.written(), report.dropped()), (n, 0), "{report}");
}

/// Writes a file that refuses its sync, and rotates it; gives its inode.
fn rotate_a_bad_file(engine: &Engine, disk: &Disk) -> u64 {
    let (bad, logger) = (inode(&log_path(engine)), engine.logger());
    disk.set(Faults { sync_error: Some(bad), ..Faults::default() });
    let filler = "0123456789".repeat(10);
    for n in 0..600 {
        fastlog!(logger: logger, INFO, "lost", n, filler = filler.as_str());
    }
    engine.flush().expect("published");
    assert!(engine.stats().rotations() > 0 && inode(&log_path(engine)) != bad);
    bad
}

fn check_refused(outcome: Result<(), BarrierError>, bad: u64) {
    let error = outcome.expect_err("some of it is in doubt");
    let BarrierError::Sync { path, .. } = &error else { panic!("{error}") };
    assert_eq!(inode(path), bad, "{error}");
}

#[test]
fn a_rotated_file_that_refused_is_told_by_the_next_barrier_whatever_became_of_it() {
    // By itself at rotations, or not at all until a barrier asks.
    for policy in [SyncPolicy::Every(NEVER), SyncPolicy::Never] {
        let (engine, disk, _dir) = rig(|config| config.rotate_bytes(64 << 10).sync(policy));
        let bad = rotate_a_bad_file(&engine, &disk);
        if policy != SyncPolicy::Never {
            wait_until("the sync at the rotation", || engine.stats().sync_failures() == 1);
            disk.heal();
            // Others succeed meanwhile: of the next file.
            let logger = engine.logger();
            (0..1_000).for_each(|n| fastlog!(logger: logger, INFO, "good", n));
            wait_until("a good sync", || engine.stats().syncs() > 0);
        }
        check_refused(engine.sync(), bad);
        engine.sync().expect("it answers for what came after");
        let stats = engine.stats();
        let in_doubt = stats.in_doubt_bytes();
        assert!((60 << 10..=64 << 10).contains(&in_doubt), "{stats}");
        assert_eq!(stats.synced_bytes() + in_doubt, stats.published_bytes(), "{stats}");
        assert!(stats.to_string().contains("may not be on the device"), "{stats}");
        let tries = disk.synced().iter().filter(|ino| **ino == bad).count();
        assert_eq!((stats.sync_failures(), tries), (1, 1), "{stats}");
        let report = drain(&engine);
        assert_eq!(report.in_doubt_bytes(), in_doubt, "{report}");
        assert!(report.to_string().contains("bytes may not be on the device"), "{report}");
    }
}

#[test]
fn a_rotated_file_that_refused_makes_the_drain_fail_if_no_barrier_has_told_it() {
    let (engine, disk, _dir) = rig(|config| config.rotate_bytes(64 << 10));
    let bad = rotate_a_bad_file(&engine, &disk);
    let error = engine.drain().expect_err("some of it is in doubt");
    check_refused(Err(error.reason().clone()), bad);
    let report = error.report().expect("the counts all the same");
    assert!(report.is_balanced() && report.pending() == 0 && report.in_doubt_bytes() > 0);
}

#[test]
fn files_that_nobody_syncs_are_held_for_a_barrier_but_not_without_end() {
    let (engine, disk, _dir) = rig(|config| config.rotate_bytes(64 << 10).keep_free_bytes(0));
    let logger = engine.logger();
    let filler = "0123456789".repeat(100);
    for n in 0..1_600 {
        fastlog!(logger: logger, INFO, "a record", n, filler = filler.as_str());
    }
    engine.flush().expect("published");
    let files = engine.stats().rotations();
    // As many as may be open, and more if the keeper has closed some by then.
    assert!(files >= 16, "{files}");
    wait_until("the oldest to be synced", || disk.synced().len() as u64 >= files - 8);
    engine.sync().expect("the others as well");
    let synced: HashSet<_> = disk.synced().into_iter().collect();
    assert_eq!(synced.len() as u64, files + 1, "each and the present one");
    drain(&engine);
}

#[test]
fn a_file_that_was_renamed_gives_its_reserve_back() {
    const FILES: u64 = 4;
    let (engine, disk, dir) = rig(|config| config);
    let (path, logger) = (log_path(&engine), engine.logger());
    for n in 0..FILES {
        fastlog!(logger: logger, INFO, "one", n);
        engine.sync().expect("it syncs");
        let (aside, ino) = (dir.path().join(format!("old.{n}")), inode(&path));
        wait_until("the reserve", || disk.reserved().contains(&ino));
        assert!(!disk.cut().contains(&ino), "not while it is in use");
        fs::rename(&path, &aside).expect("a rename");
        fastlog!(logger: logger, INFO, "elsewhere", n = FILES + n);
        engine.sync().expect("it syncs");
        assert_eq!(disk.cut().iter().filter(|cut| **cut == ino).count(), 1, "file {n}");
    }
    drain(&engine);
    assert_eq!(disk.cut().len() as u64, FILES + 1, "the last one at the end");
}

#[test]
fn a_keeper_that_hangs_keeps_the_name_and_cuts_nothing_later() {
    let (engine, disk, dir) = rig(|config| config);
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "old", n = 0);
    engine.flush().expect("it is published");
    let before = disk.synced().len();
    disk.set(Faults { sync_blocked: true, ..Faults::default() });
    let ended = thread::scope(|scope| {
        let drain = scope.spawn(|| engine.drain_timeout(Duration::from_secs(2)));
        wait_until("the keeper to hang", || disk.synced().len() > before);
        drain.join().expect("no panic")
    });
    let error = ended.expect_err("the sync hangs");
    assert!(error.report().is_some_and(|report| report.is_balanced()), "{error}");
    drop((engine, logger));
    let successor = || Engine::detached(config(dir.path()).in_use(InUse::Fail));
    let refused = successor().err().map(|error| error.to_string());
    assert!(refused.is_some(), "the name is free while the keeper may cut its file");
    disk.heal();
    let mut started = None;
    wait_until("the name to be free", || {
        started = successor().ok();
        started.is_some()
    });
    assert!(disk.cut().is_empty(), "abandoned, it leaves the file alone");
    let engine = started.expect("it runs");
    fastlog!(logger: engine.logger(), INFO, "new", n = 1);
    let report = drain(&engine);
    assert_eq!(numbers(report.log_path().expect("a file")), HashSet::from([0, 1]));
}

#[test]
fn a_file_replaced_inside_a_line_begins_with_the_whole_line() {
    let (engine, disk, dir) = rig(|config| config);
    let (path, logger) = (log_path(&engine), engine.logger());
    fastlog!(logger: logger, INFO, "whole", n = 0);
    engine.flush().expect("it is published");
    let published = engine.stats().published_bytes();
    disk.set(Faults { hiccup_every: Some(1), ..Faults::default() });
    fastlog!(logger: logger, ERROR, "torn", n = 1);
    fastlog!(logger: logger, ERROR, "behind", n = 2);
    wait_until("a part of a line", || engine.stats().published_bytes() > published);
    let old = dir.path().join("old");
    fs::rename(&path, &old).expect("a rename");
    disk.heal();
    engine.flush().expect("it is published");
    // Two of the lines could go to the old file only if the disk took them whole.
    assert_eq!(numbers(&path), HashSet::from([1, 2]));
    assert_eq!(numbers(&old), HashSet::from([0]));
    let report = drain(&engine);
    assert_eq!(report.written(), 3, "{report}");
    assert_eq!(report.published_bytes(), engine.stats().written_bytes(), "{report}");
}

/// Where the log's name leads to nothing either, it may still be somewhere.
#[test]
fn a_replaced_file_that_cannot_be_looked_at_is_synced_all_the_same() {
    let (engine, disk, dir) = rig(|config| config);
    let (path, logger) = (log_path(&engine), engine.logger());
    let moved = inode(&path);
    fastlog!(logger: logger, INFO, "moved away", n = 0);
    engine.flush().expect("it is published");
    fs::rename(&path, dir.path().join("moved")).expect("a rename");
    fastlog!(logger: logger, INFO, "in a new file", n = 1);
    engine.flush().expect("it is published");
    fs::rename(&path, dir.path().join("moved too")).expect("a rename");
    disk.set(Faults { look_error: Some(moved), ..Faults::default() });
    engine.sync().expect("both files are synced");
    assert!(disk.synced().contains(&moved), "{:?} without {moved}", disk.synced());
    disk.heal();
    drain(&engine);
}

#[test]
fn a_sync_is_not_confirmed_before_the_names_last_and_is_tried_again() {
    let (engine, disk, dir) = rig(|config| config);
    let (path, logger) = (log_path(&engine), engine.logger());
    let parent = dir.path().canonicalize().expect("a directory");
    engine.sync().expect("it syncs");
    fs::rename(&path, dir.path().join("old")).expect("a rename");
    disk.set(Faults { sync_dir_error: Some(EIO), ..Faults::default() });
    fastlog!(logger: logger, INFO, "nameless", n = 0);
    let error = engine.sync().expect_err("the new name may be lost");
    let BarrierError::Sync { path: named, .. } = &error else { panic!("{error}") };
    assert_eq!(named, &parent, "{error}");
    assert!(engine.stats().keeper_failures() > 0);
    disk.heal();
    wait_until("the directory to recover", || engine.sync().is_ok());
    assert!(disk.synced_dirs().contains(&parent));
    drain(&engine);
}

#[test]
fn a_directory_that_the_engine_made_is_synced_in_its_parent() {
    let (disk, dir) = (Disk::new(), tempfile::tempdir().expect("a directory"));
    let config = config(&dir.path().join("new")).sync(SyncPolicy::Never).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("the engine starts");
    engine.sync().expect("it syncs");
    let parent = dir.path().canonicalize().expect("a directory");
    let synced = disk.synced_dirs();
    assert!(synced.contains(&parent) && synced.contains(&parent.join("new")), "{synced:?}");
    drain(&engine);
}

/// A disk on whose threads somebody asks the engine to wait for itself.
#[derive(Debug, Default)]
struct Inward {
    engine: OnceLock<Engine>,
    answers: Mutex<Vec<String>>,
}

impl Io for Inward {
    fn pwrite(
        &self,
        fd: std::os::fd::BorrowedFd<'_>,
        bytes: &[u8],
        offset: u64,
    ) -> std::io::Result<usize> {
        if let Some(engine) = self.engine.get() {
            let answers = [engine.flush(), engine.sync_timeout(NEVER)];
            let mut all = self.answers.lock().expect("no panic");
            all.extend(answers.map(|answer| format!("{answer:?}")));
        }
        OsIo.pwrite(fd, bytes, offset)
    }
}

#[test]
fn an_engine_thread_does_not_wait_for_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let inward = Arc::new(Inward::default());
    let engine = Engine::detached(config(dir.path()).io(Arc::clone(&inward) as _));
    let engine = engine.expect("the engine starts");
    let logger = engine.logger();
    inward.engine.set(engine.clone()).expect("set once");
    fastlog!(logger: logger, INFO, "one");
    engine.flush().expect("this thread may");
    let answers = inward.answers.lock().expect("no panic").clone();
    assert!(answers.len() >= 2);
    assert!(answers.iter().all(|answer| answer == "Err(EngineThread)"), "{answers:?}");
    drain(&engine);
}

/// A disk that panics in the middle of a write or of a sync.
#[derive(Debug, Default)]
struct Broken {
    write: AtomicBool,
    sync: AtomicBool,
}

impl Io for Broken {
    fn pwrite(
        &self,
        fd: std::os::fd::BorrowedFd<'_>,
        bytes: &[u8],
        offset: u64,
    ) -> std::io::Result<usize> {
        assert!(!self.write.load(Ordering::Relaxed), "a broken write");
        OsIo.pwrite(fd, bytes, offset)
    }

    fn fdatasync(&self, fd: std::os::fd::BorrowedFd<'_>) -> std::io::Result<()> {
        assert!(!self.sync.load(Ordering::Relaxed), "a broken sync");
        OsIo.fdatasync(fd)
    }
}

#[test]
fn a_panic_of_an_engine_thread_is_told_by_every_barrier() {
    for lost in ["publisher", "keeper"] {
        let (broken, dir) =
            (Arc::new(Broken::default()), tempfile::tempdir().expect("a directory"));
        let config = config(dir.path()).sync(SyncPolicy::Never).urgent_sync(UrgentSync::Never);
        let engine = Engine::detached(config.io(Arc::clone(&broken) as _).barrier_patience(NEVER));
        let engine = engine.expect("the engine starts");
        engine.sync().expect("it works so far");
        let flag = if lost == "keeper" { &broken.sync } else { &broken.write };
        flag.store(true, Ordering::Relaxed);
        let logger = engine.logger();
        fastlog!(logger: logger, INFO, "one", n = 1);
        let told = Err(BarrierError::Panicked { thread: lost });
        assert_eq!(engine.sync(), told);
        fastlog!(logger: logger, INFO, "two", n = 2);
        assert_eq!(engine.flush(), if lost == "keeper" { Ok(()) } else { told.clone() });
        let stats = engine.stats();
        assert!(stats.stalled() && stats.last_failure().is_some_and(|text| text.contains(lost)));
        let error = engine.drain().expect_err("it is not drained");
        assert_eq!(Err(error.reason().clone()), told);
        let report = error.report().expect("the counts all the same");
        assert!(report.is_balanced() && report.submitted() == 2, "{report}");
        let is_whole = report.pending() == 0 && report.unpublished_bytes() == 0;
        assert_eq!(is_whole, lost == "keeper", "{report}");
        assert_eq!(arena_files(dir.path()), if is_whole { 0 } else { 2 }, "what is left stays");
    }
}

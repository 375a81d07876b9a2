//! Promise: the engine follows its load. A slow device costs the callers nothing as long as there
//! is room; pressure shows in the statistics; what a burst took is given back; what was asked to be
//! shed is, and nothing else.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::disk::{Disk, Faults, memory_dir};
use common::{config, drain, lines, wait_until};
use fastlog::{
    Config, DropReason, Engine, FlushControl, Level, Overflow, Preset, Pressure, Rotate, Shed,
    SyncPolicy, fastlog,
};

const MIB: u64 = 1 << 20;

/// Logs `count` records of some 200 bytes.
fn burst(engine: &Engine, count: u64) {
    let logger = engine.logger();
    let filler = "x".repeat(80);
    for n in 0..count {
        fastlog!(logger: logger, INFO, "a record", n, filler);
    }
}

/// Bytes that the blocks of the segments' file take.
fn staged_on_disk(dir: &Path) -> u64 {
    let files = fs::read_dir(dir.join(".fastlog")).expect("a directory");
    let mut files = files.map(|entry| entry.expect("an entry").path());
    let segments = files.find(|path| path.extension().is_some_and(|e| e == "segments"));
    fs::metadata(segments.expect("the segments")).expect("a file").blocks() * 512
}

#[test]
fn a_sync_of_two_seconds_costs_the_callers_nothing() {
    // A collector without optimisation needs half of a CPU for 100,000 records a second, which a
    // busy machine does not have.
    const PER_MS: u64 = if cfg!(debug_assertions) { 4 } else { 100 };
    const MILLISECONDS: u64 = 6_000;
    let dir = memory_dir();
    let disk = Disk::new();
    disk.set(Faults { sync_delay: Duration::from_secs(2), ..Faults::default() });
    let config = Config::preset(Preset::Production).dir(dir.path()).name("test").ignore_env();
    let config = config.rotate(Rotate::Never).barrier_patience(Duration::from_secs(60));
    // Some seconds' records: other processes may take the collector's CPU for a while.
    let ring_bytes = if cfg!(debug_assertions) { 1 << 20 } else { 8 << 20 };
    let config = config.ring_bytes(ring_bytes).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config).expect("the engine starts");
    let (logger, start) = (engine.logger(), Instant::now());
    for ms in 0..MILLISECONDS {
        for n in 0..PER_MS {
            fastlog!(logger: logger, INFO, "steady", n, ms);
        }
        // The load, not a wait for anything.
        std::thread::sleep(Duration::from_millis(ms + 1).saturating_sub(start.elapsed()));
    }
    let stats = engine.stats();
    assert_eq!((stats.dropped(), stats.waits()), (0, 0), "{stats}");
    assert!(stats.flow().sync_latency() >= Duration::from_secs(2), "{stats}");
    assert!(stats.flow().sync_gap() >= Duration::from_secs(2), "{stats}");
    // Several came while a sync was under way.
    assert!(stats.syncs() <= 2 && stats.published_bytes() > PER_MS * MIB / 10, "{stats}");
    let report = drain(&engine);
    assert_eq!((report.written(), report.waits()), (PER_MS * MILLISECONDS, 0));
    assert_eq!(lines(&report).len() as u64, PER_MS * MILLISECONDS);
}

#[test]
fn what_a_burst_took_is_given_back_when_it_is_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let config = config(dir.path()).staging_bytes(32 << 20).io(Arc::clone(&disk) as _);
    let engine = Engine::detached(config.sync(SyncPolicy::Never)).expect("the engine starts");
    let before = staged_on_disk(dir.path());
    for round in 1..=2 {
        disk.set(Faults { blocked: true, ..Faults::default() });
        burst(&engine, 100_000);
        wait_until("the staging to grow", || staged_on_disk(dir.path()) > before + 12 * MIB);
        wait_until("pressure", || engine.stats().flow().pressure() >= Pressure::Elevated);
        disk.heal();
        engine.flush().expect("published");
        wait_until("calm", || engine.stats().flow().pressure() == Pressure::Calm);
        wait_until("the staging to shrink", || staged_on_disk(dir.path()) <= before + MIB);
        let flow = engine.stats().flow().clone();
        assert!(flow.pressure_changes() >= 2 * round, "{flow}");
        let seen: Duration = Pressure::ALL[1..].iter().map(|state| flow.time_at(*state)).sum();
        assert!(seen >= Duration::from_secs(round), "a cooldown each: {flow}");
    }
    let report = drain(&engine);
    assert_eq!(report.written(), 200_000);
    assert_eq!(lines(&report).len(), 200_000);
    assert!(report.to_string().contains("pressure calm"), "{report}");
}

#[test]
fn fixed_intervals_stay_and_the_staging_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let config = config(dir.path()).flush_control(FlushControl::Fixed).staging_bytes(8 << 20);
    let config = config.io(Arc::clone(&disk) as _).sync(SyncPolicy::Never);
    let engine = Engine::detached(config).expect("the engine starts");
    disk.set(Faults { blocked: true, ..Faults::default() });
    burst(&engine, 30_000);
    wait_until("pressure", || engine.stats().flow().pressure() >= Pressure::High);
    let flow = engine.stats().flow().clone();
    assert_eq!(flow.publish_every(), Duration::from_millis(5), "{flow}");
    wait_until("all to be staged", || engine.stats().written() == 30_000);
    let grown = staged_on_disk(dir.path());
    disk.heal();
    wait_until("calm", || engine.stats().flow().pressure() == Pressure::Calm);
    assert_eq!(staged_on_disk(dir.path()), grown);
    assert_eq!(drain(&engine).written(), 30_000);
}

#[test]
fn what_is_below_the_level_is_shed_and_the_rest_finds_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let config = config(dir.path()).level(Level::DEBUG).overflow(Overflow::Drop);
    let config = config.ring_bytes(128 << 10).staging_bytes(4 << 20).shed(Shed::Below(Level::WARN));
    let engine = Engine::detached(config.io(Arc::clone(&disk) as _)).expect("the engine starts");
    disk.set(Faults { blocked: true, ..Faults::default() });
    let logger = engine.logger();
    let log = |n: u64| {
        fastlog!(logger: logger, DEBUG, "verbose", n);
        fastlog!(logger: logger, INFO, "usual", n);
    };
    let mut n = 0;
    wait_until("the pressure to be critical", || {
        log(n);
        n += 1;
        engine.stats().flow().pressure() == Pressure::Critical
    });
    let full = engine.stats();
    wait_until("records to be shed", || {
        log(n);
        n += 1;
        engine.stats().losses().by_reason(DropReason::Shed) > 1_000
    });
    disk.heal();
    wait_until("calm", || engine.stats().flow().pressure() == Pressure::Calm);
    let shed = engine.stats().losses().by_reason(DropReason::Shed);
    (0..1_000).for_each(|_| log(0));
    let report = drain(&engine);
    let losses = report.losses();
    assert_eq!(losses.by_reason(DropReason::Shed), shed, "calm again, {full}");
    for level in [Level::WARN, Level::ERROR] {
        assert_eq!(losses.count(DropReason::Shed, level), 0);
    }
    assert!(losses.count(DropReason::Shed, Level::DEBUG) > 400, "{losses}");
    assert!(losses.count(DropReason::Shed, Level::INFO) > 400, "{losses}");
    let gaps = common::all_lines(report.log_path().expect("a file"));
    let told = gaps.iter().filter_map(|line| line["reasons"].as_str());
    assert!(told.into_iter().any(|reasons| reasons.contains("shed=")));
}

//! Promise [P2] [P5]: a real disk that is full, gone or read-only hurts neither the host nor what is
//! in the log. While it lasts every loss is counted and the state is told; where room comes back,
//! the log goes on where it stopped.
//!
//! Attacked on an ext4 in a file: filled by another process, shut down under load, and made
//! read-only by an error of its own. Each case is a process of its own. Where nothing can be
//! mounted the tests say so, and pass.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // The call that shuts a file system down has no safe form.

mod common;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::mount::on_image;
use common::{all_lines, drain, numbers, settle, wait_until};
use fastlog::{Config, Engine, Logger, Overflow, Rotate, fastlog};

const IMAGE_MIB: u64 = 64;
const PAD_BYTES: usize = 500;
/// So many that any ring has room for them.
const FEW: u64 = 100;

/// A configuration that drops rather than waits, with its arena on a disk that is sound.
fn config(disk: &Path) -> Config {
    let arena = common::child::dir().join("arena");
    let config = Config::default().dir(disk.join("logs")).name("test").rotate(Rotate::Never);
    let config = config.overflow(Overflow::Drop).arena_dir(arena).keep_free_bytes(0);
    config.ring_bytes(256 << 10).staging_bytes(4 << 20).ignore_env()
}

fn log(logger: &Logger, numbers: std::ops::Range<u64>) {
    let pad = "x".repeat(PAD_BYTES);
    for n in numbers {
        fastlog!(logger: logger, INFO, "load", n, pad = pad.as_str());
    }
}

/// Logs until appends fail, and then more than rings and staging hold; how many calls.
fn log_until_it_drops(engine: &Engine, logger: &Logger) -> u64 {
    const ROUND: u64 = 500;
    let mut calls = 0;
    let mut until = |what: &str, is_so: &dyn Fn() -> bool| {
        wait_until(what, || {
            log(logger, calls..calls + ROUND);
            calls += ROUND;
            is_so()
        });
    };
    until("appends to fail for good", &|| {
        let stats = engine.stats();
        stats.write_failures() > 1 && stats.stalled()
    });
    let before = engine.stats().dropped();
    until("records to be dropped for that", &|| engine.stats().dropped() > before);
    calls
}

#[test]
fn an_ext4_that_another_process_fills_and_frees() {
    /// All of number 0, which the others have once.
    const FIRST: u64 = 100;
    const LAST: u64 = 100;
    on_image("an_ext4_that_another_process_fills_and_frees", "ext4", IMAGE_MIB, |disk| {
        let engine = Engine::detached(config(disk)).expect("the engine starts");
        let logger = engine.logger();
        (0..FIRST).for_each(|_| log(&logger, 0..1));
        engine.sync().expect("there is room");
        let ballast = disk.join("ballast");
        let mut dd = Command::new("dd");
        dd.args(["if=/dev/zero", "bs=64k", "status=none"]);
        let filled =
            dd.arg(format!("of={}", ballast.display())).stderr(std::process::Stdio::null());
        assert!(!filled.status().expect("dd is there").success(), "it ends where the disk does");

        let calls = log_until_it_drops(&engine, &logger);
        let failure = engine.stats().last_failure().expect("a sentence").to_owned();
        assert!(failure.contains("cannot append") && failure.contains("os error 28"), "{failure}");
        let path = engine.stats().log_path().expect("a file").to_owned();
        let early = fs::read(&path).expect("the log");
        assert!(!early.contains(&0), "no hole");

        fs::remove_file(&ballast).expect("the other process is done");
        wait_until("the log to go on", || {
            let stats = engine.stats();
            !stats.stalled() && stats.published_bytes() == stats.written_bytes()
        });
        let dropped = engine.stats().dropped();
        log(&logger, calls..calls + LAST);
        engine.sync().expect("it works again");
        let report = drain(&engine);
        let submitted = FIRST + calls + LAST;
        assert_eq!((report.submitted(), report.dropped()), (submitted, dropped), "{report}");
        let late = fs::read(&path).expect("the log");
        assert!(late.starts_with(&early), "earlier bytes stay as they are");
        let logged = numbers(&disk.join("logs"));
        assert_eq!(logged.len() as u64, report.written(), "{report}");
        let rest = &logged[FIRST as usize..];
        assert!(rest.windows(2).all(|pair| pair[0] < pair[1]), "once each");
        assert!(rest.iter().rev().take(LAST as usize).rev().copied().eq(calls..calls + LAST));
        let told = all_lines(&path);
        let is_gap = |line: &serde_json::Value| line["dropped"].as_u64().is_some();
        assert!(told.iter().any(is_gap), "the gap is told: {:?}", told.last());
    });
}

/// `EXT4_IOC_SHUTDOWN`, of Linux's `fs/ext4/ext4.h`: `_IOR('X', 125, __u32)`.
const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
/// Without the log's last part: as if the power had gone.
const NO_LOG_FLUSH: u32 = 2;

#[test]
fn an_ext4_that_is_shut_down_under_load() {
    on_image("an_ext4_that_is_shut_down_under_load", "ext4", IMAGE_MIB, |disk| {
        let config = config(disk).barrier_patience(Duration::from_millis(500));
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        log(&logger, 0..FEW);
        engine.sync().expect("the disk is sound");
        let root = File::open(disk).expect("a directory");
        // SAFETY: the call reads one number.
        let done = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN, &NO_LOG_FLUSH) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        let calls = FEW + log_until_it_drops(&engine, &logger);
        let stats = engine.stats();
        assert!(stats.stalled(), "{stats}");
        assert!(stats.last_failure().is_some_and(|text| text.contains("os error")), "{stats}");
        engine.sync().expect_err("nothing is on the device");
        let report = settle(&engine);
        assert_eq!(report.submitted(), calls, "{report}");
        assert!(report.dropped() > 0 && report.unpublished_bytes() > 0, "{report}");
    });
}

#[test]
fn an_ext4_that_becomes_read_only_by_an_error() {
    on_image("an_ext4_that_becomes_read_only_by_an_error", "ext4", IMAGE_MIB, |disk| {
        let config = config(disk).barrier_patience(Duration::from_millis(500));
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        log(&logger, 0..FEW);
        engine.sync().expect("the disk is sound");
        if !make_read_only(disk) {
            println!("not tested: this system cannot make a file system fail");
            drain(&engine);
            return;
        }
        let calls = FEW + log_until_it_drops(&engine, &logger);
        let stats = engine.stats();
        let failure = stats.last_failure().unwrap_or_default();
        assert!(failure.contains("os error 30") || failure.contains("os error 5"), "{failure}");
        engine.sync().expect_err("nothing gets there");
        let report = settle(&engine);
        assert_eq!(report.submitted(), calls, "{report}");
        let logged = numbers(&disk.join("logs"));
        assert!(logged.len() as u64 >= FEW, "what was there is still to be read");
    });
}

/// As a bad block does it: the file system finds an error, and stops all writing.
fn make_read_only(disk: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/mounts").expect("the kernel tells");
    let at = disk.to_str().expect("UTF-8");
    let mut devices = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let device = devices.find_map(|words| (words[1] == at).then_some(words[0]));
    let device = device.and_then(|device| device.strip_prefix("/dev/")).unwrap_or_default();
    let mut remount = Command::new("mount");
    let remount = remount.args(["-o", "remount,errors=remount-ro"]).arg(disk).status();
    remount.is_ok_and(|status| status.success())
        && fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "a test").is_ok()
}

//! Promise [P5]: the host lives, whatever becomes of the file system on which the arena lies, and
//! whatever it does with `SIGBUS` itself. The account stays exact.
//!
//! Attacked by real file systems that are full where each write needs a new block (btrfs, XFS with
//! a second file made of the arena's), that shut down (XFS), or that somebody else fills (memory);
//! and by hosts with handlers of their own. Each case is a process of its own. What cannot be
//! mounted here is not tested, and says so.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // Handlers of signals have no safe form.

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::mount::{DISK, fill, mount, on_image};
use common::{child, settle, wait_until};
use fastlog::{Config, DropReason, Engine, Logger, Overflow, Preset, Rotate, SigbusGuard, fastlog};

/// A configuration that drops rather than waits, and does not wait long for a disk.
fn config(dir: &Path) -> Config {
    let config = Config::default().dir(dir).name("test").rotate(Rotate::Never).ignore_env();
    let config = config.overflow(Overflow::BlockFor(Duration::from_millis(1)));
    config.barrier_patience(Duration::from_millis(500)).ring_bytes(256 << 10).staging_bytes(8 << 20)
}

fn log(logger: &Logger, records: std::ops::Range<u64>) {
    let pad = "x".repeat(200);
    for n in records {
        fastlog!(logger: logger, INFO, "load", n, pad);
    }
}

#[test]
fn a_full_btrfs_does_not_have_the_arena() {
    on_image("a_full_btrfs_does_not_have_the_arena", "btrfs", 128, |disk| {
        let engine = Engine::detached(config(&disk.join("logs"))).expect("the engine starts");
        let stats = engine.stats();
        let arena = stats.arena_path().expect("a file").to_owned();
        assert!(arena.starts_with("/dev/shm"), "{}", arena.display());
        assert!(stats.crash_safe(), "{stats}");
        let logger = engine.logger();
        log(&logger, 0..10_000);
        fill(&disk.join("ballast"));
        log(&logger, 0..100_000);
        drop(logger);
        let stats = engine.stats();
        assert_eq!(stats.mapping_faults(), 0, "{stats}");
        let report = settle(&engine);
        let text = std::fs::read_to_string(disk.join("logs/test.jsonl")).expect("the log");
        let start: serde_json::Value =
            serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        assert_eq!(start["arena"], arena.to_str().expect("UTF-8"), "{report}");
        // What could not be published stays; recovery is not this test's.
        let _ = std::fs::remove_file(&arena);
        let _ = std::fs::remove_file(arena.with_extension("segments"));
    });
}

/// The user's choice stands, and the guard behind it.
#[test]
fn a_full_btrfs_has_the_arena_that_was_put_there() {
    on_image("a_full_btrfs_has_the_arena_that_was_put_there", "btrfs", 128, |disk| {
        let config = config(&disk.join("logs")).arena_dir(disk.join("arena"));
        survive_a_full_disk(config, disk, |_| {});
    });
}

/// A second file of the same blocks: each store to them needs a new one.
#[test]
fn an_arena_on_a_full_xfs_has_a_second_file() {
    on_image("an_arena_on_a_full_xfs_has_a_second_file", "xfs", 320, |disk| {
        survive_a_full_disk(config(&disk.join("logs")), disk, |disk| {
            let mut copy = Command::new("cp");
            copy.args(["-r", "--reflink=always"]).arg(disk.join("logs")).arg(disk.join("copy"));
            assert!(copy.status().is_ok_and(|status| status.success()), "a copy without blocks");
        });
    });
}

fn survive_a_full_disk(config: Config, disk: &Path, before: impl FnOnce(&Path)) {
    let engine = Engine::detached(config).expect("the engine starts");
    let arena = engine.stats().arena_path().expect("a file").to_owned();
    assert!(arena.starts_with(disk), "{}", arena.display());
    let logger = engine.logger();
    log(&logger, 0..20_000);
    before(disk);
    fill(&disk.join("ballast"));
    for turn in 0..20 {
        log(&logger, turn * 5_000..(turn + 1) * 5_000);
        std::thread::yield_now();
    }
    wait_until("a page that cannot be had", || {
        log(&logger, 0..1_000);
        engine.stats().mapping_faults() > 0
    });
    drop(logger);
    let stats = engine.stats();
    assert!(!stats.crash_safe(), "{stats}");
    let report = settle(&engine);
    assert_eq!(report.losses().by_reason(DropReason::Damaged), 0, "nothing was lost: {report}");
    println!("{} pages", stats.mapping_faults());
}

#[test]
fn an_xfs_shuts_down_under_the_arena() {
    on_image("an_xfs_shuts_down_under_the_arena", "xfs", 320, |disk| {
        let engine = Engine::detached(config(&disk.join("logs"))).expect("the engine starts");
        let logger = engine.logger();
        log(&logger, 0..10_000);
        engine.flush().expect("published");
        let mut shutdown = Command::new("xfs_io");
        shutdown.args(["-x", "-c", "shutdown"]).arg(disk);
        assert!(shutdown.status().is_ok_and(|status| status.success()), "it shuts down");
        for turn in 0..20 {
            log(&logger, turn * 5_000..(turn + 1) * 5_000);
            std::thread::yield_now();
        }
        drop(logger);
        let report = settle(&engine);
        println!("{report}\n{} faults", engine.stats().mapping_faults());
    });
}

/// Segments whose memory was taken back must not be looked at: a read of a hole needs a page too.
#[test]
fn somebody_else_fills_the_memory_that_the_arena_lies_in() {
    let case = "somebody_else_fills_the_memory_that_the_arena_lies_in";
    let dir = tempfile::tempdir().expect("a directory");
    if child::case().is_none() && !mount("size=64m", dir.path()) {
        println!("not tested: mounting a tmpfs is not allowed here");
        return;
    }
    let disk = dir.path().to_owned();
    let ended = child::run_with(
        case,
        |command| {
            command.env(DISK, &disk);
        },
        |dir| {
            let disk = std::env::var_os(DISK).expect("a disk");
            let disk = Path::new(&disk);
            let config = Config::preset(Preset::LowLatency).dir(dir.join("logs")).name("test");
            let config = config.arena_dir(disk).overflow(Overflow::Block).ignore_env();
            let engine = Engine::detached(config).expect("the engine starts");
            let logger = engine.logger();
            let resident = || rustix::fs::statvfs(disk).map(|space| space.f_bfree).expect("space");
            log(&logger, 0..100_000);
            engine.flush().expect("published");
            let after_burst = resident();
            // Some segments at least give their memory back when the burst is over.
            let start = std::time::Instant::now();
            wait_until("memory of segments to be given back", || {
                resident() > after_burst || start.elapsed() > Duration::from_secs(3)
            });
            fill(&disk.join("other"));
            log(&logger, 0..50_000);
            engine.flush().expect("published");
            drop(logger);
            let report = common::drain(&engine);
            assert_eq!(report.dropped(), 0, "{report}");
            assert_eq!(engine.stats().mapping_faults(), 0);
        },
    );
    if ended.is_some() {
        let unmounted = Command::new("umount").arg("-l").arg(dir.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

static FOREIGN: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    FOREIGN.fetch_add(1, Ordering::Relaxed);
}

/// A fault in one of the engine's mappings, which the guard mends.
fn own_fault(engine: &Engine) {
    let arena = engine.stats().arena_path().expect("a file").to_owned();
    let before = engine.stats().mapping_faults();
    let file = std::fs::OpenOptions::new().write(true).open(&arena).expect("the arena");
    file.set_len(0).expect("cut");
    let logger = engine.logger();
    wait_until("a fault", || {
        log(&logger, 0..100);
        engine.stats().mapping_faults() > before
    });
}

fn raise() {
    // SAFETY: sends a signal to this thread.
    assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0);
}

#[test]
fn a_hosts_handler_from_before_the_start_is_called() {
    child::run("a_hosts_handler_from_before_the_start_is_called", |dir| {
        // SAFETY: the function only counts.
        unsafe { libc::signal(libc::SIGBUS, count as *const () as usize) };
        let engine = Engine::detached(common::config(dir)).expect("the engine starts");
        own_fault(&engine);
        assert_eq!(FOREIGN.load(Ordering::Relaxed), 0, "ours are ours");
        raise();
        assert_eq!(FOREIGN.load(Ordering::Relaxed), 1, "theirs are theirs");
        common::drain(&engine);
    });
}

static FOUND: std::sync::OnceLock<libc::sigaction> = std::sync::OnceLock::new();

/// Counts, and calls the handler that was found, as a crash reporter does.
extern "C" fn count_and_call(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    FOREIGN.fetch_add(1, Ordering::Relaxed);
    let found = FOUND.get().expect("set before it was installed");
    // SAFETY: found installed, with the flag of a handler of this kind, as was asserted.
    unsafe {
        type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        std::mem::transmute::<usize, WithInfo>(found.sa_sigaction)(signal, info, context);
    }
}

#[test]
fn a_hosts_handler_from_after_the_start_works_with_the_engines() {
    child::run("a_hosts_handler_from_after_the_start_works_with_the_engines", |dir| {
        let engine = Engine::detached(common::config(dir)).expect("the engine starts");
        // SAFETY: structures of numbers and sets of signals, for which zeros are valid.
        let (mut found, mut own): (libc::sigaction, libc::sigaction) =
            unsafe { std::mem::zeroed() };
        // SAFETY: the call writes to `found` alone.
        unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut found) };
        assert!(found.sa_flags & libc::SA_SIGINFO != 0 && found.sa_flags & libc::SA_ONSTACK != 0);
        assert!(FOUND.set(found).is_ok());
        own.sa_sigaction = count_and_call as *const () as usize;
        own.sa_flags = libc::SA_SIGINFO;
        // SAFETY: a handler that lives as long as the process.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const own, std::ptr::null_mut()) };
        own_fault(&engine);
        assert!(FOREIGN.load(Ordering::Relaxed) > 0, "asked first");
        wait_until("the word that ours was replaced", || {
            engine.stats().last_failure().is_some_and(|text| text.contains("SIGBUS"))
        });
        common::drain(&engine);
    });
}

/// What overflows a stack is told by Rust's own handler, with the engine's guard in place.
#[test]
fn an_overflow_of_the_stack_is_reported_as_ever() {
    let case = "an_overflow_of_the_stack_is_reported_as_ever";
    if child::case().as_deref() == Some(case) {
        let dir = child::dir();
        let _engine = Engine::detached(common::config(&dir)).expect("the engine starts");
        println!("{}", deep(0));
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let ended = child::Running::start(&mut child::command(case, dir.path()), dir).end();
    assert!(
        !ended.status.success() && ended.stderr.contains("has overflowed its stack"),
        "{ended}"
    );
}

#[allow(unconditional_recursion, reason = "that is what is tested")]
fn deep(n: u64) -> u64 {
    std::hint::black_box([n; 100])[50] + deep(n + 1)
}

/// Without the guard a page that cannot be had is the process's end, as before.
#[test]
fn without_the_guard_nothing_is_installed() {
    child::run("without_the_guard_nothing_is_installed", |dir| {
        let present = || {
            // SAFETY: as above.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: the call writes to `action` alone.
            unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut action) };
            action.sa_sigaction
        };
        let before = present();
        let config = common::config(dir).sigbus_guard(SigbusGuard::Off);
        let engine = Engine::detached(config).expect("the engine starts");
        log(&engine.logger(), 0..1_000);
        assert_eq!(present(), before);
        common::drain(&engine);
        let engine = Engine::detached(common::config(dir)).expect("the engine starts");
        assert_ne!(present(), before);
        common::drain(&engine);
    });
}

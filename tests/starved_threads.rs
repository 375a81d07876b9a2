//! Promise [P1] [P2] [P5]: a thread of the engine that gets no time costs the host neither time nor
//! memory without end: calls do what the overflow policy says, each loss is counted, barriers give up in time, and
//! when the thread goes on, all that was kept is in the log. And one processor is enough.
//!
//! Attacked by freezing one thread in a control group of its own (version 2, which a thread may
//! have), and by a process that has one processor and wants it for itself. Each case is a process
//! of its own. Where there are no such groups the tests say so, and pass.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // Which processors a process may use is set by libc alone.

mod common;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::child::run;
use common::disk::memory_dir;
use common::{drain, lines, numbers, resident_bytes, wait_until};
use fastlog::{BarrierError, Config, Engine, Logger, Overflow, Preset, Rotate, fastlog};

/// Where groups of version 2 are, beside those of version 1 or instead of them.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// This process in a group of its own, and one below it for threads that stand still.
struct Freezer {
    root: PathBuf,
    process: PathBuf,
    threads: PathBuf,
}

impl Freezer {
    /// None, with a word, where there is no such thing.
    fn new() -> Option<Freezer> {
        let is_version_2 = |root: &&Path| root.join("cgroup.procs").exists();
        let root = ROOTS.iter().map(Path::new).find(is_version_2)?;
        let process = root.join(format!("fastlog-test-{}", std::process::id()));
        let threads = process.join("frozen");
        let freezer = Freezer { root: root.to_owned(), process, threads };
        match freezer.set_up() {
            Ok(()) => Some(freezer),
            Err(error) => {
                println!("not tested: threads cannot be frozen here: {error}");
                None
            }
        }
    }

    fn set_up(&self) -> io::Result<()> {
        fs::create_dir(&self.process)?;
        fs::write(self.process.join("cgroup.procs"), std::process::id().to_string())?;
        fs::create_dir(&self.threads)?;
        fs::write(self.threads.join("cgroup.type"), "threaded")
    }

    /// Freezes a thread of this process by its name.
    fn freeze(&self, name: &str) {
        let tasks = fs::read_dir("/proc/self/task").expect("the kernel tells");
        let mut tasks = tasks.map(|task| task.expect("a task").path());
        let is_it = |task: &PathBuf| {
            fs::read_to_string(task.join("comm")).is_ok_and(|comm| name.starts_with(comm.trim()))
        };
        let task = tasks.find(is_it).expect("it runs");
        let id = task.file_name().and_then(|id| id.to_str()).expect("a number");
        fs::write(self.threads.join("cgroup.threads"), id).expect("it is moved");
        fs::write(self.threads.join("cgroup.freeze"), "1").expect("it freezes");
        let events = self.threads.join("cgroup.events");
        wait_until("the thread to stand still", || {
            fs::read_to_string(&events).is_ok_and(|events| events.contains("frozen 1"))
        });
    }

    /// It goes on.
    fn thaw(&self) {
        fs::write(self.threads.join("cgroup.freeze"), "0").expect("it thaws");
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // Else a test that failed would hang.
        let _ = fs::write(self.threads.join("cgroup.freeze"), "0");
        let _ = fs::write(self.root.join("cgroup.procs"), std::process::id().to_string());
        for group in [&self.threads, &self.process] {
            // An empty group that stays does nothing.
            let _ = fs::remove_dir(group);
        }
    }
}

/// So many that rings and staging overflow.
const RECORDS: u64 = 40_000;
/// What the engine may take meanwhile: rings, segments, and what the allocator keeps.
const MEMORY_MAX: u64 = 48 << 20;

fn config(dir: &Path) -> Config {
    let config = Config::default().dir(dir).name("test").rotate(Rotate::Never).ignore_env();
    let config = config.ring_bytes(256 << 10).staging_bytes(4 << 20);
    config.barrier_patience(Duration::from_secs(1))
}

fn log(logger: &Logger, numbers: std::ops::Range<u64>) {
    let pad = "x".repeat(200);
    for n in numbers {
        fastlog!(logger: logger, INFO, "load", n, pad = pad.as_str());
    }
}

/// Logs while a thread stands still, under each policy; what was kept is in the log in the end.
fn without(thread: &str) {
    let Some(freezer) = Freezer::new() else { return };
    // Where a sync takes no time, so that it is the thread alone that anybody waits for.
    let dir = memory_dir();
    let policies = [
        Overflow::Drop,
        Overflow::BlockFor(Duration::from_millis(1)),
        // Gives up when nothing moves for as long as this.
        Overflow::Block,
    ];
    for policy in policies {
        let config = config(&dir.path().join(format!("{policy:?}")))
            .overflow(policy)
            .stall_after(Duration::from_millis(200));
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        log(&logger, 0..1);
        engine.sync().expect("all threads run");
        let before = resident_bytes();
        freezer.freeze(thread);
        log(&logger, 1..RECORDS);
        let stats = engine.stats();
        assert!(stats.dropped() > 0 && stats.submitted() == RECORDS, "{policy:?}: {stats}");
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < MEMORY_MAX, "{grown} bytes");
        let error = engine.flush().expect_err("nothing moves");
        assert!(matches!(error, BarrierError::Stalled { .. }), "{error}");
        freezer.thaw();
        wait_until("all that was kept", || engine.flush().is_ok());
        let report = drain(&engine);
        assert_eq!(report.submitted(), RECORDS, "{report}");
        let kept = lines(&report);
        let numbers: Vec<_> = kept.iter().filter_map(|line| line["n"].as_u64()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "in order, and once each");
    }
}

#[test]
fn without_the_collector_calls_follow_their_policy() {
    run("without_the_collector_calls_follow_their_policy", |_| {
        without("fastlog-collector");
    });
}

#[test]
fn without_the_publisher_calls_follow_their_policy() {
    run("without_the_publisher_calls_follow_their_policy", |_| {
        without("fastlog-publisher");
    });
}

#[test]
fn without_the_keeper_the_log_goes_on_and_no_sync_is_confirmed() {
    run("without_the_keeper_the_log_goes_on_and_no_sync_is_confirmed", |_| {
        let Some(freezer) = Freezer::new() else { return };
        let dir = memory_dir();
        let dir = dir.path();
        let config = config(dir).overflow(Overflow::Block).rotate_bytes(1 << 20);
        let engine = Engine::detached(config.stall_after(Duration::from_secs(60)));
        let engine = engine.expect("the engine starts");
        let logger = engine.logger();
        log(&logger, 0..1);
        engine.sync().expect("all threads run");
        freezer.freeze("fastlog-keeper");
        log(&logger, 1..RECORDS);
        wait_until("all to be published", || engine.flush().is_ok());
        engine.sync().expect_err("nobody syncs");
        assert_eq!(engine.stats().dropped(), 0);
        freezer.thaw();
        wait_until("a sync", || engine.sync().is_ok());
        let report = drain(&engine);
        assert_eq!((report.written(), report.dropped()), (RECORDS, 0), "{report}");
        assert!(numbers(dir).into_iter().eq(0..RECORDS), "{report}");
    });
}

/// This process may use one processor from now on, and so may the threads that it starts.
fn use_one_processor() {
    // SAFETY: a set of numbers, for which zeros are valid.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: reads the set of this process into ours.
    unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    // SAFETY: as above.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: reads a set that is ours.
    let first = (0..1024).find(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).expect("one");
    // SAFETY: changes a set that is ours.
    unsafe { libc::CPU_SET(first, &mut one) };
    // SAFETY: reads the set.
    assert_eq!(unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) }, 0);
}

/// The program wants the processor too, all of it.
#[test]
fn one_processor_is_enough() {
    const THREADS: u64 = 4;
    const BUSY_THREADS: u64 = 3;
    const EACH: u64 = 5_000;
    run("one_processor_is_enough", |dir| {
        use_one_processor();
        // `LowLatency` has a collector that spins.
        for preset in [Preset::Production, Preset::LowLatency, Preset::Durable] {
            let dir = dir.join(format!("{preset:?}"));
            let config = common::patient(Config::preset(preset).dir(dir).name("test"));
            let engine = Engine::detached(config.rotate(Rotate::Never).ignore_env());
            let engine = engine.expect("the engine starts");
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..BUSY_THREADS {
                    scope.spawn(|| {
                        while !is_over.load(Ordering::Relaxed) {
                            std::hint::spin_loop();
                        }
                    });
                }
                let loggers = (0..THREADS).map(|who| {
                    let logger = engine.logger();
                    scope.spawn(move || log(&logger, who * EACH..(who + 1) * EACH))
                });
                let loggers: Vec<_> = loggers.collect();
                loggers.into_iter().for_each(|logger| logger.join().expect("no panic"));
                engine.sync().expect("on the device");
                is_over.store(true, Ordering::Relaxed);
            });
            let report = drain(&engine);
            assert_eq!((report.written(), report.dropped()), (THREADS * EACH, 0), "{report}");
            let mut numbers: Vec<_> =
                lines(&report).iter().filter_map(|line| line["n"].as_u64()).collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..THREADS * EACH), "{preset:?}");
        }
    });
}

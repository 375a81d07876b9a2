//! Promise [P1] [P2] [P5]: a full ring does what its policy says, and no loss is silent. `Drop`
//! never waits, `BlockFor` waits its budget once per stall, `Block` as long as the output makes
//! progress, `BlockForever` longer; ERROR and above have a reserve. Each loss is counted by level
//! and reason, and told in the log.
//!
//! Attacked with a disk that blocks, fills up, fails, writes short and crawls, behind the smallest
//! rings and the least staging.

mod common;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use common::disk::{Disk, ENOSPC, Faults};
use common::{all_lines, resident_bytes, wait_until};
use fastlog::{
    Config, DrainReport, DropReason, Engine, Io, Level, Logger, OsIo, Overflow, fastlog,
};
use serde_json::Value;
use tempfile::TempDir;

const STAGING_BYTES: usize = 4 << 20;
/// Calls that may still find room when staging and ring are all but full.
const ROOM: u64 = 60;
/// Far beyond any test.
const NEVER: Duration = Duration::from_secs(3600);
/// Less than any wait per record would take in all, more than a loaded machine needs for none.
const SOON: Duration = Duration::from_secs(60);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An engine with small rings and a disk of its own.
struct Rig {
    engine: Engine,
    logger: Logger,
    disk: Arc<Disk>,
    dir: TempDir,
    filler: String,
}

impl Rig {
    fn new(overflow: Overflow, stall_after: Duration) -> Rig {
        Rig::with(|config| config.overflow(overflow).stall_after(stall_after))
    }

    fn with(configure: impl FnOnce(Config) -> Config) -> Rig {
        let (disk, dir) = (Disk::new(), tempfile::tempdir().expect("a directory"));
        let config = common::config(dir.path())
            .record_bytes(1024)
            .ring_bytes(16 << 10)
            .staging_bytes(STAGING_BYTES)
            .io(Arc::clone(&disk) as _);
        let engine = Engine::detached(configure(config)).expect("the engine starts");
        let logger = engine.logger();
        Rig { engine, logger, disk, dir, filler: "x".repeat(600) }
    }

    fn info(&self, n: u64) {
        fastlog!(logger: &self.logger, INFO, "i", n, filler = self.filler);
    }

    fn error(&self, n: u64) {
        fastlog!(logger: &self.logger, ERROR, "e", n, filler = self.filler);
    }

    fn critical(&self, n: u64) {
        fastlog!(logger: &self.logger, CRITICAL, "c", n, filler = self.filler);
    }

    fn lost(&self, reason: DropReason, level: Level) -> u64 {
        self.engine.stats().losses().count(reason, level)
    }

    /// Whether all staging is full of lines, so that the collector waits for the output.
    fn is_jammed(&self) -> bool {
        self.engine.stats().written_bytes() as usize > STAGING_BYTES - 4 * 2048
    }

    /// Logs INFO until staging and this thread's ring are full; how many calls.
    fn jam(&self) -> u64 {
        let mut calls = 0;
        let mut call = |times| {
            (0..times).for_each(|n| self.info(calls + n));
            calls += times;
        };
        wait_until("the staging to fill", || {
            call(10);
            self.is_jammed()
        });
        // As many as two rings hold.
        call(ROOM);
        calls
    }

    fn recover(&self) {
        self.disk.heal();
        wait_until("the output to recover", || {
            let stats = self.engine.stats();
            !stats.stalled() && stats.published_bytes() == stats.written_bytes()
        });
        self.engine.flush().expect("it works again");
    }

    /// Drains, and checks that the log holds what the report says, the losses too.
    fn end(self, calls: u64) -> Ended {
        let report = common::drain(&self.engine);
        assert_eq!(report.submitted(), calls, "each call is counted: {report}");
        let (lines, own): (Vec<_>, Vec<_>) = all_lines(report.log_path().expect("a file"))
            .into_iter()
            .partition(|line| line["target"] != "fastlog");
        assert_eq!(lines.len() as u64, report.written(), "{report}");
        assert_eq!(own.len() as u64, report.own_records());
        check_gaps(&own, &report);
        let staged = staged_bytes(self.dir.path());
        assert_eq!(staged, 0, "a clean drain leaves no arena");
        Ended { report, lines }
    }
}

struct Ended {
    report: DrainReport,
    lines: Vec<Value>,
}

impl Ended {
    /// The numbers of the lines with a message.
    fn numbers(&self, message: &str) -> Vec<u64> {
        let of_message = self.lines.iter().filter(|line| line["message"] == message);
        of_message.map(|line| line["n"].as_u64().expect("a number")).collect()
    }
}

/// Bytes in segment files.
fn staged_bytes(dir: &Path) -> u64 {
    let names = std::fs::read_dir(dir.join(".fastlog")).expect("the private directory");
    let files = names.map(|entry| entry.expect("an entry"));
    let segments = files.filter(|entry| entry.path().extension().is_some_and(|e| e == "segments"));
    segments.map(|entry| entry.metadata().expect("its length").len()).sum()
}

/// The numbers in `INFO=3 ERROR=1`.
fn count_of(counts: &Value, name: &str) -> u64 {
    let words = counts.as_str().expect("counts").split(' ');
    let mut pairs = words.filter_map(|word| word.split_once('='));
    pairs.find(|(key, _)| *key == name).map_or(0, |(_, count)| count.parse().expect("a number"))
}

/// All gap records together tell the losses of the report, by level and by reason.
fn check_gaps(own: &[Value], report: &DrainReport) {
    let is_gap = |line: &&Value| line.get("reasons").is_some();
    let gaps: Vec<_> = own.iter().filter(is_gap).collect();
    let sum = |count: &dyn Fn(&Value) -> u64| gaps.iter().map(|gap| count(gap)).sum::<u64>();
    let losses = report.losses();
    assert_eq!(sum(&|gap| gap["dropped"].as_u64().expect("a count")), report.dropped());
    for level in Level::ALL {
        let told = sum(&|gap| count_of(&gap["levels"], level.as_str()));
        assert_eq!(told, losses.by_level(level), "{level}");
    }
    for reason in DropReason::ALL {
        let told = sum(&|gap| count_of(&gap["reasons"], reason.as_str()));
        assert_eq!(told, losses.by_reason(reason), "{}", reason.as_str());
    }
    for gap in &gaps {
        assert!(gap["since"].as_str() <= gap["until"].as_str(), "{gap}");
        assert_eq!(gap["level"], "WARN");
        let message = format!("{} records were dropped here", gap["dropped"]);
        assert_eq!(gap["message"], message.as_str());
    }
}

#[test]
fn drop_never_waits_and_counts_each_loss() {
    const CALLS: u64 = 10_000;
    let rig = Rig::new(Overflow::Drop, NEVER);
    rig.disk.block();
    let mut calls = rig.jam();
    let (before, start) = (rig.lost(DropReason::Full, Level::INFO), Instant::now());
    (0..CALLS).for_each(|n| rig.info(n));
    calls += CALLS;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let lost = rig.lost(DropReason::Full, Level::INFO) - before;
    assert!((CALLS - ROOM..=CALLS).contains(&lost), "{lost} of {CALLS} lost in a full ring");
    assert!(!rig.engine.stats().stalled(), "nobody waited");
    rig.recover();
    rig.info(1_000_000);
    let ended = rig.end(calls + 1);
    let losses = ended.report.losses();
    assert_eq!(losses.by_reason(DropReason::Full), losses.total());
    assert_eq!(ended.numbers("i").last(), Some(&1_000_000), "the ring takes records again");
}

#[test]
fn errors_have_a_reserve_and_wait_once_under_drop() {
    const CALLS: u64 = 2_000;
    let rig = Rig::new(Overflow::Drop, NEVER);
    rig.disk.block();
    let calls = rig.jam();
    let lost = |rig: &Rig| {
        let of = |level| rig.lost(DropReason::Full, level);
        [of(Level::INFO), of(Level::ERROR), of(Level::CRITICAL)]
    };
    let before = lost(&rig);
    rig.error(0);
    rig.critical(1);
    assert_eq!(lost(&rig), before, "two of the longest records fit the reserve");
    (0..2 * ROOM).for_each(|n| rig.info(n));
    assert!(lost(&rig)[0] >= before[0] + ROOM, "the reserve is not for INFO");
    let start = Instant::now();
    (0..CALLS).for_each(|n| rig.error(2 + n));
    let took = start.elapsed();
    let [_, errors, criticals] = lost(&rig);
    assert!(
        errors > CALLS - ROOM && criticals == 0,
        "{errors}, {criticals}: the reserve is bounded"
    );
    assert!(took >= ms(50) && took < SOON, "50 ms per stall, not per record: {took:?}");
    rig.recover();
    let ended = rig.end(calls + 2 + 2 * ROOM + CALLS);
    assert_eq!(ended.numbers("e")[0], 0);
    assert_eq!(ended.numbers("c"), [1]);
}

#[test]
fn block_for_spends_its_budget_once_per_stall() {
    const BUDGET: Duration = Duration::from_millis(400);
    const CALLS: u64 = 400;
    let rig = Rig::new(Overflow::BlockFor(BUDGET), NEVER);
    let mut calls = 0;
    for stall in 0..3 {
        rig.disk.block();
        let (before, start) = (rig.engine.stats().dropped(), Instant::now());
        wait_until("the budget to be spent", || {
            rig.info(calls);
            calls += 1;
            rig.engine.stats().dropped() > before
        });
        let took = start.elapsed();
        assert!(took >= BUDGET, "stall {stall} was given {took:?} only");
        let start = Instant::now();
        (0..CALLS).for_each(|n| rig.info(n));
        calls += CALLS;
        let took = start.elapsed();
        assert!(took < SOON, "stall {stall} took {took:?}: a wait for each record");
        rig.recover();
        // From an empty ring to one that has half drained: a new stall has a new budget.
        let before = rig.engine.stats().dropped();
        rig.info(0);
        calls += 1;
        assert_eq!(rig.engine.stats().dropped(), before, "there is room again");
    }
    let losses = *rig.end(calls).report.losses();
    assert!(losses.total() >= 3, "{losses}");
    assert_eq!(losses.by_reason(DropReason::Full), losses.total(), "{losses}");
}

#[test]
fn block_gives_up_when_the_output_hangs_and_recovers_with_it() {
    const CALLS: u64 = 10_000;
    let rig = Rig::new(Overflow::Block, ms(200));
    rig.disk.block();
    let mut calls = rig.jam();
    wait_until("the stall", || {
        rig.info(calls);
        calls += 1;
        rig.engine.stats().stalled()
    });
    let start = Instant::now();
    (0..CALLS).for_each(|n| rig.info(n));
    calls += CALLS;
    assert!(start.elapsed() < SOON, "calls drop at once: {:?}", start.elapsed());
    assert!(rig.lost(DropReason::Stalled, Level::INFO) >= CALLS);
    rig.recover();
    // A machine so loaded that the engine's threads do not run is a short stall, too.
    wait_until("calls to block again instead of dropping", || {
        let before = rig.engine.stats().dropped();
        (0..CALLS).for_each(|n| rig.info(n));
        calls += CALLS;
        rig.engine.stats().dropped() == before
    });
    let losses = *rig.end(calls).report.losses();
    assert_eq!(losses.by_reason(DropReason::Stalled), losses.total(), "{losses}");
}

#[test]
fn block_drops_at_once_after_a_failed_write() {
    const CALLS: u64 = 2_000;
    let rig = Rig::new(Overflow::Block, NEVER);
    rig.disk.set(Faults { write_error: Some(ENOSPC), ..Faults::default() });
    let mut calls = rig.jam();
    let stats = rig.engine.stats();
    assert!(stats.stalled() && stats.write_failures() > 0 && stats.dropped() > 0, "{stats}");
    let failure = stats.last_failure().expect("a sentence").to_owned();
    assert!(failure.contains("test.jsonl") && failure.contains("os error 28"), "{failure}");
    // The reserve is open to errors, but nobody waits for a disk that says no.
    let start = Instant::now();
    (0..CALLS).for_each(|n| rig.error(n));
    calls += CALLS;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(rig.lost(DropReason::Stalled, Level::ERROR) < CALLS, "the reserve took some");
    rig.recover();
    let before = rig.engine.stats().dropped();
    (0..CALLS).for_each(|n| rig.info(n));
    calls += CALLS;
    assert_eq!(rig.engine.stats().dropped(), before, "it blocks again instead of dropping");
    let losses = *rig.end(calls).report.losses();
    assert_eq!(losses.by_reason(DropReason::Stalled), losses.total(), "{losses}");
}

#[test]
fn block_waits_for_a_disk_that_crawls() {
    // All staging takes three times as long as the patience with an output that does nothing.
    const CALLS: u64 = 9_000;
    let rig = Rig::new(Overflow::Block, ms(6000));
    let crawl = Faults { write_max: Some(64 << 10), write_delay: ms(280), ..Faults::default() };
    rig.disk.set(crawl);
    (0..CALLS).for_each(|n| rig.info(n));
    let stats = rig.engine.stats();
    assert_eq!(stats.dropped(), 0, "the output makes progress: {stats}");
    assert!(stats.written_bytes() as usize > STAGING_BYTES, "there was something to wait for");
    rig.disk.heal();
    let ended = rig.end(CALLS);
    assert_eq!(ended.report.written(), CALLS);
}

#[test]
fn block_forever_waits_through_failures() {
    const CALLS: u64 = 12_000;
    let rig = Rig::new(Overflow::BlockForever, ms(100));
    rig.disk.set(Faults { write_error: Some(ENOSPC), ..Faults::default() });
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            (0..CALLS).for_each(|n| rig.info(n));
            is_done.store(true, Ordering::Relaxed);
        });
        wait_until("the jam", || rig.is_jammed());
        let failures = rig.engine.stats().write_failures();
        wait_until("more failures", || rig.engine.stats().write_failures() > failures + 2);
        assert!(!is_done.load(Ordering::Relaxed), "it hangs, as it says");
        rig.disk.block();
        wait_until("a write that hangs", || rig.disk.is_holding());
        assert!(!is_done.load(Ordering::Relaxed), "it hangs, as it says");
        rig.disk.heal();
    });
    let ended = rig.end(CALLS);
    assert_eq!(ended.report.dropped(), 0);
    assert!(ended.numbers("i").into_iter().eq(0..CALLS), "nothing lost, nothing doubled");
}

#[test]
fn short_and_failed_writes_continue_the_same_line() {
    const CALLS: u64 = 3_000;
    let rig = Rig::new(Overflow::BlockForever, NEVER);
    // Some 4,000 writes to a megabyte, of which every 300th goes wrong.
    rig.disk.set(Faults { write_max: Some(509), hiccup_every: Some(300), ..Faults::default() });
    (0..CALLS).for_each(|n| rig.info(n));
    rig.engine.flush().expect("it comes through");
    let stats = rig.engine.stats();
    assert!(stats.write_failures() >= 5 && rig.disk.writes() > CALLS, "{stats}");
    let ended = rig.end(CALLS);
    assert!(ended.numbers("i").into_iter().eq(0..CALLS), "nothing lost, nothing doubled");
}

#[test]
fn a_flood_into_a_blocked_disk_takes_bounded_memory() {
    const CALLS: u64 = 100_000;
    const THREADS: u64 = 300;
    let most = 16 + 2;
    let rig = Rig::with(|config| config.overflow(Overflow::Drop).max_rings(16));
    rig.disk.block();
    let mut calls = rig.jam();
    let before = resident_bytes();
    (0..CALLS).for_each(|n| rig.info(n));
    calls += CALLS;
    // Threads come and go and leave full rings behind.
    for _ in 0..THREADS {
        thread::scope(|scope| {
            scope.spawn(|| (0..40).for_each(|n| rig.info(n)));
        });
        calls += 40;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more, other tests' included");
    let stats = rig.engine.stats();
    assert!(stats.rings() <= most, "{} rings for two threads at a time", stats.rings());
    assert!(stats.written_bytes() as usize <= STAGING_BYTES, "{stats}");
    assert_eq!(staged_bytes(rig.dir.path()), STAGING_BYTES as u64);
    rig.recover();
    let ended = rig.end(calls);
    assert!(ended.report.dropped() > 0);
}

/// A disk that logs about the first write it is asked for, to the engine whose write it is.
#[derive(Debug, Default)]
struct Chatty {
    logger: OnceLock<Logger>,
    has_logged: AtomicBool,
}

impl Chatty {
    /// More than staging and ring hold, while nobody else frees any.
    const RECORDS: u64 = 10_000;
}

impl Io for Chatty {
    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if let Some(logger) = self.logger.get() {
            if !self.has_logged.swap(true, Ordering::Relaxed) {
                let filler = "x".repeat(600);
                (0..Chatty::RECORDS).for_each(|n| {
                    fastlog!(logger: logger, INFO, "chat", n, filler);
                });
            }
        }
        OsIo.pwrite(fd, bytes, offset)
    }
}

#[test]
fn an_engine_thread_that_logs_never_waits_whatever_the_policy() {
    for overflow in [Overflow::Block, Overflow::BlockForever] {
        let (chatty, dir) =
            (Arc::new(Chatty::default()), tempfile::tempdir().expect("a directory"));
        let config = common::config(dir.path())
            .overflow(overflow)
            .record_bytes(1024)
            .ring_bytes(16 << 10)
            .staging_bytes(STAGING_BYTES)
            .io(Arc::clone(&chatty) as _);
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        chatty.logger.set(logger.clone()).expect("set once");
        fastlog!(logger: logger, INFO, "one");
        engine.flush().expect("the publisher does not wait for itself");
        let report = common::drain(&engine);
        assert_eq!(report.submitted(), Chatty::RECORDS + 1, "{report}");
        let full = report.losses().by_reason(DropReason::Full);
        assert!(full > 0 && full == report.dropped(), "{report}");
    }
}

//! What a child does: it logs from several threads and keeps account, outside the disk whose power
//! will be cut, of what is confirmed to be on the device.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastlog::{Config, Engine, Logger, Overflow, Preset, Rotate, fastlog};

use crate::common::acks::Acks;
use crate::common::child;
use crate::common::give_way;
use crate::common::life::{self, DRAINED, RUNNING, STARTING};
use crate::common::random::Random;

/// What a child follows: the promise, a seed, its number among the run's lives, and what it does.
const PLAN: &str = "FASTLOG_TEST_PLAN";
/// The disk it logs on.
const DISK: &str = "FASTLOG_TEST_DISK";

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// What `sync()` confirmed is there: the preset `Durable`.
    Confirmed,
    /// What `stats()` counts as synced is there: the preset `Production`.
    Counted,
}

/// What a child does once its engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Logs until it is killed.
    Forever,
    /// Logs a little, and drains.
    Finite,
}

/// What the children of a run do.
#[derive(Clone, Debug)]
pub struct Plan {
    pub promise: Promise,
    pub seed: u64,
    pub threads: u64,
    rotate_bytes: u64,
    ring_bytes: usize,
}

/// How often the log is synced that nobody asks to be. The preset's second would be nothing but a
/// longer test.
const SYNC_EVERY: Duration = Duration::from_millis(10);
const RECORD_BYTES: usize = 2 << 10;
const FINITE_RECORDS: u64 = 200;
/// Where what is confirmed of a thread is kept, behind what it has logged.
pub const WORKERS_MAX: u64 = 100;

impl Plan {
    pub fn new(promise: Promise, seed: u64) -> Plan {
        let mut random = Random::new(seed);
        Plan {
            promise,
            seed,
            threads: random.within(1..=4),
            rotate_bytes: random.of(&[64 << 10, 300 << 10, 1 << 40]),
            ring_bytes: random.of(&[16 << 10, 64 << 10]),
        }
    }

    fn config(&self, dir: &Path) -> Config {
        const PATIENCE: Duration = Duration::from_secs(300);
        let config = match self.promise {
            Promise::Confirmed => Config::preset(Preset::Durable),
            Promise::Counted => Config::preset(Preset::Production).sync_every(SYNC_EVERY),
        };
        let config = config.dir(dir).name(self.name()).ignore_env().keep_free_bytes(0);
        let config = config.ring_bytes(self.ring_bytes).record_bytes(RECORD_BYTES);
        let config = config.rotate(Rotate::Never).rotate_bytes(self.rotate_bytes);
        config.overflow(Overflow::Block).barrier_patience(PATIENCE)
    }

    /// The log's name, which no other run has: its arena may lie beside those of others.
    pub fn name(&self) -> String {
        format!("cut{:016x}", self.seed)
    }

    /// Where the log is.
    pub fn log_dir(&self, disk: &Path) -> PathBuf {
        disk.join(self.name())
    }

    /// The command of the `number`th life, on the disk that is mounted there.
    pub fn command(&self, number: usize, work: Work, dir: &Path, disk: &Path) -> Command {
        let mut command = child::command("logger", dir);
        let words = [
            if self.promise == Promise::Confirmed { "confirmed" } else { "counted" },
            &self.seed.to_string(),
            &number.to_string(),
            if work == Work::Forever { "forever" } else { "finite" },
        ];
        command.arg("--ignored").env(PLAN, words.join(" ")).env(DISK, self.log_dir(disk));
        command
    }
}

/// How many records of a thread are confirmed, by what a child has told.
pub fn confirmed(counts: &[u64], worker: u64) -> u64 {
    counts[(WORKERS_MAX + worker) as usize]
}

/// The child's part.
pub fn run() {
    life::end_with_parent();
    let words = std::env::var(PLAN).expect("a plan");
    let words: Vec<_> = words.split(' ').collect();
    let promise = if words[0] == "confirmed" { Promise::Confirmed } else { Promise::Counted };
    let plan = Plan::new(promise, words[1].parse().expect("a seed"));
    let number: usize = words[2].parse().expect("a number");
    let is_finite = words[3] == "finite";
    let acks = Acks::open(&life::acks_path(&child::dir(), number));
    acks.set_stage(STARTING);
    let log_dir = PathBuf::from(std::env::var_os(DISK).expect("a disk"));
    let engine = Engine::start(plan.config(&log_dir)).expect("it starts");
    acks.set_stage(RUNNING);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (acks, is_over) = (&acks, &is_over);
        let threads = (0..plan.threads).map(|worker| {
            let logger = engine.logger().with("life", number).with("worker", worker);
            let last = if is_finite { FINITE_RECORDS } else { u64::MAX };
            let life = number as u64;
            scope.spawn(move || {
                for n in 0..last {
                    log(&logger, n, &text(life, worker, n));
                    acks.set_count(worker, n + 1);
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        scope.spawn(|| confirm(&plan, &engine, acks, is_over));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        is_over.store(true, Ordering::Relaxed);
    });
    let counts: Vec<_> = (0..plan.threads).map(|worker| acks.count(worker)).collect();
    let report = engine.drain().expect("it drains");
    assert!(report.is_balanced() && report.dropped() == 0, "{report}");
    set_confirmed(&acks, &counts);
    acks.set_stage(DRAINED);
}

/// The text of a record, which tells whether it is whole.
pub fn text(life: u64, worker: u64, n: u64) -> String {
    let mut random = Random::new(life << 48 | worker << 40 | n);
    let most = random.within(0..=40);
    let words = random.within(0..=most);
    (0..words).map(|_| format!("{:016x}", random.next())).collect()
}

fn log(logger: &Logger, n: u64, text: &str) {
    match n % 100 {
        99 => fastlog!(logger: logger, ERROR, "urgent", n, text),
        _ => fastlog!(logger: logger, INFO, "record", n, text),
    }
}

fn set_confirmed(acks: &Acks, counts: &[u64]) {
    for (worker, count) in (WORKERS_MAX..).zip(counts) {
        acks.set_count(worker, *count);
    }
}

/// Tells again and again what is on the device, until the engine says that it cannot know.
fn confirm(plan: &Plan, engine: &Engine, acks: &Acks, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let counts: Vec<_> = (0..plan.threads).map(|worker| acks.count(worker)).collect();
        let is_there = match plan.promise {
            Promise::Confirmed => engine.sync().is_ok(),
            Promise::Counted => engine.flush().is_ok() && is_synced_by_itself(engine, is_over),
        };
        if is_there {
            set_confirmed(acks, &counts);
        }
    }
}

/// Waits until what is published by now is counted as synced, without being asked for.
fn is_synced_by_itself(engine: &Engine, is_over: &AtomicBool) -> bool {
    let published = engine.stats().published_bytes();
    let is_there = || engine.stats().synced_bytes() >= published;
    while !is_there() && !is_over.load(Ordering::Relaxed) {
        give_way();
    }
    is_there()
}

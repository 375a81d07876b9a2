//! What a child does: it starts an engine, logs from several threads, and keeps account of what was
//! acknowledged, until it is killed or has done what it was to do.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastlog::{Engine, Logger, fastlog};

use crate::common::acks::Acks;
use crate::common::child;
use crate::common::life::{self, DRAINED, RUNNING, STARTING};
use crate::common::random::Random;
use crate::ends::End;
use crate::plan::{Engines, Kind, Plan, console_path, log_dir};

/// Which plan a child follows, which of its run's lives it is, and what it is to do.
const PLAN: &str = "FASTLOG_TEST_PLAN";

/// Of a child that ends by itself.
pub const RECORDS_OF_FINITE: u64 = 1_000;

/// What a child is to do once its engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Log until it is killed.
    Forever,
    /// Log so many records a thread, then drain.
    Finite,
    /// Drain at once.
    Nothing,
    /// Log for a while, then come to this end.
    Until(End),
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Work::Forever => "forever",
            Work::Finite => "finite",
            Work::Nothing => "nothing",
            Work::Until(end) => end.name(),
        }
    }

    fn of(name: &str) -> Work {
        match name {
            "forever" => Work::Forever,
            "finite" => Work::Finite,
            "nothing" => Work::Nothing,
            name => Work::Until(End::of(name)),
        }
    }
}

/// The command of a life of the run in `dir`.
pub fn command(plan: &Plan, life: usize, work: Work, dir: &Path) -> Command {
    let mut command = child::command("victim", dir);
    let words = [plan.kind.name(), &plan.seed.to_string(), &life.to_string(), work.name()];
    command.arg("--ignored").env(PLAN, words.join(" "));
    command
}

/// The child's part.
pub fn run() {
    life::end_with_parent();
    let dir = child::dir();
    let words = std::env::var(PLAN).expect("a plan");
    let words: Vec<_> = words.split(' ').collect();
    let plan = Plan::new(Kind::of(words[0]), words[1].parse().expect("a seed"));
    let number = words[2].parse().expect("a number");
    let work = Work::of(words[3]);
    if plan.kind == Kind::Console {
        let mut options = File::options();
        let file = options.append(true).create(true).open(console_path(&dir));
        rustix::stdio::dup2_stdout(file.expect("a file")).expect("redirected");
    }
    let acks = Acks::open(&life::acks_path(&dir, number));
    acks.set_stage(STARTING);
    let engine = Engine::start(plan.config(&dir)).expect("it starts");
    let second = (plan.engines == Engines::Two)
        .then(|| Engine::detached(plan.config(&dir)).expect("it starts"));
    acks.set_stage(RUNNING);
    if work != Work::Nothing {
        let loggers = [Some(engine.logger()), second.as_ref().map(Engine::logger)];
        Workers::new(&plan, number, work, &acks, loggers).log();
    }
    second.iter().chain([&engine]).for_each(|engine| {
        let report = engine.drain().expect("it drains");
        assert!(report.is_balanced() && report.dropped() == 0, "{report}");
    });
    acks.set_stage(DRAINED);
    // Not to libtest, which would write to what is redirected.
    std::process::exit(0);
}

/// The texts that records hold: any part of one that hardly repeats itself.
pub struct Texts(String);

impl Texts {
    pub fn new() -> Texts {
        let mut random = Random::new(1);
        Texts((0..6_000).map(|_| format!("{:012x}", random.next() >> 16)).collect())
    }

    /// The text of a record.
    pub fn of(&self, plan: &Plan, worker: u64, n: u64) -> &str {
        let mut random = Random::new(worker << 32 | n);
        let long = plan.record_bytes as u64 * 3 / 2;
        let len = match random.once_in(plan.long_every) {
            true => random.within(0..=long),
            false => random.within(0..=90),
        };
        let at = random.within(0..=4_000) as usize;
        &self.0[at..at + len as usize]
    }
}

/// The threads of a child.
struct Workers<'a> {
    plan: &'a Plan,
    life: usize,
    work: Work,
    acks: &'a Acks,
    /// Of the process's engine, and of the second one.
    loggers: [Option<Logger>; 2],
    texts: Texts,
    /// The number of the next thread.
    next: AtomicU64,
}

impl<'a> Workers<'a> {
    fn new(
        plan: &'a Plan,
        life: usize,
        work: Work,
        acks: &'a Acks,
        loggers: [Option<Logger>; 2],
    ) -> Workers<'a> {
        let (texts, next) = (Texts::new(), AtomicU64::new(0));
        Workers { plan, life, work, acks, loggers, texts, next }
    }

    /// All threads, each of which others may follow.
    fn log(&self) {
        thread::scope(|scope| {
            for _ in 0..self.plan.threads {
                scope.spawn(|| self.log_one_after_the_other());
            }
        });
    }

    fn log_one_after_the_other(&self) {
        let mut left = match self.work {
            Work::Finite => RECORDS_OF_FINITE,
            _ => u64::MAX,
        };
        while left > 0 {
            let worker = self.next.fetch_add(1, Ordering::Relaxed);
            let is_last = worker + self.plan.threads >= Acks::workers_max();
            let records = self.plan.thread_records.filter(|_| !is_last).unwrap_or(left).min(left);
            let named = thread::Builder::new().name(format!("w{worker}"));
            thread::scope(|scope| {
                let work = || self.log_records(worker, records);
                named.spawn_scoped(scope, work).expect("a thread");
            });
            left -= records;
        }
    }

    fn log_records(&self, worker: u64, records: u64) {
        let logger = self.loggers[worker as usize % 2].as_ref();
        let bound = logger.map(|logger| logger.with("life", self.life).with("worker", worker));
        for n in 0..records {
            let text = self.texts.of(self.plan, worker, n);
            match &bound {
                // The default engine's short way, and the rest of the even ones.
                _ if worker % 4 == 0 => self.log_by_default(worker, n, text),
                Some(logger) => log_bound(logger, n, text),
                None => self.log_by_default(worker, n, text),
            }
            self.acks.set_count(worker, n + 1);
            if let Work::Until(end) = self.work {
                end.come(self.plan, worker, n);
            }
        }
    }

    fn log_by_default(&self, worker: u64, n: u64, text: &str) {
        let life = self.life;
        match n % 64 {
            63 => fastlog!(ERROR, "urgent {n}", n, life, worker, text),
            0..16 => fastlog!(INFO, "record {n} of {worker}", n, worker, life, text),
            _ => fastlog!(INFO, "record", life, worker, n, text),
        }
    }
}

fn log_bound(logger: &Logger, n: u64, text: &str) {
    match n % 64 {
        63 => fastlog!(logger: logger, ERROR, "urgent {n}", n, text),
        0..16 => fastlog!(logger: logger, WARN, "record {n}", n, text),
        _ => fastlog!(logger: logger, INFO, "record", n, text),
    }
}

/// Makes what a life needs.
pub fn make_dirs(dir: &Path) {
    std::fs::create_dir_all(log_dir(dir)).expect("a directory");
}

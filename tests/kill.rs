//! Promise [P3]: whatever ends a process, at whatever instant, no record whose call had returned is
//! lost, and none is there twice. The next start under the log's name brings back what is missing,
//! also if it is killed itself, and leaves nothing behind.
//!
//! Attacked with children of one to eight threads, each of which keeps account of its calls that
//! returned in memory that it shares with its parent. They are killed after up to 30 ms of logging,
//! by `SIGKILL`, by ends of their own, and as they enter a chosen system call; so are the starts
//! that recover, several times over. What is in all files then is compared with the account.
//!
//! A run follows from its seed, which is said when it fails: `FASTLOG_KILL_SEED=<seed>` with the
//! name of the test makes the same again, as far as times can be made again. `FASTLOG_KILL_RUNS`
//! is the number of runs a test makes.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // Some ends of a process have no safe form.

#[path = "kill/calls.rs"]
mod calls;
mod common;
#[path = "kill/ends.rs"]
mod ends;
#[path = "kill/plan.rs"]
mod plan;
#[path = "kill/verdict.rs"]
mod verdict;
#[path = "kill/victim.rs"]
mod victim;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use common::life::{self, Life, Lived, RUNNING, STARTING};
use common::random::{Random, count};
use ends::{End, SmallGroup};
use plan::{Kind, Plan};
use tempfile::TempDir;
use victim::Work;

/// The variables that say how many runs a test makes, or which.
const RUNS: &str = "FASTLOG_KILL_RUNS";
const SEED: &str = "FASTLOG_KILL_SEED";

/// How long a child logs before it is killed, and how long one recovers, in microseconds.
const LOGGING_US: std::ops::RangeInclusive<u64> = 500..=30_000;
const RECOVERING_US: std::ops::RangeInclusive<u64> = 0..=20_000;

/// What runs have shown.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    kills: u64,
    records: u64,
    recovered: u64,
    repeated: u64,
}

/// The directory of a run, which stays where the run fails, and is told with its seed.
struct Run {
    plan: Plan,
    dir: Option<TempDir>,
    lives: Vec<Lived>,
    /// The calls at which one of them was killed.
    calls: String,
}

impl Run {
    fn new(plan: Plan) -> Run {
        let dir = tempfile::tempdir().expect("a directory");
        victim::make_dirs(dir.path());
        Run { plan, dir: Some(dir), lives: Vec::new(), calls: String::new() }
    }

    fn dir(&self) -> PathBuf {
        self.dir.as_ref().expect("it is there").path().to_owned()
    }

    /// Starts the next life, by another command perhaps.
    fn start(&self, work: Work, within: impl FnOnce(Command) -> Command) -> Life {
        let (number, dir) = (self.lives.len(), self.dir());
        let command = victim::command(&self.plan, number, work, &dir);
        Life::start(within(command), &dir, number)
    }

    /// A life that is killed so long after it has come so far.
    fn kill(&mut self, work: Work, stage: u64, delay: Duration) {
        let lived = self.start(work, |command| command).kill(stage, delay);
        // One that only starts may be done by then.
        let is_done = work == Work::Nothing && lived.status.success();
        assert!(lived.is_killed() || is_done, "{}", lived.status);
        self.lives.push(lived);
    }

    /// Up to four starts that are killed while they recover.
    fn kill_recovery(&mut self, random: &mut Random) {
        for _ in 0..random.of(&[0, 0, 1, 2, 4]) {
            self.kill(Work::Nothing, STARTING, random.micros(RECOVERING_US));
        }
    }

    /// A start that is left alone, and the verdict.
    fn settle(&mut self) -> verdict::Account {
        let life = self.start(Work::Nothing, |command| command);
        self.lives.push(life.drain());
        verdict::check(&self.plan, &self.lives, &self.dir())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = self.dir.take().map(TempDir::keep);
            let Run { plan, calls, .. } = &self;
            eprintln!("{SEED}={} makes it again: {plan:?} {calls}, in {kept:?}", plan.seed);
        }
        life::clear_shared_memory(&self.plan.name());
    }
}

impl Sum {
    fn add(&mut self, run: &Run, account: &verdict::Account) {
        self.runs += 1;
        self.kills += run.lives.iter().filter(|lived| !lived.status.success()).count() as u64;
        self.records += account.records();
        self.recovered += account.recovered;
        self.repeated += account.repeated;
    }
}

/// Runs with several lives each, which are of these kinds, all of one log.
fn at_random(kinds: &[Kind]) {
    let mut sum = Sum::default();
    for seed in Random::seeds(SEED, count(RUNS, 4)) {
        let mut random = Random::new(seed ^ 1);
        let mut run = Run::new(Plan::new(kinds[0], seed));
        for _ in 0..random.of(&[1, 1, 2, 3]) {
            run.plan.kind = random.of(kinds);
            run.kill(Work::Forever, RUNNING, random.micros(LOGGING_US));
            run.plan.kind = random.of(kinds);
            run.kill_recovery(&mut random);
        }
        let account = run.settle();
        sum.add(&run, &account);
        if random.once_in(3) {
            assert_eq!(run.settle().records(), account.records(), "recovered twice");
        }
    }
    println!("{kinds:?}: {sum:?}");
}

// [D1]
#[test]
fn json_files() {
    at_random(&[Kind::Json]);
}

// [D1]
#[test]
fn binary_files() {
    at_random(&[Kind::Binary]);
}

#[test]
fn an_arena_in_shared_memory() {
    at_random(&[Kind::SharedMemory]);
}

#[test]
fn an_arena_elsewhere() {
    at_random(&[Kind::Elsewhere]);
}

// [D1]
#[test]
fn a_durable_log() {
    at_random(&[Kind::Durable]);
}

// [D2]
#[test]
fn a_console() {
    at_random(&[Kind::Console]);
}

/// What one has left is found by another that has its arena elsewhere.
#[test]
fn presets_that_follow_each_other() {
    at_random(&[Kind::Json, Kind::SharedMemory, Kind::Elsewhere, Kind::Durable]);
}

/// Aborts, faults, overflows and exits of all kinds of logs.
// [D1] [D18]
#[test]
fn ends_of_their_own() {
    let kinds = [Kind::Json, Kind::Binary, Kind::SharedMemory, Kind::Durable];
    let group = SmallGroup::make();
    if group.is_none() {
        println!("not tested: no control group can be made here, and nobody runs out of memory");
    }
    let mut sum = Sum::default();
    for seed in Random::seeds(SEED, count(RUNS, 2)) {
        for end in End::all() {
            let mut random = Random::new(seed ^ 2);
            let mut run = Run::new(Plan::new(random.of(&kinds), seed));
            let group = group.as_ref().filter(|_| end == End::OutOfMemory);
            if end == End::OutOfMemory && group.is_none() {
                continue;
            }
            let life = run.start(Work::Until(end), |command| match group {
                Some(group) => group.command(&command),
                None => command,
            });
            let lived = life.end();
            let is_as_meant = lived.status.success() == (end == End::QuickExit);
            assert!(is_as_meant, "{end:?}: {}", lived.status);
            assert!(lived.counts.iter().sum::<u64>() > 0, "{end:?} before anything was logged");
            run.lives.push(lived);
            run.kill_recovery(&mut random);
            let account = run.settle();
            sum.add(&run, &account);
        }
    }
    println!("ends of their own: {sum:?}");
}

/// What the other tests start.
#[test]
#[ignore = "a part of the other tests"]
fn victim() {
    if common::child::case().as_deref() == Some("victim") {
        victim::run();
    }
}

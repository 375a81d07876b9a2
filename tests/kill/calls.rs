//! Kills as a thread enters a chosen system call, by `strace`.

use std::process::{Command, Stdio};

use crate::Sum;
use crate::common::child::within;
use crate::common::life::RUNNING;
use crate::common::random::{Random, count};
use crate::plan::{Kind, Plan};
use crate::victim::Work;
use crate::{LOGGING_US, RUNS, Run, SEED};

/// What an engine asks of the system, in groups that are counted together.
const CALLS: [&str; 9] = [
    "pwrite64",
    "fdatasync,fsync",
    "fallocate",
    "?rename,?renameat,?renameat2",
    "?link,?linkat",
    "?unlink,?unlinkat",
    "openat",
    "ftruncate",
    "write",
];

/// Whether calls can be traced here.
fn is_there() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = strace.status().is_ok_and(|status| status.success());
    if !is_there {
        println!("not tested: strace is not here, or may not trace");
    }
    is_there
}

/// A life that is killed as one of its threads makes one of the calls for the `nth` time, if any
/// does.
fn kill_at(run: &mut Run, work: Work, calls: &str, nth: u64) -> bool {
    run.calls = format!("{calls} {nth}");
    let lived = run.start(work, |command| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
        strace.arg(format!("trace={calls}")).arg("-e");
        strace.arg(format!("inject={calls}:signal=KILL:when={nth}"));
        within(strace, &command)
    });
    let lived = lived.end();
    assert!(lived.is_killed() || lived.status.success(), "{}", lived.status);
    let is_killed = lived.is_killed();
    run.lives.push(lived);
    is_killed
}

/// A child that logs and drains, killed on its way.
fn kill_a_child(kind: Kind, seed: u64, calls: &str, nth: u64, sum: &mut Sum) -> bool {
    let mut run = Run::new(Plan::new(kind, seed));
    let is_killed = kill_at(&mut run, Work::Finite, calls, nth);
    let account = run.settle();
    sum.add(&run, &account);
    is_killed
}

/// A start that recovers what a killed child has left, killed on its way.
fn kill_a_recovery(kind: Kind, seed: u64, calls: &str, nth: u64, sum: &mut Sum) -> bool {
    let mut run = Run::new(Plan::new(kind, seed));
    run.kill(Work::Forever, RUNNING, Random::new(seed).micros(LOGGING_US));
    let is_killed = kill_at(&mut run, Work::Nothing, calls, nth);
    let account = run.settle();
    sum.add(&run, &account);
    is_killed
}

const KINDS: [Kind; 4] = [Kind::Json, Kind::Binary, Kind::Durable, Kind::SharedMemory];

type Killer = fn(Kind, u64, &str, u64, &mut Sum) -> bool;

/// Beyond this number of a call not each is tried.
const DENSE_MAX: u64 = 40;

/// One call of each group or, where runs are asked for, for each hundred all of them of each kind
/// of log, from the first on until a child gets by.
fn sweep(what: &str, kill: Killer) {
    if !is_there() {
        return;
    }
    let (is_whole, mut sum) = (std::env::var_os(RUNS).is_some(), Sum::default());
    for seed in Random::seeds(SEED, count(RUNS, 1).div_ceil(100)) {
        let mut random = Random::new(seed ^ 3);
        for calls in CALLS {
            if !is_whole {
                kill(random.of(&KINDS), seed, calls, random.within(1..=6), &mut sum);
                continue;
            }
            for kind in KINDS {
                let mut nth = 1;
                while kill(kind, seed, calls, nth, &mut sum) {
                    nth += 1 + nth / DENSE_MAX;
                }
            }
        }
    }
    println!("{what}: {sum:?}");
}

#[test]
fn at_chosen_calls() {
    sweep("at chosen calls", kill_a_child);
}

#[test]
fn at_chosen_calls_of_a_recovery() {
    sweep("at chosen calls of a recovery", kill_a_recovery);
}

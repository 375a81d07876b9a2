//! Promise [P4]: what `sync()` or `drain()` confirmed, and what `stats()` counts as synced, survives a
//! power cut. Lines that were there before a cut stay as they are, the next start goes on behind
//! them, and a last line that the cut left in pieces is told, ended, and spoils no other.
//!
//! Attacked on ext4 and XFS that are shut down at a random instant, with and without what their
//! journals still held in memory, and on btrfs, of whose image a copy is made at one instant. What
//! was confirmed is kept outside. Needs the right to mount; without it the tests say so and pass.
//!
//! A run follows from its seed, which is said when it fails: `FASTLOG_CUT_SEED=<seed>` with the
//! name of the test makes the same again, as far as times can be made again. `FASTLOG_CUT_RUNS` is
//! the number of runs a test makes.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // The call that shuts a file system down has no safe form.

mod common;
#[path = "power_cut/disk.rs"]
mod disk;
#[path = "power_cut/logger.rs"]
mod logger;
#[path = "power_cut/verdict.rs"]
mod verdict;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use common::child::within;
use common::life::{self, Life, RUNNING};
use common::random::{Random, count};
use disk::{CUTS, Disk};
use logger::{Plan, Promise, Work};
use tempfile::TempDir;
use verdict::{Content, Repeats};

/// The variables that say how many runs a test makes, or which.
const RUNS: &str = "FASTLOG_CUT_RUNS";
const SEED: &str = "FASTLOG_CUT_SEED";

/// How long a child logs before the power is cut, in microseconds.
const LOGGING_US: std::ops::RangeInclusive<u64> = 1_000..=60_000;
/// File systems are made anew after so many runs.
const RUNS_PER_DISK: usize = 20;

/// What runs have shown.
#[derive(Debug, Default)]
struct Sum {
    cuts: u64,
    records: u64,
    /// Lines beside the logs, which arenas of other boots held.
    unclean: u64,
    confirmed: u64,
    /// Cuts that left something that is no line.
    bad_ends: u64,
    /// The longest time before a cut of which nothing is there, where nobody asked for syncs.
    missing_max: Duration,
}

/// Whether the system that mounts the disk again is told from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Boot {
    /// Only the disk was lost for a while.
    Same,
    Other,
}

/// A log on a disk, and what was confirmed in each of its lives.
struct Run<'a> {
    plan: Plan,
    disk: &'a Disk,
    dir: TempDir,
    boot: Boot,
    lives: Vec<Vec<u64>>,
}

impl Run<'_> {
    /// The next life, in a boot of its own where that is to be told.
    fn start(&self, work: Work) -> Life {
        let number = self.lives.len();
        let command = self.plan.command(number, work, self.dir.path(), &self.disk.path());
        let command = match self.boot {
            Boot::Same => command,
            Boot::Other => in_boot(number, self.dir.path(), &command),
        };
        Life::start(command, self.dir.path(), number)
    }

    /// A life that ends with a cut, and what is there of the log afterwards.
    fn cut(&mut self, random: &mut Random, sum: &mut Sum) -> Content {
        let mut life = self.start(Work::Forever);
        life.wait_for(RUNNING);
        let start = SystemTime::now();
        std::thread::sleep(random.micros(LOGGING_US));
        // What is confirmed from here on proves nothing: a copy is of some instant before it is
        // there, and on an ext4 that shuts down an `fdatasync` that is under way may succeed though
        // its bytes are lost, once in some 300 cuts, as a program of ten lines shows.
        let cut = SystemTime::now();
        self.lives.push(life.counts());
        self.disk.cut(random.of(&CUTS));
        life.kill(RUNNING, Duration::ZERO);
        // What lies in shared memory does not survive a cut.
        life::clear_shared_memory(&self.plan.name());
        self.disk.mount_again();
        let content = Content::read(&self.plan, &self.disk.path());
        content.check(&self.lives, Repeats::Never);
        sum.cuts += 1;
        sum.bad_ends += u64::from(!content.bad.is_empty());
        if self.plan.promise == Promise::Counted {
            let life = self.lives.len() as u64 - 1;
            sum.missing_max = sum.missing_max.max(content.missing(life, (start, cut)));
        }
        content
    }

    /// A life that drains, and what is there then, all that was there `before` included.
    fn settle(&mut self, before: &Content) -> Content {
        self.lives.push(self.start(Work::Finite).drain().counts);
        let content = Content::read(&self.plan, &self.disk.path());
        let repeats = match self.boot {
            Boot::Same => Repeats::OfUnconfirmed,
            Boot::Other => Repeats::Never,
        };
        content.check(&self.lives, repeats);
        content.check_kept(before);
        assert_eq!(content.open_ends(), [""; 0].map(Path::new), "what a cut left open is ended");
        assert_eq!(content.bad.len(), before.bad.len(), "{:?}, {:?}", before.bad, content.bad);
        let is_told = content.own.iter().any(|message| message.contains("is no line"));
        assert!(is_told || before.open_ends().is_empty(), "the end is told: {:?}", content.own);
        content
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{SEED}={} makes it again: {:?}", self.plan.seed, self.plan);
        }
        life::clear_shared_memory(&self.plan.name());
    }
}

/// The command, to be run where the system tells another boot id, and where that can be had.
fn in_boot(number: usize, dir: &Path, command: &Command) -> Command {
    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
    let id: PathBuf = dir.join(format!("boot-{number}"));
    std::fs::write(&id, format!("00000000-0000-4000-8000-{number:012x}\n")).expect("a file");
    let script = format!("mount --bind \"$0\" {BOOT_ID} && exec \"$@\"");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &script]).arg(id);
    within(unshare, command)
}

/// Whether a child can be told another boot id.
fn can_boot() -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = in_boot(0, dir.path(), &Command::new("true"));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs on disks of one kind, each with up to three cuts.
fn cut_at_random(kind: &str) {
    let (can_boot, mut sum) = (can_boot(), Sum::default());
    let seeds = Random::seeds(SEED, count(RUNS, 5));
    for seeds in seeds.chunks(RUNS_PER_DISK) {
        let Some(disk) = Disk::mount(kind) else { return };
        for &seed in seeds {
            let random = &mut Random::new(seed ^ 1);
            let plan = Plan::new(random.of(&[Promise::Confirmed, Promise::Counted]), seed);
            let boot = if can_boot { random.of(&[Boot::Same, Boot::Other]) } else { Boot::Same };
            let dir = tempfile::tempdir().expect("a directory");
            let mut run = Run { plan, disk: &disk, dir, boot, lives: Vec::new() };
            for _ in 0..random.within(1..=3) {
                let cut = run.cut(random, &mut sum);
                let content = run.settle(&cut);
                sum.records += content.records();
                sum.unclean += content.unclean;
            }
            sum.confirmed += run.lives.iter().flat_map(|life| &life[100..]).sum::<u64>();
            std::fs::remove_dir_all(run.plan.log_dir(&disk.path())).expect("removed");
        }
    }
    println!("{kind}: {sum:?}");
}

// [D3] [D4] [D5] [D24]
#[test]
fn ext4() {
    cut_at_random("ext4");
}

// [D3] [D4] [D5]
#[test]
fn xfs() {
    cut_at_random("xfs");
}

#[test]
fn btrfs() {
    cut_at_random("btrfs");
}

/// What the other tests start.
#[test]
#[ignore = "a part of the other tests"]
fn logger() {
    if common::child::case().as_deref() == Some("logger") {
        logger::run();
    }
}

//! What a sync of the log does to the callers' tail: each call of a steady load is timed while
//! `fdatasync` runs every 10 ms, and while it does not.
//!
//! One engine throughout, whose keeper asks for a sync every 10 ms; in some phases the request
//! reaches the device, in the others it returns at once. So nothing but the sync differs. Phases
//! take turns, and a third kind makes no call at all: its tail is the machine's, which both others
//! contain.

mod measure;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastlog::bench_support::ticks;
use fastlog::{Config, Engine, FlushControl, Io, OsIo, Preset, fastlog};
use measure::tick_rate::TickRate;
use measure::{Length, quantile, steady};

/// The design's budget for the tail with syncs, in tails without.
const BUDGET: f64 = 1.5;
const SYNC_EVERY: Duration = Duration::from_millis(10);
/// Not timed, at the beginning of each phase: a sync of the one before may be under way.
const SETTLE: Duration = Duration::from_millis(100);

struct Plan {
    phase: Duration,
    turns: usize,
}

const FULL: Plan = Plan { phase: Duration::from_millis(900), turns: 15 };
const TEST: Plan = Plan { phase: Duration::from_millis(20), turns: 1 };

/// A device that does nothing for a sync while it is off.
#[derive(Debug, Default)]
struct Switched {
    is_on: AtomicBool,
    syncs: AtomicU64,
    ns: AtomicU64,
}

impl Io for Switched {
    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        if !self.is_on.load(Ordering::Relaxed) {
            return Ok(());
        }
        let start = Instant::now();
        OsIo.fdatasync(fd)?;
        self.ns.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    NoCall,
    Unsynced,
    Synced,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::NoCall, "no call, the timer alone"),
    (Kind::Unsynced, "calls, no sync"),
    (Kind::Synced, "calls, fdatasync every 10 ms"),
];

/// The times of a kind's calls, in ticks: of each phase.
type Phases = Vec<Vec<u64>>;

/// A steady load; how long each call took, in ticks, and how many records there were.
fn phase(kind: Kind, length: Duration) -> (Vec<u64>, u64) {
    let mut times = Vec::with_capacity(length.as_millis() as usize * 100);
    let timed = |n: u64| {
        let start = ticks();
        if !matches!(kind, Kind::NoCall) {
            let price = 1.0 + n as f64 * 0.25;
            fastlog!(INFO, "order accepted", user_id = n, price, symbol = "ACME.NYS");
        }
        ticks() - start
    };
    let settling = steady(SETTLE.min(length), |n| _ = timed(n));
    let measured = steady(length, |n| times.push(timed(n)));
    let records = if matches!(kind, Kind::NoCall) { 0 } else { settling + measured };
    (times, records)
}

fn main() {
    let Some(length) = measure::length("tail") else { return };
    let plan = if length == Length::Short { TEST } else { FULL };
    let dir = tempfile::tempdir().expect("a directory");
    let device = Arc::new(Switched::default());
    let config = Config::preset(Preset::Production)
        .dir(dir.path())
        .name("tail")
        .sync_every(SYNC_EVERY)
        // An adaptive engine would leave a slow device longer gaps.
        .flush_control(FlushControl::Fixed)
        .io(Arc::<Switched>::clone(&device))
        .ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    engine.prepare_thread();
    let rate = TickRate::start();
    let (mut phases, mut records) = ([(); 3].map(|()| Phases::new()), 0);
    for turn in 0..plan.turns {
        // Not always in the same order: writeback comes every few seconds.
        for step in 0..KINDS.len() {
            let kind = KINDS[(turn + step) % KINDS.len()].0;
            device.is_on.store(matches!(kind, Kind::Synced), Ordering::Relaxed);
            let (times, of_phase) = phase(kind, plan.phase);
            phases[kind as usize].push(times);
            records += of_phase;
        }
    }
    device.is_on.store(true, Ordering::Relaxed);
    show(&plan, &mut phases, rate.ns_per_tick(), &device);
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    assert_eq!(report.submitted(), records);
    println!("{} dropped, {} waits", report.dropped(), report.waits());
}

fn show(plan: &Plan, phases: &mut [Phases; 3], ns_per_tick: f64, device: &Switched) {
    println!(
        "ns a call at 100,000 records/s, each timed with the processor's counter (which is \
         included), {} phases of {:?} in turns",
        plan.turns, plan.phase
    );
    println!(
        "{:<30} {:>8} {:>8} {:>8} {:>8} {:>10} {:>10}",
        "", "median", "p99", "p99.9", "p99.99", "worst", "calls"
    );
    for (kind, name) in KINDS {
        let mut times: Vec<u64> = phases[kind as usize].concat();
        print!("{name:<30}");
        for (part, width) in [(0.5, 8), (0.99, 8), (0.999, 8), (0.9999, 8), (1.0, 10)] {
            print!(" {:>width$.0}", quantile(&mut times, part) as f64 * ns_per_tick);
        }
        println!(" {:>10}", times.len());
    }
    let [_, unsynced, synced] = phases;
    let tail = |times: &mut [u64]| quantile(times, 0.999) as f64;
    let pooled = tail(&mut synced.concat()) / tail(&mut unsynced.concat());
    let pairs = synced.iter_mut().zip(unsynced);
    let mut ratios: Vec<f64> = pairs.map(|(with, without)| tail(with) / tail(without)).collect();
    println!(
        "p99.9 with syncs / without: {pooled:.2} of all calls, {:.2} in the median turn, {:.2} to \
         {:.2} in all; budget {BUDGET}",
        quantile(&mut ratios, 0.5),
        quantile(&mut ratios, 0.0),
        quantile(&mut ratios, 1.0)
    );
    let syncs = device.syncs.load(Ordering::Relaxed);
    println!(
        "{syncs} syncs in the phases with them, of {:.1} ms in the mean",
        device.ns.load(Ordering::Relaxed) as f64 / 1e6 / syncs.max(1) as f64
    );
}

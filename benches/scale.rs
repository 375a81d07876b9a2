//! What a call costs its thread when many threads log: CPU time a record for 1 to 64 threads, and
//! what 256 threads that log their first record at the same moment cost. Before all that, what a call
//! costs that no engine hears, from one thread and from two.
//!
//! Each thread does the same whatever the number of the others: it sleeps, logs a burst, sleeps
//! again, so that no ring ever fills and there are cores for all. So only that number differs
//! between rows, and what grows is what threads cost each other. Not wall time: with more threads
//! than cores that measures the scheduler.

mod measure;

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Idle, Output, Preset, fastlog};
use measure::{Length, quantile, resident_bytes, sleep_until, thread_cpu};

const THREADS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
/// 32 KiB of a ring of 1 MiB, in some 10 us.
const BURST: u64 = 500;
const PERIOD: Duration = Duration::from_millis(20);
/// A thread's first bursts, not counted: callsite and ring are cold.
const WARM_UP: u32 = 3;
/// The design's promise: no row's cost is further from the first's.
const FLAT_WITHIN: f64 = 0.2;

/// Threads that call without an engine, and how often each: side by side for long enough that both
/// run, on machines with as many cores.
const UNHEARD_THREADS: [usize; 2] = [1, 2];
const UNHEARD_CALLS: [u64; 2] = [20_000_000, 20_000];

const CROWD: usize = 256;
const CROWD_RECORDS: u64 = 10;

struct Plan {
    bursts: u32,
    rounds: usize,
}

const FULL: Plan = Plan { bursts: 100, rounds: 2 };
const TEST: Plan = Plan { bursts: 2, rounds: 1 };

/// When the threads log, and what the collector does between bursts, on which depends whose cache
/// holds the rings.
struct Manner {
    name: &'static str,
    idle: Idle,
    /// The part of a period over which the threads' bursts are spread.
    spread: u32,
}

const MANNERS: [Manner; 3] = [
    Manner { name: "in turn, collector parks", idle: Idle::Park, spread: 1 },
    Manner { name: "in turn, collector spins", idle: Idle::Spin, spread: 1 },
    Manner { name: "at once, collector parks", idle: Idle::Park, spread: 0 },
];

/// What runs of one row gave.
#[derive(Default)]
struct Row {
    /// CPU time of each burst, without the empty loop.
    bursts_ns: Vec<f64>,
    dropped: u64,
}

fn main() {
    let Some(length) = measure::length("scale") else { return };
    let plan = if length == Length::Short { TEST } else { FULL };
    unheard(UNHEARD_CALLS[usize::from(length == Length::Short)]);
    let mut rows: [[Row; MANNERS.len()]; THREADS.len()] = Default::default();
    for _ in 0..plan.rounds {
        for (threads, row) in THREADS.into_iter().zip(&mut rows) {
            for (manner, row) in MANNERS.iter().zip(row) {
                run(&plan, threads, manner, row);
            }
        }
    }
    show(&plan, &mut rows);
    crowd();
}

/// Calls without an engine: each is counted.
fn unheard(calls: u64) {
    println!("a call without an engine, ns of its thread's CPU, {calls} calls a thread:");
    for count in UNHEARD_THREADS {
        let before = fastlog::unheard();
        let start = Barrier::new(count);
        let costs: Vec<f64> = thread::scope(|scope| {
            let body = || {
                start.wait();
                let cpu = thread_cpu();
                for i in 0..calls {
                    fastlog!(INFO, "order accepted", user_id = black_box(i));
                }
                (thread_cpu() - cpu).as_nanos() as f64 / calls as f64
            };
            let threads: Vec<_> = (0..count).map(|_| scope.spawn(body)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(fastlog::unheard() - before, calls * count as u64);
        println!("{count:>7} threads: {:.2}", costs.iter().sum::<f64>() / count as f64);
    }
    println!();
}

fn run(plan: &Plan, threads: u32, manner: &Manner, row: &mut Row) {
    let config = Config::preset(Preset::Production).name("bench-scale").output(Output::Null);
    let engine = Engine::start(config.idle(manner.idle).ignore_env()).expect("the engine starts");
    let bursts = plan.bursts + WARM_UP;
    // All threads have their rings by then.
    let start = Instant::now() + Duration::from_millis(1) * threads + PERIOD;
    let samples: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|number| {
                let start = start + PERIOD * manner.spread * number / threads;
                let engine = &engine;
                scope.spawn(move || produce(engine, start, bursts))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    row.bursts_ns.extend(samples);
    row.dropped += account(&engine, u64::from(threads) * u64::from(bursts) * BURST);
}

/// Ends the engine and checks its account; how many records it dropped.
fn account(engine: &Engine, records: u64) -> u64 {
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    assert_eq!(report.submitted(), records, "{report}");
    report.dropped()
}

/// Logs bursts, one a period; the CPU time of each without the empty loop.
fn produce(engine: &Engine, start: Instant, bursts: u32) -> Vec<f64> {
    engine.prepare_thread();
    let mut samples = Vec::with_capacity(bursts as usize);
    for number in 0..bursts {
        sleep_until(start + PERIOD * number);
        let empty = loop_cpu(|i| _ = black_box(i));
        let calls = loop_cpu(|i| {
            let price = 1.0 + i as f64 * 0.25;
            fastlog!(INFO, "order accepted", user_id = i, price, symbol = "ACME.NYS");
        });
        samples.push(calls - empty);
    }
    samples.split_off(WARM_UP as usize)
}

#[inline(always)]
fn loop_cpu(mut call: impl FnMut(u64)) -> f64 {
    let before = thread_cpu();
    for i in 0..BURST {
        call(black_box(i));
    }
    (thread_cpu() - before).as_nanos() as f64
}

fn show(plan: &Plan, rows: &mut [[Row; MANNERS.len()]]) {
    println!(
        "CPU time of the calling threads, ns a record (u64 + f64 + 8-byte str), without the empty \
         loop: {} rounds of {} bursts of {BURST} a thread, one each {PERIOD:?}; ratios to one \
         thread, promised to stay within {FLAT_WITHIN}",
        plan.rounds, plan.bursts
    );
    let heads = MANNERS.map(|manner| format!("   | {:<38}", manner.name));
    println!("{:>7}{}", "", heads.concat());
    let head = format!(
        "   | {:>6} {:>6} {:>8} {:>6} {:>8}",
        "mean", "ratio", "median", "ratio", "dropped"
    );
    println!("threads{}", head.repeat(MANNERS.len()));
    let mut firsts = [[0.0; 2]; MANNERS.len()];
    for (threads, row) in THREADS.iter().zip(rows) {
        print!("{threads:>7}");
        for (row, first) in row.iter_mut().zip(&mut firsts) {
            let mean = row.bursts_ns.iter().sum::<f64>() / row.bursts_ns.len() as f64;
            let costs = [mean, quantile(&mut row.bursts_ns, 0.5)].map(|ns| ns / BURST as f64);
            if *threads == 1 {
                *first = costs;
            }
            let [mean_ratio, median_ratio] = [0, 1].map(|at| costs[at] / first[at]);
            print!(
                "   | {:>6.1} {mean_ratio:>6.2} {:>8.1} {median_ratio:>6.2} {:>8}",
                costs[0], costs[1], row.dropped
            );
        }
        println!();
    }
}

/// Threads that log their first record at the same moment, and others after them.
fn crowd() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::preset(Preset::Production).dir(dir.path()).name("crowd").ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    let ring_bytes = 1 << 20;
    println!(
        "\n{CROWD} threads at once, {CROWD_RECORDS} records each, rings of 1 MiB in a file; a \
         thread's first record, us of its own CPU time and of wall time"
    );
    println!(
        "{:<16} {:>8} {:>8} {:>9} {:>9} {:>9} {:>6} {:>13} {:>16}",
        "",
        "CPU p50",
        "CPU max",
        "wall p50",
        "wall p99",
        "wall max",
        "rings",
        "resident MiB",
        "MiB beside rings"
    );
    let before = resident_bytes();
    println!("{:<16} {:>69} {:>11}", "before", before >> 20, "");
    for wave in ["rings are made", "rings are reused"] {
        let (mut firsts, resident) = wave_of(&engine);
        let us = |time: Duration| time.as_nanos() as f64 / 1e3;
        let mut cpu: Vec<f64> = firsts.iter().map(|(cpu, _)| us(*cpu)).collect();
        let mut wall: Vec<f64> = firsts.drain(..).map(|(_, wall)| us(wall)).collect();
        let rings = engine.stats().rings();
        let beside = (resident - before) as i64 - (rings * ring_bytes) as i64;
        println!(
            "{wave:<16} {:>8.0} {:>8.0} {:>9.0} {:>9.0} {:>9.0} {rings:>6} {:>13} {:>16.1}",
            quantile(&mut cpu, 0.5),
            quantile(&mut cpu, 1.0),
            quantile(&mut wall, 0.5),
            quantile(&mut wall, 0.99),
            quantile(&mut wall, 1.0),
            resident >> 20,
            beside as f64 / f64::from(1 << 20)
        );
    }
    let is_crash_safe = engine.stats().crash_safe();
    let dropped = account(&engine, 2 * CROWD as u64 * CROWD_RECORDS);
    println!("all records accounted for, {dropped} dropped; crash safe: {is_crash_safe}");
}

/// CPU and wall time of each thread's first record, and what is resident while all live.
fn wave_of(engine: &Engine) -> (Vec<(Duration, Duration)>, u64) {
    let (ready, logged, seen) =
        (Barrier::new(CROWD), Barrier::new(CROWD + 1), Barrier::new(CROWD + 1));
    thread::scope(|scope| {
        let (ready, logged, seen) = (&ready, &logged, &seen);
        let body = move |number: usize| {
            ready.wait();
            let (cpu, wall) = (thread_cpu(), Instant::now());
            fastlog!(INFO, "first", number);
            let first = (thread_cpu() - cpu, wall.elapsed());
            (1..CROWD_RECORDS).for_each(|n| fastlog!(INFO, "next", number, n));
            logged.wait();
            seen.wait();
            first
        };
        let threads: Vec<_> = (0..CROWD).map(|number| scope.spawn(move || body(number))).collect();
        logged.wait();
        engine.flush().expect("the engine runs");
        let resident = resident_bytes();
        seen.wait();
        (threads.into_iter().map(|thread| thread.join().expect("no panic")).collect(), resident)
    })
}

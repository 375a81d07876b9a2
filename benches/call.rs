//! What a call costs its caller, beside the bare clock read and the empty loop.
//!
//! Calls are made in bursts of 20, the timer around a burst, not around a call. Between bursts the
//! ring is emptied and the collector left to itself, outside the measured time. At the end a
//! summary measures empty loop, clock read and call in turns, burst by burst: machines drift, so
//! only ratios of one run say much.

use std::hint::{black_box, spin_loop};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use fastlog::bench_support::ticks;
use fastlog::{Clock, Config, Engine, Idle, Output, Preset, fastlog};

const BURST: u64 = 20;
/// Bursts between two flushes: 40 KiB of a ring of 1 MiB.
const BURSTS_PER_FLUSH: u64 = 32;
const PAUSE: Duration = Duration::from_micros(10);
/// Measured time of a bench; the pauses make it some twenty times as long.
const MEASURED: Duration = Duration::from_millis(100);

const SYMBOL: &str = "ACME.NYS";
const SUMMARY_ROUNDS: u64 = 20_000;
/// The design's budget for an enabled call, in bare clock reads.
const BUDGET: f64 = 1.3;

fn config(name: &str) -> Config {
    Config::preset(Preset::Production).name(name).output(Output::Null).ignore_env()
}

/// Makes `calls` calls in bursts, `rest`ing before each; the time of the bursts alone.
fn bursts(calls: u64, rest: impl Fn(u64), mut call: impl FnMut(u64)) -> Duration {
    let mut measured = Duration::ZERO;
    for number in 0..calls.div_ceil(BURST) {
        rest(number);
        let start = number * BURST;
        measured += burst(start..calls.min(start + BURST), &mut call);
    }
    measured
}

/// As [`bursts`], with rests in which the collector empties the ring.
fn paced(engine: &Engine, calls: u64, call: impl FnMut(u64)) -> Duration {
    bursts(calls, |number| rest(engine, number), call)
}

#[inline(always)]
fn burst(calls: std::ops::Range<u64>, mut call: impl FnMut(u64)) -> Duration {
    let start = Instant::now();
    for i in calls {
        call(black_box(i));
    }
    start.elapsed()
}

fn rest(engine: &Engine, number: u64) {
    if number % BURSTS_PER_FLUSH == 0 {
        engine.flush().expect("the engine runs");
    }
    let start = Instant::now();
    while start.elapsed() < PAUSE {
        spin_loop();
    }
}

/// The call that all figures of this project are about.
#[inline(always)]
fn call(i: u64) {
    let price = 1.0 + i as f64 * 0.25;
    fastlog!(INFO, "order accepted", user_id = i, price, symbol = black_box(SYMBOL));
}

fn calls(c: &mut Criterion) {
    let engine = Engine::current().expect("`main` started it");
    let other = Engine::detached(config("bench-call-other")).expect("the engine starts");
    let logger = other.logger();
    let text = "0123456789abcdef".repeat(4);

    let mut group = c.benchmark_group("call");
    group.measurement_time(MEASURED).warm_up_time(MEASURED / 5);
    group.bench_function("empty loop", |b| {
        b.iter_custom(|n| bursts(n, |_| (), |i| _ = black_box(i)));
    });
    group.bench_function("bare clock read", |b| {
        b.iter_custom(|n| bursts(n, |_| (), |_| _ = black_box(ticks())));
    });
    group.bench_function("disabled", |b| {
        b.iter_custom(|n| bursts(n, |_| (), |i| fastlog!(DEBUG, "order accepted", user_id = i)));
    });
    group.bench_function("u64, f64, 8-byte str", |b| {
        b.iter_custom(|n| paced(&engine, n, call));
    });
    group.bench_function("no field", |b| {
        b.iter_custom(|n| paced(&engine, n, |_| fastlog!(INFO, "order accepted")));
    });
    group.bench_function("8 u64", |b| {
        b.iter_custom(|n| {
            paced(&engine, n, |i| {
                fastlog!(INFO, "eight", a = i, b = i, c = i, d = i, e = i, f = i, g = i, h = i);
            })
        });
    });
    group.bench_function("64-byte str", |b| {
        b.iter_custom(|n| paced(&engine, n, |_| fastlog!(INFO, "text", text = black_box(&text))));
    });
    group.bench_function("%Display of u64", |b| {
        b.iter_custom(|n| paced(&engine, n, |i| fastlog!(INFO, "shown", user_id = %i)));
    });
    group.bench_function("detached logger", |b| {
        b.iter_custom(|n| {
            paced(&other, n, |i| {
                let price = 1.0 + i as f64 * 0.25;
                let symbol = black_box(SYMBOL);
                fastlog!(logger: logger, INFO, "order accepted", user_id = i, price, symbol);
            })
        });
    });
    group.finish();
    other.drain().expect("the engine drains");
}

criterion_group!(benches, calls);

/// Nanoseconds per call of many bursts.
#[derive(Default)]
struct Samples {
    ns: Vec<f64>,
}

impl Samples {
    fn push(&mut self, burst: Duration) {
        self.ns.push(burst.as_nanos() as f64 / BURST as f64);
    }

    fn quantile(&mut self, quantile: f64) -> f64 {
        self.ns.sort_by(f64::total_cmp);
        self.ns[(quantile * (self.ns.len() - 1) as f64) as usize]
    }
}

fn summary(engine: &Engine, what: &str, rounds: u64) {
    let [mut empty, mut clock, mut calls] = [(); 3].map(|()| Samples::default());
    for round in 0..rounds {
        rest(engine, round);
        empty.push(burst(0..BURST, |i| _ = black_box(i)));
        clock.push(burst(0..BURST, |_| _ = black_box(ticks())));
        calls.push(burst(0..BURST, call));
    }
    println!("\ncall, u64 + f64 + 8-byte str, {what}, {rounds} bursts of {BURST} in turns:");
    for (name, quantile) in [("median", 0.5), ("least disturbed tenth", 0.1)] {
        let empty = empty.quantile(quantile);
        let clock = clock.quantile(quantile) - empty;
        let call = calls.quantile(quantile) - empty;
        println!(
            "  {name}: call - empty loop = {call:.1} ns = {:.2} x the bare clock read \
             ({clock:.1} ns)",
            call / clock
        );
    }
}

fn end(engine: &Engine) {
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced(), "{report}");
    if report.dropped() > 0 {
        println!(
            "  the collector starved: {} records were dropped, do not trust this run",
            report.dropped()
        );
    }
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let engine = Engine::start(config("bench-call")).expect("the engine starts");
    engine.prepare_thread();
    benches();
    let rounds = if is_test { 100 } else { SUMMARY_ROUNDS };
    summary(&engine, &format!("budget {BUDGET} clock reads"), rounds);
    end(&engine);
    let config = config("bench-call-coarse").clock(Clock::Coarse).idle(Idle::Spin);
    let engine = Engine::start(config).expect("the engine starts");
    engine.prepare_thread();
    summary(&engine, "coarse clock, budget 6 ns", rounds);
    end(&engine);
    Criterion::default().configure_from_args().final_summary();
}

//! What a call costs its caller, beside the bare clock read and the empty loop: the call that all
//! figures of this project are about, then calls of other shapes.
//!
//! Each is measured in bursts of 20 in turns with the empty loop and the clock read, which come
//! burst by burst from the same moments: machines drift, so only ratios of one run say much.

mod measure;

use std::hint::black_box;

use fastlog::{Clock, Config, Engine, Idle, Logger, Output, Preset, fastlog};
use measure::Length;
use measure::burst::{BURST, InTurns};

const SYMBOL: &str = "ACME.NYS";
/// Bursts of each call.
const ROUNDS: u64 = 20_000;
const TEST_ROUNDS: u64 = 20;
/// The design's budget for an enabled call, in bare clock reads.
const BUDGET: f64 = 1.3;
/// Header and values of a short record, rounded up.
const SHORT_BYTES: u64 = 64;

fn config(name: &str) -> Config {
    Config::preset(Preset::Production).name(name).output(Output::Null).ignore_env()
}

/// The call that all figures of this project are about.
#[inline(always)]
fn call(i: u64) {
    let price = 1.0 + i as f64 * 0.25;
    fastlog!(INFO, "order accepted", user_id = i, price, symbol = black_box(SYMBOL));
}

fn summary(engine: &Engine, what: &str, rounds: u64) {
    let mut samples = InTurns::measure(engine, rounds, SHORT_BYTES, call);
    println!("\ncall, u64 + f64 + 8-byte str, {what}, {rounds} bursts of {BURST} in turns:");
    for (name, part) in [("median", 0.5), ("least disturbed tenth", 0.1)] {
        let cost = samples.cost(part);
        println!(
            "  {name}: call - empty loop = {:.1} ns = {:.2} x the bare clock read ({:.1} ns)",
            cost.call_ns,
            cost.call_ns / cost.clock_ns,
            cost.clock_ns
        );
    }
}

/// Calls of other shapes, a row each.
struct Shapes<'a> {
    engine: &'a Engine,
    rounds: u64,
}

impl Shapes<'_> {
    fn head(&self) {
        println!(
            "\nby shape, ns a call without the empty loop, {} bursts of {BURST} in turns:",
            self.rounds
        );
        println!("{:<34} {:>8} {:>9} {:>8} {:>9}", "", "median", "x clock", "tenth", "x clock");
    }

    fn row(&self, name: &str, call_bytes: u64, call: impl FnMut(u64)) {
        self.row_of(self.engine, name, call_bytes, call);
    }

    fn row_of(&self, engine: &Engine, name: &str, call_bytes: u64, call: impl FnMut(u64)) {
        let mut samples = InTurns::measure(engine, self.rounds, call_bytes, call);
        let [median, tenth] = [0.5, 0.1].map(|part| samples.cost(part));
        println!(
            "{name:<34} {:>8.1} {:>9.2} {:>8.1} {:>9.2}",
            median.call_ns,
            median.call_ns / median.clock_ns,
            tenth.call_ns,
            tenth.call_ns / tenth.clock_ns
        );
    }

    fn fields(&self) {
        self.row("no field", SHORT_BYTES, |_| fastlog!(INFO, "fields"));
        self.row("1 u64", SHORT_BYTES, |i| fastlog!(INFO, "fields", a = i));
        self.row("2 u64", SHORT_BYTES, |i| fastlog!(INFO, "fields", a = i, b = i));
        self.row("3 u64", SHORT_BYTES, |i| fastlog!(INFO, "fields", a = i, b = i, c = i));
        self.row("4 u64", SHORT_BYTES, |i| fastlog!(INFO, "fields", a = i, b = i, c = i, d = i));
        self.row("8 u64", 128, |i| {
            fastlog!(INFO, "fields", a = i, b = i, c = i, d = i, e = i, f = i, g = i, h = i);
        });
        #[rustfmt::skip]
        self.row("16 u64", 192, |i| {
            fastlog!(
                INFO, "fields",
                a = i, b = i, c = i, d = i, e = i, f = i, g = i, h = i,
                j = i, k = i, l = i, m = i, n = i, o = i, p = i, q = i
            );
        });
    }

    fn texts(&self) {
        for len in [0, 8, 64, 256, 1024, 4096] {
            let text = "x".repeat(len);
            self.row(&format!("str of {len} bytes"), SHORT_BYTES + len as u64, |_| {
                fastlog!(INFO, "text", text = black_box(&text));
            });
        }
        self.row("%Display of u64", SHORT_BYTES, |i| fastlog!(INFO, "shown", user_id = %i));
        self.row("%Display of a struct of 3", SHORT_BYTES, |i| {
            fastlog!(INFO, "shown", place = %Place(i, i, i));
        });
    }

    fn loggers(&self, other: &Engine) {
        let plain = self.engine.logger();
        let text = "b".repeat(64);
        let one = plain.with("first", &text);
        let four = one.with("second", &text).with("third", &text).with("fourth", &text);
        let loggers = [("no", &plain, 0), ("a str of 64 bytes", &one, 64), ("4 of 64", &four, 256)];
        for (bound, logger, bytes) in loggers {
            let call_bytes = 2 * SHORT_BYTES + bytes;
            let name = format!("logger, {bound} bound");
            self.row(&name, call_bytes, |i| through(logger, i));
        }
        let logger = other.logger();
        self.row_of(other, "logger of a detached engine", SHORT_BYTES, |i| through(&logger, i));
    }
}

/// What a program shows of its own.
struct Place(u64, u64, u64);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.0, self.1, self.2)
    }
}

/// As [`call`], through a logger.
#[inline(always)]
fn through(logger: &Logger, i: u64) {
    let price = 1.0 + i as f64 * 0.25;
    let symbol = black_box(SYMBOL);
    fastlog!(logger: logger, INFO, "order accepted", user_id = i, price, symbol);
}

fn shapes(engine: &Engine, rounds: u64) {
    let other = Engine::detached(config("bench-call-other")).expect("the engine starts");
    let shapes = Shapes { engine, rounds };
    shapes.head();
    shapes.row("disabled", SHORT_BYTES, |i| fastlog!(DEBUG, "disabled", user_id = i));
    shapes.fields();
    shapes.texts();
    shapes.loggers(&other);
    end(&other);
}

fn end(engine: &Engine) {
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    if report.dropped() > 0 {
        println!(
            "  the collector starved: {} records were dropped, do not trust this run",
            report.dropped()
        );
    }
}

fn main() {
    let Some(length) = measure::length("call") else { return };
    let rounds = if length == Length::Short { TEST_ROUNDS } else { ROUNDS };
    let engine = Engine::start(config("bench-call")).expect("the engine starts");
    engine.prepare_thread();
    summary(&engine, &format!("budget {BUDGET} clock reads"), rounds);
    shapes(&engine, rounds);
    end(&engine);
    let coarse = config("bench-call-coarse").clock(Clock::Coarse);
    for (what, config) in [
        ("coarse clock, the collector spins, budget 6 ns", coarse.clone().idle(Idle::Spin)),
        ("coarse clock, the collector parks", coarse),
    ] {
        let engine = Engine::start(config).expect("the engine starts");
        engine.prepare_thread();
        summary(&engine, what, rounds);
        end(&engine);
    }
}

//! fastlog as `Preset::Production` sets it, and the same waiting for room rather than dropping.
//!
//! The log is complete when `flush` returns. `drain` also syncs it to the device, which no other
//! peer does, so it comes after the clock has stopped.

use fastlog::{Config, Engine, Overflow, Preset, fastlog};

use crate::bench::{Bench, Closed};
use crate::order::Order;
use crate::run::Outcome;

/// The target of this module's records.
pub const TARGET: &str = module_path!();

pub fn production(bench: &Bench) -> Outcome {
    run(bench, Config::preset(Preset::Production))
}

pub fn blocking(bench: &Bench) -> Outcome {
    run(bench, Config::preset(Preset::Production).overflow(Overflow::Block))
}

fn run(bench: &Bench, config: Config) -> Outcome {
    let engine = Engine::start(config.dir(bench.dir())).expect("the engine starts");
    bench.drive(log, || {
        engine.flush().expect("the log is written");
        let dropped = engine.stats().dropped();
        Closed::flushed().dropped(dropped).then(move || {
            engine.drain().expect("the log is synced");
        })
    })
}

fn log(order: &Order) {
    fastlog!(
        INFO,
        "order accepted",
        user_id = order.user_id,
        price = order.price,
        symbol = order.symbol
    );
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::baseline;

    const RECORDS: u64 = 1_000;

    /// A line without the value of its time.
    fn timeless(line: &str) -> String {
        let (_, rest) = line.split_once("Z\"").expect("a line has a time");
        format!("{} {rest}", line.len())
    }

    #[test]
    fn the_baselines_lines_are_fastlogs() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::start(Config::preset(Preset::Production).dir(dir.path()));
        let engine = engine.expect("the engine starts");
        (0..RECORDS).for_each(|i| log(&Order::number(i)));
        let report = engine.drain().expect("the log is synced");
        let log = fs::read_to_string(report.log_path().expect("a file")).expect("the log");
        let baseline = String::from_utf8(baseline::lines(RECORDS)).expect("text");
        let logged: Vec<_> = log.lines().filter(|line| line.contains(TARGET)).collect();
        assert_eq!(logged.len(), RECORDS as usize);
        for (logged, made) in logged.into_iter().zip(baseline.lines()) {
            assert_eq!(timeless(logged), timeless(made));
        }
    }
}

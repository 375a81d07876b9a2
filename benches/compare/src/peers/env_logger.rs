//! `log` with env_logger to a file: the baseline. Text with the fields after it.
//!
//! The file is unbuffered: env_logger flushes its target after each record.

use std::fs::File;

use env_logger::{Builder, Target};
use log::LevelFilter;

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let file = File::create(bench.file()).expect("log file");
    Builder::new()
        .filter_level(LevelFilter::Info)
        .format_timestamp_micros()
        .target(Target::Pipe(Box::new(file)))
        .init();
    bench.drive(
        |order| {
            log::info!(user_id = order.user_id, price = order.price, symbol = order.symbol; "order accepted");
        },
        Closed::flushed,
    )
}

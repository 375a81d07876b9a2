//! `log` with structured-logger's synchronous JSON writer. Unbuffered: it has no flush.

use std::fs::File;

use structured_logger::{Builder, json::new_writer};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let file = File::create(bench.file()).expect("log file");
    Builder::with_level("info").with_target_writer("*", new_writer(file)).init();
    bench.drive(
        |order| {
            log::info!(user_id = order.user_id, price = order.price, symbol = order.symbol; "order accepted");
        },
        Closed::flushed,
    )
}

//! `log` with flexi_logger, JSON lines, in two of its write modes.

use std::time::Duration;

use flexi_logger::{FileSpec, Logger, WriteMode, json_format};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn asynchronous(bench: &Bench) -> Outcome {
    // An unbounded queue of buffers from a pool; these are the documented defaults.
    run(
        bench,
        WriteMode::AsyncWith {
            pool_capa: 50,
            message_capa: 200,
            flush_interval: Duration::from_secs(1),
        },
    )
}

pub fn buffer_and_flush(bench: &Bench) -> Outcome {
    run(bench, WriteMode::BufferAndFlush)
}

fn run(bench: &Bench, mode: WriteMode) -> Outcome {
    let file = FileSpec::default().directory(bench.dir()).basename("peer").suppress_timestamp();
    let handle = Logger::try_with_str("info")
        .expect("spec")
        .log_to_file(file)
        .format(json_format)
        .write_mode(mode)
        .start()
        .expect("logger");
    bench.drive(
        |order| {
            log::info!(user_id = order.user_id, price = order.price, symbol = order.symbol; "order accepted");
        },
        || {
            handle.shutdown();
            Closed::flushed()
        },
    )
}

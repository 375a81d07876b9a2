//! slog, with slog-async in front of slog-json.

use std::fs::File;
use std::io::BufWriter;

use slog::{Drain, Logger, info, o as owned};
use slog_async::{Async, OverflowStrategy};
use slog_json::Json;

use crate::bench::{Bench, Closed};
use crate::peers::QUEUE_RECORDS;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let file = BufWriter::new(File::create(bench.file()).expect("log file"));
    let (drain, guard) = Async::new(Json::default(file).fuse())
        .chan_size(QUEUE_RECORDS)
        .overflow_strategy(OverflowStrategy::Block)
        .build_with_guard();
    let logger = Logger::root(drain.fuse(), owned!());
    bench.drive(
        |order| {
            info!(logger, "order accepted";
                "user_id" => order.user_id, "price" => order.price, "symbol" => order.symbol);
        },
        || {
            // Joins the thread, whose end drops the drain and so flushes the file.
            drop(guard);
            Closed::flushed()
        },
    )
}

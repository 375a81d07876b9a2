//! `log` with logforth: its async appender in front of a file appender, JSON lines.

use logforth::append::asynchronous::AsyncBuilder;
use logforth::append::file::FileBuilder;
use logforth::layout::JsonLayout;
use logforth::record::LevelFilter;

use crate::bench::{Bench, Closed};
use crate::peers::QUEUE_RECORDS;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let file = FileBuilder::new(bench.dir(), "peer")
        .filename_suffix("log")
        .layout(JsonLayout::default())
        .build()
        .expect("log file");
    let queue = AsyncBuilder::new("logforth-async")
        .buffered_lines_limit(Some(QUEUE_RECORDS))
        .overflow_block()
        .append(file)
        .build();
    logforth::starter_log::builder().dispatch(|d| d.filter(LevelFilter::All).append(queue)).apply();
    bench.drive(
        |order| {
            log::info!(user_id = order.user_id, price = order.price, symbol = order.symbol; "order accepted");
        },
        || {
            log::logger().flush();
            Closed::flushed()
        },
    )
}

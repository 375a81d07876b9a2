//! nanolog-rs: a disruptor ring of formatted messages. Its JSON holds one text, no fields.

use std::sync::Arc;

use nanolog_rs::{AsyncLogger, FileSink, JsonFormatter, Level, info};

use crate::bench::{Bench, Closed};
use crate::peers::BUFFER_BYTES;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let sink = FileSink::with_buffer_size(bench.file(), BUFFER_BYTES).expect("log file");
    let logger = AsyncLogger::builder()
        .level(Level::Info)
        .formatter(Arc::new(JsonFormatter::new()))
        .sink(Arc::new(sink))
        .queue_capacity(1 << 16)
        .build()
        .expect("logger");
    nanolog_rs::init_global_logger(Arc::new(logger)).expect("logger");
    bench.drive(
        |order| {
            info!(
                "order accepted user_id={} price={} symbol={}",
                order.user_id, order.price, order.symbol
            );
        },
        || {
            let logger = nanolog_rs::global_logger().expect("logger");
            logger.flush().expect("flush");
            logger.shutdown().expect("shutdown");
            Closed::flushed()
        },
    )
}

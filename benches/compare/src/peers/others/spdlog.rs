//! spdlog-rs: its thread-pool sink in front of a file sink, JSON lines.

use spdlog::formatter::JsonFormatter;
use spdlog::sink::{AsyncPoolSink, FileSink, OverflowPolicy};
use spdlog::{Logger, ThreadPool, info};

use crate::bench::{Bench, Closed};
use crate::peers::QUEUE_RECORDS;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let file = FileSink::builder()
        .path(bench.file())
        .formatter(JsonFormatter::new())
        .build_arc()
        .expect("file sink");
    let pool = ThreadPool::builder()
        .capacity(std::num::NonZeroUsize::new(QUEUE_RECORDS).expect("not zero"))
        .build_arc()
        .expect("thread pool");
    let sink = AsyncPoolSink::builder()
        .sink(file)
        .thread_pool(pool.clone())
        .overflow_policy(OverflowPolicy::Block)
        .build_arc()
        .expect("async sink");
    let logger = Logger::builder().sink(sink).build().expect("logger");
    bench.drive(
        |order| {
            info!(logger: logger, "order accepted",
                kv: { user_id = order.user_id, price = order.price, symbol = order.symbol });
        },
        || {
            logger.flush();
            // The pool runs what is queued when its last owner goes.
            logger.sinks().iter().for_each(|sink| sink.flush_on_exit().expect("flush"));
            drop(pool);
            Closed::flushed()
        },
    )
}

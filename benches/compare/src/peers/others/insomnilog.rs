//! insomnilog. It can only drop while its ring is full, so the ring is large. Text only.

use std::sync::Arc;

use insomnilog::{BackendOptions, ContinuousFileSink, LogLevel, PatternFormatter, log_info};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let guard =
        insomnilog::start(BackendOptions { queue_capacity: 64 << 20, ..BackendOptions::default() })
            .expect("backend");
    // Milliseconds are the finest that its patterns know.
    let format = PatternFormatter::new("{secs}.{millis:03} {level} {file}:{line} {message}");
    let sink = ContinuousFileSink::try_new(format.expect("pattern"), LogLevel::Info, bench.file())
        .expect("log file");
    let logger = insomnilog::create_logger("peer", vec![Arc::new(sink)], LogLevel::Info);
    let logger = logger.expect("logger");
    bench.drive_prepared(
        insomnilog::preallocate_thread,
        |order| {
            log_info!(
                logger,
                "order accepted user_id={} price={} symbol={}",
                order.user_id,
                order.price,
                order.symbol
            );
        },
        || {
            drop(guard);
            Closed::flushed()
        },
    )
}

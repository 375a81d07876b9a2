//! zerolog-rs, set to wait while its ring is full. Text only; needs nightly features.

use zerolog::{Level, QueueFullPolicy};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let mut builder = zerolog::builder()
        .level(Level::INF)
        .log_file(bench.file_name())
        .queue_full_policy(QueueFullPolicy::Block);
    if let Some(cpu) = bench.backend_cpu() {
        builder = builder.poller_core_affinity(cpu);
    }
    let guard = builder.start().expect("logger");
    bench.drive_prepared(
        zerolog::thread_buffer::preallocate,
        |order| {
            zerolog::info!(
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

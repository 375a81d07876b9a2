//! ticklog, set to wait while its ring is full. Text only.
//!
//! `configure!` defines macros in this crate's root that the logging macros call without a path:
//! a module other than the root has to import them, and another crate cannot log at all.

use ticklog::{Backpressure, FileSink, info};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;
use crate::{__ticklog_backpressure, __ticklog_max_level};

pub fn run(bench: &Bench) -> Outcome {
    let guard = ticklog::configure! {
        sink: FileSink::new(bench.file()).expect("log file"),
        backpressure: Backpressure::Block,
        drain_affinity: bench.backend_cpu().map(|cpu| vec![cpu]),
    }
    .expect("logger");
    bench.drive_prepared(
        || ticklog::warm_up().expect("producer"),
        |order| {
            info!(
                "order accepted user_id={} price={} symbol={}",
                order.user_id, order.price, order.symbol
            );
        },
        || {
            drop(guard);
            Closed::flushed()
        },
    )
}

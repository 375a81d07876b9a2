//! emit with emit_file. Its queue holds 10,000 events and is cleared when full.

use std::time::Duration;

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let files = emit_file::set(bench.file()).spawn();
    let emit = emit::setup().emit_to(files).init();
    bench.drive(
        |order| {
            emit::info!("order accepted", user_id: order.user_id, price: order.price, symbol: order.symbol);
        },
        || {
            assert!(
                emit.blocking_flush(Duration::from_secs(60)),
                "flush timed out"
            );
            Closed::flushed()
        },
    )
}

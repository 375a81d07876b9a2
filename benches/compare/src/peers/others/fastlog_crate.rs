//! `log` with somebody else's crate `fastlog`, its lines put together on its worker or by the
//! caller. It ignores key-values.

use std::fmt::Write;

use fastlog_crate::{LogBuilder, WorkerConfig};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

/// Lines put together by the worker; the message itself is still formatted by the caller.
pub fn worker_format(bench: &Bench) -> Outcome {
    let mut builder = LogBuilder::new();
    builder.worker_format(WorkerConfig::default(), |line, record| {
        let time = record.timestamp();
        write!(
            line,
            "{}.{:09} {} {}: {}",
            time.sec,
            time.nsec,
            record.level(),
            record.module_path().unwrap_or(""),
            record.message()
        )
    });
    run(bench, builder)
}

/// The default mode: the caller formats the line, one lock-free queue carries it.
pub fn caller_format(bench: &Bench) -> Outcome {
    run(bench, LogBuilder::new())
}

fn run(bench: &Bench, mut builder: LogBuilder) -> Outcome {
    builder.file(bench.file());
    builder.build().expect("log file").init().expect("logger");
    bench.drive_prepared(
        || fastlog_crate::prepare_current_thread().expect("producer"),
        |order| {
            log::info!(
                "order accepted user_id={} price={} symbol={}",
                order.user_id,
                order.price,
                order.symbol
            );
        },
        || {
            log::logger().flush();
            Closed::flushed()
        },
    )
}

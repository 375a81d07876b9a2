//! `log` with ftlog. It reads key-values only for its own options, so the values are in the text.

use ftlog::LevelFilter;
use ftlog::appender::FileAppender;

use crate::bench::{Bench, Closed};
use crate::peers::QUEUE_RECORDS;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let guard = ftlog::builder()
        .max_log_level(LevelFilter::Info)
        .time_format(
            time::format_description::parse_owned::<1>(
                "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]",
            )
            .expect("time format"),
        )
        .utc()
        .bounded(QUEUE_RECORDS, true)
        .root(FileAppender::builder().path(bench.file()).build())
        .try_init()
        .expect("logger");
    bench.drive(
        |order| {
            log::info!(
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

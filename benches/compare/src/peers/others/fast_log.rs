//! `log` with fast_log. It ignores key-values, so the values are in the text.

use fast_log::{Config, FastLogFormat, TimeType};
use log::LevelFilter;

use crate::bench::{Bench, Closed};
use crate::peers::QUEUE_RECORDS;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let config = Config::new()
        .level(LevelFilter::Info)
        .format(FastLogFormat::new().set_time_type(TimeType::Utc))
        .chan_len(Some(QUEUE_RECORDS))
        .file(&bench.file_name());
    let logger = fast_log::init(config).expect("logger");
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
            logger.wait();
            Closed::flushed()
        },
    )
}

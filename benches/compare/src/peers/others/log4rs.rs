//! `log` with log4rs' file appender, JSON lines. Every record is flushed to the file.

use log::LevelFilter;
use log4rs::append::file::FileAppender;
use log4rs::config::{Appender, Config, Root};
use log4rs::encode::json::JsonEncoder;

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let file = FileAppender::builder()
        .encoder(Box::new(JsonEncoder::new()))
        .build(bench.file())
        .expect("log file");
    let config = Config::builder()
        .appender(Appender::builder().build("file", Box::new(file)))
        .build(Root::builder().appender("file").build(LevelFilter::Info))
        .expect("config");
    log4rs::init_config(config).expect("logger");
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

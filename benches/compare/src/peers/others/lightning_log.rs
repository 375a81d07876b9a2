//! lightning-log: binary values through a channel that drops in silence when full.
//!
//! Its backend guesses each value's type from its bytes, and no call waits for the backend.

use lightning_log::{
    FastSerialize, LogDestination, LoggerConfig, init_lightning_log_with_config, lightning_info,
    register_message_format, shutdown_lightning_log,
};

use crate::bench::{Bench, Closed};
use crate::peers::BUFFER_BYTES;
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    init_lightning_log_with_config(LoggerConfig {
        channel_capacity: 1 << 20,
        destinations: vec![LogDestination::File(bench.file())],
        file_buffer_size: BUFFER_BYTES,
        enable_cpu_affinity: false,
    })
    .expect("logger");
    let format = "order accepted user_id={} price={} symbol={}".to_owned();
    register_message_format(1, format).expect("format");
    bench.drive(
        |order| lightning_info!(1, order.user_id, order.price, order.symbol),
        || {
            shutdown_lightning_log();
            Closed::unfinished()
        },
    )
}

//! low_latency_log: boxes a closure per record, so that it can log `'static` values only. Text.

use low_latency_log::{Logger, RollingCondition, info};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let dir = bench.dir().to_str().expect("OUT_DIR is UTF-8").to_owned();
    let mut logger = Logger::new(RollingCondition::new(), dir, "peer.log".to_owned());
    if let Some(cpu) = bench.backend_cpu() {
        logger = logger.cpu(cpu);
    }
    let guard = logger.init().expect("logger");
    bench.drive(
        |order| {
            let (user_id, price, symbol) = (order.user_id, order.price, order.symbol);
            info!("order accepted user_id={} price={} symbol={}", user_id, price, symbol);
        },
        || {
            drop(guard);
            Closed::flushed()
        },
    )
}

//! tklog's global logger: its "synchronous" one, which hands the text to a thread all the same and
//! has no call that waits for it.

use tklog::{Format, LEVEL, LOG, info};

use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    // A constant: each mention of it makes a new value, which only refers to the global logger.
    let log = LOG;
    log.set_console(false)
        .set_level(LEVEL::Info)
        .set_format(Format::LevelFlag | Format::Date | Format::Microseconds | Format::ShortFileName)
        .set_cutmode_by_size(&bench.file_name(), 1 << 40, 1, false);
    bench.drive(
        |order| {
            info!(format!(
                "order accepted user_id={} price={} symbol={}",
                order.user_id, order.price, order.symbol
            ));
        },
        Closed::unfinished,
    )
}

//! The pace of all modes but throughput: 20 records, then a pause in which any peer catches up.

use std::time::Duration;

use crate::measure::Tsc;
use crate::order::Order;

/// Records between two pauses.
pub const BURST: u64 = 20;
const PAUSE: Duration = Duration::from_micros(100);

/// Logs orders from `from` on, and pauses after each burst; the number of the next one.
pub fn bursts(tsc: &Tsc, from: u64, bursts: u64, log: &impl Fn(&Order)) -> u64 {
    for burst in 0..bursts {
        for i in 0..BURST {
            log(&Order::number(from + burst * BURST + i));
        }
        pause(tsc);
    }
    from + bursts * BURST
}

pub fn pause(tsc: &Tsc) {
    tsc.spin(PAUSE);
}

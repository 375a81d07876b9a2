//! How long a tick of the processor's counter is: single calls are timed by it, as a reading of the
//! clock takes longer than a call.

use std::time::Instant;

use fastlog::bench_support::ticks;

/// A reading of the counter and one of the clock: the longer ago, the better.
pub struct TickRate {
    ticks: u64,
    at: Instant,
}

impl TickRate {
    pub fn start() -> TickRate {
        TickRate { ticks: ticks(), at: Instant::now() }
    }

    pub fn ns_per_tick(&self) -> f64 {
        self.at.elapsed().as_nanos() as f64 / (ticks() - self.ticks) as f64
    }
}

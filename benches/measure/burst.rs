//! Calls in bursts of 20, the timer around a burst, not around a call. Between bursts the ring is
//! emptied and the collector left to itself, outside the measured time.

use std::hint::{black_box, spin_loop};
use std::ops::Range;
use std::time::{Duration, Instant};

use fastlog::Engine;
use fastlog::bench_support::ticks;

pub const BURST: u64 = 20;
const PAUSE: Duration = Duration::from_micros(10);

/// Bursts between two flushes: at most 40 KiB of the usual record.
const BURSTS_PER_FLUSH_MAX: u64 = 32;
/// Bytes between two flushes: a quarter of a ring of 1 MiB, far from where a call wakes anybody.
const BYTES_PER_FLUSH: u64 = 256 << 10;

/// Nanoseconds per call of many bursts.
#[derive(Default)]
pub struct Samples {
    ns: Vec<f64>,
}

impl Samples {
    fn push(&mut self, burst: Duration) {
        self.ns.push(burst.as_nanos() as f64 / BURST as f64);
    }

    fn quantile(&mut self, part: f64) -> f64 {
        super::quantile(&mut self.ns, part)
    }
}

/// What a call costs, beside what costs nothing and what cannot be saved.
#[derive(Default)]
pub struct InTurns {
    empty: Samples,
    clock: Samples,
    calls: Samples,
}

/// Nanoseconds a call, without the empty loop.
pub struct Cost {
    pub clock_ns: f64,
    pub call_ns: f64,
}

impl InTurns {
    /// Measures empty loop, clock read and call burst by burst in turns: machines drift.
    /// `call_bytes` is about what one record takes in the ring.
    #[inline(always)]
    pub fn measure(
        engine: &Engine,
        rounds: u64,
        call_bytes: u64,
        mut call: impl FnMut(u64),
    ) -> InTurns {
        let bursts_per_flush =
            (BYTES_PER_FLUSH / (BURST * call_bytes)).clamp(1, BURSTS_PER_FLUSH_MAX);
        let mut samples = InTurns::default();
        for round in 0..rounds {
            if round % bursts_per_flush == 0 {
                engine.flush().expect("the engine runs");
            }
            pause();
            samples.empty.push(burst(0..BURST, |i| _ = black_box(i)));
            samples.clock.push(burst(0..BURST, |_| _ = black_box(ticks())));
            samples.calls.push(burst(0..BURST, &mut call));
        }
        samples
    }

    /// The cost in the burst that this part of the bursts does not exceed.
    pub fn cost(&mut self, part: f64) -> Cost {
        let empty = self.empty.quantile(part);
        let [clock_ns, call_ns] =
            [&mut self.clock, &mut self.calls].map(|samples| samples.quantile(part) - empty);
        Cost { clock_ns, call_ns }
    }
}

#[inline(always)]
fn burst(calls: Range<u64>, mut call: impl FnMut(u64)) -> Duration {
    let start = Instant::now();
    for i in calls {
        call(black_box(i));
    }
    start.elapsed()
}

fn pause() {
    let start = Instant::now();
    while start.elapsed() < PAUSE {
        spin_loop();
    }
}

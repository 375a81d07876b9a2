//! What a call costs its caller. Bursts whose calls are timed one by one give the quantiles; a
//! timer around a call measures the timer as well, so bursts timed as a whole give the mean.

use std::path::Path;

use super::Closed;
use super::pace::{self, BURST};
use crate::measure::{Tsc, quantile, tsc_begin, tsc_end};
use crate::order::Order;
use crate::output;
use crate::run::Latency;

const WARM_UP_BURSTS: u64 = 50;
/// Of calls timed one by one, and of those timed together; fewer if the run has fewer records.
const BURSTS_OF_CALLS: u64 = 20_000;
const WHOLE_BURSTS: u64 = 5_000;

pub fn run(
    dir: &Path,
    records: u64,
    prepare: impl Fn(),
    log: impl Fn(&Order),
    close: impl FnOnce() -> Closed,
) -> Latency {
    let tsc = Tsc::calibrate();
    // Not zeroed, so that the pages are there before the clock starts.
    let most = records / BURST;
    let mut calls = vec![1_u64; (BURSTS_OF_CALLS.min(most) * BURST) as usize];
    let mut bursts = vec![1_u64; WHOLE_BURSTS.min(most) as usize];
    prepare();
    let mut next = pace::bursts(&tsc, 0, WARM_UP_BURSTS, &log);
    next = time_calls(&tsc, next, &log, &mut calls);
    next = time_bursts(&tsc, next, &log, &mut bursts);
    close().finish(dir);

    calls.sort_unstable();
    bursts.sort_unstable();
    let call = |share| tsc.ns(quantile(&calls, share));
    Latency {
        burst_mean_ns: tsc.ns(quantile(&bursts, 0.5)) / BURST as f64,
        p50_ns: call(0.5),
        p90_ns: call(0.9),
        p99_ns: call(0.99),
        p999_ns: call(0.999),
        max_ns: call(1.0),
        timer_overhead_ns: tsc.overhead_ns,
        records: next,
        written: output::records(dir),
    }
}

fn time_calls(tsc: &Tsc, mut next: u64, log: &impl Fn(&Order), calls: &mut [u64]) -> u64 {
    for burst in calls.chunks_exact_mut(BURST as usize) {
        for call in burst {
            let order = Order::number(next);
            next += 1;
            let begin = tsc_begin();
            log(&order);
            *call = tsc_end() - begin;
        }
        pace::pause(tsc);
    }
    next
}

fn time_bursts(tsc: &Tsc, mut next: u64, log: &impl Fn(&Order), bursts: &mut [u64]) -> u64 {
    for burst in bursts {
        let begin = tsc_begin();
        for _ in 0..BURST {
            log(&Order::number(next));
            next += 1;
        }
        *burst = tsc_end() - begin;
        pace::pause(tsc);
    }
    next
}

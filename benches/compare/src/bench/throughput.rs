//! Records a second from one or two threads that log as fast as they can, until everything is in
//! the file; and right afterwards the raw loop, so that the share is of the same minute.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use super::Closed;
use crate::order::Order;
use crate::run::Throughput;
use crate::{baseline, measure, output};

/// The clocks around what the producers do.
struct Produced {
    begin: Instant,
    cpu_begin_s: f64,
    end: Instant,
}

pub fn run(
    dir: &Path,
    records: u64,
    producers: u64,
    prepare: impl Fn() + Sync,
    log: impl Fn(&Order) + Sync,
    close: impl FnOnce() -> Closed,
) -> Throughput {
    let share = records / producers;
    let records = share * producers;
    let produced = produce(producers, share, &prepare, &log);
    let closed = close();
    let closed_at = Instant::now();
    let bytes_at_close = output::bytes(dir);
    let end = closed.settle(dir).map_or(closed_at, |settled| settled.max(produced.end));
    let cpu_s = measure::cpu_seconds() - produced.cpu_begin_s;
    let peak_resident_mib = measure::peak_resident_mib();
    let bytes = output::bytes(dir);
    let dropped = closed.dropped;
    closed.shut_down();

    let wall_s = (end - produced.begin).as_secs_f64();
    let written = output::records(dir);
    Throughput {
        records,
        written,
        dropped: dropped.unwrap_or(records.saturating_sub(written)),
        wall_s,
        producers_wall_s: (produced.end - produced.begin).as_secs_f64(),
        records_per_s: written as f64 / wall_s,
        raw_records_per_s: baseline::records_per_s(dir, records),
        cpu_s,
        peak_resident_mib,
        bytes,
        bytes_at_close,
    }
}

/// Each producer logs its share of the orders.
fn produce(
    producers: u64,
    share: u64,
    prepare: &(impl Fn() + Sync),
    log: &(impl Fn(&Order) + Sync),
) -> Produced {
    let ready = &Barrier::new(producers as usize + 1);
    thread::scope(|scope| {
        let produce = |producer: u64| {
            move || {
                prepare();
                ready.wait();
                ready.wait();
                for i in producer * share..(producer + 1) * share {
                    log(&Order::number(i));
                }
                Instant::now()
            }
        };
        let threads: Vec<_> =
            (0..producers).map(|producer| scope.spawn(produce(producer))).collect();
        // The clocks are read between the producers' being prepared and their being let go.
        ready.wait();
        let (cpu_begin_s, begin) = (measure::cpu_seconds(), Instant::now());
        ready.wait();
        let ends = threads.into_iter().map(|thread| thread.join().expect("a producer returns"));
        Produced { begin, cpu_begin_s, end: ends.max().expect("there is a producer") }
    })
}

//! The ring alone: records of eight granules (64 bytes), from claim to release.
//!
//! `same thread` shows the instructions, everything in the first cache; `two threads` shows the
//! cache lines that travel. The baseline is std's bounded channel with values of the same size.

use std::hint::{black_box, spin_loop};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastlog::bench_support::ring;

const GRANULES: usize = 8;
const CAPACITY: usize = 128 * 1024;
/// Records of one iteration between two threads: enough that the start of a thread is nothing.
const STREAM: u64 = 1_000_000;
const CHANNEL: usize = CAPACITY / GRANULES;

fn same_thread(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring/same thread");
    group.throughput(Throughput::Elements(1));
    let (mut writer, mut reader) = ring(4 * 1024);
    group.bench_function("emit and read", |b| {
        b.iter(|| {
            // A full ring says so once, and has looked by then.
            while !writer.emit::<GRANULES>(black_box(7)) {}
            reader.read()
        });
    });
    let (sender, receiver) = mpsc::sync_channel::<[u64; GRANULES]>(CHANNEL);
    group.bench_function("std sync_channel", |b| {
        b.iter(|| {
            sender.try_send([black_box(7); GRANULES]).expect("room");
            receiver.try_recv().expect("a value")
        });
    });
    group.finish();
}

fn two_threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring/two threads");
    group.throughput(Throughput::Elements(STREAM)).sample_size(20);
    group.bench_function("emit and read", |b| b.iter_custom(|n| stream_ring(n * STREAM)));
    group.bench_function("std sync_channel", |b| b.iter_custom(|n| stream_channel(n * STREAM)));
    group.finish();
}

fn stream_ring(records: u64) -> Duration {
    let (mut writer, mut reader) = ring(CAPACITY);
    let consumer = thread::spawn(move || {
        let mut read = 0;
        while read < records {
            match reader.read() {
                Some(value) => {
                    assert_eq!(value, read, "in order");
                    read += 1;
                }
                None => spin_loop(),
            }
        }
    });
    let start = Instant::now();
    for value in 0..records {
        while !writer.emit::<GRANULES>(value) {
            thread::yield_now();
        }
    }
    consumer.join().expect("the consumer reads all");
    start.elapsed()
}

fn stream_channel(records: u64) -> Duration {
    let (sender, receiver) = mpsc::sync_channel::<[u64; GRANULES]>(CHANNEL);
    let consumer = thread::spawn(move || {
        for expected in 0..records {
            let value = receiver.recv().expect("a value");
            assert_eq!(value[1], expected, "in order");
        }
    });
    let start = Instant::now();
    for value in 0..records {
        sender.send([value; GRANULES]).expect("the consumer lives");
    }
    consumer.join().expect("the consumer reads all");
    start.elapsed()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = same_thread, two_threads
}
criterion_main!(benches);

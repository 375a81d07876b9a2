//! Formatting alone: from an envelope to its line in memory that stays in the first cache, and its
//! parts beside std's, ryu's and zmij's.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastlog::Format;
use fastlog::bench_support::{Lines, envelope, float, integer};

/// Numbers of all lengths, so that no branch is learnt by heart.
fn integers() -> Vec<u64> {
    (0..1024_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 60)).collect()
}

fn prices() -> Vec<f64> {
    (0..1024).map(|n| 1.0 + f64::from(n) * 0.25).collect()
}

fn numbers(c: &mut Criterion) {
    let mut out = [0_u8; 64];
    let mut group = c.benchmark_group("format/u64");
    let (values, mut at) = (integers(), 0);
    let mut next = move || {
        at = (at + 1) % values.len();
        values[at]
    };
    group.bench_function("engine", |b| b.iter(|| integer(next(), black_box(&mut out))));
    group.bench_function("std", |b| {
        b.iter(|| write!(&mut black_box(&mut out)[..], "{}", next()).expect("room"));
    });
    group.finish();

    let mut group = c.benchmark_group("format/f64");
    let (values, mut at) = (prices(), 0);
    let mut next = move || {
        at = (at + 1) % values.len();
        values[at]
    };
    group.bench_function("short decimal, else ryu", |b| {
        b.iter(|| float(next(), black_box(&mut out)))
    });
    group.bench_function("std", |b| {
        b.iter(|| write!(&mut black_box(&mut out)[..], "{:?}", next()).expect("room"));
    });
    group.finish();
    long_floats(c, &mut out);
}

/// Floats of many digits: what the engine is built with, and both of what it can be built with.
fn long_floats(c: &mut Criterion, out: &mut [u8]) {
    let mut group = c.benchmark_group("format/f64 of many digits");
    let values: Vec<f64> = (1..1024).map(|n| 1.0 / f64::from(n)).collect();
    let mut at = 0;
    let mut next = move || {
        at = (at + 1) % values.len();
        values[at]
    };
    group.bench_function("engine", |b| b.iter(|| float(next(), black_box(&mut *out))));
    group.bench_function("ryu", |b| {
        b.iter(|| ryu::Buffer::new().format_finite(black_box(next())).len());
    });
    group.bench_function("zmij", |b| {
        b.iter(|| zmij::Buffer::new().format_finite(black_box(next())).len());
    });
    group.bench_function("std", |b| {
        b.iter(|| write!(&mut black_box(&mut *out)[..], "{:?}", next()).expect("room"));
    });
    group.finish();
}

fn lines(c: &mut Criterion) {
    const START_NS: i64 = 1_795_210_380_123_456_789;
    let names = ["user_id", "price", "symbol"];
    let envelopes: Vec<_> = integers()
        .iter()
        .zip(prices())
        .map(|(user_id, price)| envelope(&(user_id, (&price, (&"ACME.NYS", ())))))
        .collect();
    let mut out = [0_u8; 4096];
    let mut group = c.benchmark_group("format/line");
    group.throughput(Throughput::Elements(1));
    let cases = [
        ("json", Format::Json, "order accepted"),
        ("json, holes", Format::Json, "order of {user_id} at {price:.2} accepted"),
        ("text", Format::Text, "order accepted"),
    ];
    for (name, format, template) in cases {
        let mut lines = Lines::new(format, template, &names);
        let mut count = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                count += 1;
                let utc_ns = START_NS + count as i64 * 100;
                let envelope = &envelopes[count % envelopes.len()];
                let len = lines.line(envelope, utc_ns, black_box(&mut out));
                assert!(len > 0, "a line");
                len
            });
        });
    }
    let mut count = 0;
    group.bench_function("std write!, of the same shape", |b| {
        b.iter(|| {
            count += 1;
            let (user_id, price) = (count as u64, 1.0 + (count % 1024) as f64 * 0.25);
            writeln!(
                &mut black_box(&mut out)[..],
                "{{\"timestamp\":\"2026-11-20T21:33:00.{:09}Z\",\"level\":\"{}\",\"target\":\"{}\",\
                 \"message\":\"{}\",\"user_id\":{user_id},\"price\":{price:?},\"symbol\":{:?}}}",
                count % 1_000_000_000,
                black_box("INFO"),
                black_box("app"),
                black_box("order accepted"),
                black_box("ACME.NYS"),
            )
            .expect("room");
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = numbers, lines
}
criterion_main!(benches);

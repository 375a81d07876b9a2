//! Encoding alone: an envelope into memory that stays in the first cache, without clock and ring.
//! The baseline copies as many bytes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fastlog::bench_support::encode;
use fastlog::value::Fields;

const TICKS: u64 = 1;

fn bench_shape<F: Fields>(c: &mut Criterion, shape: &str, fields: &F) {
    let mut group = c.benchmark_group("encode");
    let mut out = [0; 64];
    let granules = encode(&mut out, TICKS, fields);
    group.bench_function(BenchmarkId::new("envelope", shape), |b| {
        b.iter(|| encode(black_box(&mut out), TICKS, black_box(fields)));
    });
    let source = out;
    group.bench_function(BenchmarkId::new("memcpy", shape), |b| {
        b.iter(|| {
            let len = black_box(granules);
            black_box(&mut out)[..len].copy_from_slice(&black_box(&source)[..len]);
        });
    });
    group.finish();
}

fn shapes(c: &mut Criterion) {
    bench_shape(c, "no field", &());
    bench_shape(c, "u64, f64, 8-byte str", &(&42_u64, (&1.25_f64, (&"ACME.NYS", ()))));
    let four = (&5_u64, (&6_u64, (&7_u64, (&8_u64, ()))));
    bench_shape(c, "8 u64", &(&1_u64, (&2_u64, (&3_u64, (&4_u64, four)))));
    let text = "0123456789abcdef".repeat(4);
    bench_shape(c, "64-byte str", &(&text, ()));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = shapes
}
criterion_main!(benches);

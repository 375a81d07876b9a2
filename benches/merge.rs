//! What merging costs: the same records from 1, 2, 8 and 64 rings through the collector to its
//! segments, on one thread, from memory that is hot or nearly so. The records alternate between the
//! rings, one each: the worst order there is, as no two of a ring can be taken without looking at
//! the others. The baseline is one ring.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastlog::bench_support::{Passes, envelope};

/// Records of a pass.
const RECORDS: u64 = 4096;

fn merge(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge/record from");
    group.throughput(Throughput::Elements(1));
    let mut words: Vec<u64> = envelope(&(&7_u64, (&1.25_f64, (&"ACME.NYS", ()))))
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")))
        .collect();
    for rings in [1, 2, 8, 64] {
        let mut passes = Passes::new(rings);
        let name = if rings == 1 { "1 ring".to_owned() } else { format!("{rings} rings") };
        group.bench_function(name, |b| {
            b.iter_custom(|records| {
                let mut time = Duration::ZERO;
                for _ in 0..records.div_ceil(RECORDS) {
                    time += pass(&mut passes, rings, &mut words);
                }
                time.mul_f64(records as f64 / records.next_multiple_of(RECORDS) as f64)
            });
        });
    }
    group.finish();
}

/// Emits the records of a pass, then takes the time that the pass needs.
fn pass(passes: &mut Passes, rings: usize, words: &mut [u64]) -> Duration {
    for record in 0..RECORDS as usize {
        // A full ring says so once, and has looked by then.
        while !passes.emit(record % rings, words) {}
    }
    let start = Instant::now();
    passes.pass();
    start.elapsed()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = merge
}
criterion_main!(benches);

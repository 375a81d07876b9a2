//! What merging costs: the same records from 1, 2, 8 and 64 rings through the collector to its
//! segments, on one thread, from memory that is hot or nearly so. The records alternate between the
//! rings, one each: the worst order there is, as no two of a ring can be taken without looking at
//! the others. The baseline is one ring, whose passes come in turns with the others'.

mod measure;

use std::time::Instant;

use fastlog::bench_support::{Passes, envelope};
use measure::{Length, quantile};

/// Records of a pass.
const RECORDS: u64 = 4096;
/// Passes with each number of rings.
const ROUNDS: u64 = 2_000;
const TEST_ROUNDS: u64 = 2;
/// The design's budget for what merging costs more than one ring, ns a record.
const BUDGET: f64 = 15.0;
const RINGS: [usize; 4] = [1, 2, 8, 64];

/// A number of rings, and the nanoseconds a record of each pass over them.
struct Row {
    rings: usize,
    passes: Passes,
    ns: Vec<f64>,
}

impl Row {
    fn new(rings: usize) -> Row {
        Row { rings, passes: Passes::new(rings), ns: Vec::new() }
    }

    /// Emits the records of a pass, then takes the time that the pass needs.
    fn measure(&mut self, words: &mut [u64]) {
        for record in 0..RECORDS as usize {
            // A full ring says so once, and has looked by then.
            while !self.passes.emit(record % self.rings, words) {}
        }
        let start = Instant::now();
        self.passes.pass();
        self.ns.push(start.elapsed().as_nanos() as f64 / RECORDS as f64);
    }
}

fn main() {
    let Some(length) = measure::length("merge") else { return };
    let rounds = if length == Length::Short { TEST_ROUNDS } else { ROUNDS };
    let mut words: Vec<u64> = envelope(&(&7_u64, (&1.25_f64, (&"ACME.NYS", ()))))
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")))
        .collect();
    let mut rows = RINGS.map(Row::new);
    for _ in 0..rounds {
        rows.iter_mut().for_each(|row| row.measure(&mut words));
    }
    print(&mut rows, rounds);
}

fn print(rows: &mut [Row], rounds: u64) {
    println!(
        "\none record of each ring in turn, ns a record, {rounds} passes of {RECORDS} in turns; \
         budget: {BUDGET:.0} more than one ring\n"
    );
    println!("{:>5} {:>8} {:>6} {:>8} {:>6}", "rings", "median", "more", "tenth", "more");
    let mut one = [0.0; 2];
    for row in rows {
        let at = [0.5, 0.1].map(|part| quantile(&mut row.ns, part));
        if row.rings == 1 {
            one = at;
        }
        let [median, tenth] = at;
        println!(
            "{:>5} {median:>8.1} {:>6.1} {tenth:>8.1} {:>6.1}",
            row.rings,
            median - one[0],
            tenth - one[1]
        );
    }
}

//! What merging costs: the same records from 1, 2, 8 and 64 rings through the collector to its
//! segments, on one thread, from memory that is hot or nearly so. One record of each ring in turn
//! is the order in which no two of a ring can be taken without a look at the others; at random, a
//! processor cannot learn which ring comes next. Of 64 rings, all or two are busy. The baseline is
//! one ring, whose passes come in turns with the others'.

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
/// Rings that there are, how many of them are busy, and in which order.
const ROWS: [(usize, u64, Order); 8] = [
    (1, 1, Order::InTurn),
    (2, 2, Order::InTurn),
    (2, 2, Order::Random),
    (8, 8, Order::InTurn),
    (8, 8, Order::Random),
    (64, 2, Order::Random),
    (64, 64, Order::InTurn),
    (64, 64, Order::Random),
];

/// Which ring a record is of.
#[derive(Clone, Copy)]
enum Order {
    InTurn,
    Random,
}

impl Order {
    fn ring(self, record: u64, rings: u64) -> u64 {
        match self {
            Order::InTurn => record % rings,
            Order::Random => ((mix(record) >> 32) * rings) >> 32,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Order::InTurn => "in turn",
            Order::Random => "random",
        }
    }
}

/// A number that looks random and is the same in each run: the finalizer of splitmix64.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ n >> 31
}

/// Rings in an order, and the nanoseconds a record of each pass over them.
struct Row {
    rings: usize,
    busy: u64,
    order: Order,
    /// Records before this pass.
    emitted: u64,
    passes: Passes,
    ns: Vec<f64>,
}

impl Row {
    fn new((rings, busy, order): (usize, u64, Order)) -> Row {
        Row { rings, busy, order, emitted: 0, passes: Passes::new(rings), ns: Vec::new() }
    }

    /// Emits the records of a pass, then takes the time that the pass needs.
    fn measure(&mut self, words: &mut [u64]) {
        for record in self.emitted..self.emitted + RECORDS {
            let ring = self.order.ring(record, self.busy) as usize;
            // A full ring says so once, and has looked by then.
            while !self.passes.emit(ring, words) {}
        }
        self.emitted += RECORDS;
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
    let mut rows = ROWS.map(Row::new);
    for _ in 0..rounds {
        rows.iter_mut().for_each(|row| row.measure(&mut words));
    }
    print(&mut rows, rounds);
}

fn print(rows: &mut [Row], rounds: u64) {
    println!(
        "\nns a record, {rounds} passes of {RECORDS} records each, in turns; budget: {BUDGET:.0} more \
         than one ring\n"
    );
    println!(
        "{:>5} {:>5} {:>8} {:>8} {:>6} {:>8} {:>6}",
        "rings", "busy", "order", "median", "more", "tenth", "more"
    );
    let mut one = [0.0; 2];
    for row in rows {
        let at = [0.5, 0.1].map(|part| quantile(&mut row.ns, part));
        if row.rings == 1 {
            one = at;
        }
        let [median, tenth] = at;
        println!(
            "{:>5} {:>5} {:>8} {median:>8.1} {:>6.1} {tenth:>8.1} {:>6.1}",
            row.rings,
            row.busy,
            row.order.name(),
            median - one[0],
            tenth - one[1]
        );
    }
}

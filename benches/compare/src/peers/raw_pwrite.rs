//! No logger: fastlog's lines, made beforehand, written by a loop of `pwrite`. What the page cache
//! of this machine takes from one thread.

use crate::baseline;
use crate::bench::{Bench, Closed};
use crate::run::Outcome;

pub fn run(bench: &Bench) -> Outcome {
    let lines = baseline::lines(bench.records());
    bench.drive(
        |_| {},
        || {
            baseline::write(&bench.file(), &lines);
            Closed::flushed()
        },
    )
}

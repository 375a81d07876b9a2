//! What the calling thread asks of the allocator, per record, when nothing is new any more.

use std::path::Path;

use super::Closed;
use super::pace::{self, BURST};
use crate::allocations;
use crate::measure::Tsc;
use crate::order::Order;
use crate::run::Alloc;

pub fn run(
    dir: &Path,
    records: u64,
    prepare: impl Fn(),
    log: impl Fn(&Order),
    close: impl FnOnce() -> Closed,
) -> Alloc {
    assert!(allocations::are_counted(), "the mode `alloc` is for the program `compare-alloc`");
    let tsc = Tsc::calibrate();
    prepare();
    // Fills what a peer allocates in blocks, so that the figure is that of the steady state.
    let next = pace::bursts(&tsc, 0, records / BURST, &log);
    let before = allocations::this_thread();
    let end = pace::bursts(&tsc, next, records / BURST, &log);
    let after = allocations::this_thread();
    close().finish(dir);

    let per_record = |before: u64, after: u64| (after - before) as f64 / (end - next) as f64;
    Alloc {
        records: end - next,
        allocations: per_record(before.allocations, after.allocations),
        bytes: per_record(before.bytes, after.bytes),
        frees: per_record(before.frees, after.frees),
    }
}

//! Logs at a pace that every peer keeps and reads back: is every record there, whole, in order, and
//! are its numbers numbers?

use std::path::Path;

use super::pace::{self, BURST};
use super::{Closed, inspect};
use crate::measure::Tsc;
use crate::order::Order;
use crate::run::Verify;

pub fn run(
    dir: &Path,
    records: u64,
    prepare: impl Fn(),
    log: impl Fn(&Order),
    close: impl FnOnce() -> Closed,
) -> Verify {
    let tsc = Tsc::calibrate();
    prepare();
    let records = pace::bursts(&tsc, 0, records / BURST, &log);
    close().finish(dir);
    inspect::inspect(dir, records)
}

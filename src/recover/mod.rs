//! Recovery: what killed processes left in their arenas comes into their logs. Runs on the owner at
//! start, before the log is opened, and in the command line.

mod apply;
mod aside;
mod carry;
mod find;
mod judge;
pub(crate) mod lines;
mod pen;
pub(crate) mod places;
mod report;
mod rings;
mod run;
mod stage;
mod stem;
mod tally;
mod target;
// Elsewhere there are no arenas in files.
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;
mod written;

pub(crate) use find::{Spot, Whose, add_spot};
pub(crate) use judge::forget_after_fork;
pub(crate) use report::{Destination, Kept, Report};
pub(crate) use run::{Beside, Names, Purpose, Site};

//! Recovery: what killed processes left in their arenas comes into their logs. Runs on the owner at
//! start, before the log is opened, and in the command line.

mod apply;
mod carry;
mod find;
pub(crate) mod lines;
pub(crate) mod places;
mod stage;
mod stem;
mod tally;
mod target;

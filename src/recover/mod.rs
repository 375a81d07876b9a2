//! Recovery: what killed processes left in their arenas comes into their logs. Runs on the owner at
//! start, before the log is opened, and in the command line.

pub(crate) mod lines;

//! One workload through fastlog and the loggers that a Rust user would pick instead.
//!
//! | module | what |
//! |---|---|
//! | `order` | the record that everybody logs |
//! | `peers` | a module a logger: sets it up, logs, shuts it down |
//! | `bench` | drives a peer in one of the modes |
//! | `measure`, `allocations`, `output`, `baseline` | what the modes read: clocks, allocator, files, a raw loop |
//! | `run` | the line of JSON that a run leaves |
//! | `report` | lines to medians, tables and plots |
//! | `cli` | the commands |
//!
//! A process has one global logger, so a run is a process: one peer in one mode. `run.sh` starts them.

mod allocations;
mod baseline;
mod bench;
mod cli;
mod measure;
mod order;
mod output;
mod peers;
mod report;
mod run;

pub use allocations::Counting;
pub use cli::main;

// `LOCKED`, the versions in Cargo.lock. In the root for ticklog's sake: rustc finds the macros that
// its `configure!` puts here only while the root still has a macro to expand.
include!(concat!(env!("OUT_DIR"), "/locked.rs"));

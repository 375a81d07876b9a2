//! Publisher and keeper on a disk in memory, driven by a seed: rotations, retention, whoever else
//! is at the files, failing calls, barriers, kills and power cuts, in whatever order. Compiled for
//! tests alone; all of it runs on one thread, the test's.
//!
//! After each run: what a barrier confirmed is there after the power cut, what was published is
//! there after a kill; lines are whole, once, and in order; counters balance, and no failure is
//! silent. `docs/durability.md` says how to run it for longer, and one seed again.

mod account;
mod disk;
mod engine;
mod inode;
mod lines;
mod names;
mod random;
mod tests;
mod weather;
mod world;

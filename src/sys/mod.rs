//! The operating system: the only user of libc and rustix. Called from every thread.
//!
//! Everything here is safe to call and says what the system said: errors are `io::Error` with the
//! system's number, nothing is retried except `EINTR`, nothing is logged. What Linux alone offers
//! has a portable stand-in, chosen on other systems and by `--cfg fastlog_portable`. Not compiled
//! under loom, whose models have no operating system.

pub(crate) mod attributes;
pub(crate) mod bus_guard;
pub(crate) mod clock;
pub(crate) mod exit;
pub(crate) mod file_system;
pub(crate) mod fork_safe;
pub(crate) mod gone;
pub mod io;
mod lease;
pub(crate) mod mapped_file;
mod memory_lock;
pub(crate) mod mmap;
pub(crate) mod moment;
pub(crate) mod open;
pub(crate) mod own_file;
pub(crate) mod process;
#[cfg(feature = "cli")]
pub(crate) mod reader;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
mod refused;
#[cfg(test)]
mod rerun;
pub(crate) mod stderr;
pub(crate) mod thread;
pub(crate) mod thread_end;
pub(crate) mod unannounced;
pub(crate) mod wiped;
mod write_signals;
pub(crate) mod zeros;

//! The guard against `SIGBUS`: what happens when a page of a mapped file cannot be had, because
//! the file was cut, its file system is full, or the device fails. The handler runs on whichever
//! thread touched the page, and is installed on the owner's thread, once per process.
//!
//! It claims faults inside the engine's own mappings and nothing else. There it puts memory of the
//! process in place of the page, with what the page held where that can still be had, and the
//! access is made again. All other faults go to whoever was there before: another handler, called
//! as the kernel would have called it, or the default action.
//!
//! A host may install a handler of its own later. One that calls ours, as handlers of this signal
//! should, works together with it; one that does not replaces it, and is told of
//! ([`is_replaced`]) rather than fought.
#![allow(unsafe_code)] // Handlers of signals, and memory under foreign feet.

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
mod handler;
#[cfg(any(not(target_os = "linux"), fastlog_portable))]
mod nowhere;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
mod page;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
mod table;
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
use super::mapped_file::MappedFile;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(crate) use handler::is_replaced;
#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(crate) use nowhere::is_replaced;
#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(super) use nowhere::{Slot, register, replace_all};
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(super) use page::replace_all;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(super) use table::Slot;

/// Whether the engine keeps the process alive when a page of its arena's files cannot be had.
///
/// The arena is a memory-mapped file. Somebody cuts it (`truncate`), its file system is full or
/// fails: then an access to a page of it is a `SIGBUS`, which ends the process. The guard is a
/// handler of that signal which claims such faults in the engine's own mappings and puts memory of
/// the process in place of the page. All other faults go to the handler that was there before.
///
/// A program that installs a handler of its own later calls the one it finds, as it should with any
/// handler of this signal; otherwise the engine's is out of the way, which the log then says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigbusGuard {
    /// Installed once per process, with the first file that is mapped.
    #[default]
    Install,
    /// Not installed for this engine: a page that cannot be had ends the process, unless a handler
    /// of the program knows what to do.
    Off,
}

/// Lets the guard look after `len` bytes from `start`, those of `file` from `offset` on. None where
/// there is no guard.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(super) fn register(
    start: usize,
    len: usize,
    file: &MappedFile,
    offset: u64,
) -> Option<&'static Slot> {
    // Without the handler a fault is the host's end, as it was before.
    handler::install().ok().map(|()| table::register(start, len, file, offset))
}

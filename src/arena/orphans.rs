//! The arenas of this process, so that it never takes one for a dead process's. Any thread.
//!
//! A POSIX record lock is lost as soon as its process closes any descriptor of the file. So this
//! process keeps a table of its own arenas and never opens one of them a second time.

#[cfg(feature = "cli")]
use std::fs::File;
#[cfg(feature = "cli")]
use std::io;
use std::path::{Path, PathBuf};

use crate::sys::fork_safe::ForkSafe;

/// What an arena's name ends in.
pub(crate) const ARENA_EXTENSION: &str = "arena";

/// What the name of its segments ends in.
pub(crate) const SEGMENTS_EXTENSION: &str = "segments";

/// And the callsites for which it had no room.
pub(crate) const SITES_EXTENSION: &str = "sites";

/// The arenas of this process.
static OWN: ForkSafe<Vec<PathBuf>> = ForkSafe::new();

/// To be called before the file exists, so that nobody here ever finds it unknown.
pub(super) fn remember_own(path: &Path) {
    OWN.lock().push(path.to_owned());
}

pub(crate) fn forget_own(path: &Path) {
    OWN.lock().retain(|own| own != path);
}

/// Whether the arena is one of this process; by the file's name, of which a part is random: the way
/// to it may be another.
pub(crate) fn is_own(path: &Path) -> bool {
    OWN.lock().iter().any(|own| own.file_name() == path.file_name())
}

/// Opens the arena of another process to read it; none if it is one of this process. By the file's
/// name, of which a part is random: the way to it may be another.
///
/// # Errors
/// The system's, and `InvalidInput` when it is no regular file.
#[cfg(feature = "cli")]
pub(super) fn open_foreign(path: &Path) -> io::Result<Option<File>> {
    if is_own(path) {
        return Ok(None);
    }
    // What is unknown here now is so for good: paths are remembered before their files exist.
    crate::sys::open::to_read(path).map(Some)
}

/// Whether this process has an arena in `dir`.
#[cfg(test)]
pub(super) fn is_own_in(dir: &Path) -> bool {
    OWN.lock().iter().any(|own| own.starts_with(dir))
}

/// In a forked child, which has no arena yet. Only stores.
pub(crate) fn forget_after_fork() {
    OWN.forget();
}

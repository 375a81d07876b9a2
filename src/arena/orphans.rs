//! Arenas that crashed processes left behind: counted at start, kept for recovery. Runs on the
//! owner.
//!
//! A POSIX record lock is lost as soon as its process closes any descriptor of the file. So this
//! process keeps a table of its own arenas and never opens one of them a second time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys::fork_safe::ForkSafe;
use crate::sys::io::Io;
use crate::sys::process;

/// What an arena's name ends in.
pub(super) const ARENA_EXTENSION: &str = "arena";

/// The arenas of this process.
static OWN: ForkSafe<Vec<PathBuf>> = ForkSafe::new();

/// To be called before the file exists, so that nobody here ever finds it unknown.
pub(super) fn remember_own(path: &Path) {
    OWN.lock().push(path.to_owned());
}

pub(super) fn forget_own(path: &Path) {
    OWN.lock().retain(|own| own != path);
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

/// Counts the arenas of `name` in `dir` whose process is gone.
///
/// # Errors
/// The system's, when the directory cannot be read.
pub(crate) fn count_orphans(io: &dyn Io, dir: &Path, name: &str) -> io::Result<u64> {
    let prefix = format!("{name}.");
    let suffix = format!(".{ARENA_EXTENSION}");
    let mut orphans = 0;
    for file_name in io.read_dir_names(dir)? {
        let Some(text) = file_name.to_str() else { continue };
        // The base name may itself hold dots: what follows it is exactly `pid-id`.
        let middle = text.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(&suffix));
        let is_ours = middle.is_some_and(|middle| !middle.contains('.'));
        if is_ours && is_orphan(&dir.join(&file_name)) {
            orphans += 1;
        }
    }
    Ok(orphans)
}

/// Whether no process holds the arena. One that cannot be opened is not known to be abandoned.
fn is_orphan(path: &Path) -> bool {
    // Held while the file is open: no arena of this process begins meanwhile, see `remember_own`.
    let own = OWN.lock();
    let is_own = own.iter().any(|own| own == path);
    !is_own && File::open(path).is_ok_and(|file| !process::is_locked(&file))
}

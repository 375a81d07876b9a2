//! Arenas that crashed processes left behind: counted at start, kept for recovery. Runs on the
//! owner.
//!
//! A POSIX record lock is lost as soon as its process closes any descriptor of the file. So this
//! process keeps a table of its own arenas and never opens one of them a second time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::layout::{self, MAGIC, header};
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

/// Opens the arena of another process to read it; none if it is one of this process. By the file's
/// name, of which a part is random: the way to it may be another.
///
/// # Errors
/// The system's, and `InvalidInput` when it is no regular file.
#[cfg(feature = "cli")]
pub(super) fn open_foreign(path: &Path) -> io::Result<Option<File>> {
    if OWN.lock().iter().any(|own| own.file_name() == path.file_name()) {
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

/// Which arenas of a name are of the same log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SameLog<'a> {
    /// All: they lie beside it.
    ByPlace,
    /// Those whose log has this directory: services of one name may share the place of arenas.
    In(&'a Path),
}

/// Counts the arenas of `name` in `dir` whose log is the same and whose process is gone.
///
/// # Errors
/// The system's, when the directory cannot be read.
pub(crate) fn count_orphans(
    io: &dyn Io,
    dir: &Path,
    name: &str,
    log: SameLog<'_>,
) -> io::Result<u64> {
    let prefix = format!("{name}.");
    let suffix = format!(".{ARENA_EXTENSION}");
    let mut orphans = 0;
    for file_name in io.read_dir_names(dir)? {
        let Some(text) = file_name.to_str() else { continue };
        // The base name may itself hold dots: what follows it is exactly `pid-id`.
        let middle = text.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(&suffix));
        let is_ours = middle.is_some_and(|middle| !middle.contains('.'));
        if is_ours && is_orphan(&dir.join(&file_name), log) {
            orphans += 1;
        }
    }
    Ok(orphans)
}

/// Whether no process holds the arena. One that cannot be opened is not known to be abandoned.
fn is_orphan(path: &Path, log: SameLog<'_>) -> bool {
    // Held while the file is open: no arena of this process begins meanwhile, see `remember_own`.
    let own = OWN.lock();
    if own.iter().any(|own| own == path) {
        return false;
    }
    // Not through a pipe of that name, which would hang the start.
    let Ok(file) = crate::sys::open::to_read(path) else { return false };
    let is_same = match log {
        SameLog::ByPlace => true,
        SameLog::In(directory) => has_directory(&file, directory),
    };
    is_same && !process::is_locked(&file)
}

/// Whether the header names this directory; no when it cannot be read or was never completed.
fn has_directory(file: &File, directory: &Path) -> bool {
    let word = |offset: usize| {
        let mut bytes = [0; 8];
        let read = file.read_exact_at(&mut bytes, offset as u64);
        read.map(|()| u64::from_le_bytes(bytes))
    };
    let expected = layout::directory_bytes(directory);
    let has_len = word(header::MAGIC).is_ok_and(|magic| magic == MAGIC)
        && word(header::DIRECTORY).is_ok_and(|len| len == expected.len() as u64);
    let mut bytes = vec![0; expected.len()];
    has_len
        && file.read_exact_at(&mut bytes, header::DIRECTORY as u64 + 8).is_ok()
        && bytes == expected
}

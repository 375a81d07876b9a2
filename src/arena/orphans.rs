//! Arenas that crashed processes left behind: found at start, and removed where there are too many.
//! Runs on the owner.
//!
//! A POSIX record lock is lost as soon as its process closes any descriptor of the file. So this
//! process keeps a table of its own arenas and never opens one of them a second time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::layout::{self, MAGIC, header};
use crate::sys::fork_safe::ForkSafe;
use crate::sys::io::Io;
use crate::sys::process;

/// What an arena's name ends in.
pub(crate) const ARENA_EXTENSION: &str = "arena";

/// What the name of its segments ends in.
pub(crate) const SEGMENTS_EXTENSION: &str = "segments";

/// And the callsites for which it had no room.
pub(super) const SITES_EXTENSION: &str = "sites";

/// The arenas of this process.
static OWN: ForkSafe<Vec<PathBuf>> = ForkSafe::new();

/// To be called before the file exists, so that nobody here ever finds it unknown.
pub(super) fn remember_own(path: &Path) {
    OWN.lock().push(path.to_owned());
}

pub(super) fn forget_own(path: &Path) {
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

/// An arena whose process is gone.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    path: PathBuf,
    /// What its files take of the disk.
    pub(crate) bytes: u64,
    /// When its process wrote to it last.
    pub(crate) modified: SystemTime,
}

impl Orphan {
    fn at(io: &dyn Io, path: PathBuf) -> Option<Orphan> {
        let arena = io.stat(&path).ok()?;
        // It may have died before it had made them.
        let beside = [SEGMENTS_EXTENSION, SITES_EXTENSION]
            .map(|end| io.stat(&path.with_extension(end)).map_or(0, |status| status.disk_bytes));
        let bytes = arena.disk_bytes + beside.iter().sum::<u64>();
        Some(Orphan { path, bytes, modified: arena.modified })
    }

    /// Where it lies.
    pub(crate) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Removes its files; false if somebody holds it after all, or has removed it.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn remove(&self, io: &dyn Io) -> io::Result<bool> {
        // As in `is_orphan`: what is unknown here stays so, and a disk that hangs holds nobody up
        // who starts or ends an engine elsewhere.
        if OWN.lock().contains(&self.path) {
            return Ok(false);
        }
        let file = match io.open_existing(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        if process::record_lock(&file).is_err() {
            return Ok(false);
        }
        for beside in [SEGMENTS_EXTENSION, SITES_EXTENSION] {
            match io.unlink(&self.path.with_extension(beside)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match io.unlink(&self.path) {
            // Another engine of this process, which the lock does not keep out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }
}

/// The arenas of `name` in `dir` whose log is the same and whose process is gone.
///
/// # Errors
/// The system's, when the directory cannot be read.
pub(crate) fn find_orphans(
    io: &dyn Io,
    dir: &Path,
    name: &str,
    log: SameLog<'_>,
) -> io::Result<Vec<Orphan>> {
    let suffix = format!(".{ARENA_EXTENSION}");
    let mut orphans = Vec::new();
    for file_name in io.read_dir_names(dir)? {
        let Some(text) = file_name.to_str() else { continue };
        let path = dir.join(&file_name);
        let is_named = text.strip_suffix(&suffix).is_some_and(|stem| is_of(stem, name));
        if is_named && is_orphan(&path, log) {
            orphans.extend(Orphan::at(io, path));
        }
    }
    Ok(orphans)
}

/// What stands between a name and what is added to it where another engine has it.
const SECOND: char = '@';

/// Whether `app.4711-00ff` or `app@17.4711-00ff` is of the name `app`: behind the base, which may
/// itself hold dots, a process's number and the arena's.
fn is_of(stem: &str, name: &str) -> bool {
    let Some((base, process)) = stem.rsplit_once('.') else { return false };
    let rest = base.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SECOND)) && is_process(process)
}

/// `4711-00ff`: a process's number and the arena's.
fn is_process(middle: &str) -> bool {
    middle.split_once('-').is_some_and(|(pid, id)| {
        let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        is_pid && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether no process holds the arena. One that cannot be opened is not known to be abandoned.
fn is_orphan(path: &Path, log: SameLog<'_>) -> bool {
    // What is listed and unknown here now is so for good: paths are remembered before their files
    // exist. The lock is not held while the file is read, which may wait for a disk.
    if OWN.lock().iter().any(|own| own == path) {
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

//! Directories, names and files of an engine that is about to start. Runs on the owner.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::{NameLock, NotLocked};
use crate::config::file_names::{self, DIR_MODE, PRIVATE_DIR_MODE, Unit};
use crate::config::{InUse, Output, Settings};
use crate::error::Error;
use crate::publish::{Calendar, Console, FileOutput, Places};
use crate::stats::Counters;
use crate::sys::io::Io;
use crate::sys::process;

/// Beside the log: locks and arenas.
pub(super) const PRIVATE_DIR: &str = ".fastlog";

/// How many engines of one process may ask for one name.
const SUFFIXES_MAX: u32 = 1000;

/// The log file's place, its name locked.
pub(super) struct LogPlace {
    /// Absolute.
    pub(super) dir: PathBuf,
    /// Whether it was made just now: its parent is not synced yet.
    pub(super) is_dir_new: bool,
    pub(super) private_dir: PathBuf,
    /// The name, or the one with a suffix that is used instead.
    pub(super) base: String,
    pub(super) unit: Unit,
    /// The visible file.
    pub(super) path: PathBuf,
    pub(super) lock: NameLock,
    /// Whether no engine has written the log of this name here before.
    pub(super) is_first: bool,
    /// Set when the name was taken and another is used.
    pub(super) warning: Option<String>,
}

impl LogPlace {
    pub(super) fn places(&self) -> Places {
        let (dir, private_dir) = (self.dir.clone(), self.private_dir.clone());
        let (base, unit, is_first) = (self.base.clone(), self.unit, self.is_first);
        Places { dir, private_dir, base, unit, is_first }
    }
}

/// The console, where the output is one.
pub(super) fn console(output: &Output) -> Option<Console> {
    match output {
        Output::Stdout => Some(Console::Stdout),
        Output::Stderr => Some(Console::Stderr),
        Output::File | Output::Null => None,
    }
}

/// Makes the directories and takes the name.
pub(super) fn log_place(settings: &Settings) -> Result<LogPlace, Error> {
    let io = &*settings.io;
    let (dir, is_dir_new) = directory(io, &settings.dir)?;
    let private_dir = dir.join(PRIVATE_DIR);
    make_dir(io, &private_dir, PRIVATE_DIR_MODE)?;
    let is_unknown = is_unknown(io, &dir, &private_dir, &settings.name);
    let (lock, base, warning) = lock_name(settings, &dir, &private_dir)?;
    let is_first = is_unknown && base == settings.name;
    let path = file_path(settings, &dir, &base);
    let unit = settings.unit();
    Ok(LogPlace { dir, is_dir_new, private_dir, base, unit, path, lock, is_first, warning })
}

/// Whether no engine, of whatever user, has ever locked the name: each leaves the lock's file.
fn is_unknown(io: &dyn Io, dir: &Path, private_dir: &Path, name: &str) -> bool {
    let lock = format!("{name}.lock");
    // What may not be looked at may be one.
    let is_free = |private: &Path| {
        let status = io.stat(&private.join(&lock));
        status.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let is_private = |name: &&OsString| name.to_string_lossy().starts_with(PRIVATE_DIR);
    is_free(private_dir)
        && io.read_dir_names(dir).is_ok_and(|names| {
            names.iter().filter(is_private).all(|private| is_free(&dir.join(private)))
        })
}

/// Opens the visible file.
pub(super) fn log_file(
    settings: &Settings,
    place: &LogPlace,
    calendar: Calendar,
    counters: Counters,
) -> Result<FileOutput, Error> {
    let io = Arc::clone(&settings.io);
    let opened = FileOutput::open(io, place.places(), settings.rotation, calendar, counters);
    opened.map_err(|source| {
        let path = place.path.clone();
        match source.kind() {
            io::ErrorKind::InvalidInput => Error::NotAFile { path },
            _ => Error::LogFile { path, source },
        }
    })
}

/// The directory, made if only its last component is missing, absolute; whether it is
/// new.
pub(super) fn directory(io: &dyn Io, dir: &Path) -> Result<(PathBuf, bool), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Directory { path, source }
    };
    let absolute = std::path::absolute(dir).map_err(failed(dir))?;
    let is_new = make_dir(io, &absolute, DIR_MODE)?;
    Ok((absolute.canonicalize().map_err(failed(&absolute))?, is_new))
}

/// Makes a directory that others of this user may have made already; whether it is new.
pub(super) fn make_dir(io: &dyn Io, path: &Path, mode: u32) -> Result<bool, Error> {
    match io.create_dir(path, mode) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::NotADirectory { path: path.to_owned() })
        }
        Err(source) => Err(Error::Directory { path: path.to_owned(), source }),
    }
}

/// The name itself, or one with a suffix if another engine writes it.
fn lock_name(
    settings: &Settings,
    dir: &Path,
    private_dir: &Path,
) -> Result<(NameLock, String, Option<String>), Error> {
    let name = &settings.name;
    let holder = match take(settings, private_dir, name)? {
        Ok(lock) => return Ok((lock, name.clone(), None)),
        Err(holder) => holder,
    };
    if settings.in_use == InUse::Fail {
        return Err(Error::LockedBy { path: file_path(settings, dir, name), pid: holder });
    }
    let pid = process::pid();
    for suffixed in (1..SUFFIXES_MAX).map(|nth| file_names::second(name, pid, nth)) {
        if let Ok(lock) = take(settings, private_dir, &suffixed)? {
            let path = file_path(settings, dir, &suffixed);
            let holder =
                holder.map_or("another process".to_owned(), |pid| format!("process {pid}"));
            let warning = format!(
                "{holder} writes the log {:?}: this engine writes {path:?}",
                file_path(settings, dir, name)
            );
            return Ok((lock, suffixed, Some(warning)));
        }
    }
    Err(Error::LockedBy { path: file_path(settings, dir, name), pid: holder })
}

/// The lock, or who holds it.
fn take(
    settings: &Settings,
    private_dir: &Path,
    name: &str,
) -> Result<Result<NameLock, Option<u32>>, Error> {
    match NameLock::take(&*settings.io, private_dir, name) {
        Ok(lock) => Ok(Ok(lock)),
        Err(NotLocked::Held(holder)) => Ok(Err(holder)),
        Err(NotLocked::Failed(source)) => {
            Err(Error::LockFile { path: private_dir.join(format!("{name}.lock")), source })
        }
    }
}

fn file_path(settings: &Settings, dir: &Path, name: &str) -> PathBuf {
    dir.join(file_names::live(name, settings.unit()))
}

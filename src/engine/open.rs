//! Directories, names and files of an engine that is about to start. Runs on the owner.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::{self, NameLock};
use super::name::{self, Name};
use super::private_dir;
use crate::config::file_names::{DIR_MODE, PRIVATE_DIR_MODE, Unit};
use crate::config::{Modes, Output, Settings};
use crate::error::Error;
use crate::publish::{Calendar, Console, FileOutput, Places};
use crate::stats::Counters;
use crate::sys::attributes;
use crate::sys::io::Io;

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
    pub(super) modes: Modes,
    /// The visible file.
    pub(super) path: PathBuf,
    pub(super) lock: Arc<NameLock>,
    /// Whether no engine has written the log of this name here before.
    pub(super) has_former: bool,
    /// That the name was taken and another is used, say.
    pub(super) warnings: Vec<String>,
}

impl LogPlace {
    pub(super) fn places(&self) -> Places {
        let (dir, private_dir) = (self.dir.clone(), self.private_dir.clone());
        let (base, unit, modes) = (self.base.clone(), self.unit, self.modes);
        Places { dir, private_dir, base, unit, modes, has_former: self.has_former }
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
    let (dir, is_dir_new) = log_dir(settings)?;
    let (private_dir, opened) = private_dir::take(io, &dir)?;
    let is_unknown = is_unknown(io, &dir, &private_dir, &settings.name);
    let Name { lock, base, warning } = name::take(settings, &dir, &private_dir)?;
    let path = name::file_path(settings, &dir, &base);
    let is_older = is_unknown || was_there_before(&path, &lock::path(&private_dir, &base));
    let has_former = is_older && base == settings.name;
    let unit = settings.unit();
    let (lock, modes) = (Arc::new(lock), settings.modes);
    Ok(LogPlace {
        dir,
        is_dir_new,
        private_dir,
        base,
        unit,
        modes,
        path,
        lock,
        has_former,
        warnings: opened.into_iter().chain(warning).collect(),
    })
}

/// Whether no engine, of whatever user, has ever locked the name: each leaves the lock's file.
fn is_unknown(io: &dyn Io, dir: &Path, private_dir: &Path, name: &str) -> bool {
    // What may not be looked at may be one.
    let is_free = |private: &Path| {
        let status = io.stat(&lock::path(private, name));
        status.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let others = private_dir::of_others(io, dir, private_dir);
    is_free(private_dir) && others.iter().all(|private| is_free(private))
}

/// Whether the log's file is older than the lock's, which the name's first engine made. Not known
/// where the file system does not keep the times at which files are made.
fn was_there_before(log: &Path, lock: &Path) -> bool {
    let made = |path| std::fs::symlink_metadata(path).and_then(|metadata| metadata.created());
    matches!((made(log), made(lock)), (Ok(log), Ok(lock)) if log < lock)
}

/// Opens the visible file.
pub(super) fn log_file(
    settings: &Settings,
    place: &LogPlace,
    calendar: Calendar,
    counters: Counters,
) -> Result<FileOutput, Error> {
    let io = Arc::clone(&settings.io);
    let name = (place.places(), Arc::clone(&place.lock) as _);
    let opened = FileOutput::open(io, name, settings.rotation, calendar, counters);
    opened.map_err(|source| {
        let path = place.path.clone();
        match source.kind() {
            io::ErrorKind::InvalidInput => Error::NotAFile { path },
            _ => Error::LogFile { path, source },
        }
    })
}

/// The log's directory; with the configured mode where it is made.
fn log_dir(settings: &Settings) -> Result<(PathBuf, bool), Error> {
    let (io, mode) = (&*settings.io, settings.modes.dir);
    // Until it has that, its owner's alone.
    let at_first = if mode.is_some() { PRIVATE_DIR_MODE } else { DIR_MODE };
    let (dir, is_new) = directory(io, &settings.dir, at_first)?;
    if is_new {
        let dressed = attributes::inherit_dir(io, &dir, None, mode);
        dressed.map_err(|source| Error::Directory { path: dir.clone(), source })?;
    }
    Ok((dir, is_new))
}

/// The directory, made if only its last component is missing, absolute; whether it is
/// new.
pub(super) fn directory(io: &dyn Io, dir: &Path, mode: u32) -> Result<(PathBuf, bool), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Directory { path, source }
    };
    let absolute = std::path::absolute(dir).map_err(failed(dir))?;
    let is_new = make_dir(io, &absolute, mode)?;
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

//! Takes a log's name, or one with a suffix where another engine writes the log. Runs on the owner,
//! at start.
//!
//! Engines of one user meet at the name's lock in their private directory. Those of others have
//! directories of their own: their locks are looked at as far as they may be, and the log file
//! bears a mark of whoever writes it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::lock::{self, NameLock, NotLocked};
use super::private_dir;
use crate::config::file_names;
use crate::config::{InUse, Settings};
use crate::error::Error;
use crate::sys::process;

/// How many engines of one process may ask for one name.
const SUFFIXES_MAX: u32 = 1000;

/// Whose name was taken.
pub(super) struct Name {
    pub(super) lock: NameLock,
    /// The name, or the one with a suffix that is used instead.
    pub(super) base: String,
    /// Set when the name was taken and another is used.
    pub(super) warning: Option<String>,
}

/// Who is in the way.
#[derive(Clone, Copy, Debug)]
enum Holder {
    /// An engine of this process, where the system tells.
    Process(Option<u32>),
    /// A user who owns the file; this one may not write it.
    User(u32),
}

impl Holder {
    fn error(self, path: PathBuf) -> Error {
        match self {
            Holder::Process(pid) => Error::LockedBy { path, pid },
            Holder::User(owner) => Error::OwnedBy { path, owner },
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Process(Some(pid)) => write!(f, "process {pid} writes"),
            Holder::Process(None) => f.write_str("another process writes"),
            Holder::User(owner) => write!(f, "user {owner} owns"),
        }
    }
}

/// Takes the name itself, or one with a suffix.
///
/// # Errors
/// `LockFile`; `LockedBy` and `OwnedBy` where the configuration wants no other name.
pub(super) fn take(settings: &Settings, dir: &Path, private_dir: &Path) -> Result<Name, Error> {
    let name = &settings.name;
    let places = (dir, private_dir);
    let holder = match try_to_take(settings, places, name)? {
        Ok(lock) => return Ok(Name { lock, base: name.clone(), warning: None }),
        Err(holder) => holder,
    };
    let path = file_path(settings, dir, name);
    if settings.in_use == InUse::Fail {
        return Err(holder.error(path));
    }
    let pid = process::pid();
    for base in (1..SUFFIXES_MAX).map(|nth| file_names::second(name, pid, nth)) {
        if let Ok(lock) = try_to_take(settings, places, &base)? {
            let own = file_path(settings, dir, &base);
            let warning = Some(format!("{holder} the log {path:?}: this engine writes {own:?}"));
            return Ok(Name { lock, base, warning });
        }
    }
    Err(holder.error(path))
}

/// The lock, or who is in the way.
fn try_to_take(
    settings: &Settings,
    (dir, private_dir): (&Path, &Path),
    name: &str,
) -> Result<Result<NameLock, Holder>, Error> {
    let lock = match NameLock::take(&settings.io, private_dir, name) {
        Ok(lock) => lock,
        Err(NotLocked::Held(holder)) => return Ok(Err(Holder::Process(holder))),
        Err(NotLocked::Failed(source)) => {
            return Err(Error::LockFile { path: lock::path(private_dir, name), source });
        }
    };
    let io = &*settings.io;
    let mut others = private_dir::of_others(io, dir, private_dir).into_iter();
    if let Some(holder) = others.find_map(|other| lock::holder_at(&lock::path(&other, name))) {
        return Ok(Err(Holder::Process(holder)));
    }
    let path = file_path(settings, dir, name);
    match io.open_existing(&path) {
        Ok(file) => match process::marked_by(&file) {
            Some(holder) => Ok(Err(Holder::Process(holder))),
            None => Ok(Ok(lock)),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let owner = io.stat(&path).map(|status| status.uid).ok();
            let other = owner.filter(|owner| *owner != process::effective_uid());
            Ok(other.map_or(Ok(lock), |owner| Err(Holder::User(owner))))
        }
        // Missing, or no file: that shows when it is opened.
        Err(_) => Ok(Ok(lock)),
    }
}

/// The log file of this name.
pub(super) fn file_path(settings: &Settings, dir: &Path, name: &str) -> PathBuf {
    dir.join(file_names::live(name, settings.unit()))
}

//! One engine per name: a POSIX record lock on `.fastlog/<name>.lock`, and, because such a lock
//! does not keep out its own process, a table of the names that this process holds. Runs on the
//! owner.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::sys::fork_safe::ForkSafe;
use crate::sys::io::Io;
use crate::sys::process::{self, LockHeld};

/// The locks of this process, by path.
static HELD: ForkSafe<Vec<PathBuf>> = ForkSafe::new();

/// In a forked child, which holds none of its parent's locks. Only stores.
pub(super) fn forget_after_fork() {
    HELD.forget();
}

/// A held name; released when dropped.
#[derive(Debug)]
pub(super) struct NameLock {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NotLocked {
    /// By this process or another; its number where the system tells.
    Held(Option<u32>),
    /// The file cannot be made, or the file system has no locks.
    Failed(io::Error),
}

impl NameLock {
    /// Takes the lock of a name. `dir` is the directory `.fastlog`, absolute.
    pub(super) fn take(io: &dyn Io, dir: &Path, name: &str) -> Result<NameLock, NotLocked> {
        let path = dir.join(format!("{name}.lock"));
        let mut held = HELD.lock();
        // Before any open: closing a second descriptor would drop our own lock.
        if held.contains(&path) {
            return Err(NotLocked::Held(Some(process::pid())));
        }
        let file = io.open_private(&path).map_err(NotLocked::Failed)?;
        match process::record_lock(&file) {
            Ok(()) => {
                held.push(path.clone());
                Ok(NameLock { path, file: Mutex::new(Some(file)) })
            }
            Err(LockHeld::By { holder }) => Err(NotLocked::Held(holder)),
            Err(LockHeld::Unknown(error)) => Err(NotLocked::Failed(error)),
        }
    }

    /// Releases the name; again does nothing. The file stays: removing it would let two engines
    /// hold locks on two files of one name.
    pub(super) fn release(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if file.is_some() {
            let mut held = HELD.lock();
            drop(file);
            held.retain(|path| *path != self.path);
        }
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        self.release();
    }
}

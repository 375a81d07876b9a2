//! The visible log's files, as the publisher that appends to them and the keeper that syncs them
//! share them.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::SyncFailure;
use crate::primitive::AtomicBool;

/// An open file of the visible log.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Its identity.
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not tell. Inodes
    /// are used again, this pair of numbers is not.
    pub(crate) birth_ns: u64,
    /// Set when a sync failed. Linux then marks the lost pages clean, and a second `fdatasync`
    /// would lie: there is none.
    pub(crate) refused: OnceLock<SyncFailure>,
    /// Whether blocks are reserved behind its end. Set and read by the keeper.
    pub(crate) has_reserve: AtomicBool,
}

/// What the keeper has to do.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    /// Files that were replaced and hold bytes that may not be on the device.
    pub(crate) retired: Vec<Arc<LogFile>>,
    /// The file that is being written.
    pub(crate) current: Option<Arc<LogFile>>,
    /// Whether names in the directory have changed.
    pub(crate) is_dir_dirty: bool,
}

/// The current file, and those that wait for their last sync.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    files: Mutex<Unsynced>,
}

impl LogFiles {
    /// A log that begins with this file, whose name may be new.
    pub(crate) fn new(current: Arc<LogFile>) -> LogFiles {
        let files = Unsynced { retired: Vec::new(), current: Some(current), is_dir_dirty: true };
        LogFiles { files: Mutex::new(files) }
    }

    /// From now on appends go to another file.
    pub(crate) fn replace(&self, file: Arc<LogFile>) {
        let mut files = self.lock();
        let retired = files.current.replace(file);
        files.retired.extend(retired);
        files.is_dir_dirty = true;
    }

    /// The current file.
    pub(crate) fn current(&self) -> Option<Arc<LogFile>> {
        self.lock().current.clone()
    }

    /// Takes over what there is to sync; the current file stays current.
    pub(crate) fn take_unsynced(&self) -> Unsynced {
        let mut files = self.lock();
        Unsynced {
            retired: std::mem::take(&mut files.retired),
            current: files.current.clone(),
            is_dir_dirty: std::mem::take(&mut files.is_dir_dirty),
        }
    }

    /// Gives back what could not be synced.
    pub(crate) fn give_back(&self, unsynced: Unsynced) {
        let mut files = self.lock();
        files.retired.extend(unsynced.retired);
        files.is_dir_dirty |= unsynced.is_dir_dirty;
    }

    fn lock(&self) -> MutexGuard<'_, Unsynced> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

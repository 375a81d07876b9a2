//! The visible log's files, as the publisher that appends to them and the keeper that syncs them
//! share them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::SyncFailure;
use crate::primitive::{AtomicBool, Ordering};

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
    /// When it began, in nanoseconds since 1970: part of its rotated name.
    pub(crate) start_ns: i64,
    /// Its path since it was rotated.
    pub(crate) rotated: OnceLock<PathBuf>,
    /// Set when a sync failed. Linux then marks the lost pages clean, and a second `fdatasync`
    /// would lie: there is none.
    pub(crate) refused: OnceLock<SyncFailure>,
    /// Whether blocks are reserved behind its end. Set and read by the keeper.
    pub(crate) has_reserve: AtomicBool,
}

impl LogFile {
    /// Where it is now, as far as the engine moved it.
    pub(crate) fn path(&self) -> &Path {
        self.rotated.get().unwrap_or(&self.path)
    }
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
    /// Whether the directory itself is new in its parent.
    pub(crate) is_dir_new: bool,
}

/// The current file, and those that wait for their last sync.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    files: Mutex<Unsynced>,
    /// Whether the keeper has made the file that comes after the current one.
    has_next: AtomicBool,
}

impl LogFiles {
    /// A log that begins with this file, whose name may be new.
    pub(crate) fn new(current: Arc<LogFile>) -> LogFiles {
        let (current, is_dir_dirty) = (Some(current), true);
        let files = Unsynced { current, is_dir_dirty, ..Unsynced::default() };
        LogFiles { files: Mutex::new(files), has_next: AtomicBool::new(false) }
    }

    /// From now on appends go to another file.
    pub(crate) fn replace(&self, file: Arc<LogFile>) {
        let mut files = self.lock();
        let retired = files.current.replace(file);
        files.retired.extend(retired);
        files.is_dir_dirty = true;
    }

    /// Whether a file for the next rotation waits.
    pub(crate) fn has_next(&self) -> bool {
        self.has_next.load(Ordering::Acquire) // pairs with `take_next`
    }

    /// The file for the next rotation is made.
    pub(crate) fn set_next(&self) {
        self.has_next.store(true, Ordering::Release); // pairs with `take_next`
    }

    /// Takes the file for the next rotation, if one waits.
    pub(crate) fn take_next(&self) -> bool {
        self.has_next.swap(false, Ordering::AcqRel) // pairs with `set_next` and `has_next`
    }

    /// Names in the directory have changed.
    pub(crate) fn set_dir_dirty(&self) {
        self.lock().is_dir_dirty = true;
    }

    /// The directory was made: its name has to last as well.
    pub(crate) fn set_dir_new(&self) {
        self.lock().is_dir_new = true;
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
            is_dir_new: std::mem::take(&mut files.is_dir_new),
        }
    }

    /// Gives back what could not be synced.
    pub(crate) fn give_back(&self, unsynced: Unsynced) {
        let mut files = self.lock();
        files.retired.extend(unsynced.retired);
        files.is_dir_dirty |= unsynced.is_dir_dirty;
        files.is_dir_new |= unsynced.is_dir_new;
    }

    fn lock(&self) -> MutexGuard<'_, Unsynced> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

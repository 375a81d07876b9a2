//! The visible log's files, as the publisher that appends to them and the keeper that syncs them
//! share them.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::primitive::{AtomicBool, Ordering};
use crate::sys::io::{FileStatus, Io};
use crate::sys::own_file::OwnFile;

/// An open file of the visible log.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) file: OwnFile,
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
    /// Where it begins and ends among the lines of the engine's life, in bytes; the end from when
    /// it was replaced on.
    pub(crate) start: u64,
    pub(crate) end: OnceLock<u64>,
    /// A sync failed, see `doubt`: there is no second one. Set and read by the keeper; the
    /// publisher reads it through `Progress`.
    pub(crate) is_refused: AtomicBool,
    /// Whether blocks are reserved behind its end. Set and read by the keeper.
    pub(crate) has_reserve: AtomicBool,
}

impl LogFile {
    /// Device and number.
    pub(crate) fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// Where it is now, as far as the engine moved it.
    pub(crate) fn path(&self) -> &Path {
        self.rotated.get().unwrap_or(&self.path)
    }

    /// How it is now.
    ///
    /// # Errors
    /// The system's, and a sentence where its descriptor is not this file's any more.
    pub(crate) fn status(&self, io: &dyn Io) -> io::Result<FileStatus> {
        self.file.status(io)
    }

    /// Returns when what was appended is on the device. Through another descriptor, where somebody
    /// closed this one: a sync of whatever has its number now would say nothing of this file.
    ///
    /// # Errors
    /// The system's, and a sentence where the file is not to be found any more.
    pub(crate) fn sync(&self, io: &dyn Io) -> io::Result<()> {
        match self.file.checked() {
            Ok(file) => io.fdatasync(file.as_fd()),
            Err(lost) => {
                let again = OwnFile::new(io.open_existing(self.path())?)?;
                if again.identity() != self.file.identity() {
                    return Err(io::Error::other(format!("{lost}, and its name leads elsewhere")));
                }
                io.fdatasync(again.seen())
            }
        }
    }
}

/// So many files at most are replaced and still open, synced or not, when the log is rotated: where
/// the device takes them more slowly than they fill, the log goes on in a file that is too long.
/// Each is an open file of the program.
pub(crate) const OPEN_MAX: usize = 16;

/// The file that is being written, and those that hold bytes which may not be on the device.
#[derive(Debug, Default)]
struct Files {
    /// Replaced, the oldest first.
    retired: Vec<Arc<LogFile>>,
    /// Those, and the ones that the keeper has taken over and not let go of.
    open: usize,
    current: Option<Arc<LogFile>>,
    names: Names,
}

/// Names that may not be on the device.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Whether some in the directory have changed.
    pub(crate) is_dir_dirty: bool,
    /// Whether the directory itself is new in its parent.
    pub(crate) is_dir_new: bool,
}

/// The current file, and those that wait for their last sync.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    files: Mutex<Files>,
    /// Whether the keeper has made the file that comes after the current one.
    has_next: AtomicBool,
}

impl LogFiles {
    /// A log that begins with this file, whose name may be new.
    pub(crate) fn new(current: Arc<LogFile>) -> LogFiles {
        let names = Names { is_dir_dirty: true, is_dir_new: false };
        let files = Files { current: Some(current), names, ..Files::default() };
        LogFiles { files: Mutex::new(files), has_next: AtomicBool::new(false) }
    }

    /// From now on appends go to another file: the present one ends where that begins.
    pub(crate) fn replace(&self, file: Arc<LogFile>) {
        let mut files = self.lock();
        let end = file.start;
        if let Some(retired) = files.current.replace(file) {
            // Only here, once.
            let _ = retired.end.set(end);
            files.retired.push(retired);
            files.open += 1;
        }
        files.names.is_dir_dirty = true;
    }

    /// Whether so many replaced files are open that no other should be replaced yet.
    pub(crate) fn are_too_many_open(&self) -> bool {
        self.lock().open >= OPEN_MAX
    }

    /// One of the files that were taken over is closed.
    pub(crate) fn let_go(&self) {
        let mut files = self.lock();
        files.open = files.open.saturating_sub(1);
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
        self.lock().names.is_dir_dirty = true;
    }

    /// The directory was made: its name has to last as well.
    pub(crate) fn set_dir_new(&self) {
        self.lock().names.is_dir_new = true;
    }

    /// The current file.
    pub(crate) fn current(&self) -> Option<Arc<LogFile>> {
        self.lock().current.clone()
    }

    /// The files that were replaced and wait for their last sync, the oldest first.
    pub(crate) fn retired(&self) -> Vec<Arc<LogFile>> {
        self.lock().retired.clone()
    }

    /// One of them needs no sync any more.
    pub(crate) fn forget_retired(&self, file: &Arc<LogFile>) {
        let mut files = self.lock();
        let before = files.retired.len();
        files.retired.retain(|retired| !Arc::ptr_eq(retired, file));
        files.open = files.open.saturating_sub(before - files.retired.len());
    }

    /// Takes the oldest of them over, all but `left`.
    pub(crate) fn take_retired(&self, left: usize) -> Vec<Arc<LogFile>> {
        let mut files = self.lock();
        let count = files.retired.len().saturating_sub(left);
        files.retired.drain(..count).collect()
    }

    /// Takes all of them over, and gives the current file: as of one moment, since one that is
    /// replaced in between would be in neither.
    pub(crate) fn take_unsynced(&self) -> (Vec<Arc<LogFile>>, Option<Arc<LogFile>>) {
        let mut files = self.lock();
        (std::mem::take(&mut files.retired), files.current.clone())
    }

    /// Takes over the names that are to be synced.
    pub(crate) fn take_names(&self) -> Names {
        std::mem::take(&mut self.lock().names)
    }

    /// Gives back those that could not be; others may have changed meanwhile.
    pub(crate) fn give_names_back(&self, names: Names) {
        let mut files = self.lock();
        files.names.is_dir_dirty |= names.is_dir_dirty;
        files.names.is_dir_new |= names.is_dir_new;
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::fs::File;

    fn file(start: u64) -> Arc<LogFile> {
        Arc::new(LogFile {
            file: OwnFile::new(File::open("/dev/null").expect("a file")).expect("it is there"),
            path: PathBuf::from("a log"),
            dev: 0,
            ino: 0,
            birth_ns: 0,
            start_ns: 0,
            rotated: OnceLock::new(),
            start,
            end: OnceLock::new(),
            is_refused: AtomicBool::new(false),
            has_reserve: AtomicBool::new(false),
        })
    }

    fn starts(files: &[Arc<LogFile>]) -> Vec<u64> {
        files.iter().map(|file| file.start).collect()
    }

    #[test]
    fn replaced_files_keep_their_order_whatever_is_done_meanwhile() {
        let files = LogFiles::new(file(0));
        for start in [10, 20, 30] {
            // The names are being synced while a file is replaced.
            let names = files.take_names();
            files.replace(file(start));
            files.give_names_back(names);
        }
        let retired = files.retired();
        assert_eq!(starts(&retired), [0, 10, 20]);
        let ends: Vec<_> = retired.iter().filter_map(|file| file.end.get()).collect();
        assert_eq!(ends, [&10, &20, &30]);
        assert_eq!(starts(&files.take_retired(2)), [0]);
        files.forget_retired(&retired[1]);
        assert_eq!(starts(&files.retired()), [20]);
        files.replace(file(40));
        let (retired, current) = files.take_unsynced();
        assert_eq!((starts(&retired), current.map(|file| file.start)), (vec![20, 30], Some(40)));
        assert!(files.take_names().is_dir_dirty && files.retired().is_empty());
    }

    #[test]
    fn files_that_were_taken_over_count_until_they_are_closed() {
        let files = LogFiles::new(file(0));
        (1..=OPEN_MAX as u64).for_each(|start| files.replace(file(start)));
        assert!(files.are_too_many_open());
        files.forget_retired(&files.retired()[0]);
        assert!(!files.are_too_many_open());
        files.replace(file(100));
        let taken = files.take_retired(3);
        assert!(files.are_too_many_open() && taken.len() == OPEN_MAX - 3);
        taken.iter().for_each(|_| files.let_go());
        let (taken, _) = files.take_unsynced();
        assert_eq!((taken.len(), files.lock().open), (3, 3));
        taken.iter().for_each(|_| files.let_go());
        assert!(!files.are_too_many_open() && files.lock().open == 0);
    }
}

//! A disk that a test can block, fill, slow down and break: the real one underneath.

use std::fs::Metadata;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastlog::{FileStatus, Io, OsIo, Reserve};
use tempfile::TempDir;

/// Linux's numbers of the errors that a disk gives.
pub const EIO: i32 = 5;
/// No space is left.
pub const ENOSPC: i32 = 28;

/// What the disk does with each write and sync.
#[derive(Debug, Default)]
pub struct Faults {
    /// Writes wait.
    pub blocked: bool,
    /// Writes fail with this error.
    pub write_error: Option<i32>,
    /// Writes take so many bytes at most.
    pub write_max: Option<usize>,
    /// Every so many-th write fails with EIO, takes nothing, or takes one byte.
    pub hiccup_every: Option<u64>,
    /// Writes take so long.
    pub write_delay: Duration,
    /// Writes to streams, as compressed files are written, wait.
    pub streams_blocked: bool,
    /// Writes to streams fail with this error.
    pub stream_error: Option<i32>,
    /// Writes to streams take so long.
    pub stream_delay: Duration,
    /// Syncs take so long.
    pub sync_delay: Duration,
    /// Syncs wait.
    pub sync_blocked: bool,
    /// Syncs of this inode fail with EIO; 0: of any.
    pub sync_error: Option<u64>,
    /// Looks at this inode, open, fail with EIO.
    pub look_error: Option<u64>,
    /// Syncs of directories fail with this error.
    pub sync_dir_error: Option<i32>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    /// Writes that wait now.
    waiting: u32,
    writes: u64,
    /// Writes to streams that wait now.
    waiting_streams: u32,
    stream_writes: u64,
    /// Inodes in the order of their syncs, the failed ones too.
    synced: Vec<u64>,
    /// Inodes for which blocks were reserved behind the end.
    reserved: Vec<u64>,
    /// Inodes of logs that were cut.
    cut: Vec<u64>,
    /// Directories that are synced.
    synced_dirs: Vec<PathBuf>,
}

/// The disk.
#[derive(Debug, Default)]
pub struct Disk {
    state: Mutex<State>,
    changed: Condvar,
}

impl Disk {
    /// One without faults.
    pub fn new() -> Arc<Disk> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what goes wrong from now on; all else goes right.
    pub fn set(&self, faults: Faults) {
        self.lock().faults = faults;
        self.changed.notify_all();
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// Writes wait from now on.
    pub fn block(&self) {
        self.set(Faults { blocked: true, ..Faults::default() });
    }

    /// Whether a write waits.
    pub fn is_holding(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Whether a write to a stream waits.
    pub fn is_holding_stream(&self) -> bool {
        self.lock().waiting_streams > 0
    }

    /// Writes to streams so far.
    pub fn stream_writes(&self) -> u64 {
        self.lock().stream_writes
    }

    /// The inodes of all syncs so far, in order.
    pub fn synced(&self) -> Vec<u64> {
        self.lock().synced.clone()
    }

    /// The inodes of all reserves behind a file's end so far, in order.
    pub fn reserved(&self) -> Vec<u64> {
        self.lock().reserved.clone()
    }

    /// The directories of all syncs that worked so far, in order.
    pub fn synced_dirs(&self) -> Vec<PathBuf> {
        self.lock().synced_dirs.clone()
    }

    /// The inodes of all cuts of logs so far, in order.
    pub fn cut(&self) -> Vec<u64> {
        self.lock().cut.clone()
    }
}

/// What one write is to do.
enum Fate {
    Fail(i32),
    Take(usize),
}

impl Disk {
    fn fate(&self, asked: usize) -> Fate {
        let mut state = self.lock();
        state.waiting += 1;
        while state.faults.blocked {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        state.writes += 1;
        if let Some(error) = state.faults.write_error {
            return Fate::Fail(error);
        }
        let writes = state.writes;
        if let Some(every) = state.faults.hiccup_every.filter(|every| writes % every == 0) {
            return match writes / every % 3 {
                0 => Fate::Fail(EIO),
                1 => Fate::Take(0),
                _ => Fate::Take(1),
            };
        }
        let delay = state.faults.write_delay;
        let most = state.faults.write_max.unwrap_or(usize::MAX);
        drop(state);
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        Fate::Take(asked.min(most))
    }
}

impl Io for Disk {
    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.fate(bytes.len()) {
            Fate::Fail(error) => Err(io::Error::from_raw_os_error(error)),
            Fate::Take(0) => Ok(0),
            Fate::Take(count) => OsIo.pwrite(fd, &bytes[..count], offset),
        }
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        state.waiting_streams += 1;
        while state.faults.streams_blocked {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting_streams -= 1;
        state.stream_writes += 1;
        let Faults { stream_error, stream_delay, .. } = state.faults;
        drop(state);
        if let Some(error) = stream_error {
            return Err(io::Error::from_raw_os_error(error));
        }
        if !stream_delay.is_zero() {
            std::thread::sleep(stream_delay);
        }
        OsIo.write(fd, bytes)
    }

    fn fallocate(
        &self,
        fd: BorrowedFd<'_>,
        reserve: Reserve,
        offset: u64,
        len: u64,
    ) -> io::Result<()> {
        if reserve == Reserve::KeepSize {
            let ino = OsIo.fstat(fd)?.ino;
            self.lock().reserved.push(ino);
        }
        OsIo.fallocate(fd, reserve, offset, len)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<FileStatus> {
        let status = OsIo.fstat(fd)?;
        match self.lock().faults.look_error {
            Some(bad) if bad == status.ino => Err(io::Error::from_raw_os_error(EIO)),
            _ => Ok(status),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if let Some(error) = self.lock().faults.sync_dir_error {
            return Err(io::Error::from_raw_os_error(error));
        }
        OsIo.sync_dir(path)?;
        self.lock().synced_dirs.push(path.to_owned());
        Ok(())
    }

    fn ftruncate(&self, fd: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        let status = OsIo.fstat(fd)?;
        let mut state = self.lock();
        let is_log = state.reserved.contains(&status.ino);
        assert!(!is_log || status.len == len, "a log is cut at the length it has, not at {len}");
        if is_log {
            state.cut.push(status.ino);
        }
        drop(state);
        OsIo.ftruncate(fd, len)
    }

    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let ino = OsIo.fstat(fd)?.ino;
        let mut state = self.lock();
        state.synced.push(ino);
        let delay = state.faults.sync_delay;
        if !delay.is_zero() {
            drop(state);
            std::thread::sleep(delay);
            state = self.lock();
        }
        while state.faults.sync_blocked {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.faults.sync_error.is_some_and(|bad| bad == 0 || bad == ino) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        drop(state);
        OsIo.fdatasync(fd)
    }
}

/// A directory in memory where there is such a place: the faults of the disk above are the only
/// ones then, whatever else uses the real one.
pub fn memory_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// The inode of a path.
pub fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).as_ref().map(Metadata::ino).expect("a file")
}

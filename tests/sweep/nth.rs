//! A disk on which one call goes wrong: the Nth of its kind.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fastlog::{FileStatus, Io, OsIo, Reserve, Space};

/// The calls of `Io` that publisher and keeper make and that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    OpenExisting,
    OpenToRead,
    CreateLog,
    CreateDir,
    Append,
    Fdatasync,
    SyncDir,
    Fallocate,
    FreeBehindEnd,
    Fstat,
    Stat,
    SetMode,
    SetOwner,
    Statvfs,
    Link,
    Rename,
    RenameNew,
    Unlink,
    ReadDirNames,
}

impl Call {
    pub const ALL: [Call; 19] = [
        Call::OpenExisting,
        Call::OpenToRead,
        Call::CreateLog,
        Call::CreateDir,
        Call::Append,
        Call::Fdatasync,
        Call::SyncDir,
        Call::Fallocate,
        Call::FreeBehindEnd,
        Call::Fstat,
        Call::Stat,
        Call::SetMode,
        Call::SetOwner,
        Call::Statvfs,
        Call::Link,
        Call::Rename,
        Call::RenameNew,
        Call::Unlink,
        Call::ReadDirNames,
    ];
}

/// How it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With this error.
    Fails(i32),
    /// It takes so many bytes at most.
    Takes(usize),
}

/// The disk.
#[derive(Debug)]
pub struct Nth {
    call: Call,
    how: How,
    /// Which one, from 1 on.
    nth: u64,
    calls: AtomicU64,
    pub is_armed: AtomicBool,
    pub fired: AtomicU64,
    /// Appends take a byte and fail, in turn.
    pub tears: AtomicBool,
    /// Whether the last one took a byte.
    torn: AtomicBool,
    /// Of which file it was, where it was a file's.
    pub of_file: AtomicU64,
}

impl Nth {
    pub fn new(call: Call, how: How, nth: u64) -> Nth {
        let [calls, fired, of_file] = [const { AtomicU64::new(0) }; 3];
        let [is_armed, tears, torn] = [const { AtomicBool::new(false) }; 3];
        Nth { call, how, nth, calls, is_armed, fired, tears, torn, of_file }
    }

    fn goes_wrong(&self, call: Call) -> Option<How> {
        if call != self.call || !self.is_armed.load(Ordering::SeqCst) {
            return None;
        }
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 != self.nth {
            return None;
        }
        self.fired.fetch_add(1, Ordering::SeqCst);
        Some(self.how)
    }

    fn consider(&self, call: Call) -> io::Result<()> {
        match self.goes_wrong(call) {
            Some(How::Fails(error)) => Err(io::Error::from_raw_os_error(error)),
            Some(How::Takes(_)) | None => Ok(()),
        }
    }
}

impl Io for Nth {
    fn open_existing(&self, path: &Path) -> io::Result<File> {
        self.consider(Call::OpenExisting)?;
        OsIo.open_existing(path)
    }

    fn open_to_read(&self, path: &Path) -> io::Result<File> {
        self.consider(Call::OpenToRead)?;
        OsIo.open_to_read(path)
    }

    fn create_log(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.consider(Call::CreateLog)?;
        OsIo.create_log(path, mode)
    }

    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.consider(Call::CreateDir)?;
        OsIo.create_dir(path, mode)
    }

    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.tears.load(Ordering::SeqCst) {
            return match self.torn.fetch_xor(true, Ordering::SeqCst) {
                false => OsIo.append(fd, &bytes[..1], offset),
                true => Err(io::ErrorKind::Other.into()),
            };
        }
        match self.goes_wrong(Call::Append) {
            Some(How::Fails(error)) => Err(io::Error::from_raw_os_error(error)),
            Some(How::Takes(0)) => Ok(0),
            Some(How::Takes(most)) => OsIo.append(fd, &bytes[..most.min(bytes.len())], offset),
            None => OsIo.append(fd, bytes, offset),
        }
    }

    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let ino = OsIo.fstat(fd)?.ino;
        let is_asked_again = self.fired.load(Ordering::SeqCst) > 0
            && self.call == Call::Fdatasync
            && self.of_file.load(Ordering::SeqCst) == ino;
        assert!(!is_asked_again, "it would say that all is well, and lie");
        self.consider(Call::Fdatasync)
            .inspect_err(|_| self.of_file.store(ino, Ordering::SeqCst))?;
        OsIo.fdatasync(fd)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.consider(Call::SyncDir)?;
        OsIo.sync_dir(path)
    }

    fn fallocate(&self, fd: BorrowedFd<'_>, how: Reserve, at: u64, len: u64) -> io::Result<()> {
        // The others are the arena's.
        if how == Reserve::KeepSize {
            self.consider(Call::Fallocate)?;
        }
        OsIo.fallocate(fd, how, at, len)
    }

    fn free_behind_end(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.consider(Call::FreeBehindEnd)?;
        OsIo.free_behind_end(fd)
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<FileStatus> {
        self.consider(Call::Fstat)?;
        OsIo.fstat(fd)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        self.consider(Call::Stat)?;
        OsIo.stat(path)
    }

    fn set_mode(&self, fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
        self.consider(Call::SetMode)?;
        OsIo.set_mode(fd, mode)
    }

    fn set_owner(&self, fd: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        self.consider(Call::SetOwner)?;
        OsIo.set_owner(fd, uid, gid)
    }

    fn statvfs(&self, path: &Path) -> io::Result<Space> {
        self.consider(Call::Statvfs)?;
        OsIo.statvfs(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.consider(Call::Link)?;
        OsIo.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.consider(Call::Rename)?;
        OsIo.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.consider(Call::RenameNew)?;
        OsIo.rename_new(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.consider(Call::Unlink)?;
        OsIo.unlink(path)
    }

    fn read_dir_names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.consider(Call::ReadDirNames)?;
        OsIo.read_dir_names(path)
    }
}

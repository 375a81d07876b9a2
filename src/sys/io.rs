//! Every file operation of the engine, behind one trait, so that a test can be the disk. Called
//! on the owner's, the publisher's and the keeper's threads; may wait as long as the disk does.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Gid, Mode, OFlags, Uid};
use rustix::io::retry_on_intr;

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
use super::refused;
use super::write_signals::WriteSignalsHeld;

/// The operations. Each does the real thing unless overridden; a test overrides what it breaks.
///
/// Errors are the system's unless said otherwise. `EINTR` is retried inside. `append`, `pwrite`,
/// `write`, `poll_writable`, `fdatasync`, `fstat` and `stat` do not allocate (paths below 250
/// bytes). A file that would become longer than `RLIMIT_FSIZE` allows is the error `EFBIG`, a pipe
/// that nobody reads `EPIPE`, and no signal, on whichever thread.
pub trait Io: Send + Sync + fmt::Debug {
    /// Opens the log for writing, 0640 when created; never through a symbolic link at the last
    /// component, and without waiting for a pipe's reader.
    ///
    /// # Errors
    /// `InvalidInput`, with a sentence that says what it is, for anything but a regular file.
    fn open_log(&self, path: &Path) -> io::Result<File> {
        super::open::regular_file(path, OFlags::WRONLY, Mode::from_raw_mode(0o640))
    }

    /// Makes an empty file for writing, 0600, in the place of whatever has the name and is no
    /// directory.
    fn open_fresh(&self, path: &Path) -> io::Result<File> {
        match self.unlink(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.create_log(path, 0o600),
        }
    }

    /// Opens a file of the log that is there, for writing, as [`Io::open_log`] does; one that may
    /// only be appended to as well (`chattr +a`).
    ///
    /// # Errors
    /// As [`Io::open_log`], and `NotFound`.
    fn open_existing(&self, path: &Path) -> io::Result<File> {
        super::open::existing_file(path)
    }

    /// Opens a file of the log for reading.
    ///
    /// # Errors
    /// As [`Io::open_existing`].
    fn open_to_read(&self, path: &Path) -> io::Result<File> {
        super::open::to_read(path)
    }

    /// Makes a file of the log, for writing, with `mode` (such as 0o640), of which the umask may
    /// take bits.
    ///
    /// # Errors
    /// As [`Io::create_private`].
    fn create_log(&self, path: &Path, mode: u32) -> io::Result<File> {
        super::open::new_file(path, OFlags::WRONLY, super::open::mode(mode)?)
    }

    /// Creates a file for reading and writing, 0600.
    ///
    /// # Errors
    /// `AlreadyExists` whatever is there, a dangling link too.
    fn create_private(&self, path: &Path) -> io::Result<File> {
        super::open::new_file(path, OFlags::RDWR, Mode::from_raw_mode(0o600))
    }

    /// Opens or creates a file for reading and writing, 0600 when created: a lock file.
    ///
    /// # Errors
    /// As [`Io::open_log`].
    fn open_private(&self, path: &Path) -> io::Result<File> {
        super::open::regular_file(path, OFlags::RDWR, Mode::from_raw_mode(0o600))
    }

    /// Opens a file that is there, for reading and writing.
    ///
    /// # Errors
    /// As [`Io::open_log`], and `NotFound`.
    fn open_existing_private(&self, path: &Path) -> io::Result<File> {
        super::open::to_change(path)
    }

    /// Creates one directory with `mode` (such as 0o700), of which the umask may take bits.
    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let mode = super::open::mode(mode)?;
        Ok(retry_on_intr(|| rustix::fs::mkdir(path, mode))?)
    }

    /// Writes at `offset`; answers how many bytes, perhaps fewer than asked.
    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let _held = WriteSignalsHeld::hold();
        Ok(retry_on_intr(|| rustix::io::pwrite(fd, bytes, offset))?)
    }

    /// Writes at the end of a file, which was at `offset` when somebody looked; answers how many
    /// bytes, perhaps fewer than asked. Where the system can, at the end as it is: a file that was
    /// cut since does not get a hole. The default is [`pwrite`](Io::pwrite), so that whoever breaks
    /// that breaks this; only [`OsIo`] closes the gap between the look and the write.
    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.pwrite(fd, bytes, offset)
    }

    /// Reads from `offset`; answers how many bytes, 0 at the end.
    fn pread(&self, fd: BorrowedFd<'_>, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pread(fd, &mut *bytes, offset))?)
    }

    /// Writes to a stream; answers how many bytes, perhaps fewer than asked.
    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let _held = WriteSignalsHeld::hold();
        Ok(retry_on_intr(|| rustix::io::write(fd, bytes))?)
    }

    /// Waits until the stream takes bytes; false when `timeout` passed. True also for one that
    /// failed or was hung up: the next write says how.
    fn poll_writable(&self, fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            // A timeout too long for the system is endless.
            let left = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], left.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns when the file's bytes and its length are on the device. After an error nobody
    /// knows which are.
    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        #[cfg(target_vendor = "apple")]
        return Ok(retry_on_intr(|| rustix::fs::fcntl_fullfsync(fd))?);
        #[cfg(not(target_vendor = "apple"))]
        Ok(retry_on_intr(|| rustix::fs::fdatasync(fd))?)
    }

    /// Returns when the directory's entries are on the device.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
        Ok(retry_on_intr(|| rustix::fs::fsync(&dir))?)
    }

    /// Gives the file blocks for `len` bytes from `offset`; those without read as zeros.
    ///
    /// # Errors
    /// `Unsupported` where the file system cannot, and in portable mode.
    fn fallocate(
        &self,
        fd: BorrowedFd<'_>,
        reserve: Reserve,
        offset: u64,
        len: u64,
    ) -> io::Result<()> {
        let _held = WriteSignalsHeld::hold();
        allocate(fd, reserve, offset, len)
    }

    /// Frees the blocks behind the end of a file that is open for writing, while nobody else has it
    /// open: what another appends between a look at the length and the cut would be cut off. When
    /// its bytes were last changed stays what it was.
    ///
    /// # Errors
    /// `WouldBlock` where somebody else has it open, `PermissionDenied` where it belongs to another
    /// user, and `Unsupported` or `InvalidInput` where that cannot be known.
    fn free_behind_end(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        super::lease::while_alone(fd, || {
            let before = self.fstat(fd)?;
            self.ftruncate(fd, before.len)?;
            // A cut is a change to the system, also where no byte goes.
            self.set_modified(fd, before.modified)
        })
    }

    /// Sets the file's length.
    fn ftruncate(&self, fd: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        let _held = WriteSignalsHeld::hold();
        Ok(retry_on_intr(|| rustix::fs::ftruncate(fd, len))?)
    }

    /// What is open.
    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<FileStatus> {
        let mut status = FileStatus::of(&retry_on_intr(|| rustix::fs::fstat(fd))?);
        if status.kind == FileKind::Other && rustix::termios::isatty(fd) {
            status.kind = FileKind::Terminal;
        }
        Ok(status)
    }

    /// When an open file was made; none where the file system does not tell.
    fn born(&self, file: &File) -> Option<SystemTime> {
        file.metadata().and_then(|metadata| metadata.created()).ok()
    }

    /// What is at the path; a symbolic link itself, not what it leads to. A terminal is
    /// [`FileKind::Other`] here: that shows only once it is open.
    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        Ok(FileStatus::of(&retry_on_intr(|| rustix::fs::lstat(path))?))
    }

    /// Gives a file the mode, whatever the umask.
    fn set_mode(&self, fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
        let mode = super::open::mode(mode)?;
        Ok(retry_on_intr(|| rustix::fs::fchmod(fd, mode))?)
    }

    /// Gives a file to a user and a group, by their numbers; none stays as it is.
    ///
    /// # Errors
    /// `PermissionDenied` where this user may not.
    fn set_owner(&self, fd: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        Ok(retry_on_intr(|| rustix::fs::fchown(fd, uid, gid))?)
    }

    /// Says when a file's bytes were last changed.
    fn set_modified(&self, fd: BorrowedFd<'_>, at: SystemTime) -> io::Result<()> {
        super::attributes::set_modified(fd, at)
    }

    /// The room on the file system that holds the path.
    fn statvfs(&self, path: &Path) -> io::Result<Space> {
        let status = retry_on_intr(|| rustix::fs::statvfs(path))?;
        let bytes = |blocks: u64| blocks.saturating_mul(status.f_frsize);
        Ok(Space { free_bytes: bytes(status.f_bavail), total_bytes: bytes(status.f_blocks) })
    }

    /// Gives the file at `from` a second name.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` exists.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::link(from, to))?)
    }

    /// Moves a name, replacing a file at `to` in one step. Does nothing when both are names of
    /// one file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::rename(from, to))?)
    }

    /// Moves a name to where none is. In one step where the system can.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` exists.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match super::open::rename_new(from, to) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            outcome => return outcome,
        }
        match self.stat(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.rename(from, to),
            Err(error) => Err(error),
        }
    }

    /// Removes a name.
    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::unlink(path))?)
    }

    /// The names in a directory, without `.` and `..`, in no order.
    fn read_dir_names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsIo;

impl Io for OsIo {
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        use rustix::io::ReadWriteFlags;

        let _held = WriteSignalsHeld::hold();
        let bytes_at_end = [io::IoSlice::new(bytes)];
        let written = retry_on_intr(|| {
            rustix::io::pwritev2(fd, &bytes_at_end, offset, ReadWriteFlags::APPEND)
        });
        match written {
            // A kernel before 4.16, for one.
            Err(error) if refused::is_unknown(error) => append_by_flag(fd, bytes, offset),
            written => Ok(written?),
        }
    }
}

/// The older way to the same: a descriptor that only appends. From then on it is one.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn append_by_flag(fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    let appends = flags.contains(OFlags::APPEND)
        || rustix::fs::fcntl_setfl(fd, flags | OFlags::APPEND).is_ok();
    if appends {
        return Ok(retry_on_intr(|| rustix::io::write(fd, bytes))?);
    }
    Ok(retry_on_intr(|| rustix::io::pwrite(fd, bytes, offset))?)
}

/// Whether the error of a sync says that there is nothing to be synced, or no way to: a directory
/// on FUSE, SMB or 9p.
pub(crate) fn needs_no_sync(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let none = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];
    none.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// What [`Io::fallocate`] does to the file's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It grows to the end of the range.
    Extend,
    /// It stays: blocks wait behind the end.
    KeepSize,
}

/// What the engine wants to know of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// The device that holds it: with `ino` its identity.
    pub dev: u64,
    /// Its number there.
    pub ino: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Bytes of the disk that its blocks take: more than its length where some are reserved behind
    /// its end, fewer where it has holes.
    pub disk_bytes: u64,
    /// How many names it has; 0 when it was removed while open.
    pub links: u64,
    /// The number of the user who owns it.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Who may do what with it, such as 0o640; with the bits above.
    pub mode: u32,
    /// When its bytes were last changed.
    pub modified: SystemTime,
    /// What it is.
    pub kind: FileKind,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file with bytes at offsets.
    Regular,
    /// A pipe or FIFO.
    Pipe,
    /// A terminal.
    Terminal,
    /// A directory, a symbolic link, a socket, another device.
    Other,
}

/// In which `st_blocks` counts, whatever the file system's own blocks are.
const BLOCK_BYTES: u64 = 512;

/// Room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still fill.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

impl FileStatus {
    /// Device and number: the same under all names of a file, and no other's while it is there.
    pub(crate) fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    #[allow(clippy::unnecessary_cast, reason = "narrower on some systems")]
    pub(super) fn of(status: &rustix::fs::Stat) -> FileStatus {
        let kind = match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => FileKind::Regular,
            FileType::Fifo => FileKind::Pipe,
            _ => FileKind::Other,
        };
        FileStatus {
            dev: status.st_dev as u64,
            ino: status.st_ino as u64,
            len: u64::try_from(status.st_size).unwrap_or(0),
            disk_bytes: u64::try_from(status.st_blocks).unwrap_or(0).saturating_mul(BLOCK_BYTES),
            links: status.st_nlink as u64,
            uid: status.st_uid,
            gid: status.st_gid,
            mode: status.st_mode as u32 & 0o7777,
            modified: modified(status),
            kind,
        }
    }
}

#[allow(clippy::unnecessary_cast, reason = "narrower on some systems")]
fn modified(status: &rustix::fs::Stat) -> SystemTime {
    let seconds = Duration::from_secs((status.st_mtime as i64).unsigned_abs());
    let nanos = Duration::from_nanos(status.st_mtime_nsec as u64);
    let whole = if status.st_mtime as i64 >= 0 {
        UNIX_EPOCH.checked_add(seconds)
    } else {
        UNIX_EPOCH.checked_sub(seconds)
    };
    whole.and_then(|time| time.checked_add(nanos)).unwrap_or(UNIX_EPOCH)
}

/// Whether a write failed because the memory that it was to take the bytes from cannot be had: a
/// page of a mapped file that was cut, or that the device does not give.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::FAULT.raw_os_error())
}

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn allocate(fd: BorrowedFd<'_>, reserve: Reserve, offset: u64, len: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    let flags = match reserve {
        Reserve::Extend => FallocateFlags::empty(),
        Reserve::KeepSize => FallocateFlags::KEEP_SIZE,
    };
    match retry_on_intr(|| rustix::fs::fallocate(fd, flags, offset, len)) {
        Err(error) if refused::is_unknown(error) => Err(no_blocks()),
        answer => Ok(answer?),
    }
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
fn allocate(_: BorrowedFd<'_>, _: Reserve, _: u64, _: u64) -> io::Result<()> {
    Err(no_blocks())
}

fn no_blocks() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "blocks of the disk cannot be reserved here")
}

#[cfg(test)]
mod tests;

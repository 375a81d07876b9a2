//! Opening files that must be regular files, on the owner's, the publisher's and the keeper's
//! threads. A link, a pipe or a device at the path, by mistake or by malice, is refused with a
//! sentence, and never waited for.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, fcntl_setfl, fstat, lstat, open};
use rustix::io::{Errno, retry_on_intr};

/// Flags of every file that the engine opens. `NONBLOCK` is for the opening alone: that of a pipe
/// waits for its other end otherwise.
const ALWAYS: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NOCTTY).union(OFlags::NONBLOCK);

/// Somebody may hold a lease of the file, as this engine does for a moment while it gives blocks
/// back: who opens without waiting is told to come again.
const LEASE_TRIES: u32 = 100;
const LEASE_PAUSE: Duration = Duration::from_millis(2);

/// Opens or creates the regular file at `path`.
///
/// # Errors
/// `InvalidInput` when something else is there; else the system's.
pub(super) fn regular_file(path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
    open_regular(path, OFlags::CREATE | flags, mode)
}

/// Opens the regular file that is at `path`, for writing.
///
/// # Errors
/// As [`regular_file`], and `NotFound`.
pub(super) fn existing_file(path: &Path) -> io::Result<File> {
    match open_regular(path, OFlags::WRONLY, Mode::empty()) {
        // Of one that may only be appended to, the kernel wants to hear that we do.
        Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
            open_regular(path, OFlags::WRONLY | OFlags::APPEND, Mode::empty()).map_err(|_| error)
        }
        outcome => outcome,
    }
}

/// Opens the regular file at `path` to read it.
///
/// # Errors
/// As [`regular_file`], and `NotFound`.
pub(crate) fn to_read(path: &Path) -> io::Result<File> {
    open_regular(path, OFlags::RDONLY, Mode::empty())
}

/// Opens the regular file at `path` to read and change it.
///
/// # Errors
/// As [`regular_file`], and `NotFound`.
pub(super) fn to_change(path: &Path) -> io::Result<File> {
    open_regular(path, OFlags::RDWR, Mode::empty())
}

/// Opens the regular file at `path`, or the one to which a link there leads, to read it.
///
/// # Errors
/// `NotFound` only where there is nothing of this name; else a reason that does not name the path.
#[cfg(feature = "cli")]
pub fn to_read_through_links(path: &Path) -> io::Result<File> {
    let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let fd = match try_open(path, ALWAYS.difference(OFlags::NOFOLLOW), Mode::empty()) {
        Err(Errno::NOENT) if lstat(path).is_ok() => return Err(refused("a link to nothing")),
        opened => opened?,
    };
    if let Some(what) = other_kind(fstat(&fd)?.st_mode) {
        return Err(refused(&format!("{what}, not a regular file")));
    }
    fcntl_setfl(&fd, OFlags::empty())?;
    Ok(File::from(fd))
}

/// Comes again while somebody holds a lease.
fn try_open(path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let mut tries = 1;
    let mut opened = retry_on_intr(|| open(path, flags, mode));
    while matches!(opened, Err(Errno::AGAIN)) && tries < LEASE_TRIES {
        tries += 1;
        std::thread::sleep(LEASE_PAUSE);
        opened = retry_on_intr(|| open(path, flags, mode));
    }
    opened
}

fn open_regular(path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
    let fd = match try_open(path, ALWAYS | flags, mode) {
        Ok(fd) => fd,
        // A better reason than "too many levels of symbolic links" or "no such device".
        Err(error) => {
            return Err(match lstat(path) {
                Ok(status) => refusal(path, status.st_mode).unwrap_or(error.into()),
                Err(_) => error.into(),
            });
        }
    };
    if let Some(error) = refusal(path, fstat(&fd)?.st_mode) {
        return Err(error);
    }
    // A regular file does not mind the flag, should it stay.
    let _ = fcntl_setfl(&fd, flags & OFlags::APPEND);
    Ok(File::from(fd))
}

/// Creates a file where nothing is.
///
/// # Errors
/// `AlreadyExists` whatever is there, else the system's.
pub(super) fn new_file(path: &Path, access: OFlags, mode: Mode) -> io::Result<File> {
    let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(retry_on_intr(|| open(path, flags, mode))?))
}

/// A mode that a system call takes.
pub(super) fn mode(mode: u32) -> io::Result<Mode> {
    #[allow(clippy::useless_conversion, reason = "16 bits on some systems")]
    let mode = mode.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(Mode::from_raw_mode(mode))
}

/// Moves a name to where none is, in one step.
///
/// # Errors
/// `Unsupported` where the system or the file system cannot; else the system's.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match retry_on_intr(|| renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)) {
        Err(error) if super::refused::is_unknown(error) => Err(io::ErrorKind::Unsupported.into()),
        outcome => Ok(outcome?),
    }
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(super) fn rename_new(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What it is; none for a regular file.
fn other_kind(mode: rustix::fs::RawMode) -> Option<&'static str> {
    Some(match FileType::from_raw_mode(mode) {
        FileType::RegularFile => return None,
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    })
}

/// None for a regular file.
fn refusal(path: &Path, mode: rustix::fs::RawMode) -> Option<io::Error> {
    let what = other_kind(mode)?;
    Some(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "{} is {what}, not a regular file: remove it, or choose another directory or name",
            path.display()
        ),
    ))
}

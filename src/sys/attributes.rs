//! Mode, owner, group and time of a file that takes the place of another. On the publisher's and
//! the keeper's threads, and on the owner's at start.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::retry_on_intr;

use super::io::{FileStatus, Io};

/// Read, write and execute, for all three: of files the rest (set-user-id and so on) is never
/// handed on. Of directories all but set-user-id is: one where everybody may write is closed by
/// 0o1000.
const FILE_BITS: u32 = 0o777;
const DIR_BITS: u32 = 0o3777;
const GROUP_BITS: u32 = 0o070;
const OTHER_BITS: u32 = 0o007;

/// Gives a new file, open as `fd` and so far its owner's alone, owner, group and mode of the one
/// whose place it takes, but for a `mode` of its own. The mode comes last, so that nobody may read
/// it meanwhile who may not in the end.
///
/// # Errors
/// The first of the system's. What could be given is given. A group that cannot be given leaves its
/// rights to nobody: those of this process's group are then as those of others.
pub(crate) fn inherit(
    io: &dyn Io,
    fd: BorrowedFd<'_>,
    before: &FileStatus,
    mode: Option<u32>,
) -> io::Result<()> {
    dress(io, fd, before, mode.unwrap_or(before.mode & FILE_BITS))
}

fn dress(io: &dyn Io, fd: BorrowedFd<'_>, before: &FileStatus, mode: u32) -> io::Result<()> {
    let (now, mut mode) = (io.fstat(fd)?, mode);
    let mut outcome = Ok(());
    if (now.uid, now.gid) != (before.uid, before.gid) {
        outcome = io.set_owner(fd, Some(before.uid), Some(before.gid));
        let is_refused = outcome.is_err() && now.gid != before.gid;
        if is_refused && io.set_owner(fd, None, Some(before.gid)).is_err() {
            mode = mode & !GROUP_BITS | (mode & OTHER_BITS) << 3 & mode & GROUP_BITS;
        }
    }
    // Where the file system has no modes of its own they are the same already.
    if now.mode & DIR_BITS != mode {
        outcome = outcome.and(io.set_mode(fd, mode));
    }
    outcome
}

/// The same for a directory that was made just now, at `path`; without one `before`, only the mode.
///
/// # Errors
/// As [`inherit`], and the system's when it cannot be opened.
pub(crate) fn inherit_dir(
    io: &dyn Io,
    path: &Path,
    before: Option<&FileStatus>,
    mode: Option<u32>,
) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    match (before, mode) {
        (Some(before), mode) => {
            dress(io, dir.as_fd(), before, mode.unwrap_or(before.mode & DIR_BITS))
        }
        (None, Some(mode)) => io.set_mode(dir.as_fd(), mode),
        (None, None) => Ok(()),
    }
}

pub(super) fn set_modified(fd: BorrowedFd<'_>, at: SystemTime) -> io::Result<()> {
    let since = at.duration_since(UNIX_EPOCH);
    let before = since.as_ref().err().map(|before| before.duration());
    let mut at = Timespec::try_from(since.unwrap_or_default())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    if let Some(before) = before {
        // To the second: nobody asks for more of a time before 1970.
        at.tv_sec = -i64::try_from(before.as_secs()).unwrap_or(i64::MAX) as _;
    }
    let kept = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: kept, last_modification: at };
    Ok(retry_on_intr(|| rustix::fs::futimens(fd, &times))?)
}

//! Blocks behind the log's end, so that appends find them. Runs on the keeper.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::listing;
use crate::flush::controller::RESERVE_BYTES_MAX;
use crate::flush::files::LogFile;
use crate::primitive::Ordering;
use crate::sys::io::{self, Io};
use crate::sys::moment;

/// The least for which it is worth asking.
const RESERVE_BYTES_MIN: u64 = 1 << 20;

/// How long after a refusal as much is asked for as at first.
const RETRY: Duration = Duration::from_secs(60);

/// More than this behind a file's end is a reserve: file systems round up by less.
const SURPLUS_BYTES_MIN: u64 = 1 << 20;

/// What stays free is at most this part of the disk.
const FREE_PART: u64 = 20;

/// The bytes of a disk that are to stay free.
pub(super) fn free_bytes(configured: u64, space: io::Space) -> u64 {
    configured.min(space.total_bytes / FREE_PART)
}

/// What is reserved.
#[derive(Debug)]
pub(super) struct Reserve {
    /// The inode for which room is reserved, and up to which offset.
    reserved: (u64, u64),
    /// How much is asked for at a time at most; halved when the disk has less.
    bytes: u64,
    /// No file is made longer than this on purpose.
    file_bytes_max: u64,
    free_bytes: u64,
    /// When blocks were refused last.
    refused_at: Option<Instant>,
}

impl Reserve {
    /// For files that are rotated at `file_bytes_max`, on a disk of which `free_bytes` stay free.
    pub(super) fn new(file_bytes_max: u64, free_bytes: u64) -> Reserve {
        Reserve {
            reserved: (0, 0),
            bytes: RESERVE_BYTES_MAX,
            file_bytes_max,
            free_bytes,
            refused_at: None,
        }
    }

    /// Reserves `wanted` blocks, or as many as can be had, where few are left behind the file's
    /// `end`. Gives how much may be taken of the disk, if it has looked.
    pub(super) fn extend(
        &mut self,
        io: &dyn Io,
        dir: &Path,
        file: &LogFile,
        end: u64,
        wanted: u64,
    ) -> Option<u64> {
        if self.refused_at.is_some_and(|at| moment::since(at) >= RETRY) {
            (self.bytes, self.refused_at) = (RESERVE_BYTES_MAX, None);
        }
        let space = |io: &dyn Io| io.statvfs(dir).ok();
        if wanted == 0 {
            return space(io).map(|space| self.room(space));
        }
        let (ino, until) = self.reserved;
        let left = self.file_bytes_max.saturating_sub(end);
        let enough = self.bytes.min(wanted).min(left) / 4;
        let is_ample = ino == file.ino && until >= end + enough;
        let mut room = None;
        while !is_ample && self.bytes >= RESERVE_BYTES_MIN && left > 0 {
            let len = self.bytes.min(wanted).min(left);
            room = space(io).map(|space| self.room(space));
            let has_room = room.is_some_and(|room| room > len);
            let fd = file.file.seen();
            if has_room && io.fallocate(fd, io::Reserve::KeepSize, end, len).is_ok() {
                self.reserved = (file.ino, end + len);
                file.has_reserve.store(true, Ordering::Relaxed);
                return room;
            }
            self.bytes /= 2;
            self.refused_at = Some(moment::now());
        }
        room
    }

    /// Bytes that may be taken of the disk.
    fn room(&self, space: io::Space) -> u64 {
        space.free_bytes.saturating_sub(free_bytes(self.free_bytes, space))
    }
}

/// Frees the reserve of a file, unless somebody else has it open: then it stays, until a later look
/// at the complete files finds it.
pub(super) fn give_back(io: &dyn Io, file: &LogFile) -> std::io::Result<()> {
    if !file.has_reserve.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    // Nothing of a file that got the number of a descriptor which somebody has closed: the reserve
    // stays as well.
    let Ok(open) = file.file.checked() else { return Ok(()) };
    free_behind_end(io, open.as_fd())
}

/// Frees what a complete file has reserved behind its end, if that is much.
pub(super) fn give_back_of(io: &dyn Io, dir: &Path, file: &listing::File) -> std::io::Result<()> {
    if !has_surplus(&file.status) {
        return Ok(());
    }
    match io.open_existing(&dir.join(&file.named.name)) {
        Ok(open) => free_behind_end(io, open.as_fd()),
        // Removed or packed meanwhile, or another user's, whose engine frees it.
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => Ok(()),
            _ => Err(error),
        },
    }
}

/// Whether blocks wait behind the file's end.
pub(super) fn has_surplus(status: &io::FileStatus) -> bool {
    status.disk_bytes > status.len.saturating_add(SURPLUS_BYTES_MIN)
}

/// What stays because others have the file open, or because nobody can know, does no harm.
fn free_behind_end(io: &dyn Io, fd: BorrowedFd<'_>) -> std::io::Result<()> {
    match io.free_behind_end(fd).map_err(|error| (error.kind(), error)) {
        Err((ErrorKind::WouldBlock | ErrorKind::PermissionDenied, _)) => Ok(()),
        Err((ErrorKind::Unsupported | ErrorKind::InvalidInput, _)) => Ok(()),
        outcome => outcome.map_err(|(_, error)| error),
    }
}

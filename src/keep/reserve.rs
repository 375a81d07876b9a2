//! Blocks behind the log's end, so that appends find them. Runs on the keeper.

use std::os::fd::AsFd;
use std::path::Path;

use crate::flush::files::LogFile;
use crate::primitive::Ordering;
use crate::sys::io::{self, Io};

/// Blocks reserved behind the log's end, and the least for which it is worth asking.
const RESERVE_BYTES: u64 = 64 << 20;
const RESERVE_BYTES_MIN: u64 = 1 << 20;

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
    /// How much is asked for at a time; halved when the disk has less.
    bytes: u64,
    /// No file is made longer than this on purpose.
    file_bytes_max: u64,
    free_bytes: u64,
}

impl Reserve {
    /// For files that are rotated at `file_bytes_max`, on a disk of which `free_bytes` stay free.
    pub(super) fn new(file_bytes_max: u64, free_bytes: u64) -> Reserve {
        Reserve { reserved: (0, 0), bytes: RESERVE_BYTES, file_bytes_max, free_bytes }
    }

    /// Reserves blocks where few are left behind the file's `end`.
    pub(super) fn extend(&mut self, io: &dyn Io, dir: &Path, file: &LogFile, end: u64) {
        let (ino, until) = self.reserved;
        let left = self.file_bytes_max.saturating_sub(end);
        let wanted = self.bytes.min(left) / 4;
        let is_ample = ino == file.ino && until >= end + wanted;
        while !is_ample && self.bytes >= RESERVE_BYTES_MIN && left > 0 {
            let len = self.bytes.min(left);
            let has_room = io
                .statvfs(dir)
                .is_ok_and(|space| space.free_bytes > len + free_bytes(self.free_bytes, space));
            let fd = file.file.as_fd();
            if has_room && io.fallocate(fd, io::Reserve::KeepSize, end, len).is_ok() {
                self.reserved = (file.ino, end + len);
                file.has_reserve.store(true, Ordering::Relaxed);
                return;
            }
            self.bytes /= 2;
        }
    }
}

/// Frees the reserve: cutting a file at the length it has drops the blocks behind its end, and no
/// reader notices. Between the two calls nobody else may append, or his bytes would go: this thread
/// holds the name's lock.
pub(super) fn give_back(io: &dyn Io, file: &LogFile) -> std::io::Result<()> {
    if !file.has_reserve.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let fd = file.file.as_fd();
    io.fstat(fd).and_then(|status| io.ftruncate(fd, status.len))
}

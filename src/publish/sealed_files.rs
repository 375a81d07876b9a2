//! The files that segments become: their names, what a process that died left half done, and what
//! somebody removed. Runs on the publisher; opened by the owner at start.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::names::{Numbers, Places, Unnamed, ns_since_1970};
use crate::config::file_names::{DIR_MODE, PRIVATE_DIR_MODE};
use crate::segment::LogSegment;
use crate::sys::io::{FileStatus, Io};
use crate::sys::open;

/// How much of a segment is copied at a time, where its directory was removed.
const PIECE_BYTES: usize = 256 << 10;

/// The complete files of the log.
#[derive(Debug)]
pub(crate) struct SealedFiles {
    pub(super) io: Arc<dyn Io>,
    places: Places,
    numbers: Numbers,
    /// Whether the directory's own name is to be synced with the next file's.
    is_dir_new: bool,
}

impl SealedFiles {
    /// Goes on behind the files that are there. A file that was appended to gets its complete name,
    /// and a segment that a process which died had given its name loses the other one.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(io: Arc<dyn Io>, places: Places) -> io::Result<SealedFiles> {
        let mut numbers = Numbers::behind(&*io, &places)?;
        complete_live(&*io, &places, &mut numbers)?;
        forget_named(&*io, &places)?;
        Ok(SealedFiles { io, places, numbers, is_dir_new: false })
    }

    /// The directory was made: its name has to last as well.
    pub(crate) fn set_dir_new(&mut self) {
        self.is_dir_new = true;
    }

    /// Gives a segment a complete file's name besides its own; `announce` hears of each name before
    /// it is tried, and of what stands in the file.
    ///
    /// # Errors
    /// The system's; `NotFound` when the segment was removed with its directory.
    pub(super) fn link(
        &mut self,
        segment: &LogSegment,
        mut announce: impl FnMut(&FileStatus, &str),
    ) -> io::Result<()> {
        let SealedFiles { io, places, numbers, .. } = self;
        // Of the path: it may have been restored.
        let status = io.stat(&segment.path)?;
        let began = *segment.began.get_or_init(SystemTime::now);
        let file = Unnamed { path: &segment.path, start_ns: ns_since_1970(began) as i64 };
        numbers.link(&**io, places, file, |name| announce(&status, name))?;
        numbers.advance();
        Ok(())
    }

    /// Makes the names last.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn sync_dirs(&mut self) -> io::Result<()> {
        let dir = &self.places.dir;
        self.io.sync_dir(dir)?;
        if let Some(parent) = dir.parent().filter(|_| self.is_dir_new) {
            self.io.sync_dir(parent)?;
            self.is_dir_new = false;
        }
        Ok(())
    }

    /// The directory was removed, and the segment with it: both are made anew.
    ///
    /// # Errors
    /// The system's; what was begun is begun anew the next time.
    pub(super) fn restore(&mut self, lost: &LogSegment) -> io::Result<()> {
        for (dir, mode) in
            [(&self.places.dir, DIR_MODE), (&self.places.private_dir, PRIVATE_DIR_MODE)]
        {
            match self.io.create_dir(dir, mode) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.is_dir_new = true,
            }
        }
        // An earlier attempt may have left a part of it.
        match self.io.unlink(&lost.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.io.create_segment(&lost.path)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        loop {
            let count = self.io.pread(lost.file.as_fd(), &mut piece, at)?;
            if count == 0 {
                return self.io.fdatasync(file.as_fd());
            }
            let mut written = 0;
            while written < count {
                let rest = &piece[written..count];
                match self.io.pwrite(file.as_fd(), rest, at + written as u64)? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    taken => written += taken,
                }
            }
            at += count as u64;
        }
    }
}

/// A log that was appended to before gets a complete file's name.
fn complete_live(io: &dyn Io, places: &Places, numbers: &mut Numbers) -> io::Result<()> {
    let live = places.live();
    let status = match io.stat(&live) {
        Ok(status) if status.len > 0 => status,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    };
    if !has_complete_name(io, places, &status)? {
        let start_ns = ns_since_1970(status.modified) as i64;
        numbers.link(io, places, Unnamed { path: &live, start_ns }, |_| {})?;
        numbers.advance();
    }
    // With two names, its rotation was interrupted between the steps.
    io.unlink(&live)
}

/// Whether a file is a complete one of this log by another name.
fn has_complete_name(io: &dyn Io, places: &Places, status: &FileStatus) -> io::Result<bool> {
    let is_it = |path: &PathBuf| {
        io.stat(path).is_ok_and(|other| (other.dev, other.ino) == (status.dev, status.ino))
    };
    Ok(status.links > 1 && places.complete(io)?.iter().any(|(_, path)| is_it(path)))
}

/// Segments of this base whose process died, if they are complete under another name by now, or
/// hold nothing. All others may hold lines that are nowhere else.
fn forget_named(io: &dyn Io, places: &Places) -> io::Result<()> {
    for name in io.read_dir_names(&places.private_dir)? {
        let path: PathBuf = places.private_dir.join(&name);
        if !is_segment_of(&name.to_string_lossy(), &places.base) {
            continue;
        }
        let Ok(status) = io.stat(&path) else { continue };
        if has_complete_name(io, places, &status)? || is_empty(io, &path)? {
            io.unlink(&path)?;
        }
    }
    Ok(())
}

/// Whether a segment was never written to: no line begins with a zero.
fn is_empty(io: &dyn Io, path: &Path) -> io::Result<bool> {
    let mut first = [0];
    let count = io.pread(open::to_read(path)?.as_fd(), &mut first, 0)?;
    Ok(count == 0 || first == [0])
}

/// Whether the name is `<base>.<pid>-<id>.<number>.segment`.
fn is_segment_of(name: &str, base: &str) -> bool {
    let rest = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('.'));
    let Some(rest) = rest.and_then(|rest| rest.strip_suffix(".segment")) else { return false };
    let mut parts = rest.split(['.', '-']);
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.by_ref().take(3).filter(|part| is_hex(part)).count() == 3 && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_told_by_their_names() {
        for name in ["app.17-00ff.1.segment", "app.4711-0123456789abcdef.120.segment"] {
            assert!(is_segment_of(name, "app"), "{name}");
        }
        let others = ["app.segment", "app.17-00ff.segment", "app.17-00ff.1.2.segment", "app.now"];
        for name in others.into_iter().chain(["b.17-0.1.segment", "app.x-0.1.segment", ""]) {
            assert!(!is_segment_of(name, "app"), "{name}");
        }
        assert!(!is_segment_of("app.4711.17-00ff.1.segment", "app"), "another base");
        assert!(is_segment_of("app.4711.17-00ff.1.segment", "app.4711"));
    }
}

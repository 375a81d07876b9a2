//! The files of a log into which recovered bytes come, known by their identity: what has the log's
//! name may be another by now. Runs on the owner, at start, and in the command line.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::file_names::{self, FILE_MODE, Unit};
use crate::config::{Modes, listing};
use crate::sys::io::Io;
use crate::sys::open;

/// Who a file is, whatever its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    /// In nanoseconds since 1970; 0 where the file system does not tell.
    pub(crate) birth_ns: u64,
}

impl FileId {
    /// Whether both are of one file, as far as can be told.
    pub(crate) fn is_same(&self, other: &FileId) -> bool {
        let is_known = self.birth_ns != 0 && other.birth_ns != 0;
        (self.dev, self.ino) == (other.dev, other.ino)
            && (!is_known || self.birth_ns == other.birth_ns)
    }
}

/// A file of the log, open.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) writer: File,
    pub(crate) reader: File,
    pub(crate) id: FileId,
    /// Bytes, when it was opened.
    pub(crate) len: u64,
    /// When its last line was written.
    pub(crate) modified: SystemTime,
}

impl Target {
    fn open(io: &dyn Io, path: &Path) -> io::Result<Target> {
        let (writer, reader) = (io.open_existing(path)?, open::to_read(path)?);
        let (status, other) = (io.fstat(writer.as_fd())?, io.fstat(reader.as_fd())?);
        if status.identity() != other.identity() {
            let text = format!("somebody replaces {} just now", path.display());
            return Err(io::Error::other(text));
        }
        let birth = writer.metadata().and_then(|metadata| metadata.created()).ok();
        let since = birth.and_then(|birth| birth.duration_since(UNIX_EPOCH).ok());
        let birth_ns = since.map_or(0, |since| since.as_nanos() as u64);
        let id = FileId { dev: status.dev, ino: status.ino, birth_ns };
        Ok(Target { writer, reader, id, len: status.len, modified: status.modified })
    }

    /// Whether it ends in the middle of a line.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn ends_open(&self, io: &dyn Io) -> io::Result<bool> {
        let mut last = [b'\n'];
        if self.len > 0 {
            io.pread(self.reader.as_fd(), &mut last, self.len - 1)?;
        }
        Ok(last != [b'\n'])
    }
}

/// The files of one base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogFiles<'a> {
    pub(crate) io: &'a dyn Io,
    pub(crate) dir: &'a Path,
    pub(crate) base: &'a str,
    pub(crate) unit: Unit,
    pub(crate) modes: Modes,
}

impl LogFiles<'_> {
    fn live_path(&self) -> PathBuf {
        self.dir.join(file_names::live(self.base, self.unit))
    }

    /// The one that has the log's name; made where none has.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn live(&self) -> io::Result<Target> {
        let path = self.live_path();
        match Target::open(self.io, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        make(self.io, &path, self.modes)?;
        Target::open(self.io, &path)
    }

    /// Ends a rotation of an engine that nobody comes after, and that died between its two steps:
    /// the full file keeps its complete name alone.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn end_rotation(&self) -> io::Result<()> {
        let live = self.live_path();
        let Ok(status) = self.io.stat(&live) else { return Ok(()) };
        if status.links < 2 {
            return Ok(());
        }
        let rotated = listing::rotated(self.io, self.dir, self.base)?.into_iter().rev();
        let is_same = |path: PathBuf| {
            self.io.stat(&path).is_ok_and(|other| other.identity() == status.identity())
        };
        if rotated.map(|file| self.dir.join(file.name)).any(is_same) {
            self.io.unlink(&live)?;
        }
        Ok(())
    }

    /// The one of this identity; none where no file of the log has it.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn find(&self, id: &FileId) -> io::Result<Option<Target>> {
        let rotated = listing::rotated(self.io, self.dir, self.base)?;
        let rotated = rotated.into_iter().rev().map(|file| self.dir.join(file.name));
        for path in [self.live_path()].into_iter().chain(rotated) {
            let status = match self.io.stat(&path) {
                Ok(status) => status,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if status.identity() != (id.dev, id.ino) {
                continue;
            }
            let target = Target::open(self.io, &path)?;
            if target.id.is_same(id) {
                return Ok(Some(target));
            }
        }
        Ok(None)
    }
}

/// Makes an empty file of the log.
///
/// # Errors
/// The system's; `AlreadyExists` whatever is there.
pub(crate) fn make(io: &dyn Io, path: &Path, modes: Modes) -> io::Result<File> {
    let file = io.create_log(path, modes.file.unwrap_or(FILE_MODE))?;
    match modes.file {
        // Whatever the umask.
        Some(mode) => io.set_mode(file.as_fd(), mode).map(|()| file),
        None => Ok(file),
    }
}

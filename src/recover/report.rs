//! What a recovery tells: of each arena what became of it. Data; made on the owner, at start, and
//! in the command line.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::lines::Tally;
use super::stem::{Kind, Stem};
use crate::config::file_names::Unit;
use crate::sys::io::Io;

/// What became of everything that was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) recovered: Vec<Recovered>,
    pub(crate) kept: Vec<Kept>,
    /// Arenas whose processes live.
    pub(crate) living: u64,
    /// Files that nobody needs any more.
    pub(crate) cleared: u64,
    /// What else went wrong, as sentences.
    pub(crate) troubles: Vec<String>,
}

/// An arena that is no more.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) stem: Stem,
    pub(crate) tally: Tally,
    pub(crate) to: Destination,
}

/// Where its content went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Into its log, of this unit.
    Log(Unit),
    /// Into a file of its own beside the log.
    Aside(PathBuf),
    Console,
    /// Its output was none.
    Nowhere,
}

/// An arena, or a stage, that stays.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// As a sentence about it.
    pub(crate) why: String,
    /// What its files take of the disk.
    pub(crate) bytes: u64,
    /// When it was changed last.
    pub(crate) modified: SystemTime,
    /// Its files, itself first.
    pub(crate) files: Vec<PathBuf>,
}

impl Report {
    /// Records that came back: from the rings, and lines that were written and not published.
    pub(crate) fn records(&self) -> u64 {
        self.recovered.iter().map(|one| one.tally.records + one.tally.lines).sum()
    }

    pub(super) fn keep(&mut self, io: &dyn Io, path: PathBuf, files: Vec<PathBuf>, why: String) {
        let status = io.stat(&path);
        let modified = status.map_or(SystemTime::UNIX_EPOCH, |status| status.modified);
        let bytes = files.iter().filter_map(|file| io.stat(file).ok());
        let bytes = bytes.map(|status| status.disk_bytes).sum();
        self.kept.push(Kept { path, why, bytes, modified, files });
    }
}

impl Kept {
    /// Removes its files.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn remove(&self, io: &dyn Io) -> io::Result<()> {
        super::carry::remove(io, &self.files)
    }
}

/// An arena's files, itself first: without it the others are of no use and go at the next look,
/// and without them it would be one that has lost something.
pub(super) fn files_of(arena: &Path) -> Vec<PathBuf> {
    let kinds = [Kind::Arena, Kind::Segments, Kind::Sites];
    kinds.map(|kind| arena.with_extension(kind.extension())).into()
}

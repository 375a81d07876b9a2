//! Carries what a dead arena owes into its log, exactly once, whenever it is killed: stage, then
//! remove the arena, then append, then remove the stage. Runs on the owner, at start, and in the
//! command line.
//!
//! | killed | the next time |
//! |---|---|
//! | while it stages | the arena is there: it stages again |
//! | from then on | the stage counts, and its arena no more: that goes, what the log lacks comes |

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::apply::apply;
use super::lines::{Cut, Owed, Tally};
use super::stage::{self, Head, NEWLINE_AT, Piece, Stage, Writing};
use super::stem::Stem;
use super::target::{FileId, LogFiles};
use crate::config::file_names::Unit;
use crate::sys::io::Io;

/// What is carried where.
pub(super) struct Cargo<'a> {
    pub(super) stem: &'a Stem,
    /// Beside the log.
    pub(super) private_dir: &'a Path,
    pub(super) files: LogFiles<'a>,
    /// The arena's files, itself first.
    pub(super) arena: &'a [PathBuf],
}

/// What is owed: handed to the writer, but for an append that was announced.
pub(super) type Debt<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<Owed>;

impl Cargo<'_> {
    /// Carries it; gives what came back.
    ///
    /// # Errors
    /// The system's. The arena or the stage is there still, for the next time.
    pub(super) fn carry(&self, owed: Debt<'_>) -> io::Result<Tally> {
        let (staging, complete) = stage::paths(self.private_dir, self.stem);
        let staged = self.stage(owed, &staging, &complete).inspect_err(|_| {
            // The error that matters is why there is no stage.
            let _ = self.files.io.unlink(&staging);
        });
        match staged? {
            Ok(stage) => self.finish(stage, &complete),
            Err(tally) => {
                remove(self.files.io, &[staging])?;
                remove(self.files.io, self.arena)?;
                Ok(tally)
            }
        }
    }

    /// Goes on with a stage that is complete, which knows the log's unit; none where it is damaged.
    ///
    /// # Errors
    /// The system's. The stage is there still.
    pub(super) fn resume(self) -> io::Result<Option<(Unit, Tally)>> {
        let (_, complete) = stage::paths(self.private_dir, self.stem);
        let Some(stage) = Stage::open(self.files.io, &complete)? else { return Ok(None) };
        let files = LogFiles { unit: stage.head.unit, ..self.files };
        let unit = files.unit;
        let tally = Cargo { files, ..self }.finish(stage, &complete)?;
        Ok(Some((unit, tally)))
    }

    /// Writes the stage; only a tally where nothing is owed.
    fn stage(
        &self,
        owed: Debt<'_>,
        staging: &Path,
        complete: &Path,
    ) -> io::Result<Result<Stage, Tally>> {
        let mut writing = Writing::begin(self.files.io, staging)?;
        let rest_at = writing.position();
        let Owed { append, tally, .. } = owed(&mut writing)?;
        let cut_at = writing.position();
        let cut = append.filter(|cut| !cut.is_done && !cut.bytes.is_empty());
        let rest = (rest_at, cut_at - rest_at);
        if rest.1 == 0 && cut.is_none() {
            return Ok(Err(tally));
        }
        if let Some(cut) = &cut {
            writing.write_all(&cut.bytes)?;
        }
        let pieces = self.plan(cut.as_ref().map(|cut| (cut, cut_at)), rest)?;
        let head = Head { unit: self.files.unit, tally, pieces, is_done: false };
        writing.complete(head, complete).map(Ok)
    }

    /// Where the bytes belong: the announced ones where they were to stand, the rest behind what
    /// the log's file has.
    fn plan(&self, cut: Option<(&Cut, u64)>, (at, len): (u64, u64)) -> io::Result<Vec<Piece>> {
        let live = self.files.live()?;
        let mut end = live.len;
        let mut pieces = Vec::new();
        let mut is_open = self.files.unit == Unit::Lines && live.ends_open(self.files.io)?;
        if let Some((cut, at)) = cut {
            let id = FileId { dev: cut.dev, ino: cut.ino, birth_ns: cut.birth_ns };
            let piece = Piece { id, offset: cut.offset, at, len: cut.bytes.len() as u64 };
            pieces.push(piece);
            let cut_end = piece.offset.saturating_add(piece.len);
            if id.is_same(&live.id) && end <= cut_end {
                (end, is_open) = (cut_end, false);
            }
        }
        if len > 0 && is_open {
            pieces.push(Piece { id: live.id, offset: end, at: NEWLINE_AT, len: 1 });
            end += 1;
        }
        if len > 0 {
            pieces.push(Piece { id: live.id, offset: end, at, len });
        }
        Ok(pieces)
    }

    fn finish(&self, mut stage: Stage, path: &Path) -> io::Result<Tally> {
        let io = self.files.io;
        let removed = remove(io, self.arena);
        apply(&mut stage, &self.files)?;
        // An arena that cannot be removed would come back without its stage.
        removed?;
        io.unlink(path)?;
        Ok(stage.head.tally)
    }
}

/// Removes files that may be gone.
///
/// # Errors
/// The first of the system's, with the file's name.
pub(super) fn remove(io: &dyn Io, paths: &[PathBuf]) -> io::Result<()> {
    for path in paths {
        match io.unlink(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let text = format!("cannot remove {}: {error}", path.display());
                return Err(io::Error::new(error.kind(), text));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(all(test, not(loom)))]
pub(super) mod tests;

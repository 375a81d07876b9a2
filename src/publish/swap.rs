//! The swap of a rotation: the full file gets its complete name, an empty one takes the log's. Runs
//! on the publisher; what a process left half done is ended on the owner, at start.
//!
//! The old file is linked to its complete name, and the new one renamed over the log's name: that
//! name exists at every instant. A process that dies between the two leaves one file under both
//! names; the next start goes on from there.
//!
//! Where links are refused for good (exFAT, SMB, some of FUSE) the old file is renamed instead, and
//! the name is missing for a moment. A process that dies in it leaves no live file: the next start
//! makes one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::live;
use super::names::{Complete, Numbers, Places, Unnamed};
use crate::config::file_names::PRIVATE_DIR_MODE;
use crate::flush::files::{LogFile, LogFiles};
use crate::sys::io::{FileKind, FileStatus, Io};

/// What a swap works on.
pub(super) struct Swap<'a> {
    pub(super) io: &'a dyn Io,
    pub(super) places: &'a Places,
    pub(super) files: &'a LogFiles,
    /// The full file, and how it is.
    pub(super) full: &'a LogFile,
    pub(super) before: FileStatus,
}

/// What a swap has brought.
pub(super) struct Swapped {
    pub(super) file: File,
    /// What the full file is called.
    pub(super) complete: PathBuf,
    /// Owner, group or mode that the new file could not be given.
    pub(super) refused: Option<io::Error>,
}

/// An empty file that waits for the log's name.
struct Next {
    path: PathBuf,
    file: File,
    refused: Option<io::Error>,
}

impl Swap<'_> {
    /// Swaps.
    ///
    /// # Errors
    /// The system's; the full file still has the log's name, unless that could not be given back.
    pub(super) fn run(&self, numbers: &mut Numbers) -> io::Result<Swapped> {
        let live = self.places.live();
        let next = self.next()?;
        let full = Unnamed { path: &live, start_ns: self.full.start_ns };
        let named = numbers.complete(self.io, self.places, full);
        let complete = named.inspect_err(|_| self.remove(&next.path))?;
        let swapped = match self.give_name(&next, &live, &complete) {
            // `.fastlog` is on another file system than the log.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                self.remove(&next.path);
                self.next_beside().and_then(|next| {
                    let given = self.give_name(&next, &live, &complete);
                    given.inspect_err(|_| self.remove(&next.path)).map(|()| next)
                })
            }
            outcome => outcome.inspect_err(|_| self.remove(&next.path)).map(|()| next),
        };
        match swapped {
            Ok(next) => {
                numbers.advance();
                Ok(Swapped { file: next.file, complete: complete.into(), refused: next.refused })
            }
            Err(error) => {
                self.undo(&live, &complete);
                Err(error)
            }
        }
    }

    /// Gives the new file the log's name.
    fn give_name(&self, next: &Next, live: &Path, complete: &Complete) -> io::Result<()> {
        match complete {
            Complete::Linked(_) => self.io.rename(&next.path, live),
            // Not over what somebody else may have made meanwhile.
            Complete::Moved(_) => self.io.rename_new(&next.path, live),
        }
    }

    /// One file, one name, and that the log's. Should this fail as well, the next look or the next
    /// start finds a way on.
    fn undo(&self, live: &Path, complete: &Complete) {
        let _ = match complete {
            Complete::Linked(path) => self.io.unlink(path),
            Complete::Moved(path) => self.io.rename_new(path, live),
        };
    }

    /// The keeper's file, or one that is made now.
    fn next(&self) -> io::Result<Next> {
        if self.files.has_next() {
            let path = self.places.next();
            let prepared = self.prepared(&path);
            // From here on the keeper may make another in its place: this one is renamed first, to
            // a name that the keeper does not use.
            let own = self.places.own_next();
            let taken = prepared.and_then(|file| self.io.rename(&path, &own).map(|()| file));
            self.files.take_next();
            if let Ok(file) = taken {
                return Ok(self.dressed(own, file));
            }
        }
        let own = self.places.own_next();
        let made = live::in_dir(
            || self.io.open_fresh(&own),
            || self.io.create_dir(&self.places.private_dir, PRIVATE_DIR_MODE),
        );
        match made {
            Ok(file) => Ok(self.dressed(own, file)),
            Err(_) => self.next_beside(),
        }
    }

    /// One in the log's own directory.
    fn next_beside(&self) -> io::Result<Next> {
        let path = self.places.next_beside();
        let file = self.io.open_fresh(&path)?;
        Ok(self.dressed(path, file))
    }

    /// Opens the keeper's, if it is what he made.
    fn prepared(&self, path: &Path) -> io::Result<File> {
        use std::os::fd::AsFd;
        let file = self.io.open_existing(path)?;
        let status = self.io.fstat(file.as_fd())?;
        let is_his = status.kind == FileKind::Regular && status.len == 0 && status.links <= 1;
        if is_his { Ok(file) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn dressed(&self, path: PathBuf, file: File) -> Next {
        let refused = live::dress(self.io, &file, Some(&self.before), self.places.modes);
        Next { path, file, refused }
    }

    fn remove(&self, path: &Path) {
        // An empty file that stays behind is in nobody's way: the next one takes its place.
        let _ = self.io.unlink(path);
    }
}

/// One file under both names: the process that rotated it died before the second step.
pub(super) fn finish_interrupted(io: &dyn Io, places: &Places) -> io::Result<()> {
    let live = places.live();
    let status = match io.stat(&live) {
        Ok(status) if status.links > 1 => status,
        // A missing log is made; what else is wrong shows when it is opened.
        _ => return Ok(()),
    };
    for (_, path) in places.complete(io)? {
        let is_same = io.stat(&path).is_ok_and(|other| other.identity() == status.identity());
        if !is_same {
            continue;
        }
        let next = places.own_next();
        let made = io.open_fresh(&next).and_then(|file| {
            // What cannot be given is told with the next rotation.
            let _ = live::dress(io, &file, Some(&status), places.modes);
            io.rename(&next, &live)
        });
        return made.or_else(|_| {
            let _ = io.unlink(&next);
            // Missing for a moment: it is made when it is opened.
            io.unlink(&live)
        });
    }
    Ok(())
}

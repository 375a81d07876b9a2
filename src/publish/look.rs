//! The state of the file that is appended to, before each append: whether the descriptor is still
//! this file's, and whether the name still leads to it. Runs on the publisher.
//!
//! An open file is good until it is proved bad. That its name cannot be looked at (no rights any
//! more, a parent that is gone for a moment, an I/O error) proves nothing; that the name leads to
//! nothing or elsewhere is a reason for a new file, but no reason to lose lines where none can be
//! had. So appends go on in the open file, the log says so, and the name is tried again now and
//! then.

use std::io;
use std::time::Duration;

use super::{FileOutput, broken_end, live};
use crate::config::file_names::DIR_MODE;
use crate::flush::Progress;
use crate::stats::Counter;
use crate::sys::attributes;
use crate::sys::io::FileStatus;
use crate::sys::moment;

/// Mode of a directory until it has the one that it is to have.
const DIR_MODE_AT_FIRST: u32 = 0o700;

/// How long the file may be without the mark that keeps engines of other users off.
const MARK_EVERY: Duration = Duration::from_secs(1);

impl FileOutput {
    /// The state of the file that is to be appended to; opened anew if the name leads elsewhere.
    ///
    /// # Errors
    /// There is no file to append to.
    pub(super) fn look(&mut self, progress: &Progress, position: u64) -> io::Result<FileStatus> {
        let status = match self.current.status(&*self.io) {
            Ok(status) => status,
            Err(error) => return self.replace_lost(progress, position, &error),
        };
        let named = self.io.stat(&self.path);
        let error = match named {
            Ok(named) if named.identity() == status.identity() => {
                self.name.reset();
                self.renew_mark();
                return Ok(status);
            }
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(error),
        };
        if !self.name.is_due() {
            return Ok(status);
        }
        let path = self.path.display().to_string();
        let trouble = match error {
            Some(error) => format!("cannot look at {path}, whose open file is written on: {error}"),
            None => match self.reopen(progress, position, &status) {
                Ok(()) => return self.current.status(&*self.io),
                Err(error) => format!(
                    "{path} was moved or removed, and cannot be made anew; its open file is \
                     written on: {error}"
                ),
            },
        };
        self.name.fail();
        self.troubles.push(trouble);
        Ok(status)
    }

    /// Somebody else has closed the descriptor: the same file again, by its name, or what has that
    /// name now. The number is left alone.
    fn replace_lost(
        &mut self,
        progress: &Progress,
        position: u64,
        error: &io::Error,
    ) -> io::Result<FileStatus> {
        let path = self.path.display().to_string();
        let before = self.before;
        self.reopen(progress, position, &before)?;
        self.counters.add(Counter::LostDescriptors, 1);
        self.troubles.push(format!("the open file of {path} was lost, {error}; it is opened anew"));
        // Whoever closed it has closed the lock's file as well, perhaps.
        if let Err(error) = self.held.renew(&*self.io) {
            self.troubles.push(format!("{path} may be written by others: {error}"));
        }
        self.current.status(&*self.io)
    }

    /// From now on what has the log's name, or a new file in the place of the one `before`.
    fn reopen(
        &mut self,
        progress: &Progress,
        position: u64,
        before: &FileStatus,
    ) -> io::Result<()> {
        let (io, modes) = (&*self.io, self.places.modes);
        let open = || live::open(io, &self.path, Some(before), modes, position);
        let mut refused = None;
        let opened = live::in_dir(open, || {
            refused = self.make_dir_again()?;
            Ok(())
        })?;
        self.note_refused(refused);
        let is_same = opened.file.identity() == self.current.identity();
        if !is_same {
            let told = broken_end::told(&*self.io, &opened.file, self.unit);
            self.troubles.extend(told);
            live::end_last_line(&*self.io, &opened.file, self.unit)?;
        }
        live::mark(&opened.file);
        self.marked_at = moment::now();
        self.note_refused(opened.refused);
        self.replace(progress, opened.file);
        self.counters.add(Counter::Reopens, 1);
        self.name.reset();
        // The keeper lets go of the one that was replaced, as after a rotation.
        self.is_rotated = true;
        Ok(())
    }

    /// Marks the file again, now and then: whoever in this process closes it, the keeper or the
    /// host that has read its own log, takes the mark off.
    fn renew_mark(&mut self) {
        if moment::since(self.marked_at) >= MARK_EVERY {
            live::mark(&self.current);
            self.marked_at = moment::now();
        }
    }

    /// The log's directory was removed: one like it; gives what it could not be given.
    fn make_dir_again(&self) -> io::Result<Option<io::Error>> {
        self.io.create_dir(&self.places.dir, DIR_MODE_AT_FIRST)?;
        self.files.set_dir_new();
        let (before, mode) = (self.dir_before.as_ref(), self.places.modes.dir);
        let mode = mode.or(before.is_none().then_some(DIR_MODE));
        let dressed = attributes::inherit_dir(&*self.io, &self.places.dir, before, mode);
        Ok(dressed.err())
    }

    /// Tells, once, that new files do not get what those before them had.
    pub(super) fn note_refused(&mut self, refused: Option<io::Error>) {
        let Some(error) = refused.filter(|_| !self.is_refusal_told) else { return };
        self.is_refusal_told = true;
        let path = self.path.display();
        self.troubles.push(format!(
            "new files in the place of {path} do not get owner, group or mode of those before \
             them: {error}"
        ));
    }
}

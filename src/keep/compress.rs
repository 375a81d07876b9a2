//! Which rotated file is compressed next, and what becomes of it. Runs on the keeper; the packer
//! does the work, one file at a time, so that no sync waits for it.
//!
//! A file is compressed beside the log, synced, and takes its name with `.zst` or `.gz` behind it;
//! then the original goes. A process that dies before that name leaves the original alone; one that
//! dies after it leaves both, and the next look removes the original.
//!
//! The keeper changes the names, not the packer: so retention never meets a file under both, and
//! whoever finds the original gone while he syncs the log syncs the directory after it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::packer::{Job, Packer};
use crate::config::{Compression, file_names, file_names::Packed};
use crate::flush::signal::Signal;
use crate::sys::io::Io;

/// Where the files of a base are, and how they are compressed.
#[derive(Debug)]
pub(super) struct Compressor {
    io: Arc<dyn Io>,
    dir: PathBuf,
    base: String,
    /// The compressed file until it is whole.
    scratch: PathBuf,
    compression: Compression,
    keeper: Arc<Signal>,
    packer: Option<Packer>,
    task: Option<Task>,
    /// Whether there may be another file to compress.
    has_more: bool,
    /// A file that cannot be compressed is not tried again before the next rotation.
    has_failed: bool,
}

/// What the packer is at.
#[derive(Debug)]
struct Task {
    from: PathBuf,
    to: PathBuf,
    /// Held open, so that nobody else's file gets its number.
    scratch: Arc<File>,
}

impl Compressor {
    /// For the rotated files in `dir` of the log whose next file is `next`, on one file system.
    pub(super) fn new(
        io: Arc<dyn Io>,
        dir: &Path,
        next: &Path,
        compression: Compression,
        keeper: Arc<Signal>,
    ) -> Compressor {
        Compressor {
            io,
            dir: dir.to_owned(),
            // A base may have dots of its own: only the last part is the extension.
            base: next.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            scratch: next.with_extension("packing"),
            compression,
            keeper,
            packer: None,
            task: None,
            has_more: true,
            has_failed: false,
        }
    }

    /// There may be a new file to compress.
    pub(super) fn retry(&mut self) {
        (self.has_failed, self.has_more) = (false, true);
    }

    /// Looks for the next file, if none is being compressed: the oldest.
    ///
    /// # Errors
    /// The system's; the file is left as it is until [`retry`](Compressor::retry).
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let Some(suffix) = self.compression.suffix() else { return Ok(()) };
        if self.task.is_some() {
            return Ok(());
        }
        let outcome =
            if self.has_more && !self.has_failed { self.begin_next(suffix) } else { Ok(()) };
        self.has_more = false;
        self.has_failed |= outcome.is_err();
        if self.task.is_none() {
            // Not joined before there is more: it may wait long for a CPU to end on.
            self.packer.iter_mut().for_each(Packer::dismiss);
        }
        outcome
    }

    fn begin_next(&mut self, suffix: &str) -> io::Result<()> {
        let names = self.io.read_dir_names(&self.dir)?;
        let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
        let own = names.iter().filter_map(|name| {
            let parsed = file_names::parse(name).filter(|parsed| parsed.base == self.base)?;
            Some((parsed.start, parsed.number, parsed.packed, *name))
        });
        let mut own: Vec<_> = own.collect();
        own.sort_unstable_by_key(|(start, number, packed, _)| (*number, *start, *packed as u8));
        for (start, number, _, name) in own.iter().filter(|file| file.2 == Packed::Plain) {
            let from = self.dir.join(name);
            let is_packed = own
                .iter()
                .any(|other| (other.0, other.1) == (*start, *number) && other.2 != Packed::Plain);
            if is_packed {
                // Whole, or it would not have its name.
                self.io.unlink(&from)?;
                continue;
            }
            return self.give(from, &format!("{name}{suffix}"));
        }
        Ok(())
    }

    fn give(&mut self, from: PathBuf, to: &str) -> io::Result<()> {
        let packer = match self.packer.take().filter(|packer| !packer.is_dismissed()) {
            Some(packer) => packer,
            None => Packer::start(Arc::clone(&self.keeper))?,
        };
        let packer = self.packer.insert(packer);
        let (io, input) = (Arc::clone(&self.io), File::open(&from)?);
        let scratch = Arc::new(self.io.open_fresh(&self.scratch)?);
        let (output, compression) = (Arc::clone(&scratch), self.compression);
        let is_given = packer.give(Job { io, from: input, to: output, compression });
        let task = Task { from, to: self.dir.join(to), scratch };
        if !is_given {
            self.remove_scratch(&task);
            return Err(io::Error::other("the packer has ended"));
        }
        self.task = Some(task);
        Ok(())
    }

    /// Takes what the packer has done, if it has; true when a file has been replaced, so that the
    /// directory is to be synced.
    ///
    /// # Errors
    /// The packer's or the system's; the original stays.
    pub(super) fn end_task(&mut self) -> io::Result<bool> {
        let outcome = self.packer.as_ref().and_then(Packer::outcome);
        let Some((outcome, task)) = outcome.and_then(|outcome| Some((outcome, self.task.take()?)))
        else {
            return Ok(false);
        };
        let is_replaced = outcome.and_then(|()| self.replace(&task));
        self.has_more = true;
        self.has_failed = is_replaced.is_err();
        if !matches!(is_replaced, Ok(true)) {
            self.remove_scratch(&task);
        }
        is_replaced
    }

    /// Puts what is compressed in the place of the original; false when that was removed meanwhile.
    fn replace(&self, task: &Task) -> io::Result<bool> {
        match self.io.stat(&task.from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            status => status?,
        };
        if !self.is_own_scratch(task)? {
            return Err(io::Error::other("somebody else compresses it, too"));
        }
        self.io.rename(&self.scratch, &task.to)?;
        self.io.unlink(&task.from)?;
        Ok(true)
    }

    /// Whether what has the scratch's name is the task's. An engine that was given up while its
    /// disk hung may wake when another has long taken its place.
    fn is_own_scratch(&self, task: &Task) -> io::Result<bool> {
        let own = self.io.fstat(task.scratch.as_fd())?;
        let named = self.io.stat(&self.scratch)?;
        Ok((own.dev, own.ino) == (named.dev, named.ino))
    }

    fn remove_scratch(&self, task: &Task) {
        if matches!(self.is_own_scratch(task), Ok(true)) {
            // A rest that stays is written over by the next.
            let _ = self.io.unlink(&self.scratch);
        }
    }

    /// Stops the packer and leaves what is not finished to the next engine. Waits for what the
    /// packer is at: a piece, or the sync of a compressed file.
    pub(super) fn end(&mut self) {
        if let Some(task) = self.task.take() {
            self.remove_scratch(&task);
        }
        self.packer = None;
    }
}

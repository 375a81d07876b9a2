//! Which rotated file is compressed next, and what becomes of it. Runs on the keeper; the packer
//! does the work, one file at a time, so that no sync waits for it.
//!
//! A file is compressed beside the log, synced, and takes its name with `.zst` or `.gz` behind it;
//! then the original goes. A process that dies before that name leaves the original alone; one that
//! dies after it leaves both, and the original is compressed again: whether what has that name is
//! whole, and the same, its name does not say.
//!
//! The files are those that the keeper's look at the directory found, one after the other: nothing
//! is looked for again before the next look.
//!
//! The keeper changes the names, not the packer: so retention never meets a file under both, and
//! whoever finds the original gone while he syncs the log syncs the directory after it.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::leftovers::PACKING;
use super::old_files::Care;
use super::packer::{Job, Packer};
use super::retain;
use crate::config::file_names::Packed;
use crate::config::{Compression, listing};
use crate::flush::signal::Signal;
use crate::sys::attributes;
use crate::sys::io::{FileKind, Io};
use crate::sys::own_file::OwnFile;

/// Files that cannot even be begun, one after the other, before the rest waits for the next look.
const FAILURES_MAX: u32 = 3;

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
    /// Of the files that the last look found those that are to be compressed, the oldest first.
    waiting: VecDeque<Original>,
    /// Since the last look. A file that cannot be compressed is not tried again before the next.
    failures: u32,
    /// Those that could not be: they come last, so that others do not wait for them for ever.
    refused: BTreeSet<String>,
}

/// A file that is to be compressed.
#[derive(Debug)]
struct Original {
    name: String,
    /// What it was compressed to before, in another format.
    other: Option<String>,
}

/// What the packer is at.
#[derive(Debug)]
struct Task {
    from: PathBuf,
    /// How long it was before it was read.
    len: u64,
    to: PathBuf,
    /// Goes with the original.
    other: Option<PathBuf>,
    /// Held open, so that nobody else's file gets its number.
    scratch: Arc<OwnFile>,
}

impl Compressor {
    /// For the rotated files of this engine's base.
    pub(super) fn new(care: &Care) -> Compressor {
        let Care { io, dir, private_dir, base, compression, shared, .. } = care;
        Compressor {
            io: Arc::clone(io),
            dir: dir.clone(),
            base: base.clone(),
            scratch: private_dir.join(format!("{base}.{PACKING}")),
            compression: *compression,
            // There is one: it is who cares.
            keeper: shared.keeper.clone().unwrap_or_default(),
            packer: None,
            task: None,
            waiting: VecDeque::new(),
            failures: 0,
            refused: BTreeSet::new(),
        }
    }

    /// Settles what is to be done, from the log's files in their order.
    pub(super) fn choose(&mut self, files: &[listing::File]) {
        self.failures = 0;
        self.waiting.clear();
        let Some(suffix) = self.compression.suffix() else { return };
        let own = |file: &&listing::File| {
            let is_rotated = file.named.place.is_some() && !retain::is_former(file);
            is_rotated && file.named.base == self.base
        };
        let mut own = files.iter().filter(own).peekable();
        let mut again = Vec::new();
        while let Some(file) = own.next() {
            if file.named.packed != Packed::Plain {
                continue;
            }
            let name = file.named.name.clone();
            let to = format!("{name}{suffix}");
            // Behind the plain file.
            let other = own.peek().map(|next| &next.named).filter(|next| {
                let is_packed = next.packed != Packed::Plain && next.place == file.named.place;
                is_packed && next.name != to
            });
            let original = Original { name, other: other.map(|other| other.name.clone()) };
            if self.refused.contains(&original.name) {
                again.push(original);
            } else {
                self.waiting.push_back(original);
            }
        }
        self.refused = again.iter().map(|original| original.name.clone()).collect();
        self.waiting.extend(again);
    }

    /// Begins with the next file, if none is being compressed: the oldest.
    ///
    /// # Errors
    /// The system's, of the last file that could not be; those are left as they are until the next
    /// look.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let mut outcome = Ok(());
        while self.task.is_none() && self.failures < FAILURES_MAX {
            let Some(original) = self.waiting.pop_front() else { break };
            if let Err(error) = self.give(&original) {
                self.failures += 1;
                self.refused.insert(original.name);
                outcome = Err(error);
            }
        }
        if self.task.is_none() {
            self.packer.iter_mut().for_each(Packer::dismiss);
        }
        outcome
    }

    fn give(&mut self, original: &Original) -> io::Result<()> {
        let Some(suffix) = self.compression.suffix() else { return Ok(()) };
        let from = self.dir.join(&original.name);
        let to = self.dir.join(format!("{}{suffix}", original.name));
        let other = original.other.as_ref().map(|other| self.dir.join(other));
        if let Some(what) = self.in_the_way(&to) {
            return Err(what);
        }
        let Some(input) = unless_gone(self.io.open_to_read(&from))? else { return Ok(()) };
        let len = self.io.fstat(input.as_fd())?.len;
        let packer = match self.packer.take().filter(|packer| !packer.is_dismissed()) {
            Some(packer) => packer,
            None => Packer::start(Arc::clone(&self.keeper))?,
        };
        let packer = self.packer.insert(packer);
        let scratch = Arc::new(OwnFile::new(self.io.open_fresh(&self.scratch)?)?);
        let (io, output) = (Arc::clone(&self.io), Arc::clone(&scratch));
        let compression = self.compression;
        let is_given = packer.give(Job { io, from: OwnFile::new(input)?, to: output, compression });
        let task = Task { from, len, to, other, scratch };
        if !is_given {
            self.remove_scratch(&task);
            return Err(io::Error::other("the packer has ended"));
        }
        self.task = Some(task);
        Ok(())
    }

    /// What has the name that the compressed file is to get, and is no file of the log.
    fn in_the_way(&self, to: &Path) -> Option<io::Error> {
        let status = self.io.stat(to).ok()?;
        let sentence = format!("{} is in the way, which is no file: remove it", to.display());
        (status.kind != FileKind::Regular).then(|| io::Error::other(sentence))
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
        if is_replaced.is_err() {
            // A disk without room has none for the others either: they wait for the next look.
            self.failures = FAILURES_MAX;
            let name = task.from.file_name().unwrap_or_default().to_string_lossy();
            self.refused.insert(name.into_owned());
        }
        if !matches!(is_replaced, Ok(true)) {
            self.remove_scratch(&task);
        }
        is_replaced
    }

    /// Puts what is compressed in the place of the original; false when that was removed meanwhile.
    fn replace(&self, task: &Task) -> io::Result<bool> {
        let before = match self.io.stat(&task.from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            status => status?,
        };
        if !self.is_own_scratch(task)? {
            return Err(io::Error::other("somebody else compresses it, too"));
        }
        let fd = task.scratch.seen();
        // Of its readers, its owner and its age the rename loses nothing, where the system allows
        // it: what cannot be handed on is no reason to keep a file as it is.
        let _ = attributes::inherit(&*self.io, fd, &before, None);
        let _ = self.io.set_modified(fd, before.modified);
        self.check_len(task)?;
        self.io.rename(&self.scratch, &task.to)?;
        // Once more: it is gone in an instant.
        if let Err(error) = self.check_len(task) {
            // What is compressed is less than there is.
            self.io.unlink(&task.to)?;
            return Err(error);
        }
        if let Some(other) = &task.other {
            unless_gone(self.io.unlink(other))?;
        }
        self.io.unlink(&task.from)?;
        Ok(true)
    }

    /// A rotated file is complete for this engine, but another writer may still have it open: what
    /// it has appended since is not compressed.
    fn check_len(&self, task: &Task) -> io::Result<()> {
        if self.io.stat(&task.from)?.len == task.len {
            return Ok(());
        }
        Err(io::Error::other(format!("somebody writes to {}", task.from.display())))
    }

    /// Whether what has the scratch's name is the task's. An engine that was given up while its
    /// disk hung may wake when another has long taken its place.
    fn is_own_scratch(&self, task: &Task) -> io::Result<bool> {
        let own = task.scratch.status(&*self.io)?;
        let named = self.io.stat(&self.scratch)?;
        Ok(own.identity() == named.identity())
    }

    fn remove_scratch(&self, task: &Task) {
        if matches!(self.is_own_scratch(task), Ok(true)) {
            // A rest that stays is written over by the next.
            let _ = self.io.unlink(&self.scratch);
        }
    }

    /// Stops the packer, without waiting for it, and leaves what is not finished to the next
    /// engine.
    pub(super) fn end(&mut self) {
        if let Some(task) = self.task.take() {
            self.remove_scratch(&task);
        }
        self.packer = None;
    }
}

/// None where the file was removed meanwhile.
fn unless_gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

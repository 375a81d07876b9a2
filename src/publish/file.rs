//! The visible log as a file: whole lines appended with `pwrite`, the file looked at before each
//! append, so that whatever happens to it from outside leaves no hole of zeros. Runs on the
//! publisher; opened by the owner at start.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use super::names::{Places, ns_since_1970};
use super::rotate::Rotator;
use super::unit;
use super::{Calendar, Lines};
use crate::arena::intent::{Intent, Intents};
use crate::config::Rotation;
use crate::config::file_names::{DIR_MODE, Unit};
use crate::flush::Progress;
use crate::flush::files::{LogFile, LogFiles};
use crate::primitive::AtomicBool;
use crate::stats::{Counter, Counters};
use crate::sys::io::{FileStatus, Io};

/// The visible log.
#[derive(Debug)]
pub(crate) struct FileOutput {
    pub(super) io: Arc<dyn Io>,
    dir: PathBuf,
    path: PathBuf,
    pub(super) current: Arc<LogFile>,
    files: Arc<LogFiles>,
    counters: Counters,
    rotator: Rotator,
    unit: Unit,
    /// Where the last append to the present file ended.
    pub(super) end: u64,
    /// Where its last part began, in the file and in the segment.
    pub(super) part: (u64, usize),
    /// Whether the keeper is to hear of a rotation.
    is_rotated: bool,
    /// What failed and is not told yet.
    troubles: Vec<String>,
}

/// How far an append came.
pub(super) struct Appended {
    /// The first byte of the segment that the output does not have.
    pub(super) to: usize,
    pub(super) result: io::Result<()>,
}

impl FileOutput {
    /// Opens the log, or makes it. A last line without its newline gets one; a file of segments
    /// that an earlier engine wrote, the last of them perhaps cut off, gets its complete name.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(
        io: Arc<dyn Io>,
        places: Places,
        rotation: Rotation,
        calendar: Calendar,
        counters: Counters,
    ) -> io::Result<FileOutput> {
        let (dir, path, unit) = (places.dir.clone(), places.live(), places.unit);
        let mut rotator = Rotator::new(Arc::clone(&io), places, rotation, calendar)?;
        let current = Arc::new(open(&*io, &path, unit, 0)?);
        // The newest line decides to which day the file belongs.
        let changed = current.file.metadata().and_then(|metadata| metadata.modified());
        rotator.appended(changed.unwrap_or_else(|_| SystemTime::now()));
        let files = Arc::new(LogFiles::new(Arc::clone(&current)));
        let mut output = FileOutput {
            io,
            dir,
            path,
            current,
            files,
            counters,
            rotator,
            unit,
            end: 0,
            part: (0, 0),
            is_rotated: false,
            troubles: Vec::new(),
        };
        let status = output.io.fstat(output.current.file.as_fd())?;
        if unit == Unit::Segments && status.len > 0 {
            output.rotate(status, 0)?;
        }
        Ok(output)
    }

    /// The files, for the keeper.
    pub(crate) fn files(&self) -> Arc<LogFiles> {
        Arc::clone(&self.files)
    }

    /// Appends them, in as many files as they need.
    pub(super) fn append(
        &mut self,
        intents: &mut Intents,
        progress: &Progress,
        lines: Lines<'_>,
    ) -> Appended {
        let mut appended = self.append_part(intents, progress, lines);
        while appended.result.is_ok() && appended.to < lines.bytes.len() {
            let rest = Lines { from: appended.to, ..lines };
            appended = self.append_part(intents, progress, rest);
        }
        self.troubles.drain(..).for_each(|trouble| progress.warn(trouble));
        appended
    }

    /// Appends what the present file has room for, announced by an intent. Where `from` is inside a
    /// line whose beginning went to a file that was replaced since, from its beginning.
    fn append_part(
        &mut self,
        intents: &mut Intents,
        progress: &Progress,
        Lines { segment, start, from, bytes: lines }: Lines<'_>,
    ) -> Appended {
        let position = start + from as u64;
        let before = Arc::clone(&self.current);
        let now = SystemTime::now();
        let status = match self.look(progress, position).and_then(|status| {
            let is_whole =
                Arc::ptr_eq(&before, &self.current) && unit::is_start(self.unit, lines, from);
            let first_line = unit::end(self.unit, lines, from) - from;
            if is_whole && self.rotator.is_due(&self.files, status.len, first_line, now) {
                let status = self.rotate(status, position)?;
                progress.replaced(&before);
                return Ok(status);
            }
            Ok(status)
        }) {
            Ok(status) => status,
            Err(error) => return Appended { to: from, result: Err(error) },
        };
        // A segment that is not where its beginning is cannot be read.
        let is_moved = self.unit == Unit::Segments && status.len != self.end;
        let is_same = Arc::ptr_eq(&before, &self.current) && !is_moved;
        let from = if is_same { from } else { unit::start(self.unit, lines, from) };
        // At its real end: shorter than ours if somebody cut it, longer if somebody wrote to it.
        let offset = status.len;
        let end = self.rotator.part_end(lines, from, offset);
        self.part = (offset, from);
        let LogFile { dev, ino, birth_ns, .. } = *self.current;
        let range = (from as u64, end as u64);
        intents.begin(Intent { dev, ino, birth_ns, offset, segment, from: range.0, to: range.1 });
        let mut to = from;
        while to < end {
            let at = offset + (to - from) as u64;
            match self.io.append(self.current.file.as_fd(), &lines[to..end], at) {
                Ok(0) => {
                    let error = io::ErrorKind::WriteZero.into();
                    return Appended { to, result: Err(error) };
                }
                Ok(count) => {
                    to += count;
                    self.end = at + count as u64;
                    progress.moved();
                }
                Err(error) => return Appended { to, result: Err(error) },
            }
        }
        intents.done();
        self.rotator.appended(now);
        Appended { to, result: Ok(()) }
    }

    /// Whether it was rotated since the last time that this was asked.
    pub(super) fn take_rotated(&mut self) -> bool {
        std::mem::take(&mut self.is_rotated)
    }

    /// Goes on in a new file, from the `position` in the engine's life on; in the old one where
    /// that cannot be had.
    fn rotate(&mut self, status: FileStatus, position: u64) -> io::Result<FileStatus> {
        match self.rotator.rotate(&self.current, &self.files, position) {
            Ok(file) => {
                self.current = Arc::new(file);
                self.files.replace(Arc::clone(&self.current));
                self.counters.add(Counter::Rotations, 1);
                self.is_rotated = true;
                self.io.fstat(self.current.file.as_fd())
            }
            Err(error) => {
                self.counters.add(Counter::RotationFailures, 1);
                let path = self.path.display();
                self.troubles.push(format!("cannot rotate {path}, which grows on: {error}"));
                Ok(status)
            }
        }
    }

    /// The state of the file that is to be appended to; opened anew if the name leads elsewhere.
    fn look(&mut self, progress: &Progress, position: u64) -> io::Result<FileStatus> {
        let status = self.io.fstat(self.current.file.as_fd())?;
        let is_named = self
            .io
            .stat(&self.path)
            .is_ok_and(|named| (named.dev, named.ino) == (self.current.dev, self.current.ino));
        if is_named && status.links > 0 {
            return Ok(status);
        }
        let before = Arc::clone(&self.current);
        self.reopen(position)?;
        progress.replaced(&before);
        self.io.fstat(self.current.file.as_fd())
    }

    /// Renamed or deleted by somebody else: from now on a new file of the old name.
    fn reopen(&mut self, position: u64) -> io::Result<()> {
        let file = match open(&*self.io, &self.path, self.unit, position) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.io.create_dir(&self.dir, DIR_MODE)?;
                self.files.set_dir_new();
                open(&*self.io, &self.path, self.unit, position)?
            }
            other => other?,
        };
        self.current = Arc::new(file);
        self.files.replace(Arc::clone(&self.current));
        self.counters.add(Counter::Reopens, 1);
        Ok(())
    }

    /// What must stay together.
    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// The path, for reports.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens or makes a log file, and ends its last line if somebody left it open. What is appended is
/// from the position `start` in the engine's life on.
pub(super) fn open(io: &dyn Io, path: &Path, unit: Unit, start: u64) -> io::Result<LogFile> {
    let file = io.open_log(path)?;
    let status = io.fstat(file.as_fd())?;
    if unit == Unit::Lines && status.len > 0 && last_byte(io, path, status.len)? != b'\n' {
        io.pwrite(file.as_fd(), b"\n", status.len)?;
    }
    let (dev, ino, birth_ns) = (status.dev, status.ino, birth_ns(&file));
    let now_ns = ns_since_1970(SystemTime::now());
    Ok(LogFile {
        file,
        path: path.to_owned(),
        dev,
        ino,
        birth_ns,
        // Made by another process, it began with its birth.
        start_ns: if status.len > 0 && birth_ns > 0 { birth_ns } else { now_ns } as i64,
        rotated: OnceLock::new(),
        start,
        end: OnceLock::new(),
        is_refused: AtomicBool::new(false),
        has_reserve: AtomicBool::new(false),
    })
}

fn birth_ns(file: &File) -> u64 {
    let birth = file.metadata().and_then(|metadata| metadata.created());
    birth.map_or(0, ns_since_1970)
}

fn last_byte(io: &dyn Io, path: &Path, len: u64) -> io::Result<u8> {
    let mut byte = [b'\n'];
    io.pread(File::open(path)?.as_fd(), &mut byte, len - 1)?;
    Ok(byte[0])
}

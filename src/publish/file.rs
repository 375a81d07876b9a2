//! The visible log as a file: whole lines appended with `pwrite`, the file looked at before each
//! append, so that whatever happens to it from outside leaves no hole of zeros. Runs on the
//! publisher; opened by the owner at start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::names::{NameHeld, Places};
use super::rotate::Rotator;
use super::{Calendar, Lines, broken_end, live, unit};
use crate::arena::intent::{Intent, Intents};
use crate::config::Rotation;
use crate::config::file_names::Unit;
use crate::flush::Progress;
use crate::flush::files::{LogFile, LogFiles};
use crate::stats::{Counter, Counters};
use crate::sys::io::{FileStatus, Io};
use crate::sys::moment;

/// How long a name that leads elsewhere, and cannot be made to lead to a new file, is left alone:
/// at first, and at most. Each attempt that fails is told in the log.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(60);

/// The visible log.
#[derive(Debug)]
pub(crate) struct FileOutput {
    pub(super) io: Arc<dyn Io>,
    pub(super) places: Places,
    pub(super) held: Arc<dyn NameHeld>,
    pub(super) path: PathBuf,
    pub(super) current: Arc<LogFile>,
    /// How it was at the last look, and the directory at the start: those that take their places
    /// are to be like them.
    pub(super) before: FileStatus,
    pub(super) dir_before: Option<FileStatus>,
    /// When the file was marked as this process's last.
    pub(super) marked_at: Instant,
    /// Attempts to find the file by its name.
    pub(super) name: Backoff,
    pub(super) files: Arc<LogFiles>,
    pub(super) counters: Counters,
    rotator: Rotator,
    pub(super) unit: Unit,
    /// Where the last append to the present file ended.
    pub(super) end: u64,
    /// Where its last part began, in the file and in the segment.
    pub(super) part: (u64, usize),
    /// Whether the keeper is to hear that a file was replaced.
    pub(super) is_rotated: bool,
    /// Whether the present file has taken the place of another and has no line yet: what was begun
    /// in that one is begun anew.
    is_fresh: bool,
    /// Whether the last line of an earlier engine could not be ended at the start.
    is_line_open: bool,
    /// What failed and is not told yet.
    pub(super) troubles: Vec<String>,
    pub(super) is_refusal_told: bool,
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
        (places, held): (Places, Arc<dyn NameHeld>),
        rotation: Rotation,
        calendar: Calendar,
        counters: Counters,
    ) -> io::Result<FileOutput> {
        let (path, unit) = (places.live(), places.unit);
        let mut rotator = Rotator::new(Arc::clone(&io), places.clone(), rotation, calendar)?;
        let live::Opened { file, refused } = live::open(&*io, &path, None, places.modes, 0)?;
        let mut troubles = broken_end::end_complete(&*io, &places);
        troubles.extend(broken_end::told(&*io, &file, unit));
        // A full disk must not hold up the start: the first append ends it then.
        let ended = live::end_last_line(&*io, &file, unit);
        live::mark(&file);
        let before = file.status(&*io)?;
        // The newest line decides to which day the file belongs.
        rotator.appended(if before.len > 0 { before.modified } else { moment::utc() });
        let current = Arc::new(file);
        let mut output = FileOutput {
            before,
            dir_before: io.stat(&places.dir).ok(),
            marked_at: moment::now(),
            name: Backoff::new(RETRY_FIRST, RETRY_MOST),
            files: Arc::new(LogFiles::new(Arc::clone(&current))),
            io,
            places,
            held,
            path,
            current,
            counters,
            rotator,
            unit,
            end: 0,
            part: (0, 0),
            is_rotated: false,
            is_fresh: false,
            is_line_open: ended.is_err(),
            troubles,
            is_refusal_told: false,
        };
        output.note_refused(refused);
        if let Err(error) = ended {
            let path = output.path.display();
            output.troubles.push(format!(
                "cannot end the last line of {path} before the first append: {error}"
            ));
        }
        if unit == Unit::Segments && before.len > 0 {
            // Nobody waits for anything yet.
            output.rotate(&Progress::default(), before, 0)?;
        }
        Ok(output)
    }

    /// What its opening has found, to be told with the start.
    pub(crate) fn take_troubles(&mut self) -> Vec<String> {
        std::mem::take(&mut self.troubles)
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
        let now = moment::utc();
        let status = match self.look_and_end_line(progress, position).and_then(|status| {
            self.before = status;
            let is_whole = !self.is_fresh && unit::is_start(self.unit, lines, from);
            let first_line = unit::end(self.unit, lines, from) - from;
            if is_whole && self.rotator.is_due(&self.files, status.len, first_line, now) {
                return self.rotate(progress, status, position);
            }
            Ok(status)
        }) {
            Ok(status) => status,
            Err(error) => return Appended { to: from, result: Err(error) },
        };
        // A segment that is not where its beginning is cannot be read.
        let is_moved = self.unit == Unit::Segments && status.len != self.end;
        let is_same = !self.is_fresh && !is_moved;
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
            match self.io.append(self.current.file.seen(), &lines[to..end], at) {
                Ok(0) => {
                    let error = io::ErrorKind::WriteZero.into();
                    return Appended { to, result: Err(error) };
                }
                Ok(count) => {
                    to += count;
                    self.is_fresh = false;
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

    /// The state of the file that is to be appended to, behind a whole line.
    fn look_and_end_line(&mut self, progress: &Progress, position: u64) -> io::Result<FileStatus> {
        let status = self.look(progress, position)?;
        if !self.is_line_open {
            return Ok(status);
        }
        live::end_last_line(&*self.io, &self.current, self.unit)?;
        self.is_line_open = false;
        self.current.status(&*self.io)
    }

    /// Whether it was rotated since the last time that this was asked.
    pub(super) fn take_rotated(&mut self) -> bool {
        std::mem::take(&mut self.is_rotated)
    }

    /// Goes on in a new file, from the `position` in the engine's life on; in the old one where
    /// that cannot be had.
    fn rotate(
        &mut self,
        progress: &Progress,
        status: FileStatus,
        position: u64,
    ) -> io::Result<FileStatus> {
        match self.rotator.rotate(&self.current, status, &self.files, position) {
            Ok(live::Opened { file, refused }) => {
                live::mark(&file);
                self.replace(progress, file);
                self.counters.add(Counter::Rotations, 1);
                self.is_rotated = true;
                self.note_refused(refused);
                self.current.status(&*self.io)
            }
            Err(error) => {
                self.counters.add(Counter::RotationFailures, 1);
                let path = self.path.display();
                self.troubles.push(format!("cannot rotate {path}, which grows on: {error}"));
                Ok(status)
            }
        }
    }

    /// From now on lines go to this file. Which may be lost again before it has any.
    pub(super) fn replace(&mut self, progress: &Progress, file: LogFile) {
        let file = Arc::new(file);
        let replaced = std::mem::replace(&mut self.current, Arc::clone(&file));
        self.is_fresh |= replaced.identity() != file.identity();
        self.files.replace(file);
        progress.replaced(&replaced);
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

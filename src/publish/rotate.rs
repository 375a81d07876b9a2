//! Goes on in a new file: when, and how the old one gets its name. Runs on the publisher; made by
//! the owner at start.
//!
//! The old file is linked to its rotated name, and an empty one renamed over the log's name: that
//! name exists at every instant. A process that dies between the two leaves one file under both
//! names; the next start goes on from there.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::names::{Numbers, Places, Unnamed};
use super::{Calendar, file, unit};
use crate::config::Rotation;
use crate::config::file_names::PRIVATE_DIR_MODE;
use crate::flush::files::{LogFile, LogFiles};
use crate::sys::io::Io;

/// How long appends go on in the old file after a rotation failed, before the next attempt: at
/// first, and at most. Each attempt that fails is told in the log.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// When and how.
#[derive(Debug)]
pub(super) struct Rotator {
    io: Arc<dyn Io>,
    places: Places,
    rotation: Rotation,
    calendar: Calendar,
    numbers: Numbers,
    /// The hour or day of the last append.
    span: Range<i64>,
    failed: Option<Failed>,
    /// Whether it is due, but waits until the device has taken files that were replaced before.
    is_held: bool,
}

/// A failed rotation.
#[derive(Clone, Copy, Debug)]
struct Failed {
    at: Instant,
    /// For how long there is no other attempt.
    pause: Duration,
}

impl Rotator {
    /// Ends what a process that died may have left half done, and goes on numbering behind the
    /// files that are there.
    pub(super) fn new(
        io: Arc<dyn Io>,
        places: Places,
        rotation: Rotation,
        calendar: Calendar,
    ) -> io::Result<Rotator> {
        finish_interrupted(&*io, &places)?;
        let numbers = Numbers::behind(&*io, &places)?;
        let (span, failed, is_held) = (0..0, None, false);
        Ok(Rotator { io, places, rotation, calendar, numbers, span, failed, is_held })
    }

    /// The last append to the present file was at this time.
    pub(super) fn appended(&mut self, at: SystemTime) {
        let at = unix_seconds(at);
        // What goes to a file of another day because a rotation has to wait does not make it one of
        // that day.
        let has_to_wait = self.failed.is_some() || self.is_held;
        if !has_to_wait && !self.span.contains(&at) {
            self.span = self.calendar.span(at);
        }
    }

    /// Whether lines of which the first is `first_line` long go to a new file rather than behind
    /// the `len` bytes of the present one.
    pub(super) fn is_due(
        &mut self,
        files: &LogFiles,
        len: u64,
        first_line: usize,
        now: SystemTime,
    ) -> bool {
        let is_full = len.saturating_add(first_line as u64) > self.rotation.bytes;
        let is_old = unix_seconds(now) >= self.span.end;
        let may_try = self.failed.is_none_or(|failed| failed.at.elapsed() >= failed.pause);
        let is_due = len > 0 && (is_full || is_old) && may_try;
        self.is_held = is_due && files.are_too_many_open();
        is_due && !self.is_held
    }

    /// Where those of the lines from `from` on end that still fit behind `len` bytes: at least the
    /// first.
    pub(super) fn part_end(&self, lines: &[u8], from: usize, len: u64) -> usize {
        let left = lines.len() - from;
        let room = usize::try_from(self.rotation.bytes.saturating_sub(len)).unwrap_or(left);
        // After a failed rotation, or before one that waits, the file grows beyond its limit.
        if left <= room || self.failed.is_some() || self.is_held {
            return lines.len();
        }
        unit::fitting(self.places.unit, lines, from, room)
    }

    /// Rotates; gives the file to go on with, from the position `start` in the engine's life on.
    pub(super) fn rotate(
        &mut self,
        current: &LogFile,
        files: &LogFiles,
        start: u64,
    ) -> io::Result<LogFile> {
        let outcome = self.try_to_rotate(current, files, start);
        let [first, most] = RETRY;
        self.failed = outcome.is_err().then(|| Failed {
            at: Instant::now(),
            pause: self.failed.map_or(first, |failed| (failed.pause * 2).min(most)),
        });
        outcome
    }

    fn try_to_rotate(
        &mut self,
        current: &LogFile,
        files: &LogFiles,
        start: u64,
    ) -> io::Result<LogFile> {
        let live = self.places.live();
        let has_next = files.has_next();
        let next = if has_next {
            self.places.next()
        } else {
            // Of another name than the keeper's, who may be making one just now.
            let own = self.places.own_next();
            self.make_next(&own)?;
            own
        };
        let io = &*self.io;
        let full = Unnamed { path: &live, start_ns: current.start_ns };
        let rotated = self.numbers.link(io, &self.places, full)?;
        let renamed = self.io.rename(&next, &live);
        if has_next {
            // Not before: as soon as none waits the keeper makes one, in the place of this one.
            files.take_next();
        }
        if let Err(error) = renamed {
            // One file, one name; should this fail as well, the next start sees both.
            let _ = self.io.unlink(&rotated);
            return Err(error);
        }
        self.numbers.advance();
        // Only the publisher sets it, once.
        let _ = current.rotated.set(rotated);
        file::open(&*self.io, &live, self.places.unit, start)
    }

    fn make_next(&self, next: &Path) -> io::Result<()> {
        let made = match self.io.open_fresh(next) {
            // The directory was removed, and made again without this one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.io.create_dir(&self.places.private_dir, PRIVATE_DIR_MODE)?;
                self.io.open_fresh(next)
            }
            outcome => outcome,
        };
        made.map(drop)
    }
}

/// One file under both names: the process that rotated it died before the second step.
fn finish_interrupted(io: &dyn Io, places: &Places) -> io::Result<()> {
    let live = places.live();
    let status = match io.stat(&live) {
        Ok(status) if status.links > 1 => status,
        // A missing log is made; what else is wrong shows when it is opened.
        _ => return Ok(()),
    };
    for (_, path) in places.complete(io)? {
        let is_same = io.stat(&path).is_ok_and(|s| (s.dev, s.ino) == (status.dev, status.ino));
        if is_same {
            io.open_fresh(&places.own_next())?;
            return io.rename(&places.own_next(), &live);
        }
    }
    Ok(())
}

pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64) - 1,
    }
}

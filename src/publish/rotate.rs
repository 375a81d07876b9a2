//! Goes on in a new file: when. Runs on the publisher; made by the owner at start. How is `swap`'s.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::backoff::Backoff;
use super::live::{self, Opened};
use super::names::{Numbers, Places};
use super::swap::{self, Swap};
use super::{Calendar, unit};
use crate::config::Rotation;
use crate::flush::files::{LogFile, LogFiles};
use crate::sys::io::{FileStatus, Io};

/// How long appends go on in the old file after a rotation failed, before the next attempt: at
/// first, and at most. Each attempt that fails is told in the log.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(60);

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
    attempts: Backoff,
    /// Whether it is due, but waits until the device has taken files that were replaced before.
    is_held: bool,
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
        swap::finish_interrupted(&*io, &places)?;
        let numbers = Numbers::behind(&*io, &places)?;
        let (span, attempts) = (0..0, Backoff::new(RETRY_FIRST, RETRY_MOST));
        Ok(Rotator { io, places, rotation, calendar, numbers, span, attempts, is_held: false })
    }

    /// The last append to the present file was at this time.
    pub(super) fn appended(&mut self, at: SystemTime) {
        let at = unix_seconds(at);
        // What goes to a file of another day because a rotation has to wait does not make it one of
        // that day.
        let has_to_wait = self.attempts.has_failed() || self.is_held;
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
        let is_due = len > 0 && (is_full || is_old) && self.attempts.is_due();
        self.is_held = is_due && files.are_too_many_open();
        is_due && !self.is_held
    }

    /// Where those of the lines from `from` on end that still fit behind `len` bytes: at least the
    /// first.
    pub(super) fn part_end(&self, lines: &[u8], from: usize, len: u64) -> usize {
        let left = lines.len() - from;
        let room = usize::try_from(self.rotation.bytes.saturating_sub(len)).unwrap_or(left);
        // After a failed rotation, or before one that waits, the file grows beyond its limit.
        if left <= room || self.attempts.has_failed() || self.is_held {
            return lines.len();
        }
        unit::fitting(self.places.unit, lines, from, room)
    }

    /// Rotates; gives the file to go on with, from the position `start` in the engine's life on,
    /// and what of owner, group and mode it could not be given. The full one is as `before` says.
    pub(super) fn rotate(
        &mut self,
        full: &LogFile,
        before: FileStatus,
        files: &LogFiles,
        start: u64,
    ) -> io::Result<Opened> {
        let swap = Swap { io: &*self.io, places: &self.places, files, full, before };
        let swapped = swap.run(&mut self.numbers).and_then(|swapped| {
            // Only the publisher sets it, once.
            let _ = full.rotated.set(swapped.complete);
            let file = live::log_file(&*self.io, swapped.file, &self.places.live(), start)?;
            Ok(Opened { file, refused: swapped.refused })
        });
        match swapped {
            Ok(_) => self.attempts.reset(),
            Err(_) => self.attempts.fail(),
        }
        swapped
    }
}

pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64) - 1,
    }
}

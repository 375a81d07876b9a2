//! Goes on in a new file: when, and how the old one gets its name. Runs on the publisher; made by
//! the owner at start.
//!
//! The old file is linked to its rotated name, and an empty one renamed over the log's name: that
//! name exists at every instant. A process that dies between the two leaves one file under both
//! names; the next start goes on from there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::file;
use crate::config::{Rotation, file_names};
use crate::flush::files::{LogFile, LogFiles};
use crate::sys::io::Io;

/// How long appends go on in the old file after a rotation failed, before the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// How many rotated names are tried in one attempt, should somebody else have taken them.
const NUMBERS_MAX: u64 = 100;

/// Mode of the directory beside the log.
pub(crate) const PRIVATE_DIR_MODE: u32 = 0o700;

/// Where the files of a log are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) dir: PathBuf,
    /// Beside the log, for files that are not part of it yet.
    pub(crate) private_dir: PathBuf,
    /// `app`, or `app.4711` where the name was in use.
    pub(crate) base: String,
}

impl Places {
    /// The log's name.
    pub(crate) fn live(&self) -> PathBuf {
        self.dir.join(file_names::live(&self.base))
    }

    /// Where the next file waits that the keeper makes.
    pub(crate) fn next(&self) -> PathBuf {
        self.private_dir.join(format!("{}.next", self.base))
    }

    /// Where the publisher makes one when none waits.
    fn own_next(&self) -> PathBuf {
        self.private_dir.join(format!("{}.now", self.base))
    }
}

/// When and how.
#[derive(Debug)]
pub(super) struct Rotator {
    io: Arc<dyn Io>,
    places: Places,
    rotation: Rotation,
    /// Of the next file that is rotated.
    number: u64,
    /// The hour or day of the last append.
    period: i64,
    failed_at: Option<Instant>,
}

impl Rotator {
    /// Ends what a process that died may have left half done, and goes on numbering behind the
    /// files that are there.
    pub(super) fn new(
        io: Arc<dyn Io>,
        places: Places,
        rotation: Rotation,
    ) -> io::Result<Rotator> {
        finish_interrupted(&*io, &places)?;
        let numbers = rotated(&*io, &places)?.into_iter().map(|(number, _)| number);
        let number = numbers.max().unwrap_or(0) + 1;
        Ok(Rotator { io, places, rotation, number, period: 0, failed_at: None })
    }

    /// The last append to the present file was at this time.
    pub(super) fn appended(&mut self, at: SystemTime) {
        self.period = self.rotation.period.period(unix_seconds(at));
    }

    /// Whether lines of which the first is `first_line` long go to a new file rather than behind
    /// the `len` bytes of the present one.
    pub(super) fn is_due(&self, len: u64, first_line: usize, now: SystemTime) -> bool {
        let is_full = len.saturating_add(first_line as u64) > self.rotation.bytes;
        let is_old = self.rotation.period.period(unix_seconds(now)) > self.period;
        let may_try = self.failed_at.is_none_or(|at| at.elapsed() >= RETRY);
        len > 0 && (is_full || is_old) && may_try
    }

    /// Where those of the lines from `from` on end that still fit behind `len` bytes: at least the
    /// first.
    pub(super) fn part_end(&self, lines: &[u8], from: usize, len: u64) -> usize {
        let left = lines.len() - from;
        let room = usize::try_from(self.rotation.bytes.saturating_sub(len)).unwrap_or(left);
        // After a failed rotation the file grows beyond its limit.
        if left <= room || self.failed_at.is_some() {
            return lines.len();
        }
        let fitting = lines[from..from + room].iter().rposition(|byte| *byte == b'\n');
        fitting.map_or_else(|| line_end(lines, from), |end| from + end + 1)
    }

    /// Rotates; gives the file to go on with.
    pub(super) fn rotate(&mut self, current: &LogFile, files: &LogFiles) -> io::Result<LogFile> {
        let outcome = self.try_to_rotate(current, files);
        self.failed_at = outcome.is_err().then(Instant::now);
        outcome
    }

    fn try_to_rotate(&mut self, current: &LogFile, files: &LogFiles) -> io::Result<LogFile> {
        let live = self.places.live();
        let next = if files.take_next() {
            self.places.next()
        } else {
            // Of another name than the keeper's, who may be making one just now.
            let own = self.places.own_next();
            self.make_next(&own)?;
            own
        };
        let rotated = self.link(&live, current)?;
        if let Err(error) = self.io.rename(&next, &live) {
            // One file, one name; should this fail as well, the next start sees both.
            let _ = self.io.unlink(&rotated);
            return Err(error);
        }
        self.number += 1;
        // Only the publisher sets it, once.
        let _ = current.rotated.set(rotated);
        file::open(&*self.io, &live)
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

    /// Gives the file its rotated name beside the old one.
    fn link(&mut self, live: &Path, current: &LogFile) -> io::Result<PathBuf> {
        for _ in 0..NUMBERS_MAX {
            let name = file_names::rotated(&self.places.base, current.start_ns, self.number);
            let rotated = self.places.dir.join(name);
            match self.io.link(live, &rotated) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.number += 1,
                outcome => return outcome.map(|()| rotated),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
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
    for (_, path) in rotated(io, places)? {
        let is_same = io.stat(&path).is_ok_and(|s| (s.dev, s.ino) == (status.dev, status.ino));
        if is_same {
            io.open_fresh(&places.own_next())?;
            return io.rename(&places.own_next(), &live);
        }
    }
    Ok(())
}

/// The rotated files of this base that are not compressed, with their numbers; compressed ones with
/// the numbers alone matter as well.
fn rotated(io: &dyn Io, places: &Places) -> io::Result<Vec<(u64, PathBuf)>> {
    let names = io.read_dir_names(&places.dir)?;
    let files = names.iter().filter_map(|name| {
        let name = name.to_str()?;
        let parsed = file_names::parse(name).filter(|parsed| parsed.base == places.base)?;
        Some((parsed.number, places.dir.join(name)))
    });
    Ok(files.collect())
}

/// Where the line that begins at `from`, or goes on there, ends.
pub(super) fn line_end(lines: &[u8], from: usize) -> usize {
    let newline = lines[from..].iter().position(|byte| *byte == b'\n');
    newline.map_or(lines.len(), |end| from + end + 1)
}

pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64) - 1,
    }
}

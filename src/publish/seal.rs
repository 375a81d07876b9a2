//! The publisher where segments become files of the log themselves: it cuts a sealed segment to its
//! lines, syncs it, and gives it its name. What has a name is on the device. No byte is copied.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::names::{Numbers, Places, ns_since_1970};
use super::{IDLE, RETRY};
use crate::arena::intent::{Intent, Intents};
use crate::config::file_names::{DIR_MODE, PRIVATE_DIR_MODE};
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Latency, Progress, SyncFailure};
use crate::segment::{Ahead, LogSegment};
use crate::stats::{Counter, Counters};
use crate::sys::io::{FileStatus, Io};
use crate::sys::open;

/// How much of a segment is copied at a time, where its directory was removed.
const PIECE_BYTES: usize = 256 << 10;

/// The complete files of the log.
#[derive(Debug)]
pub(crate) struct SealedFiles {
    io: Arc<dyn Io>,
    places: Places,
    numbers: Numbers,
    /// Whether the directory's own name is to be synced with the next file's.
    is_dir_new: bool,
}

impl SealedFiles {
    /// Goes on behind the files that are there. A file that was appended to gets its complete name,
    /// and a segment that a process which died had given its name loses the other one.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(
        io: Arc<dyn Io>,
        places: Places,
        is_dir_new: bool,
    ) -> io::Result<SealedFiles> {
        let mut numbers = Numbers::behind(&*io, &places)?;
        complete_live(&*io, &places, &mut numbers)?;
        forget_named(&*io, &places)?;
        Ok(SealedFiles { io, places, numbers, is_dir_new })
    }

    /// Makes the names last.
    fn sync_dirs(&mut self) -> io::Result<()> {
        let dir = &self.places.dir;
        self.io.sync_dir(dir)?;
        if let Some(parent) = dir.parent().filter(|_| self.is_dir_new) {
            self.io.sync_dir(parent)?;
            self.is_dir_new = false;
        }
        Ok(())
    }

    /// The directory was removed, and the segment with it: both are made anew.
    fn restore(&mut self, lost: &LogSegment) -> io::Result<()> {
        for (dir, mode) in
            [(&self.places.dir, DIR_MODE), (&self.places.private_dir, PRIVATE_DIR_MODE)]
        {
            match self.io.create_dir(dir, mode) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.is_dir_new = true,
            }
        }
        // An earlier attempt may have left a part of it.
        match self.io.unlink(&lost.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.io.create_segment(&lost.path)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        loop {
            let count = self.io.pread(lost.file.as_fd(), &mut piece, at)?;
            if count == 0 {
                return self.io.fdatasync(file.as_fd());
            }
            let mut written = 0;
            while written < count {
                let rest = &piece[written..count];
                match self.io.pwrite(file.as_fd(), rest, at + written as u64)? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    taken => written += taken,
                }
            }
            at += count as u64;
        }
    }
}

/// What the thread is made of.
pub(crate) struct SealerParts {
    pub(crate) files: SealedFiles,
    pub(crate) ahead: Arc<Ahead>,
    pub(crate) intents: Intents,
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
    /// Its own signal, the collector's, and the keeper's.
    pub(crate) signal: Arc<Signal>,
    pub(crate) collector: Arc<Signal>,
    pub(crate) keeper: Arc<Signal>,
}

/// The thread's state.
pub(crate) struct Sealer {
    parts: SealerParts,
    /// How far the oldest sealed segment has come.
    step: Step,
    /// In bytes of the engine's life.
    published: u64,
    retry: Option<Duration>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    publishes: u64,
    publish_latency: Latency,
    syncs: u64,
    sync_latency: Latency,
}

/// What is done with a sealed segment; what failed is tried again from there.
#[derive(Debug)]
enum Step {
    Cut,
    Sync,
    Link,
    /// Its directory was removed, and it with it.
    Restore,
    /// It has its name, and this other one to lose.
    Unlink,
    SyncDir,
}

impl Sealer {
    pub(crate) fn new(parts: SealerParts) -> Sealer {
        let counts = Counts::default();
        Sealer { parts, step: Step::Cut, published: 0, retry: None, counts }
    }

    /// Runs until the collector has ended and every sealed segment has its name, or it is
    /// abandoned.
    pub(crate) fn run(mut self) {
        let mut is_last = false;
        loop {
            let bits = match self.retry {
                Some(retry) => self.parts.signal.wait(bit::ABANDON, retry),
                None if is_last => self.parts.signal.take(),
                None => self.parts.signal.wait(bit::STOP | bit::ABANDON | bit::SEGMENT, IDLE),
            };
            if bits & bit::ABANDON != 0 {
                break;
            }
            is_last |= bits & bit::STOP != 0;
            self.finish_all();
            // The signal to stop comes behind the last seal.
            if is_last && self.retry.is_none() && self.parts.ahead.oldest_sealed().is_none() {
                break;
            }
        }
        self.parts.progress.set_done(EngineThread::Publisher);
        self.parts.keeper.raise(bit::STOP);
    }

    fn finish_all(&mut self) {
        while let Some(oldest) = self.parts.ahead.oldest_sealed() {
            let start = Instant::now();
            match self.finish(&oldest) {
                Ok(()) => self.tell(&oldest, start.elapsed()),
                Err(error) => return self.fail(&oldest, &error),
            }
        }
    }

    /// All steps, from the one that failed last.
    fn finish(&mut self, oldest: &LogSegment) -> io::Result<()> {
        loop {
            let (io, file) = (&*self.parts.files.io, oldest.file.as_fd());
            self.step = match self.step {
                Step::Cut => {
                    io.ftruncate(file, oldest.segment.sealed() as u64)?;
                    Step::Sync
                }
                Step::Sync => {
                    self.sync(oldest);
                    Step::Link
                }
                Step::Link => match self.link(oldest) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Step::Restore,
                    outcome => outcome.map(|()| Step::Unlink)?,
                },
                Step::Restore => {
                    self.parts.files.restore(oldest)?;
                    Step::Link
                }
                Step::Unlink => match io.unlink(&oldest.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => Step::SyncDir,
                },
                Step::SyncDir => match self.parts.files.sync_dirs() {
                    // Removed since the link, by somebody who wanted the file to go.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {
                        self.step = Step::Cut;
                        return Ok(());
                    }
                },
            };
            self.parts.progress.moved();
        }
    }

    /// A sync that failed is not tried again: Linux marks the lost pages clean, and a second one
    /// would lie. The file gets its name all the same; who waits for it hears of the failure, until
    /// the next file is on the device.
    fn sync(&mut self, oldest: &LogSegment) {
        let SealerParts { files, progress, counters, .. } = &self.parts;
        let start = Instant::now();
        match files.io.fdatasync(oldest.file.as_fd()) {
            Ok(()) => {
                self.counts.syncs += 1;
                counters.set(Counter::Syncs, self.counts.syncs);
                let latency = self.counts.sync_latency.add(start.elapsed());
                counters.set(Counter::SyncLatencyNs, latency);
                progress.forgive_sync();
            }
            Err(error) => {
                let (path, kind) = (oldest.path.clone(), error.kind());
                let failure = SyncFailure { path, kind, text: error.to_string() };
                counters.add(Counter::SyncFailures, 1);
                progress.count_failed_sync(&failure);
                progress.fail_sync(failure);
            }
        }
    }

    fn link(&mut self, oldest: &LogSegment) -> io::Result<()> {
        let SealerParts { files, intents, .. } = &mut self.parts;
        let SealedFiles { io, places, numbers, .. } = files;
        // Of the path: it may have been restored.
        let status = io.stat(&oldest.path)?;
        let intent = Intent {
            dev: status.dev,
            ino: status.ino,
            segment: oldest.seq,
            to: status.len,
            ..Intent::default()
        };
        let began = *oldest.began.get_or_init(SystemTime::now);
        let from = (&*oldest.path, ns_since_1970(began) as i64);
        numbers.link(&**io, places, from, |name| intents.begin_named(intent, name))?;
        numbers.advance();
        intents.done();
        Ok(())
    }

    /// A segment is published and, unless its sync failed, synced.
    fn tell(&mut self, oldest: &LogSegment, took: Duration) {
        self.retry = None;
        self.published += oldest.segment.sealed() as u64;
        let SealerParts { ahead, counters, progress, collector, keeper, .. } = &self.parts;
        ahead.finish_oldest();
        self.counts.publishes += 1;
        let latency = self.counts.publish_latency.add(took);
        counters.set(Counter::PublishLatencyNs, latency);
        counters.set(Counter::Publishes, self.counts.publishes);
        counters.add(Counter::Rotations, 1);
        // First: who sees that it is published finds it synced.
        if progress.sync_failure().is_none() {
            counters.set(Counter::SyncedBytes, self.published);
            progress.set_synced(self.published);
        }
        counters.set(Counter::PublishedBytes, self.published);
        progress.set_published(self.published);
        collector.raise(bit::SEGMENT);
        keeper.raise(bit::ROTATED);
    }

    /// Rings fill and drop from now on, until a segment gets its name.
    fn fail(&mut self, oldest: &LogSegment, error: &io::Error) {
        let [first, most] = RETRY;
        self.retry = Some(self.retry.map_or(first, |before| (before * 2).min(most)));
        let SealerParts { counters, progress, .. } = &self.parts;
        counters.add(Counter::WriteFailures, 1);
        progress.report_failure(format!("cannot seal {}: {error}", oldest.path.display()));
        progress.stall();
    }
}

/// A log that was appended to before gets a complete file's name.
fn complete_live(io: &dyn Io, places: &Places, numbers: &mut Numbers) -> io::Result<()> {
    let live = places.live();
    let status = match io.stat(&live) {
        Ok(status) if status.len > 0 => status,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    };
    if !has_complete_name(io, places, &status)? {
        let start = ns_since_1970(status.modified) as i64;
        numbers.link(io, places, (&live, start), |_| {})?;
        numbers.advance();
    }
    // With two names, its rotation was interrupted between the steps.
    io.unlink(&live)
}

/// Whether a file is a complete one of this log by another name.
fn has_complete_name(io: &dyn Io, places: &Places, status: &FileStatus) -> io::Result<bool> {
    let is_it = |path: &PathBuf| {
        io.stat(path).is_ok_and(|other| (other.dev, other.ino) == (status.dev, status.ino))
    };
    Ok(status.links > 1 && places.complete(io)?.iter().any(|(_, path)| is_it(path)))
}

/// Segments of this base whose process died, if they are complete under another name by now, or
/// hold nothing. All others may hold lines that are nowhere else.
fn forget_named(io: &dyn Io, places: &Places) -> io::Result<()> {
    for name in io.read_dir_names(&places.private_dir)? {
        let path: PathBuf = places.private_dir.join(&name);
        if !is_segment_of(&name.to_string_lossy(), &places.base) {
            continue;
        }
        let Ok(status) = io.stat(&path) else { continue };
        if has_complete_name(io, places, &status)? || is_empty(io, &path)? {
            io.unlink(&path)?;
        }
    }
    Ok(())
}

/// Whether a segment was never written to: no line begins with a zero.
fn is_empty(io: &dyn Io, path: &Path) -> io::Result<bool> {
    let mut first = [0];
    let count = io.pread(open::to_read(path)?.as_fd(), &mut first, 0)?;
    Ok(count == 0 || first == [0])
}

/// Whether the name is `<base>.<pid>-<id>.<number>.segment`.
fn is_segment_of(name: &str, base: &str) -> bool {
    let rest = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('.'));
    let Some(rest) = rest.and_then(|rest| rest.strip_suffix(".segment")) else { return false };
    let mut parts = rest.split(['.', '-']);
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.by_ref().take(3).filter(|part| is_hex(part)).count() == 3 && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_told_by_their_names() {
        for name in ["app.17-00ff.1.segment", "app.4711-0123456789abcdef.120.segment"] {
            assert!(is_segment_of(name, "app"), "{name}");
        }
        let others = ["app.segment", "app.17-00ff.segment", "app.17-00ff.1.2.segment", "app.now"];
        for name in others.into_iter().chain(["b.17-0.1.segment", "app.x-0.1.segment", ""]) {
            assert!(!is_segment_of(name, "app"), "{name}");
        }
        assert!(!is_segment_of("app.4711.17-00ff.1.segment", "app"), "another base");
        assert!(is_segment_of("app.4711.17-00ff.1.segment", "app.4711"));
    }
}

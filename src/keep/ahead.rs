//! Makes the segments that become files of the log themselves, so that the collector finds one
//! ready: allocated, mapped, and faulted in. Runs on the keeper; the first is made by the owner.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::old_files::{Care, OldFiles, RETAIN_EVERY};
use crate::arena::{SharedRegion, layout};
use crate::config::file_names::{DIR_MODE, PRIVATE_DIR_MODE};
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Progress};
use crate::segment::{Ahead, LogSegment, Segment};
use crate::stats::{Counter, Counters};
use crate::sys::io::{Io, Reserve};
use crate::sys::mmap::Region;
use crate::sys::zeros::write_zeros;

/// Where the disk has no room for a whole segment, it is halved, down to this.
const BYTES_MIN: usize = 1 << 20;
/// Segments end where a page of any supported system does.
const BYTES_STEP: usize = 64 << 10;

/// How long the keeper waits after it could not make a segment: at first, and at most.
const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Makes segments.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) io: Arc<dyn Io>,
    /// Within the log's directory, where segments wait for their names.
    pub(crate) dir: PathBuf,
    /// What their names there begin with.
    pub(crate) stem: String,
    pub(crate) bytes: usize,
    /// Holds their heads.
    pub(crate) arena: SharedRegion,
}

impl Maker {
    /// The segment `seq`, of which the first `faulted` bytes are faulted in.
    ///
    /// # Errors
    /// The system's; nothing is left behind.
    pub(crate) fn make(&self, seq: u64, faulted: usize) -> io::Result<LogSegment> {
        let path = self.dir.join(format!("{}.{seq}.segment", self.stem));
        let file = match self.io.create_segment(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_dirs();
                self.io.create_segment(&path)?
            }
            outcome => outcome?,
        };
        let region = self.map(&file, faulted).inspect_err(|_| {
            // The error that matters is the first one.
            let _ = self.io.unlink(&path);
        })?;
        let arena = Arc::clone(&self.arena);
        let segment = Arc::new(Segment::of_lines(region, arena, layout::head_at(seq)));
        Ok(LogSegment { segment, seq, file, path, began: OnceLock::new() })
    }

    /// The directories were removed. Should one not come back, making the segment says why.
    fn make_dirs(&self) {
        if let Some(log_dir) = self.dir.parent() {
            let _ = self.io.create_dir(log_dir, DIR_MODE);
        }
        let _ = self.io.create_dir(&self.dir, PRIVATE_DIR_MODE);
    }

    fn map(&self, file: &File, faulted: usize) -> io::Result<Region> {
        let bytes = self.allocate(file)?;
        let faulted = bytes.min(faulted);
        write_zeros(file, 0, faulted)?;
        let region = Region::of_file(file, 0, bytes)?;
        region.populate(0, faulted)?;
        Ok(region)
    }

    /// Gives the file blocks; as many as the disk has, where it is nearly full.
    fn allocate(&self, file: &File) -> io::Result<usize> {
        let mut bytes = self.bytes;
        loop {
            let error = match self.io.fallocate(file.as_fd(), Reserve::Extend, 0, bytes as u64) {
                Ok(()) => return Ok(bytes),
                Err(error) => error,
            };
            // A failed `fallocate` may keep what it got.
            self.io.ftruncate(file.as_fd(), 0)?;
            bytes = (bytes / 2).next_multiple_of(BYTES_STEP);
            if error.kind() != io::ErrorKind::StorageFull || bytes < BYTES_MIN {
                return Err(error);
            }
        }
    }
}

/// What such a keeper is made of.
pub(crate) struct AheadParts {
    pub(crate) maker: Maker,
    pub(crate) ahead: Arc<Ahead>,
    /// The first segment, of which only the beginning is faulted in.
    pub(crate) first: Option<Arc<Segment>>,
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) collector: Arc<Signal>,
}

/// The thread's state.
pub(crate) struct AheadKeeper {
    parts: AheadParts,
    old_files: OldFiles,
    dir: PathBuf,
    retry: Option<Retry>,
}

/// The next attempt to make a segment.
struct Retry {
    after: Duration,
    at: Instant,
}

impl AheadKeeper {
    pub(crate) fn new(parts: AheadParts, care: Care) -> AheadKeeper {
        let dir = care.dir.clone();
        AheadKeeper { parts, old_files: OldFiles::new(care), dir, retry: None }
    }

    /// Runs until the publisher has ended.
    pub(crate) fn run(mut self) {
        if let Some(first) = self.parts.first.take() {
            // Where that fails, the collector faults the pages in. It may be sealed and cut by now.
            let _ = first.region().populate_untouched();
        }
        self.make_wanted();
        self.old_files.look(false);
        loop {
            self.make_wanted();
            if self.old_files.pack() {
                self.sync_dir();
            }
            let bits = self.sleep();
            if bits & bit::ABANDON != 0 {
                break;
            }
            self.old_files.look(bits & bit::ROTATED != 0);
            if bits & bit::STOP != 0 {
                self.remove_unused();
                break;
            }
        }
        self.old_files.end();
        self.parts.progress.set_done(EngineThread::Keeper);
    }

    fn sleep(&self) -> u32 {
        let awaited = bit::STOP | bit::ABANDON | bit::ROTATED | bit::PACKED;
        match self.retry {
            // The next attempt is not brought forward by whoever waits for it.
            Some(Retry { at, .. }) => {
                let left = at.saturating_duration_since(Instant::now());
                self.parts.signal.wait(awaited, left)
            }
            None => self.parts.signal.wait(awaited | bit::SEGMENT, RETAIN_EVERY),
        }
    }

    fn make_wanted(&mut self) {
        let AheadParts { maker, ahead, collector, progress, .. } = &self.parts;
        ahead.drop_finished();
        if self.retry.as_ref().is_some_and(|retry| retry.at > Instant::now()) {
            return;
        }
        while let Some(seq) = ahead.next_wanted() {
            let segment = match maker.make(seq, maker.bytes) {
                Ok(segment) => segment,
                Err(error) => return self.fail(&error),
            };
            let is_awaited = ahead.is_wanting();
            ahead.add(segment);
            self.retry = None;
            if is_awaited {
                progress.recover();
            }
            collector.raise(bit::SEGMENT);
        }
        // What is not wanted any more need not be tried again.
        self.retry = None;
    }

    /// Full rings drop as soon as the collector waits in vain.
    fn fail(&mut self, error: &io::Error) {
        let [first, most] = RETRY;
        let after = self.retry.as_ref().map_or(first, |before| (before.after * 2).min(most));
        self.retry = Some(Retry { after, at: Instant::now() + after });
        let AheadParts { maker, ahead, progress, counters, .. } = &self.parts;
        counters.add(Counter::KeeperFailures, 1);
        let dir = maker.dir.display();
        progress.report_failure(format!("cannot make a segment in {dir}: {error}"));
        if ahead.is_wanting() {
            progress.stall();
        }
    }

    fn remove_unused(&self) {
        for unused in self.parts.ahead.take_ready() {
            if let Err(error) = self.parts.maker.io.unlink(&unused.path) {
                self.complain(format!("cannot remove {}: {error}", unused.path.display()));
            }
        }
    }

    /// Makes the names of compressed files last.
    fn sync_dir(&self) {
        if let Err(error) = self.parts.maker.io.sync_dir(&self.dir) {
            self.complain(format!("cannot sync {}: {error}", self.dir.display()));
        }
    }

    fn complain(&self, sentence: String) {
        self.parts.counters.add(Counter::KeeperFailures, 1);
        self.parts.progress.report_failure(sentence);
    }
}

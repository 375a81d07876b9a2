//! The keeper: the thread that syncs the visible log in batches and reserves room for it ahead. A
//! slow sync slows neither the publisher nor the collector.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flush::controller::{self, Limits, Readings, SyncGoal, Urgency};
use crate::flush::files::{LogFile, LogFiles, Unsynced};
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Progress, SyncFailure};
use crate::primitive::Ordering;
use crate::stats::{Counter, Counters};
use crate::sys::io::{Io, Reserve};

/// How long the keeper sleeps while there is nothing to sync.
const IDLE: Duration = Duration::from_secs(3600);

/// How long it waits after a failed sync before it tries the directory again, or a file that was
/// replaced meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// Blocks reserved behind the log's end, and the least for which it is worth asking.
const RESERVE_BYTES: u64 = 64 << 20;
const RESERVE_BYTES_MIN: u64 = 1 << 20;

/// What the reserve leaves free on the disk: the smaller of this and a twentieth.
const FREE_BYTES_MAX: u64 = 1 << 30;
const FREE_PART: u64 = 20;

/// What a keeper is made of.
pub(crate) struct Parts {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) dir: PathBuf,
    pub(crate) files: Arc<LogFiles>,
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
    pub(crate) limits: Limits,
    pub(crate) signal: Arc<Signal>,
    pub(crate) publisher: Arc<Signal>,
}

/// The thread's state.
pub(crate) struct Keeper {
    parts: Parts,
    unsynced_since: Option<Instant>,
    urgent_sync: Option<Instant>,
    urgency: Urgency,
    has_failed: bool,
    syncs: u64,
    /// The inode for which room is reserved, and up to which offset.
    reserved: (u64, u64),
    /// How much is asked for at a time; halved when the disk has less.
    reserve_bytes: u64,
}

impl Keeper {
    pub(crate) fn new(parts: Parts) -> Keeper {
        Keeper {
            parts,
            unsynced_since: None,
            urgent_sync: None,
            urgency: Urgency::None,
            has_failed: false,
            syncs: 0,
            reserved: (0, 0),
            reserve_bytes: RESERVE_BYTES,
        }
    }

    /// Runs until the publisher has ended; syncs once more then.
    pub(crate) fn run(mut self) {
        self.reserve();
        // Should it fail, whoever asks for a sync hears of it.
        let _ = self.sync_directory();
        loop {
            let bits = self.sleep();
            if bits & bit::ABANDON != 0 {
                break;
            }
            self.note(bits);
            let published = self.parts.progress.published();
            let is_last = bits & bit::STOP != 0;
            if self.parts.progress.synced() < published {
                self.unsynced_since.get_or_insert_with(Instant::now);
            }
            // What failed is tried again by itself: a directory may recover, a file be replaced.
            let is_due = self.has_failed || self.decide(published) == Some(Duration::ZERO);
            if is_last || is_due {
                self.sync(published);
            }
            if is_last {
                // Abandoned while it synced: whoever gave up may have let another in.
                let is_abandoned = self.parts.signal.is_raised(bit::ABANDON);
                if let Some(file) = self.parts.files.current().filter(|_| !is_abandoned) {
                    self.give_reserve_back(&file);
                }
                break;
            }
            self.reserve();
        }
        self.parts.progress.set_done(EngineThread::Keeper);
    }

    fn note(&mut self, bits: u32) {
        if bits & bit::URGENT != 0 && self.urgency == Urgency::None {
            self.urgency = Urgency::Record;
        }
        if bits & bit::BARRIER != 0 {
            self.urgency = Urgency::Sync;
        }
    }

    fn sleep(&self) -> u32 {
        let urgent = bit::STOP | bit::ABANDON | bit::BARRIER | bit::URGENT;
        let signal = &self.parts.signal;
        if self.has_failed {
            return signal.wait(urgent, RETRY);
        }
        match self.decide(self.parts.progress.published()) {
            // Until the first unsynced byte any work wakes; then only what cannot wait.
            None => signal.wait(urgent | bit::WORK, IDLE),
            Some(wait) => signal.wait(urgent, wait),
        }
    }

    /// When to sync; none: not by itself.
    fn decide(&self, published: u64) -> Option<Duration> {
        let age = |since: Option<Instant>, none| since.map_or(none, |at| at.elapsed());
        let readings = Readings {
            unsynced_bytes: published - self.parts.progress.synced(),
            unsynced_for: age(self.unsynced_since, Duration::ZERO),
            urgency: self.urgency,
            since_urgent_sync: age(self.urgent_sync, Duration::MAX),
            ..Readings::default()
        };
        controller::decide(&readings, &self.parts.limits).sync_in
    }

    /// One `fdatasync` for all that was published before.
    fn sync(&mut self, published: u64) {
        if self.urgency == Urgency::Record {
            self.urgent_sync = Some(Instant::now());
        }
        self.urgency = Urgency::None;
        let mut unsynced = self.parts.files.take_unsynced();
        let outcome = self.sync_files(&mut unsynced);
        self.parts.files.give_back(unsynced);
        // Before anybody hears of the sync: a file whose name is lost is lost.
        let names = self.sync_directory();
        match outcome.and(names) {
            Ok(()) => {
                self.has_failed = false;
                self.unsynced_since = None;
                self.parts.progress.forgive_sync();
                self.parts.progress.set_synced(published);
                if self.parts.limits.sync == SyncGoal::EachBatch {
                    // Segments may be free now.
                    self.parts.publisher.raise(bit::WORK);
                }
            }
            Err(failure) => {
                self.has_failed = true;
                self.parts.progress.fail_sync(failure);
            }
        }
    }

    /// Syncs the replaced files, then the current one; none that has refused before.
    fn sync_files(&mut self, unsynced: &mut Unsynced) -> Result<(), SyncFailure> {
        while let Some(file) = unsynced.retired.pop() {
            if file.refused.get().is_none() {
                self.sync_file(&file)?;
            }
            // Nobody appends to it any more.
            self.give_reserve_back(&file);
        }
        let Some(current) = &unsynced.current else { return Ok(()) };
        match current.refused.get() {
            Some(failure) => Err(failure.clone()),
            None => self.sync_file(current),
        }
    }

    fn sync_file(&mut self, file: &LogFile) -> Result<(), SyncFailure> {
        match self.parts.io.fdatasync(file.file.as_fd()) {
            Ok(()) => {
                self.syncs += 1;
                self.parts.counters.set(Counter::Syncs, self.syncs);
                Ok(())
            }
            Err(error) => {
                let (path, kind) = (file.path.clone(), error.kind());
                let failure = SyncFailure { path, kind, text: error.to_string() };
                // Only this thread sets it, once.
                let _ = file.refused.set(failure.clone());
                self.parts.counters.add(Counter::SyncFailures, 1);
                self.parts.progress.report_failure(failure.sentence());
                Err(failure)
            }
        }
    }

    /// Makes new names last. Unlike a file's, a directory's sync may be tried again.
    fn sync_directory(&self) -> Result<(), SyncFailure> {
        let mut unsynced = self.parts.files.take_unsynced();
        let outcome = self.sync_names(&mut unsynced);
        self.parts.files.give_back(unsynced);
        outcome
    }

    fn sync_names(&self, unsynced: &mut Unsynced) -> Result<(), SyncFailure> {
        let dir = &self.parts.dir;
        if unsynced.is_dir_dirty {
            self.sync_dir(dir)?;
            unsynced.is_dir_dirty = false;
        }
        if let Some(parent) = dir.parent().filter(|_| unsynced.is_dir_new) {
            self.sync_dir(parent)?;
            unsynced.is_dir_new = false;
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), SyncFailure> {
        self.parts.io.sync_dir(dir).map_err(|error| {
            let (path, kind) = (dir.to_owned(), error.kind());
            let failure = SyncFailure { path, kind, text: error.to_string() };
            self.parts.counters.add(Counter::KeeperFailures, 1);
            self.parts.progress.report_failure(failure.sentence());
            failure
        })
    }

    /// Reserves blocks behind the log's end, so that appends find them.
    fn reserve(&mut self) {
        let Some(file) = self.parts.files.current() else { return };
        let Ok(status) = self.parts.io.fstat(file.file.as_fd()) else { return };
        let (ino, until) = self.reserved;
        let is_ample = ino == file.ino && until >= status.len + self.reserve_bytes / 4;
        while !is_ample && self.reserve_bytes >= RESERVE_BYTES_MIN {
            let len = self.reserve_bytes;
            let has_room = self.parts.io.statvfs(&self.parts.dir).is_ok_and(|space| {
                let keep = FREE_BYTES_MAX.min(space.total_bytes / FREE_PART);
                space.free_bytes > len + keep
            });
            let fd = file.file.as_fd();
            if has_room && self.parts.io.fallocate(fd, Reserve::KeepSize, status.len, len).is_ok() {
                self.reserved = (file.ino, status.len + len);
                file.has_reserve.store(true, Ordering::Relaxed);
                return;
            }
            self.reserve_bytes /= 2;
        }
    }

    /// Frees the reserve: cutting a file at the length it has drops the blocks behind its end, and
    /// no reader notices. Between the two calls nobody else may append, or his bytes would go: this
    /// thread holds the name's lock.
    fn give_reserve_back(&self, file: &LogFile) {
        if !file.has_reserve.swap(false, Ordering::Relaxed) {
            return;
        }
        let fd = file.file.as_fd();
        let cut =
            self.parts.io.fstat(fd).and_then(|status| self.parts.io.ftruncate(fd, status.len));
        if let Err(error) = cut {
            self.complain("give back the reserve", &error);
        }
    }

    fn complain(&self, what: &str, error: &io::Error) {
        self.parts.counters.add(Counter::KeeperFailures, 1);
        let dir = self.parts.dir.display();
        self.parts.progress.report_failure(format!("cannot {what} of the log in {dir}: {error}"));
    }
}

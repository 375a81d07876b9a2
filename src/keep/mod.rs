//! The keeper: the thread that syncs the visible log in batches and reserves room for it ahead. A
//! slow sync slows neither the publisher nor the collector.

mod ahead;
#[cfg(feature = "compress")]
mod compress;
mod old_files;
mod reserve;
mod retain;

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flush::actuator::Actuators;
use crate::flush::controller::{Limits, SyncGoal};
use crate::flush::due::{self, Urgency};
use crate::flush::files::{LogFile, LogFiles, Unsynced};
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Latency, Progress, SyncFailure};
use crate::stats::{Counter, Counters};
use crate::sys::io::Io;
pub(crate) use ahead::{AheadKeeper, AheadParts, Maker};
pub(crate) use old_files::Care;
use old_files::{OldFiles, RETAIN_EVERY};
use reserve::Reserve;

/// How long the keeper sleeps while there is nothing to sync.
const IDLE: Duration = RETAIN_EVERY;

/// How long it waits after a failed sync before it tries the directory again, or a file that was
/// replaced meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// What a keeper is made of.
pub(crate) struct Parts {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) dir: PathBuf,
    /// Where the file for the next rotation waits, beside the log.
    pub(crate) next: PathBuf,
    /// The length at which files are rotated.
    pub(crate) file_bytes_max: u64,
    /// How much of the disk is to stay free.
    pub(crate) free_bytes: u64,
    pub(crate) files: Arc<LogFiles>,
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
    pub(crate) limits: Limits,
    pub(crate) actuators: Arc<Actuators>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) publisher: Arc<Signal>,
}

/// The thread's state.
pub(crate) struct Keeper {
    parts: Parts,
    unsynced_since: Option<Instant>,
    urgent_sync: Option<Instant>,
    /// When the last sync ended.
    synced_at: Option<Instant>,
    latency: Latency,
    urgency: Urgency,
    has_failed: bool,
    syncs: u64,
    reserve: Reserve,
    old_files: OldFiles,
}

impl Keeper {
    pub(crate) fn new(parts: Parts, care: Care) -> Keeper {
        Keeper {
            reserve: Reserve::new(parts.file_bytes_max, parts.free_bytes),
            old_files: OldFiles::new(care),
            parts,
            unsynced_since: None,
            urgent_sync: None,
            synced_at: None,
            latency: Latency::default(),
            urgency: Urgency::None,
            has_failed: false,
            syncs: 0,
        }
    }

    /// Runs until the publisher has ended; syncs once more then.
    pub(crate) fn run(mut self) {
        self.prepare();
        // Should it fail, whoever asks for a sync hears of it.
        let _ = self.sync_directory();
        self.old_files.look(false);
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
            let is_rotated = bits & bit::ROTATED != 0;
            // Before the sync: what retention removes needs none.
            self.old_files.look(is_rotated);
            let syncs = self.parts.limits.sync != SyncGoal::Never;
            // What failed is tried again by itself: a directory may recover, a file be replaced.
            let is_due = self.has_failed || self.decide(published) == Some(Duration::ZERO);
            if is_last || is_due || is_rotated && syncs {
                self.sync(published);
            } else if is_rotated {
                self.release_retired();
            }
            if is_last {
                self.old_files.abandon();
                // Abandoned while it synced: whoever gave up may have let another in.
                let is_abandoned = self.parts.signal.is_raised(bit::ABANDON);
                if let Some(file) = self.parts.files.current().filter(|_| !is_abandoned) {
                    self.give_reserve_back(&file);
                    self.remove_next();
                }
                break;
            }
            // Again: what is synced now may be compressed.
            self.old_files.look(false);
            if self.old_files.step() {
                self.parts.files.set_dir_dirty();
            }
            self.prepare();
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
        let urgent = bit::STOP | bit::ABANDON | bit::BARRIER | bit::URGENT | bit::ROTATED;
        let signal = &self.parts.signal;
        if self.old_files.is_busy() {
            return signal.take();
        }
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
        let waiting = due::Unsynced {
            bytes: published - self.parts.progress.synced(),
            age: age(self.unsynced_since, Duration::ZERO),
            urgency: self.urgency,
            since_urgent: age(self.urgent_sync, Duration::MAX),
            since_sync: age(self.synced_at, Duration::MAX),
        };
        due::sync_in(&waiting, self.parts.actuators.sync_gap(), &self.parts.limits)
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
        self.synced_at = Some(Instant::now());
        // Before anybody hears of the sync: a file whose name is lost is lost.
        let names = self.sync_directory();
        match outcome.and(names) {
            Ok(()) => {
                self.has_failed = false;
                self.unsynced_since = None;
                self.parts.progress.forgive_sync();
                self.parts.counters.set(Counter::SyncedBytes, published);
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

    /// Syncs the replaced files, the newest first, then the current one; none that has refused
    /// before. Where files are replaced faster than the device takes them, retention removes the
    /// oldest meanwhile: who would read them?
    fn sync_files(&mut self, unsynced: &mut Unsynced) -> Result<(), SyncFailure> {
        while let Some(file) = unsynced.retired.pop() {
            if self.parts.signal.is_raised(bit::ROTATED) {
                self.parts.signal.lower(bit::ROTATED);
                self.old_files.look(true);
            }
            let is_removed = self.parts.io.fstat(file.file.as_fd()).is_ok_and(|s| s.links == 0);
            if is_removed {
                continue;
            }
            let refused = file.refused.get().is_some();
            let outcome = if refused { Ok(()) } else { self.sync_file(&file) };
            // Nobody appends to it any more.
            self.give_reserve_back(&file);
            outcome?;
        }
        let Some(current) = &unsynced.current else { return Ok(()) };
        match current.refused.get() {
            Some(failure) => Err(failure.clone()),
            None => self.sync_file(current),
        }
    }

    fn sync_file(&mut self, file: &LogFile) -> Result<(), SyncFailure> {
        let start = Instant::now();
        match self.parts.io.fdatasync(file.file.as_fd()) {
            Ok(()) => {
                let latency = self.latency.add(start.elapsed());
                self.parts.counters.set(Counter::SyncLatencyNs, latency);
                self.syncs += 1;
                self.parts.counters.set(Counter::Syncs, self.syncs);
                Ok(())
            }
            Err(error) => {
                let (path, kind) = (file.path().to_owned(), error.kind());
                let failure = SyncFailure { path, kind, text: error.to_string() };
                // Only this thread sets it, once.
                let _ = file.refused.set(failure.clone());
                self.parts.counters.add(Counter::SyncFailures, 1);
                self.parts.progress.count_failed_sync(&failure);
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

    /// Gets ready for what the publisher will need: room behind the log's end, and the next file
    /// once this one is half full.
    fn prepare(&mut self) {
        let Some(file) = self.parts.files.current() else { return };
        let io = &*self.parts.io;
        let Ok(status) = io.fstat(file.file.as_fd()) else { return };
        let wanted = self.parts.actuators.reserve_bytes();
        let room = self.reserve.extend(io, &self.parts.dir, &file, status.len, wanted);
        if let Some(room) = room {
            self.parts.counters.set(Counter::DiskRoomPlusOne, room.saturating_add(1));
        }
        let is_half_full = status.len >= self.parts.file_bytes_max / 2;
        if is_half_full && !self.parts.files.has_next() && io.open_fresh(&self.parts.next).is_ok() {
            self.parts.files.set_next();
        }
    }

    /// The file for the next rotation is not needed any more.
    fn remove_next(&self) {
        if self.parts.files.take_next() {
            // An empty file that stays behind is taken for the next engine's.
            let _ = self.parts.io.unlink(&self.parts.next);
        }
    }

    fn give_reserve_back(&self, file: &LogFile) {
        if let Err(error) = reserve::give_back(&*self.parts.io, file) {
            self.complain("give back the reserve", &error);
        }
    }

    /// Lets go of files that were replaced, where nothing is synced by itself.
    fn release_retired(&self) {
        let mut unsynced = self.parts.files.take_unsynced();
        for file in unsynced.retired.drain(..) {
            self.give_reserve_back(&file);
        }
        self.parts.files.give_back(unsynced);
    }

    fn complain(&self, what: &str, error: &io::Error) {
        self.parts.counters.add(Counter::KeeperFailures, 1);
        let dir = self.parts.dir.display();
        self.parts.progress.report_failure(format!("cannot {what} of the log in {dir}: {error}"));
    }
}

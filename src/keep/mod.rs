//! The keeper: the thread that syncs the visible log in batches and reserves room for it ahead. A
//! slow sync slows neither the publisher nor the collector.

#[cfg(feature = "compress")]
mod compress;
mod leftovers;
mod old_files;
#[cfg(feature = "compress")]
mod packer;
mod reserve;
mod retain;
mod sync;

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::flush::controller::SyncGoal;
use crate::flush::due::{self, Urgency};
use crate::flush::files::{LogFile, LogFiles};
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Latency};
use crate::primitive::Ordering;
use crate::shared::Shared;
use crate::stats::Counter;
use crate::sys::io::Io;
use crate::sys::moment;
pub(crate) use old_files::{Care, Engines};
use old_files::{OldFiles, RETAIN_EVERY};
use reserve::Reserve;
use sync::Refused;

/// How long the keeper sleeps while there is nothing to sync.
const IDLE: Duration = RETAIN_EVERY;

/// How long it waits after a failed sync before it tries the directory again, or a file that was
/// replaced meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// Files that were replaced and that nobody has asked to sync, where nothing is synced by itself:
/// each is an open file of the program.
const RETIRED_MAX: usize = 8;

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
    pub(crate) shared: Shared,
    /// Its own.
    pub(crate) signal: Arc<Signal>,
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
    refused: Refused,
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
            refused: Refused::default(),
        }
    }

    /// Runs until the publisher has ended; syncs once more then.
    pub(crate) fn run(mut self) {
        self.begin();
        loop {
            self.pack();
            let bits = self.sleep();
            if self.step(bits).is_break() {
                break;
            }
        }
        self.end();
    }

    /// What is done before there is anything to sync.
    pub(crate) fn begin(&mut self) {
        self.old_files.clear_own();
        self.prepare();
        // Should it fail, whoever asks for a sync hears of it.
        let _ = self.sync_names();
        self.old_files.look_if_due();
    }

    /// Goes on with the compression of old files.
    fn pack(&mut self) {
        if self.old_files.pack() {
            self.parts.files.set_dir_dirty();
        }
    }

    /// What is done when it wakes with these bits; breaks when it is over.
    pub(crate) fn step(&mut self, bits: u32) -> ControlFlow<()> {
        if bits & bit::ABANDON != 0 {
            return ControlFlow::Break(());
        }
        self.note(bits);
        let published = self.parts.shared.progress.published();
        let is_last = bits & bit::STOP != 0;
        if self.parts.shared.progress.synced() < published {
            self.unsynced_since.get_or_insert_with(moment::now);
        }
        let is_rotated = bits & bit::ROTATED != 0;
        // Before the sync: what retention removes needs none.
        if is_rotated {
            self.old_files.look_after_rotation();
        } else {
            self.old_files.look_if_due();
        }
        let syncs = self.parts.shared.limits.sync != SyncGoal::Never;
        // What failed is tried again by itself: a directory may recover, a file be replaced.
        let is_due = self.has_failed || self.decide(published) == Some(Duration::ZERO);
        if is_last || is_due || is_rotated && syncs {
            self.sync(published);
        } else if is_rotated {
            self.release_retired();
        }
        if is_last {
            // Abandoned while it synced: whoever gave up may have let another in.
            let is_abandoned = self.parts.signal.is_raised(bit::ABANDON);
            if let Some(file) = self.parts.files.current().filter(|_| !is_abandoned) {
                self.give_reserve_back(&file);
                self.remove_next();
            }
            return ControlFlow::Break(());
        }
        self.prepare();
        ControlFlow::Continue(())
    }

    /// The last of all.
    pub(crate) fn end(&mut self) {
        self.old_files.end();
        self.parts.shared.progress.set_done(EngineThread::Keeper);
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
        let ends = bit::STOP | bit::ABANDON;
        let urgent = ends | bit::BARRIER | bit::URGENT | bit::ROTATED | bit::PACKED;
        let signal = &self.parts.signal;
        if self.has_failed {
            return signal.wait(urgent, RETRY);
        }
        match self.decide(self.parts.shared.progress.published()) {
            // Until the first unsynced byte any work wakes; then only what cannot wait.
            None => signal.wait(urgent | bit::WORK, IDLE),
            Some(wait) => signal.wait(urgent, wait),
        }
    }

    /// When to sync; none: not by itself.
    fn decide(&self, published: u64) -> Option<Duration> {
        let age = |since: Option<Instant>, none| since.map_or(none, moment::since);
        let waiting = due::Unsynced {
            bytes: published - self.parts.shared.progress.synced(),
            age: age(self.unsynced_since, Duration::ZERO),
            urgency: self.urgency,
            since_urgent: age(self.urgent_sync, Duration::MAX),
            since_sync: age(self.synced_at, Duration::MAX),
        };
        due::sync_in(&waiting, self.parts.shared.actuators.sync_gap(), &self.parts.shared.limits)
    }

    /// Gets ready for what the publisher will need: room behind the log's end, and the next file
    /// once this one is half full.
    fn prepare(&mut self) {
        let Some(file) = self.parts.files.current() else { return };
        let io = &*self.parts.io;
        // A descriptor that somebody has closed is the publisher's to replace.
        let Ok(status) = file.status(io) else { return };
        if reserve::has_surplus(&status) {
            // Another engine's, which was killed.
            file.has_reserve.store(true, Ordering::Relaxed);
        }
        let wanted = self.parts.shared.actuators.reserve_bytes();
        let room = self.reserve.extend(io, &self.parts.dir, &file, status.len, wanted);
        if let Some(room) = room {
            self.parts.shared.counters.set(Counter::DiskRoomPlusOne, room.saturating_add(1));
        }
        let is_half_full = status.len >= self.parts.file_bytes_max / 2;
        if is_half_full && !self.parts.files.has_next() && io.open_fresh(&self.parts.next).is_ok() {
            self.parts.files.set_next();
        }
    }

    /// The file for the next rotation is not needed any more.
    fn remove_next(&self) {
        if self.parts.files.take_next() {
            // An empty file that stays behind is removed at the next start.
            let _ = self.parts.io.unlink(&self.parts.next);
        }
    }

    fn give_reserve_back(&self, file: &LogFile) {
        if let Err(error) = reserve::give_back(&*self.parts.io, file) {
            self.old_files.complain("give back the reserve", &error);
        }
    }

    /// Whether retention, or somebody else, has removed it.
    fn is_removed(&self, file: &LogFile) -> bool {
        let io = &*self.parts.io;
        match file.status(io) {
            Ok(status) => status.links == 0,
            // Where somebody closed its descriptor, the name that the engine gave it is all there
            // is to go by. What only cannot be looked at, or was moved, may be anywhere.
            Err(_) => {
                let gone = |path| io.stat(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
                file.file.is_lost() && file.rotated.get().is_some_and(|path| gone(path))
            }
        }
    }
}

//! The keeper's syncs: of the files, none of which is asked twice once it has refused, whatever
//! name or descriptor leads to it by then, and of the directories, which may be.

use std::path::Path;
use std::sync::Arc;

use super::{Keeper, RETIRED_MAX};
use crate::flush::SyncFailure;
use crate::flush::controller::SyncGoal;
use crate::flush::due::Urgency;
use crate::flush::files::{LogFile, Names};
use crate::flush::signal::bit;
use crate::primitive::Ordering;
use crate::shared::Shared;
use crate::stats::Counter;
use crate::sys::io::needs_no_sync;
use crate::sys::moment;

/// So many files that have refused are known again at most, when they are opened anew.
const REFUSED_MAX: usize = 16;

/// Files that have refused a sync. Held open, so that their numbers are nobody else's meanwhile.
#[derive(Debug, Default)]
pub(super) struct Refused(Vec<(Arc<LogFile>, SyncFailure)>);

impl Refused {
    fn add(&mut self, file: &Arc<LogFile>, failure: SyncFailure) {
        if self.0.len() == REFUSED_MAX {
            self.0.remove(0);
        }
        self.0.push((Arc::clone(file), failure));
    }

    /// How this file, by whichever descriptor, has refused.
    fn get(&self, file: &LogFile) -> Option<SyncFailure> {
        let mut refused = self.0.iter();
        let same = refused.find(|(refused, _)| refused.identity() == file.identity())?;
        Some(same.1.clone())
    }
}

impl Keeper {
    /// One `fdatasync` for all that was published before.
    pub(super) fn sync(&mut self, published: u64) {
        if self.urgency == Urgency::Record {
            self.urgent_sync = Some(moment::now());
        }
        self.urgency = Urgency::None;
        let (retired, current) = self.parts.files.take_unsynced();
        self.sync_retired(retired);
        let is_current_good = current.is_none_or(|current| self.sync_file(&current));
        self.synced_at = Some(moment::now());
        // Before anybody hears of the sync: a file whose name is lost is lost.
        let names = self.sync_names();
        let are_names_good = names.is_ok();
        self.parts.shared.progress.set_names(names);
        self.has_failed = !is_current_good || !are_names_good;
        if are_names_good {
            // Also past what a file has refused: barriers hear of that from the doubt, and whoever
            // waits for segments would wait for ever.
            self.unsynced_since = None;
            let Shared { progress, counters, .. } = &self.parts.shared;
            let in_doubt = progress.in_doubt_bytes(published);
            counters.set(Counter::SyncedBytes, published.saturating_sub(in_doubt));
            progress.set_synced(published);
            if self.parts.shared.limits.sync == SyncGoal::EachBatch {
                // Segments may be free now.
                self.parts.shared.publisher.raise(bit::WORK);
            }
        }
        self.forget_removed();
        self.count_doubt();
    }

    /// Nobody opens a file anew that has no name any more, and its blocks are somebody else's to
    /// have.
    fn forget_removed(&mut self) {
        let mut refused = std::mem::take(&mut self.refused);
        refused.0.retain(|(file, _)| !self.is_removed(file));
        self.refused = refused;
    }

    fn count_doubt(&self) {
        let Shared { progress, counters, .. } = &self.parts.shared;
        counters.set(Counter::InDoubtBytes, progress.in_doubt_bytes(progress.published()));
    }

    /// Syncs files that were replaced, the newest first. Where files are replaced faster than the
    /// device takes them, retention removes the oldest meanwhile: who would read them?
    fn sync_retired(&mut self, mut retired: Vec<Arc<LogFile>>) {
        while let Some(file) = retired.pop() {
            if self.parts.signal.is_raised(bit::ROTATED) {
                self.parts.signal.lower(bit::ROTATED);
                self.old_files.look_after_rotation();
            }
            if !self.is_removed(&file) {
                // Where it fails, barriers hear of it from the doubt that it leaves.
                self.sync_file(&file);
                // This engine does not append to it any more.
                self.give_reserve_back(&file);
            }
            drop(file);
            self.parts.files.let_go();
        }
    }

    /// Lets go of the reserves of files that were replaced, where nothing is synced by itself, and
    /// of the files but for those that a barrier may still ask for.
    pub(super) fn release_retired(&mut self) {
        loop {
            for file in self.parts.files.retired() {
                if self.is_removed(&file) {
                    self.parts.files.forget_retired(&file);
                } else {
                    self.give_reserve_back(&file);
                }
            }
            let too_many = self.parts.files.take_retired(RETIRED_MAX);
            if too_many.is_empty() {
                break;
            }
            // Takes its time: others may be replaced meanwhile.
            self.sync_retired(too_many);
        }
        self.count_doubt();
    }

    /// Whether the file is on the device; one that has refused before is not asked again.
    fn sync_file(&mut self, file: &Arc<LogFile>) -> bool {
        if file.is_refused.load(Ordering::Relaxed) {
            return false;
        }
        if let Some(failure) = self.refused.get(file) {
            // The same file, opened anew: all that it holds stays in doubt.
            self.parts.shared.progress.refuse(file, failure);
            return false;
        }
        let start = moment::now();
        match file.sync(&*self.parts.io) {
            Ok(()) => {
                // Of many files one after the other: whoever waits for all sees that it goes on.
                self.parts.shared.progress.moved();
                let latency = self.latency.add(moment::since(start));
                self.parts.shared.counters.set(Counter::SyncLatencyNs, latency);
                self.syncs += 1;
                self.parts.shared.counters.set(Counter::Syncs, self.syncs);
                true
            }
            Err(error) => {
                let (path, kind) = (file.path().to_owned(), error.kind());
                let failure = SyncFailure { path, kind, text: error.to_string() };
                self.parts.shared.counters.add(Counter::SyncFailures, 1);
                self.refused.add(file, failure.clone());
                self.parts.shared.progress.refuse(file, failure);
                false
            }
        }
    }

    /// Makes new names last. Unlike a file's, a directory's sync may be tried again.
    pub(super) fn sync_names(&self) -> Result<(), SyncFailure> {
        let mut names = self.parts.files.take_names();
        let outcome = self.try_names(&mut names);
        self.parts.files.give_names_back(names);
        outcome
    }

    fn try_names(&self, names: &mut Names) -> Result<(), SyncFailure> {
        let dir = &self.parts.dir;
        if names.is_dir_dirty {
            self.sync_dir(dir)?;
            names.is_dir_dirty = false;
        }
        if let Some(parent) = dir.parent().filter(|_| names.is_dir_new) {
            self.sync_dir(parent)?;
            names.is_dir_new = false;
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), SyncFailure> {
        let synced = self.parts.io.sync_dir(dir).or_else(|error| {
            // What a directory needs not, or cannot be given, is no failure.
            if needs_no_sync(&error) { Ok(()) } else { Err(error) }
        });
        synced.map_err(|error| {
            let (path, kind) = (dir.to_owned(), error.kind());
            let failure = SyncFailure { path, kind, text: error.to_string() };
            self.parts.shared.fail(Counter::KeeperFailures, failure.sentence());
            failure
        })
    }
}

//! What failed in the background, and which barriers have to say so. Told by the engine's threads,
//! asked by the owner's.

use std::io;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

use super::doubt::{Asked, Doubt};
use super::files::LogFile;
use super::progress::Progress;
use crate::error::BarrierError;
use crate::primitive::Ordering;

/// What is remembered of failures.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// The last failure in the background.
    last: Option<String>,
    /// A directory's names could not be synced; that is tried again.
    names: Option<SyncFailure>,
    /// What failed syncs of files have left.
    doubt: Doubt,
}

/// A failed sync: of a file, after which nobody knows what of it is on the device, or of a
/// directory, which may be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyncFailure {
    /// The file.
    pub(crate) path: PathBuf,
    /// What kind of error.
    pub(crate) kind: io::ErrorKind,
    /// The system's words.
    pub(crate) text: String,
}

impl SyncFailure {
    /// For the report.
    pub(crate) fn sentence(&self) -> String {
        format!("cannot sync {}: {}", self.path.display(), self.text)
    }
}

impl From<SyncFailure> for BarrierError {
    fn from(SyncFailure { path, kind, text }: SyncFailure) -> BarrierError {
        BarrierError::Sync { path, kind, text }
    }
}

impl Progress {
    /// Keeps a sentence about what failed in the background.
    pub(crate) fn report_failure(&self, sentence: String) {
        self.failures().last = Some(sentence);
    }

    /// The last such sentence.
    pub(crate) fn last_failure(&self) -> Option<String> {
        self.failures().last.clone()
    }

    /// The file's `fdatasync` has failed. Told before any position moves over what that leaves in
    /// doubt.
    pub(crate) fn refuse(&self, file: &LogFile, failure: SyncFailure) {
        let mut failures = self.failures();
        failures.last = Some(failure.sentence());
        let start = file.start.max(self.synced());
        // Under the lock, as in `replaced`: whoever comes second sees the other.
        file.is_refused.store(true, Ordering::Relaxed);
        match file.end.get() {
            Some(end) => failures.doubt.refuse_replaced(failure, start, *end),
            None => failures.doubt.refuse(failure, start),
        }
        drop(failures);
        self.wake();
    }

    /// The file was replaced; it knows its end.
    pub(crate) fn replaced(&self, file: &LogFile) {
        let mut failures = self.failures();
        if let Some(end) = file.end.get().filter(|_| file.is_refused.load(Ordering::Relaxed)) {
            failures.doubt.replace(*end);
        }
    }

    /// How the names of the directory fared.
    pub(crate) fn set_names(&self, outcome: Result<(), SyncFailure>) {
        self.failures().names = outcome.err();
        self.wake();
    }

    /// A barrier to *synced* is asked for.
    pub(crate) fn ask(&self) -> Asked {
        self.failures().doubt.ask()
    }

    /// Why the barrier fails that covers all bytes before `position`, if it does. That it does not
    /// fail counts once its position was seen to be synced before.
    pub(crate) fn answer(&self, asked: Asked, position: u64) -> Option<SyncFailure> {
        let mut failures = self.failures();
        let doubt = failures.doubt.answer(asked, position);
        doubt.or_else(|| failures.names.clone())
    }

    /// Of the bytes before `position`, those of which nobody knows whether they are on the device,
    /// as their sync failed.
    pub(crate) fn in_doubt_bytes(&self, position: u64) -> u64 {
        self.failures().doubt.bytes_before(position)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

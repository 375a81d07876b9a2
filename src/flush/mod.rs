//! Positions and progress. A record is **committed** (in a ring), **written** (in a segment),
//! **published** (in the visible log), **synced** (on the device). The first three survive the
//! death of the process, the last a power cut. The engine's threads move the positions, callers of
//! `flush`, `sync` and `drain` wait for them.

pub(crate) mod actuator;
pub(crate) mod controller;
mod doubt;
pub(crate) mod due;
pub(crate) mod files;
mod notice;
mod patience;
pub(crate) mod pressure;
pub(crate) mod room;
pub(crate) mod signal;

use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use self::doubt::Doubt;
use self::files::LogFile;
use self::notice::Notices;
use crate::error::BarrierError;
use crate::primitive::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

pub(crate) use self::doubt::Asked;
pub(crate) use self::notice::Notice;
pub(crate) use self::patience::{GaveUp, Limit, Patience};

/// How often a waiter looks even if nobody wakes it.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How far the engine has come, in bytes of lines over its life, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    written: AtomicU64,
    published: AtomicU64,
    synced: AtomicU64,
    /// Barriers that the collector has passed, and what was written then.
    barriers: AtomicU64,
    barrier_written: AtomicU64,
    /// Times that ring room was released.
    releases: AtomicU64,
    /// Times that the output took some bytes.
    moves: AtomicU64,
    stalled: AtomicBool,
    /// The threads that have done all they had to.
    done: AtomicU32,
    waiters: AtomicU32,
    queue: WaitQueue,
    failure: Mutex<Failures>,
    notices: Notices,
    /// The first thread that panicked.
    panicked: OnceLock<EngineThread>,
}

/// Where threads sleep until they are woken.
#[derive(Debug)]
struct WaitQueue {
    lock: Mutex<()>,
    changed: Condvar,
    /// How often who sleeps looks even if nobody wakes it.
    look_every: Duration,
}

impl Default for WaitQueue {
    fn default() -> WaitQueue {
        WaitQueue { lock: Mutex::default(), changed: Condvar::new(), look_every: LOOK_EVERY }
    }
}

impl WaitQueue {
    /// Wakes all that sleep, and those that are about to and have looked already.
    fn wake(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

#[derive(Debug, Default)]
struct Failures {
    /// The last failure in the background.
    last: Option<String>,
    /// A directory's names could not be synced; that is tried again.
    names: Option<SyncFailure>,
    /// What failed syncs of files have left.
    doubt: Doubt,
}

/// How long something takes, smoothed over some eight times.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    ns: u64,
}

impl Latency {
    /// Once more; gives the smoothed time in nanoseconds.
    pub(crate) fn add(&mut self, time: Duration) -> u64 {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.ns = if self.ns == 0 { ns } else { self.ns - self.ns / 8 + ns / 8 };
        self.ns
    }
}

/// The engine's threads, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum EngineThread {
    Collector = 1,
    Publisher = 2,
    Keeper = 4,
}

impl EngineThread {
    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EngineThread::Collector => "collector",
            EngineThread::Publisher => "publisher",
            EngineThread::Keeper => "keeper",
        }
    }
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
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire) // pairs with the Release store in `move_to`
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire) // pairs with the Release store in `move_to`
    }

    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire) // pairs with the Release store in `move_to`
    }

    pub(crate) fn barriers(&self) -> u64 {
        self.barriers.load(Ordering::Acquire) // pairs with the Release store in `move_to`
    }

    /// The collector's newest commit slot ends here.
    pub(crate) fn set_written(&self, bytes: u64) {
        self.written.store(bytes, Ordering::Release); // pairs with `written`
    }

    /// All bytes before are in the visible log; the output works.
    pub(crate) fn set_published(&self, bytes: u64) {
        self.stalled.store(false, Ordering::Relaxed);
        self.move_to(&self.published, bytes);
    }

    /// All bytes before are on the device, but for those in doubt.
    pub(crate) fn set_synced(&self, bytes: u64) {
        self.move_to(&self.synced, bytes);
    }

    /// All records before this barrier are written.
    pub(crate) fn set_barriers(&self, count: u64) {
        let written = self.written.load(Ordering::Relaxed);
        self.barrier_written.store(written, Ordering::Relaxed); // published by `barriers`
        self.move_to(&self.barriers, count);
    }

    /// Up to where the records before a barrier go; none until the collector has passed it. A later
    /// barrier's position, perhaps: it is as good.
    pub(crate) fn written_at_barrier(&self, barrier: u64) -> Option<u64> {
        let is_passed = self.barriers() >= barrier;
        is_passed.then(|| self.barrier_written.load(Ordering::Relaxed))
    }

    /// Rings have room again. Who waits for it is told by each ring's [`Room`](room::Room), which
    /// may be asked from here on.
    pub(crate) fn released(&self) {
        self.releases.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with the fence in `Room::wait`
    }

    /// The output took some bytes: whoever waits for it has patience anew. Wakes nobody; waiters
    /// look by themselves.
    pub(crate) fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    fn move_to(&self, position: &AtomicU64, value: u64) {
        position.store(value, Ordering::Release); // pairs with the Acquire load of its getter
        self.wake();
    }

    /// Wakes whoever waits. Costs a fence when nobody does.
    pub(crate) fn wake(&self) {
        // Pairs with the fence in `wait`: either we see the waiter or it sees what moved.
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) > 0 {
            self.queue.wake();
        }
    }

    /// Whether the output makes no progress.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed) || self.panicked().is_some()
    }

    /// An engine thread panicked: it ends, and the engine is stalled for good.
    pub(crate) fn set_panicked(&self, thread: EngineThread, words: &str) {
        // The first is the one that matters.
        let _ = self.panicked.set(thread);
        self.report_failure(format!("the {} thread panicked: {words}", thread.as_str()));
        self.set_done(thread);
    }

    /// The engine thread that panicked first.
    pub(crate) fn panicked(&self) -> Option<EngineThread> {
        self.panicked.get().copied()
    }

    /// The output makes no progress; `set_published` says when it does again. Who waits for room in
    /// a ring sees it at the next look, within 20 ms.
    pub(crate) fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// An engine thread has done all it had to, and ends.
    pub(crate) fn set_done(&self, thread: EngineThread) {
        self.done.fetch_or(thread as u32, Ordering::Release); // pairs with `is_done`
        self.wake();
    }

    /// Whether an engine thread has done all it had to.
    pub(crate) fn is_done(&self, thread: EngineThread) -> bool {
        self.done.load(Ordering::Acquire) & thread as u32 != 0 // pairs with `set_done`
    }

    /// Everything that moves while the engine makes progress, as one number.
    pub(crate) fn pulse(&self) -> u64 {
        let positions = [&self.written, &self.published, &self.synced, &self.barriers, &self.moves];
        let others =
            self.releases.load(Ordering::Relaxed) + u64::from(self.done.load(Ordering::Relaxed));
        positions
            .iter()
            .fold(others, |sum, position| sum.wrapping_add(position.load(Ordering::Relaxed)))
    }

    /// Waits until `done` gives something.
    ///
    /// # Errors
    /// When patience ends first.
    pub(crate) fn wait<T>(
        &self,
        patience: Patience<'_>,
        mut done: impl FnMut() -> Option<T>,
    ) -> Result<T, GaveUp> {
        if let Some(result) = done() {
            return Ok(result);
        }
        self.waiters.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with the fence in `wake`
        let result = self.wait_in(&self.queue, patience, done);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Waits there until `done` gives something.
    fn wait_in<T>(
        &self,
        queue: &WaitQueue,
        patience: Patience<'_>,
        mut done: impl FnMut() -> Option<T>,
    ) -> Result<T, GaveUp> {
        let start = Instant::now();
        let (mut pulse, mut quiet) = (self.pulse(), Duration::ZERO);
        let mut guard = queue.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = done() {
                return Ok(result);
            }
            if self.pulse() != pulse {
                (pulse, quiet) = (self.pulse(), Duration::ZERO);
            }
            if quiet >= patience.without_progress {
                return Err(GaveUp::NoProgress(start.elapsed()));
            }
            let left = patience.limit.left(start);
            if left.is_zero() {
                return Err(GaveUp::Deadline(start.elapsed()));
            }
            let timeout = left.min(patience.without_progress - quiet).min(queue.look_every);
            let asleep = Instant::now();
            guard = queue
                .changed
                .wait_timeout(guard, timeout)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            quiet += patience.limit.spend(asleep, timeout);
        }
    }

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

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

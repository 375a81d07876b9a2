//! How far the engine has come: positions that its threads move, and that callers and owners wait
//! for.

use std::sync::{Arc, Mutex, OnceLock};

use super::failures::Failures;
use super::notice::Notices;
use super::signal::Signal;
use super::{EngineThread, GaveUp, Patience, WaitQueue};
use crate::primitive::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

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
    pub(super) failure: Mutex<Failures>,
    pub(super) notices: Notices,
    /// The first thread that panicked.
    panicked: OnceLock<EngineThread>,
}

impl Progress {
    /// That of an engine whose collector sleeps here.
    pub(crate) fn waking(collector: Arc<Signal>) -> Progress {
        Progress { notices: Notices::waking(collector), ..Progress::default() }
    }

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

    /// Rings have room again. Who waits for it is told by each ring's `Room`, which may be asked
    /// from here on.
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
        let result = self.queue.wait(|| self.pulse(), patience, done);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        result
    }
}

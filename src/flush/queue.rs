//! Where threads sleep until what they wait for comes, or their patience ends. Used by callers and
//! on the owner's threads; woken by the engine's.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{GaveUp, Patience};

/// How often a waiter looks even if nobody wakes it.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where threads sleep until they are woken.
#[derive(Debug)]
pub(crate) struct WaitQueue {
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
    /// One in which nobody looks by himself: a wake that is lost is waited for in vain.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn blind() -> WaitQueue {
        WaitQueue { look_every: Duration::MAX, ..WaitQueue::default() }
    }

    /// Wakes all that sleep, and those that are about to and have looked already.
    pub(crate) fn wake(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits until `done` gives something. Patience begins anew whenever `pulse` has changed.
    ///
    /// # Errors
    /// When patience ends first.
    pub(crate) fn wait<T>(
        &self,
        pulse: impl Fn() -> u64,
        patience: Patience<'_>,
        mut done: impl FnMut() -> Option<T>,
    ) -> Result<T, GaveUp> {
        let start = Instant::now();
        let (mut last, mut quiet) = (pulse(), Duration::ZERO);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = done() {
                return Ok(result);
            }
            let now = pulse();
            if now != last {
                (last, quiet) = (now, Duration::ZERO);
            }
            if quiet >= patience.without_progress {
                return Err(GaveUp::NoProgress(start.elapsed()));
            }
            let left = patience.limit.left(start);
            if left.is_zero() {
                return Err(GaveUp::Deadline(start.elapsed()));
            }
            let timeout = left.min(patience.without_progress - quiet).min(self.look_every);
            let asleep = Instant::now();
            guard =
                self.changed.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0;
            quiet += patience.limit.spend(asleep, timeout);
        }
    }
}

//! What the engine tells of itself in its own log: told by any of its threads, written by the
//! collector as records with target `fastlog`. A short queue: what is told faster than it is
//! written is counted, and the count is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Progress;
use super::signal::{Signal, bit};
use crate::primitive::{AtomicBool, Ordering};

/// How many wait at most.
const WAITING_MAX: usize = 256;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Something does not work as configured: a sentence.
    Warning(String),
    /// An old file of the log is gone.
    Removed {
        /// Its name.
        file: String,
        /// How long it was.
        bytes: u64,
        /// Which limit it was beyond.
        reason: &'static str,
    },
    /// So many others came too fast. Made by [`Notices::take`].
    LeftOut(u64),
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Notice>,
    left_out: u64,
}

/// Those that wait for the collector.
#[derive(Debug, Default)]
pub(super) struct Notices {
    queue: Mutex<Queue>,
    /// Whether some do: asked in each pass.
    has_some: AtomicBool,
    collector: OnceLock<Arc<Signal>>,
}

impl Notices {
    /// Those that wake this collector.
    pub(super) fn waking(collector: Arc<Signal>) -> Notices {
        Notices { collector: OnceLock::from(collector), ..Notices::default() }
    }

    pub(super) fn tell(&self, notice: Notice) {
        let mut queue = self.lock();
        if queue.waiting.len() < WAITING_MAX {
            queue.waiting.push_back(notice);
        } else {
            queue.left_out += 1;
        }
        drop(queue);
        self.has_some.store(true, Ordering::Relaxed); // the lock, or the signal, orders it
        if let Some(collector) = self.collector.get() {
            collector.raise(bit::WORK);
        }
    }

    /// The oldest; behind all others, how many were left out.
    pub(super) fn take(&self) -> Option<Notice> {
        // One that is missed here has raised the signal, and is seen in the next pass.
        if !self.has_some.load(Ordering::Relaxed) {
            return None;
        }
        let mut queue = self.lock();
        let notice = queue.waiting.pop_front().or_else(|| {
            let left_out = std::mem::take(&mut queue.left_out);
            (left_out > 0).then_some(Notice::LeftOut(left_out))
        });
        if notice.is_none() {
            // Under the lock: whoever tells one now stores the opposite behind it.
            self.has_some.store(false, Ordering::Relaxed);
        }
        notice
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Keeps a sentence about what failed in the background, and tells it in the log. Not for what
    /// fails again and again without a pause: the log would fill with it.
    pub(crate) fn warn(&self, sentence: String) {
        self.report_failure(sentence.clone());
        self.tell(Notice::Warning(sentence));
    }

    /// Tells something in the log. What comes once the collector has ended is not in it.
    pub(crate) fn tell(&self, notice: Notice) {
        self.notices.tell(notice);
    }

    /// The oldest that was told and is not in the log yet. Asked by the collector.
    pub(crate) fn take_notice(&self) -> Option<Notice> {
        self.notices.take()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_fast_is_counted_behind_what_waits() {
        let signal = Arc::new(Signal::default());
        let notices = Notices::waking(Arc::clone(&signal));
        assert_eq!(notices.take(), None);
        for n in 0..WAITING_MAX + 3 {
            notices.tell(Notice::Warning(n.to_string()));
        }
        assert!(signal.is_raised(bit::WORK));
        for n in 0..WAITING_MAX {
            assert_eq!(notices.take(), Some(Notice::Warning(n.to_string())));
        }
        assert_eq!(notices.take(), Some(Notice::LeftOut(3)));
        assert_eq!(notices.take(), None);
        let removed = Notice::Removed { file: "a".to_owned(), bytes: 1, reason: "retain_files" };
        notices.tell(removed.clone());
        assert_eq!((notices.take(), notices.take()), (Some(removed), None));
    }
}

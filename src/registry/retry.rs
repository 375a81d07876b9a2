//! When to ask again for what was refused. Used on callers' cold paths: a failure that each call
//! would meet anew, at the price of the system's refusal, is met now and then by one of them.

use std::time::{Duration, Instant};

use crate::primitive::{AtomicU64, Ordering};

/// After the first refusal; twice as long after each further one.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What was granted or refused last.
#[derive(Debug)]
pub(super) struct Retry {
    start: Instant,
    /// When to ask again, in nanoseconds since `start`; 0 while nothing is refused.
    due_ns: AtomicU64,
    pause_ns: AtomicU64,
}

impl Retry {
    pub(super) fn new() -> Retry {
        let [due_ns, pause_ns] = [(); 2].map(|()| AtomicU64::new(0));
        Retry { start: Instant::now(), due_ns, pause_ns }
    }

    /// Whether the caller may ask. After a refusal one may when the pause is over, and the others
    /// wait for what it finds.
    pub(super) fn may_ask(&self) -> bool {
        self.may_ask_at(self.start.elapsed())
    }

    fn may_ask_at(&self, now: Duration) -> bool {
        let due = self.due_ns.load(Ordering::Relaxed);
        if due == 0 {
            return true;
        }
        let now = now.as_nanos() as u64;
        let next = now.saturating_add(self.pause_ns.load(Ordering::Relaxed));
        let relaxed = Ordering::Relaxed;
        now >= due && self.due_ns.compare_exchange(due, next, relaxed, relaxed).is_ok()
    }

    /// It was refused.
    pub(super) fn refused(&self) {
        self.refused_at(self.start.elapsed());
    }

    fn refused_at(&self, now: Duration) {
        let pause = Duration::from_nanos(self.pause_ns.load(Ordering::Relaxed));
        let pause = (2 * pause).clamp(PAUSE_MIN, PAUSE_MAX);
        self.pause_ns.store(pause.as_nanos() as u64, Ordering::Relaxed);
        self.due_ns.store((now + pause).as_nanos() as u64, Ordering::Relaxed);
    }

    /// It was granted: nobody need wait.
    pub(super) fn granted(&self) {
        if self.due_ns.load(Ordering::Relaxed) != 0 {
            self.pause_ns.store(0, Ordering::Relaxed);
            self.due_ns.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_one_asks_after_each() {
        let retry = Retry::new();
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert!(retry.may_ask_at(now), "after {now:?}");
            retry.refused_at(now);
            assert!(!retry.may_ask_at(now));
            let pause = Duration::from_nanos(retry.pause_ns.load(Ordering::Relaxed));
            assert!(!retry.may_ask_at(now + pause - Duration::from_nanos(1)));
            pauses.push(pause);
            now += pause;
        }
        assert_eq!((pauses[0], pauses[1], pauses[11]), (PAUSE_MIN, 2 * PAUSE_MIN, PAUSE_MAX));
        assert!(pauses.is_sorted());
        assert!(retry.may_ask_at(now));
        assert!(!retry.may_ask_at(now), "one asks, the others wait for its answer");
        retry.granted();
        assert!(retry.may_ask_at(now) && retry.may_ask_at(now), "all may again");
        retry.refused_at(now);
        assert_eq!(retry.pause_ns.load(Ordering::Relaxed), PAUSE_MIN.as_nanos() as u64);
    }
}

//! What fails is tried again after longer and longer. Runs on the publisher.

use std::time::{Duration, Instant};

use crate::sys::moment;

/// The pauses between attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    failed: Option<(Instant, Duration)>,
}

impl Backoff {
    /// Pauses of `first` and then twice as long each time, up to `most`.
    pub(super) const fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, failed: None }
    }

    /// Whether it may be tried.
    pub(super) fn is_due(&self) -> bool {
        self.failed.is_none_or(|(at, pause)| moment::since(at) >= pause)
    }

    /// How long after the last attempt, which failed, the next is due.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.failed.map(|(_, pause)| pause)
    }

    /// Whether the last attempt failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// It has failed.
    pub(super) fn fail(&mut self) {
        let pause = self.failed.map_or(self.first, |(_, pause)| (pause * 2).min(self.most));
        self.failed = Some((moment::now(), pause));
    }

    /// It works.
    pub(super) fn reset(&mut self) {
        self.failed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most() {
        let mut backoff = Backoff::new(Duration::from_secs(100), Duration::from_secs(300));
        assert!(backoff.is_due() && !backoff.has_failed());
        for pause in [100, 200, 300, 300] {
            backoff.fail();
            assert!(!backoff.is_due() && backoff.has_failed());
            assert_eq!(backoff.failed.map(|(_, pause)| pause.as_secs()), Some(pause));
        }
        backoff.reset();
        assert!(backoff.is_due() && !backoff.has_failed());
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        backoff.fail();
        assert!(backoff.is_due() && backoff.has_failed());
    }
}

//! How long a wait may last. That nothing moves is counted in looks, not by the clock: a process
//! that was stopped, a machine that was suspended or that starves its threads, has given nobody the
//! time to move. What somebody has asked for as a limit is measured by the clock.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Why a wait ended without its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveUp {
    /// Nothing moved for as long as the waiter's patience lasted.
    NoProgress(Duration),
    /// The limit was reached.
    Deadline(Duration),
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    /// Gives up after as long without progress, of the time in which it could look.
    pub(crate) without_progress: Duration,
    /// Gives up there whatever happens.
    pub(crate) limit: Limit<'a>,
}

/// The end of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit<'a> {
    /// None.
    Open,
    /// So long after the beginning, by the clock.
    Clock(Duration),
    /// When the time is used up that several waits share, of which each takes that in which it
    /// could look.
    Shared(&'a Cell<Duration>),
}

impl<'a> Limit<'a> {
    /// What somebody asks for, or nothing.
    pub(crate) fn of(limit: Option<Duration>) -> Limit<'a> {
        limit.map_or(Limit::Open, Limit::Clock)
    }

    /// How much is left for a wait that began at `start`.
    pub(crate) fn left(self, start: Instant) -> Duration {
        match self {
            Limit::Open => Duration::MAX,
            Limit::Clock(limit) => limit.saturating_sub(start.elapsed()),
            Limit::Shared(left) => left.get(),
        }
    }

    /// The same limit for a part of the wait that begins now.
    pub(crate) fn rest(self, start: Instant) -> Limit<'a> {
        match self {
            Limit::Clock(_) => Limit::Clock(self.left(start)),
            other => other,
        }
    }

    /// A sleep that began at `asleep` and was to last for `asked` at most is over; gives the time
    /// that it counts for.
    pub(crate) fn spend(self, asleep: Instant, asked: Duration) -> Duration {
        let counted = asleep.elapsed().min(asked);
        if let Limit::Shared(left) = self {
            left.set(left.get().saturating_sub(counted));
        }
        counted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::{LOOK_EVERY, Progress};
    use super::*;

    /// As if the process were stopped for `stop` between the first look and the second.
    fn looks(patience: Patience<'_>, stop: Duration) -> (u32, GaveUp) {
        let (progress, mut looks) = (Progress::default(), 0);
        let gave_up = progress.wait(patience, || {
            looks += 1;
            if looks == 2 {
                std::thread::sleep(stop);
            }
            None::<()>
        });
        (looks, gave_up.expect_err("nothing moves"))
    }

    #[test]
    fn a_stop_of_the_process_is_no_stall() {
        let without_progress = 4 * LOOK_EVERY;
        let (looks, gave_up) =
            looks(Patience { without_progress, limit: Limit::Open }, 3 * without_progress);
        assert!(looks >= 5, "{looks} looks");
        assert!(matches!(gave_up, GaveUp::NoProgress(waited) if waited >= 4 * without_progress));
    }

    #[test]
    fn what_was_asked_for_goes_by_the_clock_and_what_is_shared_does_not() {
        let (time, stop) = (4 * LOOK_EVERY, 12 * LOOK_EVERY);
        let without_progress = Duration::MAX;
        let (few, gave_up) = looks(Patience { without_progress, limit: Limit::Clock(time) }, stop);
        assert!(few <= 3 && matches!(gave_up, GaveUp::Deadline(_)), "{few} {gave_up:?}");
        let left = Cell::new(2 * time);
        let shared = Patience { without_progress: time, limit: Limit::Shared(&left) };
        let (many, gave_up) = looks(shared, stop);
        assert!(many >= 5 && matches!(gave_up, GaveUp::NoProgress(_)), "{many} {gave_up:?}");
        assert!(left.get() <= time, "the first wait took its part");
        let (_, gave_up) = looks(Patience { without_progress, ..shared }, stop);
        assert!(matches!(gave_up, GaveUp::Deadline(_)), "{gave_up:?}");
        assert!(left.get().is_zero());
    }
}

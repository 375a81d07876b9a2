//! What time it is for the threads behind the collector: publisher and keeper ask here when to try
//! again, to sync or to rotate. A test that drives them by hand sets the time of its own thread, so
//! that a run depends on nothing but its seed. Any thread.

use std::time::{Duration, Instant, SystemTime};

/// The monotonic clock.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(elapsed) = simulated::elapsed() {
        return simulated::start() + elapsed;
    }
    Instant::now()
}

/// How long ago `at` was.
pub(crate) fn since(at: Instant) -> Duration {
    now().saturating_duration_since(at)
}

/// The wall clock.
pub(crate) fn utc() -> SystemTime {
    #[cfg(test)]
    if let Some(elapsed) = simulated::elapsed() {
        return simulated::utc_start() + elapsed;
    }
    SystemTime::now()
}

/// Time that passes only when a test says so, for the thread of the test alone.
#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::Cell;
    use std::sync::OnceLock;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    thread_local! {
        static ELAPSED: Cell<Option<Duration>> = const { Cell::new(None) };
    }

    /// 2026-11-20T21:33:20Z.
    const UTC_START: Duration = Duration::from_secs(1_795_210_400);

    pub(super) fn elapsed() -> Option<Duration> {
        ELAPSED.get()
    }

    pub(super) fn start() -> Instant {
        static START: OnceLock<Instant> = OnceLock::new();
        *START.get_or_init(Instant::now)
    }

    pub(super) fn utc_start() -> SystemTime {
        UNIX_EPOCH + UTC_START
    }

    /// From now on this thread's time stands still, until [`pass`]; the clock goes on when the
    /// guard is dropped.
    #[must_use]
    pub(crate) fn stop() -> Stopped {
        ELAPSED.set(Some(Duration::ZERO));
        Stopped
    }

    /// Lets time pass, where it stands still.
    pub(crate) fn pass(time: Duration) {
        ELAPSED.set(ELAPSED.get().map(|elapsed| elapsed + time));
    }

    /// See [`stop`].
    #[derive(Debug)]
    pub(crate) struct Stopped;

    impl Drop for Stopped {
        fn drop(&mut self) {
            ELAPSED.set(None);
        }
    }

    #[test]
    fn time_stands_still_until_it_passes() {
        let real = super::now();
        {
            let _stopped = stop();
            let (now, utc) = (super::now(), super::utc());
            pass(Duration::from_secs(100));
            assert_eq!(super::since(now), Duration::from_secs(100));
            assert_eq!(super::utc(), utc + Duration::from_secs(100));
        }
        assert!(super::since(real) < Duration::from_secs(100));
    }
}

//! The counter as a spinning collector read it last, for callers to whom reading it themselves is
//! too slow. Published by collectors, read by callers; one word for the process, whichever engine
//! publishes it: all read the same counter.

use crossbeam_utils::CachePadded;

use crate::primitive::{AtomicU64, Ordering};

static NEWEST: CachePadded<Newest> = CachePadded::new(Newest(AtomicU64::new(0)));

/// The newest published ticks: one load, of a line that the collector's core writes.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    NEWEST.ticks()
}

/// Two collectors never read counters that are so far apart, some milliseconds: the counter was set
/// back.
const SET_BACK_TICKS: u64 = 1 << 24;

/// Some microsecond. A collector that spins would publish every 20 ns, and each call would wait for
/// the line to come over from its core: 11.6 instead of 9.3 ns a call.
pub(super) const STEP_TICKS: u64 = 1 << 12;

/// Publishes ticks, unless newer ones are, or ones that are hardly older. Two collectors at once
/// may step back by what passed between their readings.
pub(crate) fn publish(ticks: u64) {
    NEWEST.publish(ticks);
}

/// The newest reading.
struct Newest(AtomicU64);

impl Newest {
    #[inline(always)]
    fn ticks(&self) -> u64 {
        // Relaxed: nothing else is read because of it.
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn publish(&self, ticks: u64) {
        let newest = self.ticks();
        let is_back = newest.saturating_sub(ticks) > SET_BACK_TICKS;
        if ticks.saturating_sub(newest) >= STEP_TICKS || is_back {
            self.0.store(ticks, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_older_reading_never_sets_time_back() {
        let (newest, start) = (Newest(AtomicU64::new(0)), SET_BACK_TICKS << 8);
        newest.publish(start);
        for back in [0, 1, STEP_TICKS, SET_BACK_TICKS - 1, SET_BACK_TICKS] {
            newest.publish(start - back);
            assert_eq!(newest.ticks(), start, "{back} ticks back");
            newest.publish(start + STEP_TICKS - 1);
            assert_eq!(newest.ticks(), start, "hardly newer");
        }
        newest.publish(start + STEP_TICKS);
        assert_eq!(newest.ticks(), start + STEP_TICKS);
    }

    /// Callers must not stamp the time before the setback until the counter comes up to it again.
    #[test]
    fn a_counter_that_was_set_back_is_followed_and_goes_on_from_there() {
        let newest = Newest(AtomicU64::new(0));
        newest.publish(1 << 60);
        let start = 1 << 59;
        let mut last = start;
        newest.publish(last);
        assert_eq!(newest.ticks(), last, "the counter's own time");
        for step in 1..1_000 {
            // Every other reading is an older one, of a collector that was slower.
            let reading = last + step * STEP_TICKS * (step % 2);
            newest.publish(reading.saturating_sub(step));
            assert!(newest.ticks() >= last, "{step}");
            last = newest.ticks();
        }
        assert!(last > start + 100 * STEP_TICKS && last < 1 << 60);
    }
}

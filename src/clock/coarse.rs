//! The counter as a spinning collector read it last, for callers to whom reading it themselves is
//! too slow. Published by collectors, read by callers; one word for the process, whichever engine
//! publishes it: all read the same counter.

use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::primitive::{AtomicU64, Ordering};

static NEWEST: CachePadded<Newest> = CachePadded::new(Newest(AtomicU64::new(0)));

/// The newest published ticks: one load, of a line that the collector's core writes.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    NEWEST.ticks()
}

/// Two collectors never read counters that are so far apart: the counter was set back.
const SET_BACK: Duration = Duration::from_millis(5);

/// A collector that spins would publish every 20 ns, and each call would wait for the line to come
/// over from its core: 11.6 instead of 9.3 ns a call.
const STEP: Duration = Duration::from_micros(1);

/// The two in ticks: a counter makes 24 million a second on many an aarch64, thousands of millions
/// on x86-64. As the last calibration measured them; all engines read the same counter.
static STEPS: AtomicSteps =
    AtomicSteps { step: AtomicU64::new(0), set_back: AtomicU64::new(u64::MAX) };

struct AtomicSteps {
    step: AtomicU64,
    set_back: AtomicU64,
}

#[derive(Clone, Copy)]
struct Steps {
    step: u64,
    set_back: u64,
}

impl Steps {
    /// In ticks, of which a time has as many as `ticks_of` says.
    fn of(ticks_of: impl Fn(Duration) -> u64) -> Steps {
        Steps { step: ticks_of(STEP), set_back: ticks_of(SET_BACK) }
    }

    fn present() -> Steps {
        // Relaxed: either is good without the other.
        let step = STEPS.step.load(Ordering::Relaxed);
        Steps { step, set_back: STEPS.set_back.load(Ordering::Relaxed) }
    }
}

/// Takes note of the counter's rate. Before, each newer reading is published.
pub(super) fn set_rate(ticks_of: impl Fn(Duration) -> u64) {
    let Steps { step, set_back } = Steps::of(ticks_of);
    STEPS.step.store(step, Ordering::Relaxed);
    STEPS.set_back.store(set_back, Ordering::Relaxed);
}

/// How many ticks newer a reading has to be.
#[cfg(test)]
pub(super) fn step_ticks() -> u64 {
    Steps::present().step
}

/// Publishes ticks, unless newer ones are, or ones that are hardly older. Two collectors at once
/// may step back by what passed between their readings.
pub(crate) fn publish(ticks: u64) {
    NEWEST.publish(ticks, Steps::present());
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
    fn publish(&self, ticks: u64, steps: Steps) {
        let newest = self.ticks();
        let is_back = newest.saturating_sub(ticks) > steps.set_back;
        let is_new = ticks > newest && ticks - newest >= steps.step;
        if is_new || is_back {
            self.0.store(ticks, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Of counters with so many ticks a microsecond: an aarch64's, an x86-64's.
    fn steps() -> [Steps; 2] {
        [24, 3_000].map(|per_us| Steps::of(|time| time.as_micros() as u64 * per_us))
    }

    #[test]
    fn steps_are_times_whatever_the_counter_ticks() {
        let [slow, fast] = steps();
        assert_eq!((slow.step, slow.set_back), (24, 120_000));
        assert_eq!((fast.step, fast.set_back), (3_000, 15_000_000));
    }

    #[test]
    fn an_older_reading_never_sets_time_back() {
        for steps in steps() {
            let Steps { step, set_back } = steps;
            let (newest, start) = (Newest(AtomicU64::new(0)), set_back << 8);
            newest.publish(start, steps);
            for back in [0, 1, step, set_back - 1, set_back] {
                newest.publish(start - back, steps);
                assert_eq!(newest.ticks(), start, "{back} ticks back");
                newest.publish(start + step - 1, steps);
                assert_eq!(newest.ticks(), start, "hardly newer");
            }
            newest.publish(start + step, steps);
            assert_eq!(newest.ticks(), start + step);
        }
    }

    /// Callers must not stamp the time before the setback until the counter comes up to it again.
    #[test]
    fn a_counter_that_was_set_back_is_followed_and_goes_on_from_there() {
        let [_, steps] = steps();
        let newest = Newest(AtomicU64::new(0));
        newest.publish(1 << 60, steps);
        let start = 1 << 59;
        let mut last = start;
        newest.publish(last, steps);
        assert_eq!(newest.ticks(), last, "the counter's own time");
        for step in 1..1_000 {
            // Every other reading is an older one, of a collector that was slower.
            let reading = last + step * steps.step * (step % 2);
            newest.publish(reading.saturating_sub(step), steps);
            assert!(newest.ticks() >= last, "{step}");
            last = newest.ticks();
        }
        assert!(last > start + 100 * steps.step && last < 1 << 60);
    }
}

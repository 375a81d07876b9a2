//! The counter as a spinning collector read it last, for callers to whom reading it themselves is
//! too slow. Published by collectors, read by callers; one word for the process, whichever engine
//! publishes it: all read the same counter.

use crossbeam_utils::CachePadded;

use crate::primitive::{AtomicU64, Ordering};

static TICKS: CachePadded<AtomicU64> = CachePadded::new(AtomicU64::new(0));

/// The newest published ticks: one load, of a line that the collector's core writes.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    // Relaxed: nothing else is read because of it.
    TICKS.load(Ordering::Relaxed)
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
    let newest = TICKS.load(Ordering::Relaxed);
    let is_back = newest.saturating_sub(ticks) > SET_BACK_TICKS;
    if ticks.saturating_sub(newest) >= STEP_TICKS || is_back {
        TICKS.store(ticks, Ordering::Relaxed);
    }
}

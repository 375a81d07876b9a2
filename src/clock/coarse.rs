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

/// Publishes ticks, unless newer ones are. Two collectors at once may step back by what passed
/// between their readings.
pub(crate) fn publish(ticks: u64) {
    let newest = TICKS.load(Ordering::Relaxed);
    if ticks > newest || newest - ticks > SET_BACK_TICKS {
        TICKS.store(ticks, Ordering::Relaxed);
    }
}

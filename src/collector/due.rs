//! Which heads a pass takes, and where they stand in its order. Pure; called on the collector.

use std::time::Duration;

/// The least that a barrier looks ahead. Reading the processor's counter is not ordered with other
/// memory accesses, and counters of two processors differ a little: what was committed before the
/// barrier may have ticks after it.
const BARRIER_WINDOW_MIN: Duration = Duration::from_micros(50);

/// How far a barrier's pass looks ahead, whatever the order window.
pub(super) fn barrier_window(order_window: Duration) -> Duration {
    order_window.max(BARRIER_WINDOW_MIN)
}

/// Where a record stands in the order of its pass; none when it is too young for it, because a ring
/// that was read before may still get an earlier one.
///
/// A record that is more than `ahead` ticks later than `now`, which is read after the record was
/// seen, was made before the counter was set back (a suspend, a restored or migrated machine). It
/// comes first: to wait for the counter would hold up its ring for as long as that was ahead.
#[inline]
pub(super) fn place(
    ticks: u64,
    cut_off: u64,
    now: impl FnOnce() -> u64,
    ahead: u64,
) -> Option<u64> {
    if ticks <= cut_off {
        return Some(ticks);
    }
    (ticks > now().saturating_add(ahead)).then_some(SET_BACK)
}

/// The place of records from before the counter was set back.
pub(super) const SET_BACK: u64 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AHEAD: u64 = 5_000;

    #[test]
    fn a_young_head_waits_and_one_from_before_a_setback_does_not() {
        let (now, cut_off) = (100_000, 99_950);
        let placed = |ticks| place(ticks, cut_off, || now, AHEAD);
        assert_eq!(placed(1), Some(1));
        assert_eq!(placed(cut_off), Some(cut_off));
        for young in [cut_off + 1, now, now + 1, now + AHEAD] {
            assert_eq!(placed(young), None, "{young}");
        }
        for ahead in [now + AHEAD + 1, now + (1 << 40), u64::MAX] {
            assert_eq!(placed(ahead), Some(SET_BACK), "{ahead}");
        }
    }

    #[test]
    fn the_clock_is_read_only_for_what_lies_behind_the_cut_off() {
        assert_eq!(place(7, 7, || unreachable!(), AHEAD), Some(7));
        assert_eq!(place(u64::MAX, u64::MAX, || unreachable!(), AHEAD), Some(u64::MAX));
        // At the end of the counter nothing can be ahead of it.
        assert_eq!(place(u64::MAX, 7, || u64::MAX - 1, AHEAD), None);
    }

    #[test]
    fn a_barrier_looks_ahead_even_without_an_order_window() {
        assert_eq!(barrier_window(Duration::ZERO), BARRIER_WINDOW_MIN);
        assert_eq!(barrier_window(Duration::from_millis(5)), Duration::from_millis(5));
    }

    proptest! {
        #[test]
        fn a_place_is_never_behind_the_cut_off(
            ticks: u64, cut_off: u64, now: u64, ahead in 0_u64..1 << 40,
        ) {
            match place(ticks, cut_off, || now, ahead) {
                Some(place) => prop_assert!(place <= cut_off),
                None => prop_assert!(ticks > cut_off && ticks <= now.saturating_add(ahead)),
            }
        }
    }
}

//! Readings of the three clocks at one instant, and the rate between two of them. Taken by the
//! collector thread, the first ones by the thread that starts the engine.

use super::TickSource;
use super::piece::saturate;
use crate::sys;

/// Ticks, the monotonic clock and the wall clock, read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The middle of the ticks read before and after the two clocks.
    pub(crate) ticks: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub(crate) monotonic_ns: u64,
    /// `CLOCK_REALTIME` in nanoseconds since 1970.
    pub(crate) utc_ns: i64,
    /// How long the reading took; `ticks` are wrong by at most half of it. Wide when the thread
    /// lost the CPU in between.
    pub(crate) window_ticks: u64,
}

impl Sample {
    /// The narrowest of `tries` readings (at least one).
    pub(crate) fn take(source: TickSource, tries: u32) -> Sample {
        let mut best = Sample::read(source);
        for _ in 1..tries {
            let next = Sample::read(source);
            if next.window_ticks < best.window_ticks {
                best = next;
            }
        }
        best
    }

    fn read(source: TickSource) -> Sample {
        let before = source.now();
        let utc_ns = sys::clock::realtime_ns();
        let monotonic_ns = sys::clock::monotonic_ns();
        let window_ticks = source.now().wrapping_sub(before);
        let ticks = before.wrapping_add(window_ticks / 2);
        Sample { ticks, monotonic_ns, utc_ns, window_ticks }
    }

    /// Monotonic nanoseconds from `earlier` to here; negative if the clock ran backwards.
    pub(super) fn ns_since(&self, earlier: &Sample) -> i64 {
        self.monotonic_ns.wrapping_sub(earlier.monotonic_ns) as i64
    }

    /// Ticks from `earlier` to here; negative if the counter ran backwards.
    fn ticks_since(&self, earlier: &Sample) -> i64 {
        self.ticks.wrapping_sub(earlier.ticks) as i64
    }
}

/// Nanoseconds a tick, with [`Rate::SHIFT`] binary places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(u64);

impl Rate {
    /// Binary places. With 48, counters from 61 kHz to 1 THz fit, and the rounding of a rate is
    /// below one part in 10^13 at 5 GHz.
    pub(super) const SHIFT: u64 = 48;

    /// One nanosecond a tick: the rate of [`TickSource::Monotonic`].
    pub(crate) const ONE: Rate = Rate(1 << Rate::SHIFT);

    /// One THz: nothing ticks faster.
    const LOWEST: u64 = Rate::ONE.0 / 1_000;
    /// 61 kHz. Leaves room for the slew in 63 bits.
    const HIGHEST: u64 = Rate::ONE.0 << 14;

    /// The slew is at most a 2000th of the rate, that is 500 ppm.
    const SLEW_DIVISOR: i128 = 2_000;

    /// What two samples deviate beside their windows: reading order, interrupts.
    const JITTER_NS: u64 = 100_000;

    /// The rate of the counter between two samples; `None` if no counter could have it.
    ///
    /// Wrong by at most half the sum of both windows, divided by the time between them.
    pub(crate) fn between(earlier: &Sample, later: &Sample) -> Option<Rate> {
        let ticks = u128::try_from(later.ticks_since(earlier)).ok()?;
        let ns = u128::try_from(later.ns_since(earlier)).ok()?;
        let rate = u64::try_from((ns << Rate::SHIFT).checked_div(ticks)?).ok()?;
        (Rate::LOWEST..=Rate::HIGHEST).contains(&rate).then_some(Rate(rate))
    }

    /// Whether the counter ran at about this rate between two samples. It did not if the machine
    /// slept, or was moved to another host: such a stretch says nothing about the rate.
    pub(super) fn agrees(self, earlier: &Sample, later: &Sample) -> bool {
        let expected_ns = self.ns(later.ticks_since(earlier));
        let actual_ns = later.ns_since(earlier);
        let windows = earlier.window_ticks.saturating_add(later.window_ticks);
        let tolerance_ns = (actual_ns.unsigned_abs() / 1_000)
            .saturating_add(Rate::JITTER_NS)
            .saturating_add(self.ns(windows.min(i64::MAX as u64) as i64).unsigned_abs());
        expected_ns.saturating_sub(actual_ns).unsigned_abs() <= tolerance_ns
    }

    /// The nanoseconds that so many ticks take.
    pub(super) fn ns(self, ticks: i64) -> i64 {
        saturate((i128::from(ticks) * i128::from(self.0)) >> Rate::SHIFT)
    }

    /// The ticks that so many nanoseconds take.
    pub(super) fn ticks(self, ns: u128) -> u64 {
        let ns = ns.min(u128::from(u64::MAX));
        u64::try_from((ns << Rate::SHIFT) / u128::from(self.0)).unwrap_or(u64::MAX)
    }

    /// The slope that makes up for `offset_ns` within `horizon_ns`, or for as much of it as 500 ppm
    /// allow. Never zero or less.
    pub(super) fn slewed(self, offset_ns: i64, horizon_ns: u64) -> u64 {
        let horizon = i128::from(horizon_ns.max(1));
        let limit = horizon / Rate::SLEW_DIVISOR;
        let slew = i128::from(offset_ns).clamp(-limit, limit);
        (i128::from(self.0) * (horizon + slew) / horizon) as u64
    }
}

/// Measures the rate of a source, spinning for about 2 ms: right to about 50 ppm with windows of
/// 100 ns. Exactly [`Rate::ONE`], at once, for the monotonic clock.
///
/// A monotonic clock that stands still ends the measurement too; the rate is then a guess, and
/// [`TickClock::update`](super::TickClock::update) replaces it.
pub(crate) fn measure_rate(source: TickSource) -> Rate {
    const SPIN_NS: i64 = 2_000_000;
    // Fifty times what 2 ms take where reading both clocks takes 100 ns.
    const READS_MAX: u32 = 1_000_000;
    const TRIES: u32 = 16;

    if source.counts_ns() {
        return Rate::ONE;
    }
    let first = Sample::take(source, TRIES);
    for _ in 0..READS_MAX {
        if Sample::read(source).ns_since(&first) >= SPIN_NS {
            break;
        }
        std::hint::spin_loop();
    }
    Rate::between(&first, &Sample::take(source, TRIES)).unwrap_or(Rate::ONE)
}

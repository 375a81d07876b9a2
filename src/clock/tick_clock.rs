//! The function from ticks to UTC, and how it follows the wall clock. Owned and run by the
//! collector thread. Pure logic over samples: it reads no clock after
//! [`TickClock::calibrate`], so that tests can be the clocks.

use std::time::Duration;

use super::piece::{Piece, covering, is_before, utc_ns};
use super::sample::{Rate, Sample, measure_rate};
use super::{TickSource, coarse};

/// Offsets above this are adopted at once, because 500 ppm would take longer than 33 minutes.
const STEP_NS: u64 = 1_000_000_000;

/// Time to the second sample. Short: the rate from the start is right to about 50 ppm only.
const INTERVAL_FIRST_NS: u64 = 100_000_000;
/// The interval doubles up to this.
const INTERVAL_MAX_NS: u64 = 500_000_000;

/// A new piece begins this long after its sample, because the collector may already have
/// converted ticks that lie a little after it: a flush looks one order window ahead, and counters
/// of two processors may differ.
const AHEAD_NS: u64 = 5_000_000;

/// A shorter baseline than this yields no better rate than the one in use.
const BASELINE_MIN_NS: i64 = 20_000_000;
/// A baseline is between one and two of these long (9 to 18 minutes). Longer ones gain nothing
/// (100 ns in 9 minutes are 0.2 parts in 10^9) and would miss the crystal's temperature.
const BASELINE_NS: i64 = 1 << 39;

/// Wider samples are rejected: the thread lost the CPU between its readings.
const WINDOW_NS: u128 = 10_000;

/// The wall clock was more than a second away and has been adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stepped {
    /// What was added to UTC: negative if the wall clock went backwards.
    pub(crate) offset_ns: i64,
}

/// Converts ticks to UTC; see the [module](super) for what it promises.
///
/// **Rate.** `(monotonic - monotonic at the baseline's start) / (ticks - ticks there)`, so its
/// error is half the sum of both samples' windows over the baseline's length: it shrinks as 1/T.
/// The baseline starts anew where counter and monotonic clock disagree by more than 0.1 %.
///
/// **Offset.** Each accepted sample starts a new piece where the present one will be 5 ms later,
/// with the slope that meets the wall clock at the next sample, bounded by 500 ppm.
///
/// **Error bound.** While the wall clock runs at the monotonic clock's rate and no sub-second step
/// is being slewed away, `|UTC - wall|` is at most half a sample's window, plus the error of the
/// rate times twice the time between samples, plus 1 ns. A sample that comes late by `L` while an
/// offset is being slewed overshoots by at most 500 ppm of `L`.
#[derive(Clone, Debug)]
pub(crate) struct TickClock {
    source: TickSource,
    rate: Rate,
    /// Older first; the same twice after a start.
    pieces: [Piece; 2],
    /// The last accepted sample.
    last: Sample,
    /// Where the rate's baseline starts, and where the next one will.
    baseline: [Sample; 2],
    interval_ns: u64,
    /// The interval at the present rate, because `due` is asked in every pass.
    interval_ticks: u64,
    /// The time in which the present offset is to be made up.
    horizon_ns: u64,
    /// Samples rejected in a row; each doubles the window that is accepted next.
    rejected: u32,
}

impl TickClock {
    /// Measures the rate for about 2 ms and starts at the wall clock's present time.
    pub(crate) fn calibrate(source: TickSource) -> TickClock {
        const TRIES: u32 = 16;
        let rate = measure_rate(source);
        if source == TickSource::Published {
            coarse::set_rate(|time| rate.ticks(time.as_nanos()));
        }
        TickClock::start(source, rate, Sample::take(source, TRIES))
    }

    /// A clock that agrees with the wall clock at `sample` and goes on at `rate`.
    pub(crate) fn start(source: TickSource, rate: Rate, sample: Sample) -> TickClock {
        let piece = Piece {
            base_ticks: sample.ticks,
            base_utc_ns: sample.utc_ns,
            mult: rate.slewed(0, INTERVAL_FIRST_NS),
            shift: Rate::SHIFT,
        };
        TickClock {
            source,
            rate,
            pieces: [piece; 2],
            last: sample,
            baseline: [sample; 2],
            interval_ns: INTERVAL_FIRST_NS,
            interval_ticks: rate.ticks(u128::from(INTERVAL_FIRST_NS)),
            horizon_ns: INTERVAL_FIRST_NS,
            rejected: 0,
        }
    }

    /// UTC at `ticks`, in nanoseconds since 1970.
    #[inline]
    pub(crate) fn utc_ns(&self, ticks: u64) -> i64 {
        utc_ns(&self.pieces, ticks)
    }

    /// The ticks that `duration` takes at the rate known by now; saturates.
    pub(crate) fn ticks_of(&self, duration: Duration) -> u64 {
        self.rate.ticks(duration.as_nanos())
    }

    /// Whether it is time for [`update`](TickClock::update): 100 ms after the start, then
    /// gradually up to 500 ms after each accepted sample. Also when ticks ran backwards.
    #[inline]
    pub(crate) fn due(&self, ticks: u64) -> bool {
        ticks.wrapping_sub(self.last.ticks) >= self.interval_ticks
    }

    /// The pieces in use, older first, for another process to convert by
    /// [`utc_ns`]. They change with each accepted sample.
    pub(crate) fn pieces(&self) -> [Piece; 2] {
        self.pieces
    }

    /// Takes a fresh sample into account. A sample with a wide window, or one taken before the
    /// newest piece has begun, changes nothing; then [`due`](TickClock::due) stays true.
    ///
    /// Ticks later than the sample's by more than 5 ms must not have been converted before, else
    /// the times of ordered ticks may disorder by 1000 ppm of the excess.
    pub(crate) fn update(&mut self, sample: Sample) -> Option<Stepped> {
        if sample.window_ticks > self.window_max() {
            self.rejected = self.rejected.saturating_add(1);
            return None;
        }
        let offset_ns = sample.utc_ns.saturating_sub(self.utc_ns(sample.ticks));
        if offset_ns.unsigned_abs() > STEP_NS {
            self.follow(sample);
            self.begin_piece(sample.ticks, sample.utc_ns, 0);
            return Some(Stepped { offset_ns });
        }
        if self.newest_has_not_begun(sample.ticks) {
            return None;
        }
        self.follow(sample);
        let ahead_ticks = self.rate.ticks(u128::from(AHEAD_NS));
        let base_ticks = sample.ticks.wrapping_add(ahead_ticks);
        let base_utc_ns = self.utc_ns(base_ticks);
        let wall_ns = sample.utc_ns.saturating_add(AHEAD_NS as i64);
        self.begin_piece(base_ticks, base_utc_ns, wall_ns.saturating_sub(base_utc_ns));
        None
    }

    fn window_max(&self) -> u64 {
        // A machine where every reading is slow is served all the same, after a few rejections.
        self.rate.ticks(WINDOW_NS << self.rejected.min(32))
    }

    fn newest_has_not_begun(&self, ticks: u64) -> bool {
        is_before(ticks, self.pieces[1].base_ticks) && !is_before(ticks, self.last.ticks)
    }

    /// Learns rate, interval and horizon from an accepted sample.
    fn follow(&mut self, sample: Sample) {
        self.interval_ns = (self.interval_ns * 2).min(INTERVAL_MAX_NS);
        if !self.source.counts_ns() {
            self.learn_rate(&sample);
        }
        self.interval_ticks = self.rate.ticks(u128::from(self.interval_ns));
        // Making up for an offset in less time than passes between samples would overshoot, and
        // twice so would oscillate: samples that come late lengthen the horizon, for a while.
        let gap_ns = sample.ns_since(&self.last).max(0) as u64;
        let fading_ns = self.horizon_ns - self.horizon_ns / 4;
        self.horizon_ns = self.interval_ns.max(gap_ns).max(fading_ns);
        self.last = sample;
        self.rejected = 0;
    }

    fn learn_rate(&mut self, sample: &Sample) {
        let [start, next] = self.baseline;
        // The first stretch of a baseline is believed whatever rate it shows: after a move to
        // another host the present rate is the one that is wrong.
        let is_first = start == self.last;
        if !is_first && !self.rate.agrees(&self.last, sample) {
            return self.restart_baseline(sample);
        }
        if (0..BASELINE_MIN_NS).contains(&sample.ns_since(&start)) {
            return;
        }
        match Rate::between(&start, sample) {
            Some(rate) => self.rate = rate,
            None => return self.restart_baseline(sample),
        }
        if sample.ns_since(&next) >= BASELINE_NS {
            self.baseline = [next, *sample];
        }
    }

    fn restart_baseline(&mut self, sample: &Sample) {
        self.baseline = [*sample; 2];
        self.interval_ns = INTERVAL_FIRST_NS;
    }

    /// Ends the piece that covers `base_ticks` there and begins the next one, which makes up for
    /// `offset_ns` within the horizon.
    fn begin_piece(&mut self, base_ticks: u64, base_utc_ns: i64, offset_ns: i64) {
        let mult = self.rate.slewed(offset_ns, self.horizon_ns);
        let newest = Piece { base_ticks, base_utc_ns, mult, shift: Rate::SHIFT };
        let older = *covering(&self.pieces, base_ticks);
        // Before all pieces the counter was reset: ticks between the reset and this base are
        // far from the older piece, but near the newest.
        let was_reset = is_before(base_ticks, older.base_ticks);
        self.pieces = [if was_reset { newest } else { older }, newest];
    }
}

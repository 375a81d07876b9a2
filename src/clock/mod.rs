//! Ticks to UTC.
//!
//! The caller thread reads a [`TickSource`] and stores the raw ticks: no conversion, no system
//! call. The collector alone owns a [`TickClock`] and converts ticks to nanoseconds since 1970.
//!
//! ```text
//!   UTC                          older piece       newest piece: another slope, because the
//!    |                          ______________,.--'   rate is known better by now and because
//!    |           ______,,,..---'              |       the wall clock is approached
//!    |  ..---''''      |                      |
//!    +-----------------+----------------------+----------------> ticks
//!        (forgotten)   base                   base
//! ```
//!
//! Promises:
//!
//! - UTC is one continuous, increasing function of ticks, made of linear pieces. In whole
//!   nanoseconds it never decreases; two ticks less than a nanosecond apart may share a value.
//!   A tick is always converted by the piece that covers it, whenever it is asked about.
//! - The wall clock is approached at no more than 500 ppm beside the measured rate.
//! - Only an offset above one second breaks the function: it is adopted at once and reported as
//!   [`Stepped`], so that the log can say so.
//! - Whatever the clocks do (standing still, running backwards, jumping, wrapping), arithmetic
//!   saturates or wraps on purpose and the clock finds back to the wall clock; it never panics.

pub(crate) mod coarse;
mod piece;
mod sample;
mod tick_clock;

#[cfg(test)]
mod tests;

pub(crate) use piece::Piece;
pub(crate) use piece::utc_ns;
pub(crate) use sample::Sample;
pub(crate) use tick_clock::TickClock;

use crate::sys;

/// Where the time of a record comes from.
///
/// A call stores ticks, which are monotonic only; the collector converts them to UTC with a
/// continuous function that follows the wall clock at no more than 500 ppm. A wall clock that is
/// more than one second away is adopted at once, and the log says so in a record of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clock {
    /// The processor's time stamp counter (x86-64), or its generic timer (aarch64): about 10 ns a
    /// read. The default where the counter is invariant, that is, ticks at one rate in every power
    /// state, and the kernel has it among its own clocks, from which it takes one that it found to
    /// be wrong. Elsewhere it becomes [`Clock::Monotonic`], with a warning where it was asked for;
    /// the engine's statistics show which clock is in use.
    #[default]
    Tsc,
    /// The kernel's `CLOCK_MONOTONIC` in nanoseconds: about 20 ns a read where the kernel serves
    /// it without a system call.
    Monotonic,
    /// The time that the collector read last: one load, some 1 ns. For
    /// [`Idle::Spin`](crate::Idle::Spin), with which it is seldom older than some 100 us; while the
    /// output takes nothing, up to 20 ms. Records of several threads within such a time have no
    /// order among each other. With a collector that parks, or without an invariant counter, it is
    /// the kernel's `CLOCK_MONOTONIC_COARSE`: some 5 ns a read, 1 to 10 ms old, and calls do not
    /// take the short path.
    Coarse,
}

impl Clock {
    /// Its number in an arena.
    pub(crate) fn number(self) -> u64 {
        match self {
            Clock::Tsc => 1,
            Clock::Monotonic => 2,
            Clock::Coarse => 3,
        }
    }

    /// The clock with this number; the usual one for a number that is none.
    pub(crate) fn of_number(number: u64) -> Clock {
        let clocks = [Clock::Monotonic, Clock::Coarse];
        clocks.into_iter().find(|clock| clock.number() == number).unwrap_or_default()
    }
}

/// What becomes of the collector's readings of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readings {
    /// It spins, and publishes each.
    Published,
    /// It parks: they would be old.
    Kept,
}

/// The counter that callers read, decided once when an engine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TickSource {
    /// The processor's counter, in its own unit.
    Tsc,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    Monotonic,
    /// The processor's counter, as the collector read it last.
    Published,
    /// `CLOCK_MONOTONIC_COARSE`, in nanoseconds.
    KernelCoarse,
}

impl TickSource {
    /// The source that serves `wanted` on this machine.
    pub(crate) fn choose(wanted: Clock, readings: Readings) -> TickSource {
        let is_fit = || sys::clock::tsc_is_fit();
        match wanted {
            Clock::Tsc if is_fit() => TickSource::Tsc,
            Clock::Tsc | Clock::Monotonic => TickSource::Monotonic,
            Clock::Coarse if readings == Readings::Published && is_fit() => {
                // Callers may come before the collector's first pass.
                coarse::publish(sys::clock::ticks_tsc());
                TickSource::Published
            }
            Clock::Coarse => TickSource::KernelCoarse,
        }
    }

    /// The ticks of this instant, for the engine.
    #[inline(always)]
    pub(crate) fn now(self) -> u64 {
        if self.counts_ns() { sys::clock::monotonic_ns() } else { sys::clock::ticks_tsc() }
    }

    /// The ticks that a record gets now: never later than [`now`](TickSource::now).
    pub(crate) fn stamp(self) -> u64 {
        match self {
            TickSource::Tsc | TickSource::Monotonic => self.now(),
            TickSource::Published => coarse::ticks(),
            TickSource::KernelCoarse => sys::clock::monotonic_coarse_ns(),
        }
    }

    /// How many ticks older than `now` a stamp may be that is taken now. Asked by the collector,
    /// before it publishes `now`.
    pub(crate) fn staleness(self, now: u64) -> u64 {
        match self {
            TickSource::Tsc | TickSource::Monotonic => 0,
            TickSource::Published => now.saturating_sub(coarse::ticks()),
            TickSource::KernelCoarse => now.saturating_sub(sys::clock::monotonic_coarse_ns()),
        }
    }

    /// Hands the collector's reading to callers that have none of their own.
    #[inline]
    pub(crate) fn publish(self, now: u64) {
        if self == TickSource::Published {
            coarse::publish(now);
        }
    }

    /// Whether a tick is a nanosecond; else the processor's counter has to be measured.
    pub(crate) fn counts_ns(self) -> bool {
        match self {
            TickSource::Tsc | TickSource::Published => false,
            TickSource::Monotonic | TickSource::KernelCoarse => true,
        }
    }

    /// What statistics show as the clock in use.
    pub(crate) fn clock(self) -> Clock {
        match self {
            TickSource::Tsc => Clock::Tsc,
            TickSource::Monotonic => Clock::Monotonic,
            TickSource::Published | TickSource::KernelCoarse => Clock::Coarse,
        }
    }
}

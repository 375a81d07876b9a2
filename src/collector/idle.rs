//! How the collector waits when there is nothing to do: spin, yield, then park for longer and
//! longer. Producers wake it only past their soft limit and for ERROR and above.

use std::time::Duration;

use crate::flush::signal::{Signal, bit};

/// Empty passes before the first yield.
const SPINS: u32 = 4;
/// Pauses of the processor between two passes, 16 ns each on an AMD EPYC, three times as long on
/// other x86-64: each pass takes the line away that a producer is about to write, so that a
/// collector which looks all the time slows down whom it waits for. A call with the coarse clock:
/// 9.3 ns without pauses, 7.0 with 32, 6.5 with 128. One that parks does so before long.
const PAUSES_SPINNING: u32 = 128;
const PAUSES_PARKING: u32 = 16;
/// Yields before the first park.
const YIELDS: u32 = 8;
/// How long it parks, the first times and from then on: as long as the controller lets it.
const PARKS: [Duration; 3] = [Duration::from_millis(1), Duration::from_millis(5), Duration::MAX];
/// Parks of each length.
const PARKS_EACH: u32 = 20;

/// How the collector idles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idling {
    /// Never parks.
    Spin,
    /// Parks when spinning and yielding found nothing.
    Park,
}

/// Empty passes in a row.
#[derive(Debug)]
pub(super) struct Idle {
    idling: Idling,
    passes: u32,
}

impl Idle {
    pub(super) fn new(idling: Idling) -> Idle {
        Idle { idling, passes: 0 }
    }

    /// There was something to do.
    pub(super) fn reset(&mut self) {
        self.passes = 0;
    }

    /// Waits a little, parked for `park_max` at most.
    pub(super) fn wait(&mut self, signal: &Signal, park_max: Duration) {
        self.passes = self.passes.saturating_add(1);
        if self.passes <= SPINS {
            return self.pause();
        }
        let may_park = self.idling == Idling::Park && !park_max.is_zero();
        if !may_park || self.passes <= SPINS + YIELDS {
            self.pause();
            std::thread::yield_now();
        } else {
            let parks = (self.passes - SPINS - YIELDS - 1) / PARKS_EACH;
            let length = PARKS[(parks as usize).min(PARKS.len() - 1)];
            self.wait_signal(signal, length.min(park_max));
        }
    }

    fn wait_signal(&mut self, signal: &Signal, length: Duration) {
        if signal.sleep(bit::ANY, length) {
            self.passes = 0;
        }
    }

    fn pause(&self) {
        let count = match self.idling {
            Idling::Spin => PAUSES_SPINNING,
            Idling::Park => PAUSES_PARKING,
        };
        (0..count).for_each(|_| std::hint::spin_loop());
    }
}

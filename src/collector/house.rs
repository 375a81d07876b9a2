//! What the collector does besides records, from time to time: the clock's samples, and what the
//! engine tells of itself. Runs on the collector.

use std::time::Duration;

use super::Collector;
use super::gap::GAP_QUIET;
use crate::clock::Sample;
use crate::stats::Counter;

/// How often the counters of losses are looked at, and the controller.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Tries for a clock sample that no interrupt has widened.
const SAMPLE_TRIES: u32 = 4;

impl Collector {
    /// What is due from time to time: the clock's next sample, losses and notices to be told.
    pub(super) fn keep_house(&mut self, now: u64) {
        self.tell_notices(now);
        if self.clock.due(now) {
            let sample = Sample::take(self.registry.source, SAMPLE_TRIES);
            if let Some(stepped) = self.clock.update(sample) {
                self.registry.shared.counters.add(Counter::ClockSteps, 1);
                let ticks = self.registry.source.now();
                let record = self.own.clock_stepped(ticks, stepped.offset_ns);
                self.batch.write_own(&mut self.sources, &record, &self.clock);
            }
            self.store_clock();
        }
        if self.is_time_to_look(now) {
            self.looked_at = now;
            self.look_at_arena();
            self.batch.seal_if_old();
            self.tell_gaps(now, self.clock.ticks_of(GAP_QUIET));
        }
    }

    pub(super) fn is_time_to_look(&self, now: u64) -> bool {
        // Wrapping: a counter that was set back is a reason to look.
        now.wrapping_sub(self.looked_at) >= self.clock.ticks_of(LOOK_EVERY)
    }

    pub(super) fn tell_gaps(&mut self, now: u64, quiet: u64) {
        let utc_ns = self.clock.utc_ns(now);
        if let Some(gap) = self.gaps.look(&self.registry.shared.counters, now, utc_ns, quiet) {
            self.registry.shared.counters.add(Counter::Gaps, 1);
            let record = self.own.gap(now, &gap);
            self.batch.write_own(&mut self.sources, &record, &self.clock);
        }
    }

    /// What other threads tell, up to now.
    pub(super) fn tell_notices(&mut self, now: u64) {
        while let Some(notice) = self.registry.shared.progress.take_notice() {
            #[cfg(test)]
            super::contain::provoke_besides(&notice);
            let record = self.own.notice(now, &notice);
            self.batch.write_own(&mut self.sources, &record, &self.clock);
        }
    }

    /// For whoever converts ticks later.
    pub(super) fn store_clock(&mut self) {
        let pieces = self.clock.pieces();
        self.batch.set_clock(pieces);
        self.arena.store_clock(pieces);
    }
}

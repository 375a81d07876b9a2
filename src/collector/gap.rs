//! Notices when records were lost, and when that has stopped: a gap. Runs on the collector.

use std::time::Duration;

use crate::stats::{Counters, Dropped};

/// How long losses must have stopped for the gap to be over.
pub(super) const GAP_QUIET: Duration = Duration::from_millis(100);

/// Losses that are under way.
#[derive(Debug)]
struct OpenGap {
    since_utc_ns: i64,
    until_utc_ns: i64,
    /// When a loss was last seen.
    seen_ticks: u64,
}

/// Losses that have ended.
pub(super) struct ClosedGap {
    pub(super) since_utc_ns: i64,
    pub(super) until_utc_ns: i64,
    pub(super) lost: Dropped,
}

/// Watches the counters of losses.
#[derive(Debug, Default)]
pub(super) struct GapWatch {
    /// Told in the log so far.
    told: Dropped,
    seen: Dropped,
    open: Option<OpenGap>,
}

impl GapWatch {
    /// Looks at the counters; gives the gap when its losses have stopped for `quiet` ticks.
    pub(super) fn look(
        &mut self,
        counters: &Counters,
        ticks: u64,
        utc_ns: i64,
        quiet: u64,
    ) -> Option<ClosedGap> {
        let dropped = counters.dropped();
        if dropped != self.seen {
            self.seen = dropped;
            let open = self.open.get_or_insert(OpenGap {
                since_utc_ns: utc_ns,
                until_utc_ns: utc_ns,
                seen_ticks: ticks,
            });
            (open.until_utc_ns, open.seen_ticks) = (utc_ns, ticks);
        }
        let open = self.open.as_ref()?;
        // Wrapping: when the counter was set back, nobody knows how long losses have stopped.
        if ticks.wrapping_sub(open.seen_ticks) < quiet {
            return None;
        }
        let lost = self.seen.since(&self.told);
        let OpenGap { since_utc_ns, until_utc_ns, .. } = self.open.take()?;
        self.told = self.seen;
        Some(ClosedGap { since_utc_ns, until_utc_ns, lost })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::level::Level;
    use crate::stats::DropReason;
    use crate::sys::mmap::Region;
    use std::sync::Arc;

    fn counters() -> Counters {
        Counters::new(Arc::new(Region::anonymous(4096).expect("anonymous memory")), 0)
    }

    #[test]
    fn a_gap_ends_after_its_quiet_or_when_the_counter_was_set_back() {
        let counters = counters();
        let mut watch = GapWatch::default();
        let mut told = 0;
        for (lost_at, later) in [(1_000_000, 1_000_100), (2_000_000, 5)] {
            counters.drop_record(DropReason::Full, Level::Info);
            assert!(watch.look(&counters, lost_at, 0, 100).is_none());
            assert!(watch.look(&counters, lost_at + 99, 0, 100).is_none());
            let gap = watch.look(&counters, later, 0, 100).expect("the gap is over");
            assert_eq!(gap.lost.total(), 1);
            told += 1;
        }
        assert_eq!(told, 2);
    }
}

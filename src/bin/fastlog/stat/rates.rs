//! What happened between two readings, a second.

use fastlog::Stats;
use fastlog::cli_support::Snapshot;

/// Growth per second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Between the readings.
    pub seconds: f64,
    pub records: f64,
    pub written_bytes: f64,
    pub published_bytes: f64,
    pub syncs: f64,
    pub drops: f64,
    /// Whether the collector did not even look at its work: stopped, hung, or panicked.
    pub stands_still: bool,
}

/// It looks after each park where it gets a CPU, 24 ms with `Production`, 100 at most.
const STANDS_STILL_AFTER: f64 = 0.5;

impl Rates {
    /// None if no time has passed.
    pub fn between(before: &Snapshot, now: &Snapshot) -> Option<Rates> {
        let seconds = now.at.checked_duration_since(before.at)?.as_secs_f64();
        let rate = |figure: fn(&Stats) -> u64| {
            // A damaged file may well count backwards.
            figure(&now.stats).saturating_sub(figure(&before.stats)) as f64 / seconds
        };
        (seconds > 0.0).then(|| Rates {
            seconds,
            records: rate(Stats::written),
            written_bytes: rate(Stats::written_bytes),
            published_bytes: rate(Stats::published_bytes),
            syncs: rate(Stats::syncs),
            drops: rate(Stats::dropped),
            stands_still: seconds >= STANDS_STILL_AFTER && now.uptime == before.uptime,
        })
    }
}

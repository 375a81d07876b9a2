//! When the publisher and the keeper act: from what waits, since when and for whom, and from what
//! the controller decided, to the time that is left. Pure.

use std::time::Duration;

use super::controller::{Limits, SyncGoal};

/// Who is in a hurry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nobody.
    #[default]
    None,
    /// A record of ERROR or above.
    Record,
    /// Somebody waits for the publication of all before.
    Flush,
    /// Somebody waits for the sync of all before.
    Sync,
}

/// What is written but not published.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unpublished {
    pub(crate) bytes: u64,
    /// Since the last publish ended.
    pub(crate) since_publish: Duration,
    pub(crate) urgency: Urgency,
}

/// What is published but not synced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unsynced {
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
    pub(crate) urgency: Urgency,
    /// Since the last urgent sync began.
    pub(crate) since_urgent: Duration,
    /// Since the last sync ended.
    pub(crate) since_sync: Duration,
}

/// Unsynced bytes at which a sync does not wait for its time: one that has more to write keeps the
/// disk for longer.
const SYNC_BYTES: u64 = 256 << 20;

/// How long the publisher waits; zero: publish now. `interval` is the controller's: the time from
/// one publish to the next, so that what comes after a quiet time waits for nothing.
pub(crate) fn publish_in(waiting: &Unpublished, interval: Duration, limits: &Limits) -> Duration {
    if waiting.urgency != Urgency::None || waiting.bytes >= limits.publish_bytes {
        return Duration::ZERO;
    }
    interval.saturating_sub(waiting.since_publish)
}

/// How long the keeper waits; zero: sync now; none: nothing to sync, or never. `gap` is the least
/// time between two syncs that nobody asked for, the controller's.
pub(crate) fn sync_in(waiting: &Unsynced, gap: Duration, limits: &Limits) -> Option<Duration> {
    if waiting.bytes == 0 {
        return None;
    }
    let paced = gap.saturating_sub(waiting.since_sync);
    let regular = match limits.sync {
        SyncGoal::Never => None,
        SyncGoal::Within(_) if waiting.bytes >= SYNC_BYTES => Some(paced),
        SyncGoal::Within(age) => Some(age.saturating_sub(waiting.age).max(paced)),
        SyncGoal::EachBatch => Some(Duration::ZERO),
    };
    let urgent = match waiting.urgency {
        Urgency::Sync => Some(Duration::ZERO),
        Urgency::Record => {
            limits.urgent_sync_every.map(|interval| interval.saturating_sub(waiting.since_urgent))
        }
        Urgency::Flush | Urgency::None => None,
    };
    match (regular, urgent) {
        (Some(regular), Some(urgent)) => Some(regular.min(urgent)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::controller::FLUSH_TESTS_LIMITS as LIMITS;

    const NO_GAP: Duration = Duration::ZERO;
    const LONG_AGO: Duration = Duration::MAX;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn some_bytes() -> Unsynced {
        Unsynced { bytes: 100, since_urgent: LONG_AGO, since_sync: LONG_AGO, ..Unsynced::default() }
    }

    #[test]
    fn an_idle_engine_has_nothing_to_sync() {
        assert_eq!(sync_in(&Unsynced::default(), NO_GAP, &LIMITS), None);
    }

    #[test]
    fn bytes_wait_for_the_interval_and_no_longer() {
        for (age, left) in [(2, 3), (5, 0), (9_000, 0)] {
            let since_publish = ms(age);
            let waiting = Unpublished { bytes: 100, since_publish, ..Unpublished::default() };
            assert_eq!(publish_in(&waiting, ms(5), &LIMITS), ms(left), "{age}");
        }
        for (age, left) in [(0, 1000), (400, 600), (9_000, 0)] {
            let waiting = Unsynced { age: ms(age), ..some_bytes() };
            assert_eq!(sync_in(&waiting, NO_GAP, &LIMITS), Some(ms(left)), "{age}");
        }
    }

    #[test]
    fn many_bytes_and_urgent_records_are_published_at_once() {
        let young = Unpublished { bytes: 100, ..Unpublished::default() };
        let many = Unpublished { bytes: LIMITS.publish_bytes, ..young };
        let urgent = Unpublished { urgency: Urgency::Record, ..young };
        assert_eq!([many, urgent].map(|w| publish_in(&w, ms(5), &LIMITS)), [NO_GAP; 2]);
    }

    #[test]
    fn urgent_syncs_keep_their_distance() {
        let soon = Unsynced { urgency: Urgency::Record, since_urgent: ms(30), ..some_bytes() };
        assert_eq!(sync_in(&soon, NO_GAP, &LIMITS), Some(ms(70)));
        let patient = Limits { urgent_sync_every: None, ..LIMITS };
        assert_eq!(sync_in(&soon, NO_GAP, &patient), Some(ms(1000)));
    }

    #[test]
    fn a_waiting_caller_is_synced_for_at_once_whatever_the_goal() {
        let waiting = Unsynced { urgency: Urgency::Sync, since_sync: NO_GAP, ..some_bytes() };
        let never = Limits { sync: SyncGoal::Never, urgent_sync_every: None, ..LIMITS };
        assert_eq!(sync_in(&waiting, ms(9_000), &never), Some(Duration::ZERO));
        let calm = Unsynced { urgency: Urgency::None, ..waiting };
        assert_eq!(sync_in(&calm, NO_GAP, &never), None);
    }

    #[test]
    fn group_commit_syncs_each_batch_without_a_gap() {
        let durable = Limits { sync: SyncGoal::EachBatch, ..LIMITS };
        let waiting = Unsynced { since_sync: NO_GAP, ..some_bytes() };
        assert_eq!(sync_in(&waiting, ms(2_000), &durable), Some(Duration::ZERO));
    }

    #[test]
    fn slow_syncs_leave_the_disk_time_and_many_bytes_do_not_wait_for_theirs() {
        let waiting = Unsynced { age: ms(3_000), since_sync: ms(500), ..some_bytes() };
        assert_eq!(sync_in(&waiting, ms(2_000), &LIMITS), Some(ms(1_500)));
        let many = Unsynced { bytes: SYNC_BYTES, age: ms(10), ..waiting };
        assert_eq!(sync_in(&many, ms(2_000), &LIMITS), Some(ms(1_500)));
        assert_eq!(sync_in(&many, NO_GAP, &LIMITS), Some(Duration::ZERO));
    }
}

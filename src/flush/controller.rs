//! When to publish, when to sync, how to idle: a pure function from readings and limits to a
//! decision. Called by the publisher, needs neither disk nor clock nor thread.
//!
//! This version keeps the configured intervals. What it may look at and what it may decide is
//! complete, so that adapting is a change of this file alone.

use std::time::Duration;

/// What the engine sees of itself at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Readings {
    /// Fill of the fullest ring, in thousandths.
    pub(crate) ring_fill_permille: u32,
    /// Records a second, smoothed.
    pub(crate) records_per_s: u64,
    /// Bytes written but not published.
    pub(crate) unpublished_bytes: u64,
    /// Bytes published but not synced.
    pub(crate) unsynced_bytes: u64,
    /// Since when there are unpublished bytes.
    pub(crate) unpublished_for: Duration,
    /// Since when there are unsynced bytes.
    pub(crate) unsynced_for: Duration,
    /// Time an append takes, smoothed.
    pub(crate) publish_latency: Duration,
    /// Time an `fdatasync` takes, smoothed.
    pub(crate) sync_latency: Duration,
    /// Bytes free on the log's file system, where known.
    pub(crate) free_disk_bytes: Option<u64>,
    /// Whether a record of ERROR or above, or somebody at a barrier, waits.
    pub(crate) urgency: Urgency,
    /// Since the last urgent sync began.
    pub(crate) since_urgent_sync: Duration,
}

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

/// When to sync without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncGoal {
    /// Never.
    Never,
    /// When unsynced bytes are this old.
    Within(Duration),
    /// After each append.
    EachBatch,
}

/// What was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The publish interval.
    pub(crate) publish_every: Duration,
    /// The sync interval.
    pub(crate) sync: SyncGoal,
    /// The shortest time between syncs for urgent records; none: they wait like others.
    pub(crate) urgent_sync_every: Option<Duration>,
    /// Bytes that are published at once rather than in time, so that hot segments suffice.
    pub(crate) publish_bytes: u64,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// How long the publisher waits; zero: publish now.
    pub(crate) publish_in: Duration,
    /// How long the keeper waits; zero: sync now; none: nothing to sync or never.
    pub(crate) sync_in: Option<Duration>,
}

/// Decides.
pub(crate) fn decide(readings: &Readings, limits: &Limits) -> Decision {
    Decision { publish_in: publish_in(readings, limits), sync_in: sync_in(readings, limits) }
}

fn publish_in(readings: &Readings, limits: &Limits) -> Duration {
    let is_due =
        readings.urgency != Urgency::None || readings.unpublished_bytes >= limits.publish_bytes;
    if is_due {
        return Duration::ZERO;
    }
    limits.publish_every.saturating_sub(readings.unpublished_for)
}

fn sync_in(readings: &Readings, limits: &Limits) -> Option<Duration> {
    if readings.unsynced_bytes == 0 {
        return None;
    }
    let regular = match limits.sync {
        SyncGoal::Never => None,
        SyncGoal::Within(age) => Some(age.saturating_sub(readings.unsynced_for)),
        SyncGoal::EachBatch => Some(Duration::ZERO),
    };
    let urgent = match readings.urgency {
        Urgency::Sync => Some(Duration::ZERO),
        Urgency::Record => limits
            .urgent_sync_every
            .map(|interval| interval.saturating_sub(readings.since_urgent_sync)),
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

    const LIMITS: Limits = Limits {
        publish_every: Duration::from_millis(5),
        sync: SyncGoal::Within(Duration::from_secs(1)),
        urgent_sync_every: Some(Duration::from_millis(100)),
        publish_bytes: 1 << 20,
    };

    fn some_bytes() -> Readings {
        Readings { unpublished_bytes: 100, unsynced_bytes: 100, ..Readings::default() }
    }

    #[test]
    fn an_idle_engine_has_nothing_to_sync() {
        assert_eq!(decide(&Readings::default(), &LIMITS).sync_in, None);
    }

    #[test]
    fn bytes_wait_for_the_interval_and_no_longer() {
        let young = Readings { unpublished_for: Duration::from_millis(2), ..some_bytes() };
        let decision = decide(&young, &LIMITS);
        assert_eq!(decision.publish_in, Duration::from_millis(3));
        assert_eq!(decision.sync_in, Some(Duration::from_secs(1)));
        let old = Readings {
            unpublished_for: Duration::from_secs(9),
            unsynced_for: Duration::from_secs(9),
            ..some_bytes()
        };
        let decision = decide(&old, &LIMITS);
        assert_eq!((decision.publish_in, decision.sync_in), (Duration::ZERO, Some(Duration::ZERO)));
    }

    #[test]
    fn many_bytes_and_urgent_records_are_published_at_once() {
        let many = Readings { unpublished_bytes: 1 << 20, ..some_bytes() };
        assert_eq!(decide(&many, &LIMITS).publish_in, Duration::ZERO);
        let urgent = Readings { urgency: Urgency::Record, ..some_bytes() };
        assert_eq!(decide(&urgent, &LIMITS).publish_in, Duration::ZERO);
    }

    #[test]
    fn urgent_syncs_keep_their_distance() {
        let soon = Readings {
            urgency: Urgency::Record,
            since_urgent_sync: Duration::from_millis(30),
            ..some_bytes()
        };
        assert_eq!(decide(&soon, &LIMITS).sync_in, Some(Duration::from_millis(70)));
        let patient = Limits { urgent_sync_every: None, ..LIMITS };
        assert_eq!(decide(&soon, &patient).sync_in, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_waiting_caller_is_synced_for_at_once_whatever_the_goal() {
        let waiting = Readings { urgency: Urgency::Sync, ..some_bytes() };
        let never = Limits { sync: SyncGoal::Never, urgent_sync_every: None, ..LIMITS };
        assert_eq!(decide(&waiting, &never).sync_in, Some(Duration::ZERO));
        let calm = Readings { urgency: Urgency::None, ..waiting };
        assert_eq!(decide(&calm, &never).sync_in, None);
    }

    #[test]
    fn group_commit_gathers_for_the_interval_and_syncs_each_batch() {
        let durable = Limits { sync: SyncGoal::EachBatch, ..LIMITS };
        let decision = decide(&some_bytes(), &durable);
        let gathered = Duration::from_millis(5);
        assert_eq!((decision.publish_in, decision.sync_in), (gathered, Some(Duration::ZERO)));
    }
}

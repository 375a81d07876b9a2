//! Hours and days as the clocks of a time zone show them.
//!
//! An hour or day begins when the clocks first show its beginning, or something later if they skip
//! it, and lasts until the next one begins. So it may have 23 or 25 hours, or, as the hour that is
//! repeated in autumn, 120 minutes; but each begins once, and none begins before an earlier one.

use std::ops::Range;

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::config::Rotate;
use crate::error::ConfigError;

/// The time zone of this machine.
///
/// # Errors
/// It cannot be found out.
pub(super) fn zone() -> Result<TimeZone, ConfigError> {
    TimeZone::try_system().map_err(|error| ConfigError::Value {
        option: "rotate_in",
        value: "Local".to_owned(),
        allowed: format!(
            "`RotateZone::Utc`, or let the variable TZ or /etc/localtime name a time zone that is \
             installed ({error})"
        ),
    })
}

/// The hour or day of an instant; none beyond the years that the library knows, or if there is no
/// period.
pub(super) fn span(zone: &TimeZone, period: Rotate, at: i64) -> Option<Range<i64>> {
    let shown = zone.to_datetime(Timestamp::from_second(at).ok()?);
    let (mut beginning, step) = match period {
        Rotate::Never => return None,
        Rotate::Hourly => (shown.date().at(shown.hour(), 0, 0, 0), 1.hour()),
        Rotate::Daily => (shown.date().to_datetime(Time::midnight()), 1.day()),
    };
    let mut start = first_shown(zone, beginning)?;
    loop {
        beginning = beginning.checked_add(step).ok()?;
        let end = first_shown(zone, beginning)?;
        if end > at {
            return Some(start..end);
        }
        // Clocks that were put back show what is over: the next one has begun before.
        start = end;
    }
}

/// The second at which clocks first show a time, or, if they skip it, one behind it.
fn first_shown(zone: &TimeZone, time: DateTime) -> Option<i64> {
    let times = zone.to_ambiguous_timestamp(time);
    let instant = match times.offset() {
        AmbiguousOffset::Gap { .. } => {
            // A while behind the gap: they jumped at the transition before.
            let behind = times.compatible().ok()?.checked_add(1.second()).ok()?;
            zone.preceding(behind).next()?.timestamp()
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            times.earlier().ok()?
        }
    };
    Some(instant.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZONES: [&str; 10] = [
        "Europe/Berlin",
        "Asia/Kolkata",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Havana",
        "Asia/Kathmandu",
        "America/Toronto",
        "Africa/Casablanca",
        "UTC",
    ];

    fn get(name: &str) -> TimeZone {
        TimeZone::get(name).expect(name)
    }

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().expect(text).as_second()
    }

    #[test]
    fn days_and_hours_are_as_long_as_they_are() {
        use Rotate::{Daily, Hourly};
        let cases = [
            // Summer begins, 23 hours; ends, 25; the repeated hour is one.
            ("Europe/Berlin", Daily, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", 23 * 3_600),
            ("Europe/Berlin", Daily, "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z", 25 * 3_600),
            ("Europe/Berlin", Daily, "2026-06-01T22:00:00Z", "2026-06-01T22:00:00Z", 24 * 3_600),
            ("Europe/Berlin", Hourly, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", 3_600),
            ("Europe/Berlin", Hourly, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", 7_200),
            ("Europe/Berlin", Hourly, "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z", 7_200),
            // Half hours.
            ("Asia/Kolkata", Hourly, "2026-01-01T00:00:00Z", "2025-12-31T23:30:00Z", 3_600),
            ("Asia/Kolkata", Daily, "2026-01-01T00:00:00Z", "2025-12-31T18:30:00Z", 24 * 3_600),
            ("America/St_Johns", Daily, "2026-07-01T12:00:00Z", "2026-07-01T02:30:00Z", 86_400),
            ("Australia/Lord_Howe", Hourly, "2026-04-04T15:10:00Z", "2026-04-04T14:00:00Z", 5_400),
            // Clocks put back behind midnight: the new day has begun, and goes on.
            ("America/St_Johns", Daily, "2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z", 90_000),
            // Midnight is skipped, and so is a whole day.
            ("America/Havana", Daily, "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", 23 * 3_600),
            ("America/Toronto", Daily, "1919-03-31T12:00:00Z", "1919-03-31T04:30:00Z", 84_600),
            ("Pacific/Apia", Daily, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", 24 * 3_600),
        ];
        for (name, period, at, start, len) in cases {
            let start = second(start);
            let expected = Some(start..start + len);
            assert_eq!(span(&get(name), period, second(at)), expected, "{name} {period:?} {at}");
        }
        assert_eq!(span(&get("UTC"), Daily, i64::MAX), None);
    }

    /// What clocks show, cut to the hour or day.
    fn shown(zone: &TimeZone, period: Rotate, at: i64) -> DateTime {
        let shown = Timestamp::from_second(at).expect("within range").to_zoned(zone.clone());
        let hour = if period == Rotate::Hourly { shown.hour() } else { 0 };
        shown.date().at(hour, 0, 0, 0)
    }

    proptest! {
        /// The library's own clock, second by second around the ends, says the same.
        #[test]
        fn spans_follow_the_clocks(
            zone in prop::sample::select(&ZONES[..]),
            is_daily in any::<bool>(),
            near in prop_oneof![
                // Some are near a change of the clocks.
                (0_usize..400, -100_000_i64..100_000).prop_map(Ok),
                (-2_000_000_000_i64..5_000_000_000).prop_map(Err),
            ],
        ) {
            let zone = get(zone);
            let period = if is_daily { Rotate::Daily } else { Rotate::Hourly };
            let from = Timestamp::from_second(-2_000_000_000).expect("within range");
            let at = match near {
                Err(at) => at,
                Ok((nth, away)) => {
                    let mut changes = zone.following(from).take(nth + 1);
                    let change = changes.by_ref().last();
                    change.map_or(0, |change| change.timestamp().as_second()) + away
                }
            };
            let found = span(&zone, period, at).expect("a span");
            prop_assert!(found.contains(&at), "{found:?}");
            // One and the same for each instant within, and no gap behind it.
            let middle = found.start + (found.end - found.start) / 2;
            for inside in [found.start, middle, found.end - 1] {
                prop_assert_eq!(span(&zone, period, inside), Some(found.clone()));
            }
            prop_assert_eq!(span(&zone, period, found.end).expect("a span").start, found.end);
            // Just then the clocks show a later beginning than ever before in it, and before it.
            let now = shown(&zone, period, found.end);
            let before = (found.start - 7_200..found.end).step_by(60);
            let latest = before.map(|at| shown(&zone, period, at)).max();
            prop_assert!(latest < Some(now), "{:?} {}", latest, now);
            let first = shown(&zone, period, found.start);
            let inside = (found.start..found.end).step_by(60);
            for at in inside {
                prop_assert!(shown(&zone, period, at) <= first, "{at} in {found:?}");
            }
        }
    }
}

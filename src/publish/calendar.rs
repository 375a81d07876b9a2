//! The hours or days that files of the log are of: those of UTC or of a time zone. Made by the
//! owner at start; the publisher asks it once in each of them, not for each append.

#[cfg(feature = "local-time")]
mod local;

use std::ops::Range;

use crate::config::{Rotate, RotateZone};
use crate::error::ConfigError;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// How time is divided.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    period: Rotate,
    zone: Zone,
}

#[derive(Clone, Debug)]
enum Zone {
    Utc,
    #[cfg(feature = "local-time")]
    Local(jiff::tz::TimeZone),
}

impl Calendar {
    /// Looks the time zone up, where one is needed.
    ///
    /// # Errors
    /// It cannot be found out; names the option.
    pub(crate) fn new(period: Rotate, zone: RotateZone) -> Result<Calendar, ConfigError> {
        let zone = match zone {
            _ if period == Rotate::Never => Zone::Utc,
            RotateZone::Utc => Zone::Utc,
            #[cfg(feature = "local-time")]
            RotateZone::Local => Zone::Local(local::zone()?),
        };
        Ok(Calendar { period, zone })
    }

    /// The hour or day of an instant, both in seconds of UTC since 1970: all of time where it does
    /// not matter.
    pub(super) fn span(&self, at: i64) -> Range<i64> {
        match &self.zone {
            Zone::Utc => self.span_in_utc(at),
            // Beyond the years that the library knows, UTC will do.
            #[cfg(feature = "local-time")]
            Zone::Local(zone) => {
                local::span(zone, self.period, at).unwrap_or_else(|| self.span_in_utc(at))
            }
        }
    }

    fn span_in_utc(&self, at: i64) -> Range<i64> {
        let len = match self.period {
            Rotate::Never => return i64::MIN..i64::MAX,
            Rotate::Hourly => HOUR,
            Rotate::Daily => DAY,
        };
        let start = at - at.rem_euclid(len);
        start..start.saturating_add(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_of_utc() {
        let span = |period, at| Calendar::new(period, RotateZone::Utc).unwrap().span(at);
        let cases = [(0, 0, 0), (3_599, 0, 0), (90_000, 90_000, DAY), (-1, -HOUR, -DAY)];
        for (at, hour, day) in cases {
            assert_eq!(span(Rotate::Hourly, at), hour..hour + HOUR);
            assert_eq!(span(Rotate::Daily, at), day..day + DAY);
            assert!(span(Rotate::Never, at).contains(&at));
        }
    }
}

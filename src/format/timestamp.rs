//! Timestamps as text, on the collector thread. No allocation; a second's date is computed once.

use std::fmt;

use super::digits;

const NS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Eras of the calendar, each of which is like the others, and the days from the beginning of one,
/// 0000-03-01, to 1970.
const ERA_YEARS: i64 = 400;
const ERA_DAYS: i64 = 146_097;
const FROM_ERA: i64 = 719_468;

/// Digits that stand for tens of microseconds and more.
const UPPER: usize = 5;
/// Nanoseconds in one of them.
const LOWER_NS: u32 = 10_000;
/// Where the digits of the fraction stand.
const FRACTION_AT: usize = 20;

/// Formats instants as RFC 3339 with nanoseconds, and remembers the digits of the last one: within
/// one second only those of the fraction are written, within 10 us only four.
///
/// The whole range of `i64` nanoseconds is right, from 1677-09-21 to 2262-04-11, so a year always
/// has four digits and the text always 30 bytes.
#[derive(Clone, Debug)]
pub(crate) struct Timestamp {
    text: [u8; 30],
    /// Where the second begins that the text's first 19 bytes show.
    start_ns: i64,
    /// How long it lasts: less than a second where `i64::MAX` ends it, as the differences wrap; not
    /// at all if it is that of `i64::MIN`, which begins before it.
    len_ns: u64,
    /// The first digits of the fraction, and what they say.
    upper_text: [u8; 8],
    upper: u32,
}

impl Timestamp {
    /// A cache that holds the first second of 1970.
    pub(crate) const fn new() -> Timestamp {
        Timestamp {
            text: *b"1970-01-01T00:00:00.000000000Z",
            start_ns: 0,
            len_ns: NS_PER_SECOND as u64,
            upper_text: *b"00000\0\0\0",
            upper: 0,
        }
    }

    /// `2026-11-20T21:33:00.123456789Z` for nanoseconds since 1970.
    #[inline]
    pub(crate) fn format(&mut self, utc_ns: i64) -> &[u8; 30] {
        let (first, last) = self.fraction(utc_ns);
        self.text[FRACTION_AT..][..8].copy_from_slice(&first);
        self.text[FRACTION_AT + 8] = last;
        &self.text
    }

    /// The text in parts, `2026-11-20T21:33:00.`, `12345678` and `9`, for who puts them together:
    /// to read what was just written in smaller parts would wait for these to be stored.
    #[inline(always)]
    pub(crate) fn parts(&mut self, utc_ns: i64) -> (&[u8; FRACTION_AT], [u8; 8], u8) {
        let (first, last) = self.fraction(utc_ns);
        (self.text.first_chunk().expect("30 bytes"), first, last)
    }

    #[inline(always)]
    fn fraction(&mut self, utc_ns: i64) -> ([u8; 8], u8) {
        // As unsigned, so that what lies before the second is beyond it as well.
        let mut ns = utc_ns.wrapping_sub(self.start_ns) as u64;
        if ns >= self.len_ns {
            ns = self.write_second(utc_ns);
        }
        let (upper, lower) = (ns as u32 / LOWER_NS, ns as u32 % LOWER_NS);
        if upper != self.upper {
            self.write_upper(upper);
        }
        let lower = u64::from(u32::from_le_bytes(digits::four(lower)));
        let first = u64::from_le_bytes(self.upper_text) | lower << (8 * UPPER);
        (first.to_le_bytes(), (lower >> 24) as u8)
    }

    #[inline(never)]
    fn write_upper(&mut self, upper: u32) {
        // Eight digits without the first three.
        let text = u64::from_le_bytes(digits::ascii(digits::eight(upper)));
        self.upper_text = (text >> (8 * (8 - UPPER))).to_le_bytes();
        self.upper = upper;
    }

    /// Takes over the second of an instant; its nanoseconds since then.
    #[cold]
    fn write_second(&mut self, utc_ns: i64) -> u64 {
        let second = utc_ns.div_euclid(NS_PER_SECOND);
        self.write_date(second);
        let start_ns = second.checked_mul(NS_PER_SECOND);
        self.start_ns = start_ns.unwrap_or_default();
        let left_ns = (i64::MAX.wrapping_sub(self.start_ns) as u64).saturating_add(1);
        self.len_ns = if start_ns.is_some() { left_ns.min(NS_PER_SECOND as u64) } else { 0 };
        utc_ns.rem_euclid(NS_PER_SECOND) as u64
    }

    fn write_date(&mut self, second: i64) {
        let (year, month, day) = civil_from_days(second.div_euclid(SECONDS_PER_DAY));
        let of_day = second.rem_euclid(SECONDS_PER_DAY) as u32;
        self.write_pair(0, year / 100);
        self.write_pair(2, year % 100);
        self.write_pair(5, month);
        self.write_pair(8, day);
        self.write_pair(11, of_day / 3_600);
        self.write_pair(14, of_day / 60 % 60);
        self.write_pair(17, of_day % 60);
    }

    fn write_pair(&mut self, at: usize, value: u32) {
        self.text[at] = digit(value / 10);
        self.text[at + 1] = digit(value % 10);
    }
}

fn digit(value: u32) -> u8 {
    b'0' + value as u8
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar.
///
/// `civil_from_days` of Howard Hinnant, "chrono-compatible low-level date algorithms"
/// (<https://howardhinnant.github.io/date_algorithms.html>): years begin in March, so that the leap
/// day is the last, and eras of 400 years repeat. Unsigned, because the days that `i64` nanoseconds
/// can name all lie after 0000-03-01.
fn civil_from_days(day: i64) -> (u32, u32, u32) {
    let day = (day + FROM_ERA) as u32;
    let (era, of_era) = (day / ERA_DAYS as u32, day % ERA_DAYS as u32);
    let (year_of_era, month, day_of_month) = civil_in_era(of_era);
    (era * ERA_YEARS as u32 + year_of_era, month, day_of_month)
}

/// The same of a day in its era: the year counts from the era's first.
fn civil_in_era(of_era: u32) -> (u32, u32, u32) {
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + u32::from(month <= 2), month, day_of_month)
}

/// Writes an instant that `i64` nanoseconds cannot name: with a year of four digits where those are
/// enough, else with a sign and six digits or more.
pub(crate) fn write_far(
    out: &mut (impl fmt::Write + ?Sized),
    seconds: i64,
    nanos: u32,
) -> fmt::Result {
    let day = seconds.div_euclid(SECONDS_PER_DAY) + FROM_ERA;
    let (era, of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS) as u32);
    let (year_of_era, month, day_of_month) = civil_in_era(of_era);
    let year = era * ERA_YEARS + i64::from(year_of_era);
    match year {
        0..=9_999 => write!(out, "{year:04}")?,
        _ => write!(out, "{year:+07}")?,
    }
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    write!(out, "-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(utc_ns: i64) -> String {
        let instant = jiff::Timestamp::from_nanosecond(i128::from(utc_ns)).unwrap();
        instant.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
    }

    #[track_caller]
    fn check(cache: &mut Timestamp, utc_ns: i64) {
        let text = std::str::from_utf8(cache.format(utc_ns)).unwrap().to_owned();
        assert_eq!(text, expected(utc_ns), "{utc_ns} ns");
    }

    #[test]
    fn the_example_of_the_design() {
        let mut cache = Timestamp::new();
        let utc_ns = 1_795_210_380_123_456_789;
        assert_eq!(cache.format(utc_ns), b"2026-11-20T21:33:00.123456789Z");
    }

    #[test]
    fn the_ends_of_the_range_and_the_epoch() {
        let mut cache = Timestamp::new();
        assert_eq!(cache.format(0), b"1970-01-01T00:00:00.000000000Z");
        assert_eq!(cache.format(-1), b"1969-12-31T23:59:59.999999999Z");
        assert_eq!(cache.format(i64::MIN), b"1677-09-21T00:12:43.145224192Z");
        assert_eq!(cache.format(i64::MAX), b"2262-04-11T23:47:16.854775807Z");
        assert_eq!(cache.format(i64::MIN), b"1677-09-21T00:12:43.145224192Z");
    }

    #[test]
    fn every_day_of_the_range_has_the_right_border() {
        let mut cache = Timestamp::new();
        let day_ns = SECONDS_PER_DAY * NS_PER_SECOND;
        let (first, last) = (i64::MIN / day_ns, i64::MAX / day_ns);
        let mut checked = 0;
        for day in first..=last {
            check(&mut cache, day * day_ns);
            check(&mut cache, day * day_ns - 1);
            checked += 1;
        }
        assert_eq!(checked, 213_503);
    }

    #[test]
    fn what_nanoseconds_cannot_name_has_a_date_as_well() {
        let far = |seconds, nanos| {
            let mut text = String::new();
            write_far(&mut text, seconds, nanos).unwrap();
            text
        };
        let cases = [
            (253_402_300_799, "9999-12-31T23:59:59.000000007Z"),
            (253_402_300_800, "+010000-01-01T00:00:00.000000007Z"),
            (-62_135_596_800, "0001-01-01T00:00:00.000000007Z"),
            (-62_135_596_801, "0000-12-31T23:59:59.000000007Z"),
            (-62_167_219_200, "0000-01-01T00:00:00.000000007Z"),
            (-62_167_219_201, "-000001-12-31T23:59:59.000000007Z"),
            (i64::MAX, "+292277026596-12-04T15:30:07.000000007Z"),
            (i64::MIN, "-292277022657-01-27T08:29:52.000000007Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(far(seconds, 7), text, "{seconds}");
        }
        // As the other way, wherever both go; every 400 years the same, but for the year.
        let mut near = Timestamp::new();
        for second in (-9_000_000_000..9_000_000_000).step_by(40_000_003) {
            let text = near.format(second * NS_PER_SECOND);
            assert_eq!(far(second, 0).as_bytes(), text, "{second}");
            let later = far(second + 100 * ERA_DAYS * SECONDS_PER_DAY, 0);
            assert_eq!(&later.as_bytes()[7..], &text[4..], "{second}");
        }
    }

    #[test]
    fn every_second_of_a_leap_day_is_right() {
        let mut cache = Timestamp::new();
        let leap_day_ns = 951_782_400 * NS_PER_SECOND;
        assert!(cache.format(leap_day_ns).starts_with(b"2000-02-29T00:00:00"));
        for second in 0..SECONDS_PER_DAY {
            check(&mut cache, leap_day_ns + second * NS_PER_SECOND + second * 11_574);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn any_instant_equals_jiff(utc_ns: i64) {
            check(&mut Timestamp::new(), utc_ns);
        }

        #[test]
        fn what_was_cached_before_does_not_matter(
            from: i64,
            deltas in prop::collection::vec(-1_500_000_000_i64..1_500_000_000, 1..8),
        ) {
            let mut cache = Timestamp::new();
            let mut utc_ns = from;
            check(&mut cache, utc_ns);
            for delta in deltas {
                utc_ns = utc_ns.saturating_add(delta);
                check(&mut cache, utc_ns);
            }
        }

        #[test]
        fn around_the_border_of_any_second_minute_hour_and_day(
            unit in prop::sample::select(vec![1, 60, 3_600, SECONDS_PER_DAY]),
            at in i64::MIN / NS_PER_SECOND + 2 * SECONDS_PER_DAY
                ..i64::MAX / NS_PER_SECOND - 2 * SECONDS_PER_DAY,
            beside in -2_i64..=2,
        ) {
            check(&mut Timestamp::new(), at / unit * unit * NS_PER_SECOND + beside);
        }
    }
}

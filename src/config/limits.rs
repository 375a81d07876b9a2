//! The ranges of the options that are numbers, and what is said when one is left.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::ConfigError;
use crate::level::Level;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(super) const RING_BYTES: RangeInclusive<usize> = 16 * KIB..=64 * MIB;
pub(super) const RECORD_BYTES: RangeInclusive<usize> = KIB..=32 * KIB;
pub(super) const STAGING_BYTES: RangeInclusive<usize> = 4 * MIB..=KIB * MIB;
pub(super) const RINGS: RangeInclusive<usize> = 16..=4096;
pub(super) const ROTATE_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 40;
pub(super) const SEGMENT_AGE: RangeInclusive<Duration> = millis(10)..=secs(86_400);
pub(super) const RETAIN_FILES: RangeInclusive<usize> = 0..=100_000;
pub(super) const RETAIN_BYTES: RangeInclusive<u64> = 0..=1 << 50;
pub(super) const RETAIN_AGE: RangeInclusive<Duration> = secs(1)..=secs(100 * 365 * 86_400);

pub(super) const PUBLISH_EVERY: RangeInclusive<Duration> = micros(100)..=secs(10);
pub(super) const SYNC_EVERY: RangeInclusive<Duration> = millis(1)..=HOUR;
pub(super) const BLOCK_FOR: RangeInclusive<Duration> = micros(1)..=HOUR;
/// The clock converts ticks of up to 5 ms in the future, as barriers ask for, without disorder.
pub(super) const ORDER_WINDOW: RangeInclusive<Duration> = Duration::ZERO..=millis(5);
pub(super) const STALL_AFTER: RangeInclusive<Duration> = millis(100)..=HOUR;
pub(super) const BARRIER_PATIENCE: RangeInclusive<Duration> = millis(10)..=HOUR;

/// Records are made of granules of this size.
const GRANULE_BYTES: usize = 8;
/// So that one long record never fills a ring.
const RECORDS_PER_RING_MIN: usize = 8;
const RESERVED_RECORDS_MIN: usize = 2;
/// A reserve that grows with the ring holds errors for as long as the rest holds the others.
const RESERVED_SHARE: usize = 16;

const HOUR: Duration = secs(3600);

const fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn duration(
    option: &'static str,
    value: Duration,
    range: RangeInclusive<Duration>,
) -> Result<(), ConfigError> {
    within(option, value, "", range, |value| format!("{value:?}"))
}

pub(super) fn bytes(
    option: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), ConfigError> {
    within(option, value, "", range, shown_u64)
}

pub(super) fn count(
    option: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    within(option, value, "", range, ToString::to_string)
}

/// `bits` from those that must be set to all that may be.
pub(super) fn mode(
    option: &'static str,
    mode: Option<u32>,
    bits: RangeInclusive<u32>,
) -> Result<(), ConfigError> {
    let (least, most) = (*bits.start(), *bits.end());
    match mode.filter(|mode| mode & least != least || mode & !most != 0) {
        None => Ok(()),
        Some(mode) => Err(ConfigError::Value {
            option,
            value: format!("{mode:#o}"),
            allowed: format!("bits of {most:#o}, with {least:#o} among them"),
        }),
    }
}

/// Below TRACE there is nothing, and ERROR and above are never shed.
pub(super) fn shed(level: Level) -> Result<(), ConfigError> {
    within("shed", level, "", Level::Debug..=Level::Error, ToString::to_string)
}

pub(super) fn staging(bytes: usize) -> Result<(), ConfigError> {
    within("staging_bytes", bytes, "", STAGING_BYTES, shown)
}

pub(super) fn record(bytes: usize) -> Result<(), ConfigError> {
    multiple("record_bytes", bytes, GRANULE_BYTES, "a multiple of 8 from ", RECORD_BYTES)
}

fn multiple(
    option: &'static str,
    bytes: usize,
    step: usize,
    form: &str,
    range: RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    within(option, bytes, form, range.clone(), shown)?;
    if bytes % step == 0 {
        return Ok(());
    }
    Err(outside(option, &bytes, form, &range, shown))
}

/// `record_bytes` is a good value for itself.
pub(super) fn ring(bytes: usize, record_bytes: usize) -> Result<(), ConfigError> {
    let option = "ring_bytes";
    let form = "a power of two from ";
    within(option, bytes, form, RING_BYTES, shown)?;
    if !bytes.is_power_of_two() {
        return Err(outside(option, &bytes, form, &RING_BYTES, shown));
    }
    let least = (RECORDS_PER_RING_MIN * record_bytes).next_power_of_two();
    if bytes >= least {
        return Ok(());
    }
    Err(ConfigError::Conflict {
        option,
        value: shown(&bytes),
        with: "record_bytes",
        other: shown(&record_bytes),
        instead: format!(
            "a ring of at least {RECORDS_PER_RING_MIN} records, here {}, or a lower `record_bytes`",
            shown(&least)
        ),
    })
}

/// The part of a ring that is kept for ERROR and above.
pub(super) fn reserve(ring_bytes: usize, record_bytes: usize) -> usize {
    (RESERVED_RECORDS_MIN * record_bytes).max(ring_bytes / RESERVED_SHARE)
}

/// A size as people write it: `64 MiB`, `16 KiB`, `100 bytes`.
pub(crate) fn shown(bytes: &usize) -> String {
    shown_u64(&(*bytes as u64))
}

fn shown_u64(bytes: &u64) -> String {
    let names = ["PiB", "TiB", "GiB", "MiB", "KiB"];
    let units = (1..=names.len() as u32).rev().map(|power| 1_u64 << (10 * power)).zip(names);
    let mut fitting = units.filter(|(unit, _)| bytes >= unit && bytes % unit == 0);
    match fitting.next() {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

fn within<T: PartialOrd>(
    option: &'static str,
    value: T,
    form: &str,
    range: RangeInclusive<T>,
    show: fn(&T) -> String,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(outside(option, &value, form, &range, show))
}

fn outside<T>(
    option: &'static str,
    value: &T,
    form: &str,
    range: &RangeInclusive<T>,
    show: fn(&T) -> String,
) -> ConfigError {
    let allowed = format!("{form}{} to {}", show(range.start()), show(range.end()));
    ConfigError::Value { option, value: show(value), allowed }
}

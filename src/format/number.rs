//! Numbers and bytes as digits. Runs on the collector.

use std::fmt;

use super::decimal::Decimal;
use super::line::LineBuffer;
use super::timestamp::{self, Timestamp};
#[cfg(not(feature = "zmij"))]
use ryu::Float;
#[cfg(feature = "zmij")]
use zmij::Float;

/// Appends an integer.
#[inline(always)]
pub(crate) fn put_integer(out: &mut LineBuffer<'_>, value: impl itoa::Integer) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a finite float in as few digits as name it, always with a point or an exponent.
#[inline(always)]
pub(crate) fn put_f64(out: &mut LineBuffer<'_>, value: f64) {
    match Decimal::of(value) {
        Some(decimal) => decimal.put(out),
        None => out.apart(|out| put_float(out, value)),
    }
}

/// As [`put_f64`], with the digits of an `f32` for one.
#[inline(never)]
pub(crate) fn put_float(out: &mut LineBuffer<'_>, value: impl Float) {
    shortest(value, |text| out.put(text));
}

/// Appends a finite float as `{}` shows it. Says whether it did, as [`put_float_display`] does.
#[inline(always)]
pub(crate) fn put_f64_display(out: &mut LineBuffer<'_>, value: f64) -> bool {
    match Decimal::of(value) {
        Some(decimal) => {
            decimal.put_plain(out);
            true
        }
        None => put_float_display(out, value, f64::DIGITS),
    }
}

/// Appends a finite float as `{}` shows it: the same digits, without `.0`. Says whether it did:
/// very large and very small ones it leaves to std, which writes no exponent there, and those of
/// `digits` (`f64::DIGITS`) or more, as only of these two shortest forms can be equally near.
#[inline(always)]
pub(crate) fn put_float_display(out: &mut LineBuffer<'_>, value: impl Float, digits: u32) -> bool {
    let mut is_put = false;
    shortest(value, |text| {
        is_put = text.len() <= digits as usize && !text.contains(&b'e');
        if is_put {
            out.put(text.strip_suffix(b".0").unwrap_or(text));
        }
    });
    is_put
}

/// Hands on the fewest digits that name a finite float, as ryu writes them.
#[cfg(not(feature = "zmij"))]
#[inline(always)]
fn shortest(value: impl Float, show: impl FnOnce(&[u8])) {
    show(ryu::Buffer::new().format_finite(value).as_bytes());
}

/// Hands on the fewest digits that name a finite float, as ryu writes them: zmij has a plus in its
/// exponents.
#[cfg(feature = "zmij")]
#[inline(always)]
fn shortest(value: impl Float, show: impl FnOnce(&[u8])) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    match text.iter().position(|byte| *byte == b'+') {
        None => show(text),
        Some(plus) => {
            let mut without = [0; 24];
            let len = text.len() - 1;
            without[..plus].copy_from_slice(&text[..plus]);
            without[plus..len].copy_from_slice(&text[plus + 1..]);
            show(&without[..len]);
        }
    }
}

/// Nanoseconds in a second.
const NANOS: u32 = 1_000_000_000;

/// A number of seconds, shown with as many decimals as it needs, at most nine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds {
    whole: u64,
    nanos: u32,
}

impl Seconds {
    /// `whole + nanos / 1e9`, with `nanos` below 1e9.
    pub(crate) fn new(whole: u64, nanos: u32) -> Seconds {
        Seconds { whole, nanos }
    }

    /// Writes the number.
    pub(crate) fn write(self, out: &mut (impl fmt::Write + ?Sized)) -> fmt::Result {
        out.write_str(itoa::Buffer::new().format(self.whole))?;
        if self.nanos == 0 {
            return Ok(());
        }
        // The leading 1 keeps the zeros behind it, and is left out.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(NANOS + self.nanos);
        out.write_str(".")?;
        out.write_str(digits[1..].trim_end_matches('0'))
    }
}

/// Writes a time as a text, whenever it is: RFC 3339 in the years 0 to 9999, else with a signed
/// year of at least six digits, as ISO 8601 and ECMAScript have it.
pub(crate) fn write_time(
    out: &mut (impl fmt::Write + ?Sized),
    times: &mut Timestamp,
    seconds: i64,
    nanos: u32,
) -> fmt::Result {
    let utc_ns = i128::from(seconds) * i128::from(NANOS) + i128::from(nanos);
    match i64::try_from(utc_ns) {
        Ok(utc_ns) => out.write_str(ascii(times.format(utc_ns))),
        Err(_) => timestamp::write_far(out, seconds, nanos),
    }
}

/// Writes bytes in lower-case hexadecimal.
pub(crate) fn write_hex(out: &mut (impl fmt::Write + ?Sized), bytes: &[u8]) -> fmt::Result {
    const AT_ONCE: usize = 32;
    for chunk in bytes.chunks(AT_ONCE) {
        let mut text = [0; 2 * AT_ONCE];
        for (digits, byte) in text.chunks_exact_mut(2).zip(chunk) {
            digits.copy_from_slice(&hex(*byte));
        }
        out.write_str(ascii(&text[..2 * chunk.len()]))?;
    }
    Ok(())
}

/// Writes the hyphenated form of a UUID.
pub(crate) fn write_uuid(out: &mut (impl fmt::Write + ?Sized), bytes: [u8; 16]) -> fmt::Result {
    /// Where each byte's digits stand.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (place, byte) in PLACES.into_iter().zip(bytes) {
        text[place..place + 2].copy_from_slice(&hex(byte));
    }
    out.write_str(ascii(&text))
}

/// The two digits of a byte.
pub(super) fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Digits and their like as text.
pub(crate) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: impl Float) -> String {
        let mut text = String::new();
        shortest(value, |bytes| text.push_str(ascii(bytes)));
        text
    }

    fn check(bits: u64) {
        let (double, single) = (f64::from_bits(bits), f32::from_bits(bits as u32));
        if double.is_finite() {
            assert_eq!(text(double), ryu::Buffer::new().format_finite(double));
        }
        if single.is_finite() {
            assert_eq!(text(single), ryu::Buffer::new().format_finite(single));
        }
    }

    #[test]
    fn at_each_power_of_ten_floats_are_as_ryu_has_them() {
        for power in -330..310 {
            for start in ["1", "1.5", "9.999999999999999", "1.2345"] {
                let value: f64 = format!("{start}e{power}").parse().expect("a float");
                check(value.to_bits());
                check(u64::from((value as f32).to_bits()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn any_float_is_as_ryu_has_it(bits: u64) {
            check(bits);
        }
    }
}

//! Floats that people write: at most six decimals and fifteen digits. Runs on the collector.
//!
//! The shortest digits that name a float take ryu some 60 ns when they are few, as it finds many
//! and then drops zeros. Of prices, rates and times in milliseconds they can be had by one
//! multiplication: `n = round(x * 10^6)`. If `n / 10^6` is `x` again, then the decimal with these
//! digits reads back as `x`, because IEEE 754 rounds a quotient as a reader rounds a decimal. Of
//! decimals with at most fifteen digits no two read back as one float, so without its last zeros it
//! is the shortest one: what ryu gives.

use super::digits;
use super::line::LineBuffer;

const SCALE: u64 = 1_000_000;
/// Fifteen digits in all, six of them behind the point.
const MAGNITUDE_MAX: f64 = 1e9;
/// Below it ryu writes an exponent.
const SCALED_MIN: u64 = 10;

/// 2^52: floats from here on are whole.
const ROUNDER: f64 = ROUNDER_BITS as f64;
const ROUNDER_BITS: u64 = 1 << 52;

/// A float as its sign and a whole number of millionths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    negative: bool,
    millionths: u64,
}

impl Decimal {
    /// The float's decimal, if it is short and needs no exponent.
    #[inline(always)]
    pub(super) fn of(value: f64) -> Option<Decimal> {
        let magnitude = value.abs();
        // Adding 2^52 rounds to a whole number, which then stands in the low bits: shorter than a
        // conversion, which has to saturate.
        let shifted = magnitude * SCALE as f64 + ROUNDER;
        let millionths = shifted.to_bits() & (ROUNDER_BITS - 1);
        let is_exact = (shifted - ROUNDER) / SCALE as f64 == magnitude;
        let has_exponent = (1..SCALED_MIN).contains(&millionths);
        let is_short = magnitude < MAGNITUDE_MAX && is_exact && !has_exponent;
        is_short.then_some(Decimal { negative: value.is_sign_negative(), millionths })
    }

    /// Appends it with a point and at least one decimal.
    #[inline(always)]
    pub(super) fn put(self, out: &mut LineBuffer<'_>) {
        if self.negative {
            out.put_byte(b'-');
        }
        digits::put_u64(out, self.millionths / SCALE);
        // Eight digits of which the last two are 0, so that there is room for the point.
        let decimals = digits::eight((self.millionths % SCALE) as u32 * 100);
        let text = u64::from_le_bytes(digits::ascii(decimals)) << 8 | u64::from(b'.');
        let zeros = (decimals | 1).leading_zeros() as usize / 8;
        out.put_first(text.to_le_bytes(), 1 + 8 - zeros);
    }

    /// As [`put`](Decimal::put), without `.0` where it is whole.
    #[inline(always)]
    pub(super) fn put_plain(self, out: &mut LineBuffer<'_>) {
        if self.millionths % SCALE > 0 {
            return self.put(out);
        }
        if self.negative {
            out.put_byte(b'-');
        }
        digits::put_u64(out, self.millionths / SCALE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut LineBuffer<'_>)) -> String {
        let mut memory = [0; 32];
        let mut out = LineBuffer::new(&mut memory);
        write(&mut out);
        let len = out.len();
        String::from_utf8(memory[..len].to_vec()).unwrap()
    }

    /// Compares with ryu and with std, where there is a decimal; whether there is.
    #[track_caller]
    fn check(value: f64) -> bool {
        let Some(decimal) = Decimal::of(value) else { return false };
        assert_eq!(text(|out| decimal.put(out)), ryu::Buffer::new().format_finite(value));
        assert_eq!(text(|out| decimal.put_plain(out)), format!("{value}"));
        true
    }

    #[test]
    fn what_people_write_has_a_decimal() {
        let values = [0.0, -0.0, 1.0, 0.5, 1.25, 0.1, 99.99, -12.34, 1e-5, 0.000_123, 2.345_678];
        for value in values.into_iter().chain([123_456_789.987_654, 999_999_999.999_999]) {
            assert!(check(value), "{value}");
        }
    }

    #[test]
    fn what_is_long_or_large_or_tiny_has_none() {
        let large = [1e9, 1e300, f64::MAX];
        let values = [1e-6, 5e-324, 0.1 + 0.2, 1.0 / 3.0, std::f64::consts::PI];
        let none = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for value in large.into_iter().chain(values).chain(none) {
            assert!(!check(value) && !check(-value), "{value}");
        }
    }

    #[test]
    fn neighbours_of_decimals_are_told_apart() {
        let (mut checked, mut short) = (0, 0);
        for n in 0..200_000_u64 {
            let scale = [1.0, 10.0, 1e2, 1e3, 1e4, 1e6][n as usize % 6];
            let value = (n * 7919 % 1_000_000_007) as f64 / scale;
            for bits in value.to_bits().saturating_sub(2)..=value.to_bits() + 2 {
                short += u32::from(check(f64::from_bits(bits)));
                checked += 1;
            }
        }
        // Each decimal itself, and none of its neighbours.
        assert!(checked > 999_000 && short == 200_000, "{short} of {checked}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn any_float_is_as_ryu_has_it(bits: u64) {
            check(f64::from_bits(bits));
        }

        #[test]
        fn decimals_are_as_ryu_has_them(n in 0_u64..=u64::MAX >> 11, places in 0_u32..12) {
            check(n as f64 / 10_f64.powi(places as i32));
        }
    }
}

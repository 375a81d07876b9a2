//! Digits eight at a time, in a register: no table, no loop, no branch on their number. Runs on the
//! collector. "Quick integer to string" by halves, as in Paul Khuong's "How to print integers
//! really fast" (pvk.ca, 2017): the quotients by 100 and 10 of several groups come of one
//! multiplication.
//!
//! itoa writes from the end into memory of its own, from where the digits are copied: 55
//! instructions and a copy that has to wait for the stores. Here a number of up to eight digits is
//! 35 instructions and one store to where it belongs.

use super::line::LineBuffer;

/// One more than the greatest number of eight digits.
const EIGHT: u64 = 100_000_000;

/// The ASCII code of 0, eight times.
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// The eight digits of a number below 10^8, as numbers, the first in the lowest byte.
#[inline(always)]
pub(super) fn eight(value: u32) -> u64 {
    let value = u64::from(value);
    let upper = (value * 109_951_163) >> 40; // value / 10^4
    let fours = upper | (value - upper * 10_000) << 32;
    let hundreds = ((fours * 5_243) >> 19) & 0x7f_0000_007f; // each / 100
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f; // each / 10
    tens | (pairs - tens * 10) << 8
}

/// As text.
#[inline(always)]
pub(super) fn ascii(digits: u64) -> [u8; 8] {
    (digits | ZEROS).to_le_bytes()
}

/// Appends a number below 10^8.
#[inline(always)]
fn put_short(out: &mut LineBuffer<'_>, value: u32) {
    let digits = eight(value);
    // The last digit is written even if it is 0.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    out.put_first(((digits | ZEROS) >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize);
}

/// Appends a number.
#[inline(always)]
pub(crate) fn put_u64(out: &mut LineBuffer<'_>, value: u64) {
    if value < EIGHT {
        return put_short(out, value as u32);
    }
    let (upper, lower) = (value / EIGHT, value % EIGHT);
    if upper < EIGHT {
        put_short(out, upper as u32);
    } else {
        put_short(out, (upper / EIGHT) as u32);
        out.put_array(&ascii(eight((upper % EIGHT) as u32)));
    }
    out.put_array(&ascii(eight(lower as u32)));
}

/// Appends a number.
#[inline(always)]
pub(crate) fn put_i64(out: &mut LineBuffer<'_>, value: i64) {
    if value < 0 {
        out.put_byte(b'-');
    }
    put_u64(out, value.unsigned_abs());
}

/// The pairs of digits from 00 to 99.
const PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut at = 0;
    while at < pairs.len() {
        pairs[at] = [b'0' + at as u8 / 10, b'0' + at as u8 % 10];
        at += 1;
    }
    pairs
}

/// The four digits of a number below 10^4, as text.
#[inline(always)]
pub(super) fn four(value: u32) -> [u8; 4] {
    let [a, b] = PAIRS[(value / 100 % 100) as usize];
    let [c, d] = PAIRS[(value % 100) as usize];
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(value: u64) {
        let mut memory = [0xaa; 48];
        let text = value.to_string();
        // With room for whole chunks, and with just enough.
        for room in [40, text.len()] {
            let mut out = LineBuffer::new(&mut memory[..room]);
            put_u64(&mut out, value);
            let len = out.len();
            assert!(!out.is_full());
            assert_eq!(&memory[..len], text.as_bytes());
        }
    }

    #[test]
    fn around_each_power_of_ten_and_of_two() {
        let powers = (0..20).map(|power| 10_u64.pow(power)).chain((0..64).map(|bit| 1 << bit));
        for power in powers {
            (0..3).for_each(|by| check(power.wrapping_add(by)));
            (0..3).for_each(|by| check(power.wrapping_sub(by)));
        }
    }

    #[test]
    fn all_halves_of_eight_digits() {
        for half in 0..10_000 {
            for value in [half, half * 10_000, half * 10_000 + 9_999, 99_990_000 + half] {
                assert_eq!(ascii(eight(value)), *format!("{value:08}").as_bytes());
            }
            assert_eq!(four(half), *format!("{half:04}").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_number_is_as_std_has_it(value: u64, shift in 0_u32..64, negative: i64) {
            check(value >> shift);
            let mut memory = [0; 48];
            let mut out = LineBuffer::new(&mut memory);
            put_i64(&mut out, negative >> shift);
            let (len, text) = (out.len(), (negative >> shift).to_string());
            prop_assert_eq!(&memory[..len], text.as_bytes());
        }
    }
}

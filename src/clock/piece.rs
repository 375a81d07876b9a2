//! One linear piece of the function from ticks to UTC: plain numbers, so that a process that reads
//! a dead engine's arena converts exactly as the engine did. Pure; any thread.

use super::sample::Rate;

/// From `base_ticks` on, UTC is a straight line:
///
/// ```text
/// utc_ns(t) = base_utc_ns + floor((t - base_ticks) * mult / 2^shift)
/// ```
///
/// `t - base_ticks` wraps and is signed, so that a counter may overflow and ticks before the base
/// extrapolate; the product has 127 bits and cannot overflow; the sum saturates.
///
/// Error against the exact line: less than 1 ns from the floor, and 2^-48 ns a tick from the
/// rounding of `mult` (with the shift of 48 that this crate writes), which is below 1 ns within
/// 15 hours of the base at 5 GHz.
///
/// Every bit pattern is safe to convert with; only a nonsensical time comes of a nonsensical piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The first tick that this piece covers.
    pub(crate) base_ticks: u64,
    /// UTC at the base, in nanoseconds since 1970.
    pub(crate) base_utc_ns: i64,
    /// Nanoseconds a tick, times `2^shift`.
    pub(crate) mult: u64,
    /// The binary places of `mult`; taken modulo 128.
    pub(crate) shift: u64,
}

impl Piece {
    /// As [`to_words`](Piece::to_words) gave them.
    pub(crate) fn of_words([base_ticks, base_utc_ns, mult, shift]: [u64; 4]) -> Piece {
        Piece { base_ticks, base_utc_ns: base_utc_ns as i64, mult, shift }
    }

    /// As it stands in files: the fields in their order.
    pub(crate) fn to_words(self) -> [u64; 4] {
        [self.base_ticks, self.base_utc_ns as u64, self.mult, self.shift]
    }

    /// Every tick is the first instant of 1970: where nobody knows better.
    pub(crate) const NONE: Piece = Piece { base_ticks: 0, base_utc_ns: 0, mult: 0, shift: 0 };

    /// UTC at `ticks`, in nanoseconds since 1970.
    #[inline]
    pub(crate) fn utc_ns(&self, ticks: u64) -> i64 {
        let since_base = ticks.wrapping_sub(self.base_ticks);
        let product = u128::from(since_base) * u128::from(self.mult);
        let is_behind_base = since_base >> 63 == 0;
        let fits = product >> (63 + Rate::SHIFT) == 0;
        if is_behind_base && fits && self.shift == Rate::SHIFT {
            // All records of a running engine: a third of the instructions of the rest.
            return self.base_utc_ns.saturating_add((product >> Rate::SHIFT) as i64);
        }
        self.utc_ns_anywhere(ticks)
    }

    #[cold]
    #[inline(never)]
    fn utc_ns_anywhere(&self, ticks: u64) -> i64 {
        let since_base = ticks.wrapping_sub(self.base_ticks) as i64;
        let product = i128::from(since_base) * i128::from(self.mult);
        self.base_utc_ns.saturating_add(saturate(product.wrapping_shr(self.shift as u32)))
    }
}

/// UTC at `ticks`, by that one of two pieces (older first) which covers them. Ticks before both
/// extrapolate the older.
#[inline]
pub(crate) fn utc_ns(pieces: &[Piece; 2], ticks: u64) -> i64 {
    covering(pieces, ticks).utc_ns(ticks)
}

/// The newer piece from its base on, else the older.
#[inline]
pub(super) fn covering(pieces: &[Piece; 2], ticks: u64) -> &Piece {
    if is_before(ticks, pieces[1].base_ticks) { &pieces[0] } else { &pieces[1] }
}

/// Whether `ticks` lie before `other`, on a counter that wraps.
#[inline]
pub(super) fn is_before(ticks: u64, other: u64) -> bool {
    (ticks.wrapping_sub(other) as i64) < 0
}

#[inline]
pub(super) fn saturate(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

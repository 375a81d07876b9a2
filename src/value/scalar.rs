//! Values of one or two granules: numbers, `bool`, `char`, times, addresses. Runs on the caller.
#![allow(unsafe_code)] // `Encode::put` writes into claimed ring memory; see `Encode`'s contract.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZero, Saturating, Wrapping};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::sealed::Sealed;
use super::{Encode, Scratch, Tag, Value};

/// A scalar of a fixed number of granules whose words are given by an expression.
macro_rules! scalar {
    ($($type:ty => $tag:ident, $blank:expr, $granules:literal, |$value:ident| $words:expr;)*) => {$(
        impl Sealed for $type {}

        // SAFETY: `put` writes the array's length, which is `FIXED` and `granules()`.
        unsafe impl Encode for $type {
            const BLANK: Self = $blank;
            const FIXED: Option<usize> = Some($granules);

            #[inline(always)]
            fn tag(&self) -> Tag {
                Tag::$tag
            }

            #[inline(always)]
            fn granules(&self) -> usize {
                $granules
            }

            #[inline(always)]
            unsafe fn put(&self, out: *mut u64) {
                let $value = *self;
                let words: [u64; $granules] = $words;
                // SAFETY: the caller gives room for this many granules, aligned.
                unsafe { out.cast::<[u64; $granules]>().write(words) };
            }
        }

        impl Value for $type {
            type Encoded<'a> = $type;

            #[inline(always)]
            fn encode<'a>(&'a self, _: &'a Scratch) -> $type {
                *self
            }
        }
    )*};
}

const NO_SOCKET: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

scalar! {
    u8 => U64, 0, 1, |v| [v.into()];
    u16 => U64, 0, 1, |v| [v.into()];
    u32 => U64, 0, 1, |v| [v.into()];
    u64 => U64, 0, 1, |v| [v];
    usize => U64, 0, 1, |v| [v as u64];
    i8 => I64, 0, 1, |v| [i64::from(v) as u64];
    i16 => I64, 0, 1, |v| [i64::from(v) as u64];
    i32 => I64, 0, 1, |v| [i64::from(v) as u64];
    i64 => I64, 0, 1, |v| [v as u64];
    isize => I64, 0, 1, |v| [v as u64];
    u128 => U128, 0, 2, |v| [v as u64, (v >> 64) as u64];
    i128 => I128, 0, 2, |v| [v as u64, (v >> 64) as u64];
    f32 => F32, 0.0, 1, |v| [v.to_bits().into()];
    f64 => F64, 0.0, 1, |v| [v.to_bits()];
    bool => Bool, false, 1, |v| [v.into()];
    char => Char, '\0', 1, |v| [u64::from(u32::from(v))];
    Duration => Duration, Duration::ZERO, 2, |v| [v.as_secs(), v.subsec_nanos().into()];
    SystemTime => Time, UNIX_EPOCH, 2, |v| time_words(v);
    Ipv4Addr => Ipv4, Ipv4Addr::UNSPECIFIED, 1, |v| [u32::from_le_bytes(v.octets()).into()];
    Ipv6Addr => Ipv6, Ipv6Addr::UNSPECIFIED, 2, |v| octet_words(v.octets());
    SocketAddrV4 => SocketV4, NO_SOCKET, 1, |v| [
        u64::from(u32::from_le_bytes(v.ip().octets())) | u64::from(v.port()) << 32
    ];
    SocketAddrV6 => SocketV6, SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0), 4, |v| {
        let [low, high] = octet_words(v.ip().octets());
        [low, high, u64::from(v.port()) | u64::from(v.flowinfo()) << 32, v.scope_id().into()]
    };
}

#[cfg(feature = "uuid")]
scalar! {
    uuid::Uuid => Uuid, uuid::Uuid::nil(), 2, |v| octet_words(v.into_bytes());
}

fn octet_words(octets: [u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(octets);
    [whole as u64, (whole >> 64) as u64]
}

/// Seconds rounded down and the nanoseconds above them, so that times before 1970 work alike.
fn time_words(time: SystemTime) -> [u64; 2] {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => [after.as_secs(), after.subsec_nanos().into()],
        Err(error) => {
            let before = error.duration();
            let seconds = (before.as_secs() as i64).wrapping_neg();
            match before.subsec_nanos() {
                0 => [seconds as u64, 0],
                nanos => [(seconds - 1) as u64, u64::from(1_000_000_000 - nanos)],
            }
        }
    }
}

/// Types that are one of two others.
macro_rules! either {
    ($($type:ident, $blank:expr;)*) => {$(
        impl Sealed for $type {}

        // SAFETY: delegates to the variant's own implementation throughout.
        unsafe impl Encode for $type {
            const BLANK: Self = $type::V4($blank);
            const FIXED: Option<usize> = None;

            #[inline]
            fn tag(&self) -> Tag {
                match self {
                    $type::V4(address) => address.tag(),
                    $type::V6(address) => address.tag(),
                }
            }

            #[inline]
            fn granules(&self) -> usize {
                match self {
                    $type::V4(address) => address.granules(),
                    $type::V6(address) => address.granules(),
                }
            }

            #[inline]
            unsafe fn put(&self, out: *mut u64) {
                // SAFETY: handed on; `granules()` is the variant's.
                unsafe {
                    match self {
                        $type::V4(address) => address.put(out),
                        $type::V6(address) => address.put(out),
                    }
                }
            }
        }

        impl Value for $type {
            type Encoded<'a> = $type;

            #[inline]
            fn encode<'a>(&'a self, _: &'a Scratch) -> $type {
                *self
            }
        }
    )*};
}

either! {
    IpAddr, Ipv4Addr::UNSPECIFIED;
    SocketAddr, NO_SOCKET;
}

/// Newtypes around a number that travel as the number.
macro_rules! transparent {
    ($($type:ty => $inner:ty, |$value:ident| $get:expr;)*) => {$(
        impl Value for $type {
            type Encoded<'a> = $inner;

            #[inline(always)]
            fn encode<'a>(&'a self, _: &'a Scratch) -> $inner {
                let $value = *self;
                $get
            }
        }
    )*};
}

macro_rules! transparent_integers {
    ($($inner:ty)*) => {
        transparent! {$(
            NonZero<$inner> => $inner, |v| v.get();
            Wrapping<$inner> => $inner, |v| v.0;
            Saturating<$inner> => $inner, |v| v.0;
        )*}
    };
}

transparent_integers! { u8 u16 u32 u64 usize u128 i8 i16 i32 i64 isize i128 }

//! The tags and how tagged bytes are read back. Decoding runs on the collector (and in the command
//! line, over foreign bytes): it is total, any bytes give a value or `None`, never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::{GRANULE_BYTES, granules_of};

/// What a value's granules mean. The numbers are part of the format of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    /// `None`, or a value for which a cut record had no room. No granule.
    Null = 0,
    /// One granule, 0 or 1.
    Bool = 1,
    /// One granule.
    U64 = 2,
    /// One granule, two's complement.
    I64 = 3,
    /// Two granules, the low one first.
    U128 = 4,
    /// Two granules, two's complement, the low one first.
    I128 = 5,
    /// One granule, IEEE 754 binary64.
    F64 = 6,
    /// One granule, IEEE 754 binary32 in the low half: prints with the digits of an `f32`.
    F32 = 7,
    /// One granule, a Unicode scalar value.
    Char = 8,
    /// A length (u32) and as many bytes, meant as UTF-8 but not trusted to be.
    Text = 9,
    /// A length (u32) and as many bytes, printed as hex.
    Bytes = 10,
    /// Two granules: whole seconds (u64), nanoseconds (u32).
    Duration = 11,
    /// Two granules: seconds since 1970 (i64, rounded down), nanoseconds (u32).
    Time = 12,
    /// One granule: four octets.
    Ipv4 = 13,
    /// Two granules: sixteen octets.
    Ipv6 = 14,
    /// One granule: four octets, port (u16).
    SocketV4 = 15,
    /// Four granules: sixteen octets, port (u16) and flow (u32), scope (u32).
    SocketV6 = 16,
    /// Two granules: sixteen octets, printed in the hyphenated form.
    Uuid = 17,
    /// A kind ([`ElementKind`]), a count, and as many packed elements.
    List = 18,
    /// Said to be there, never shown. No granule.
    Redacted = 19,
    /// A length (u32) and as many bytes, meant as compact JSON but not trusted to be.
    Json = 20,
}

impl Tag {
    pub(crate) const ALL: [Tag; 21] = [
        Tag::Null,
        Tag::Bool,
        Tag::U64,
        Tag::I64,
        Tag::U128,
        Tag::I128,
        Tag::F64,
        Tag::F32,
        Tag::Char,
        Tag::Text,
        Tag::Bytes,
        Tag::Duration,
        Tag::Time,
        Tag::Ipv4,
        Tag::Ipv6,
        Tag::SocketV4,
        Tag::SocketV6,
        Tag::Uuid,
        Tag::List,
        Tag::Redacted,
        Tag::Json,
    ];

    /// The tag with this number.
    pub(crate) fn from_byte(byte: u8) -> Option<Tag> {
        Tag::ALL.get(byte as usize).copied()
    }
}

/// What the elements of a list are. The numbers are part of the format of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum ElementKind {
    I8 = 0,
    I16 = 1,
    U16 = 2,
    I32 = 3,
    U32 = 4,
    I64 = 5,
    U64 = 6,
    I128 = 7,
    U128 = 8,
    F32 = 9,
    F64 = 10,
    Bool = 11,
    Char = 12,
    /// A length (u32) and as many bytes, each after the other without padding.
    Text = 13,
}

impl ElementKind {
    const ALL: [(ElementKind, usize); 14] = [
        (ElementKind::I8, 1),
        (ElementKind::I16, 2),
        (ElementKind::U16, 2),
        (ElementKind::I32, 4),
        (ElementKind::U32, 4),
        (ElementKind::I64, 8),
        (ElementKind::U64, 8),
        (ElementKind::I128, 16),
        (ElementKind::U128, 16),
        (ElementKind::F32, 4),
        (ElementKind::F64, 8),
        (ElementKind::Bool, 1),
        (ElementKind::Char, 4),
        (ElementKind::Text, 0),
    ];

    fn from_byte(byte: u8) -> Option<ElementKind> {
        ElementKind::ALL.get(byte as usize).map(|(kind, _)| *kind)
    }

    /// Bytes of one element; 0 for texts, which carry their length.
    pub(crate) fn element_bytes(self) -> usize {
        ElementKind::ALL[self as usize].1
    }
}

/// One value, read from its granules and borrowing them.
///
/// A whole word for the discriminant, or the compiler copies values in overlapping pieces that
/// stall on store forwarding: decoding three values took 65 ns instead of 17.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
pub(crate) enum ValueRef<'a> {
    Null,
    Bool(bool),
    U64(u64),
    I64(i64),
    U128(u128),
    I128(i128),
    F64(f64),
    F32(f32),
    Char(char),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Duration { seconds: u64, nanos: u32 },
    Time { seconds: i64, nanos: u32 },
    Ip(IpAddr),
    Socket(SocketAddr),
    Uuid([u8; 16]),
    List(ListRef<'a>),
    Redacted,
    Json(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// Reads one value at the start of `bytes`; gives it and the granules it took.
    #[inline(always)]
    pub(crate) fn decode(tag: Tag, bytes: &'a [u8]) -> Option<(ValueRef<'a>, usize)> {
        let value = match tag {
            Tag::Null => return Some((ValueRef::Null, 0)),
            Tag::Redacted => return Some((ValueRef::Redacted, 0)),
            Tag::Text | Tag::Bytes | Tag::Json => return decode_text(tag, bytes),
            Tag::List => return decode_list(bytes),
            Tag::Bool => ValueRef::Bool(word(bytes, 0)? & 1 == 1),
            Tag::U64 => ValueRef::U64(word(bytes, 0)?),
            Tag::I64 => ValueRef::I64(word(bytes, 0)? as i64),
            Tag::U128 => ValueRef::U128(u128::from_le_bytes(array(bytes, 0)?)),
            Tag::I128 => ValueRef::I128(i128::from_le_bytes(array(bytes, 0)?)),
            Tag::F64 => ValueRef::F64(f64::from_bits(word(bytes, 0)?)),
            Tag::F32 => ValueRef::F32(f32::from_bits(word(bytes, 0)? as u32)),
            Tag::Char => ValueRef::Char(char::from_u32(word(bytes, 0)? as u32)?),
            Tag::Duration => ValueRef::Duration { seconds: word(bytes, 0)?, nanos: nanos(bytes)? },
            Tag::Time => ValueRef::Time { seconds: word(bytes, 0)? as i64, nanos: nanos(bytes)? },
            Tag::Ipv4 => ValueRef::Ip(IpAddr::V4(Ipv4Addr::from(array::<4>(bytes, 0)?))),
            Tag::Ipv6 => ValueRef::Ip(IpAddr::V6(Ipv6Addr::from(array::<16>(bytes, 0)?))),
            Tag::SocketV4 => ValueRef::Socket(SocketAddr::V4(SocketAddrV4::new(
                Ipv4Addr::from(array::<4>(bytes, 0)?),
                u16::from_le_bytes(array(bytes, 4)?),
            ))),
            Tag::SocketV6 => ValueRef::Socket(SocketAddr::V6(SocketAddrV6::new(
                Ipv6Addr::from(array::<16>(bytes, 0)?),
                u16::from_le_bytes(array(bytes, 16)?),
                u32::from_le_bytes(array(bytes, 20)?),
                u32::from_le_bytes(array(bytes, 24)?),
            ))),
            Tag::Uuid => ValueRef::Uuid(array(bytes, 0)?),
        };
        let granules = scalar_granules(tag);
        (bytes.len() >= granules * GRANULE_BYTES).then_some((value, granules))
    }
}

/// The granules of a tag whose values all have one size.
pub(super) const fn scalar_granules(tag: Tag) -> usize {
    match tag {
        Tag::Null | Tag::Redacted => 0,
        Tag::U128 | Tag::I128 | Tag::Duration | Tag::Time | Tag::Ipv6 | Tag::Uuid => 2,
        Tag::SocketV6 => 4,
        _ => 1,
    }
}

/// A list, its elements not looked at yet but known to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ListRef<'a> {
    kind: ElementKind,
    count: usize,
    bytes: &'a [u8],
}

impl<'a> ListRef<'a> {
    /// The elements in order; ends early where a foreign list lies about a text's length.
    pub(crate) fn iter(self) -> impl Iterator<Item = ValueRef<'a>> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| {
            let (value, used) = decode_element(self.kind, rest)?;
            rest = &rest[used..];
            Some(value)
        })
    }
}

fn decode_element(kind: ElementKind, bytes: &[u8]) -> Option<(ValueRef<'_>, usize)> {
    let value = match kind {
        ElementKind::I8 => ValueRef::I64(i8::from_le_bytes(array(bytes, 0)?).into()),
        ElementKind::I16 => ValueRef::I64(i16::from_le_bytes(array(bytes, 0)?).into()),
        ElementKind::U16 => ValueRef::U64(u16::from_le_bytes(array(bytes, 0)?).into()),
        ElementKind::I32 => ValueRef::I64(i32::from_le_bytes(array(bytes, 0)?).into()),
        ElementKind::U32 => ValueRef::U64(u32::from_le_bytes(array(bytes, 0)?).into()),
        ElementKind::I64 => ValueRef::I64(i64::from_le_bytes(array(bytes, 0)?)),
        ElementKind::U64 => ValueRef::U64(u64::from_le_bytes(array(bytes, 0)?)),
        ElementKind::I128 => ValueRef::I128(i128::from_le_bytes(array(bytes, 0)?)),
        ElementKind::U128 => ValueRef::U128(u128::from_le_bytes(array(bytes, 0)?)),
        ElementKind::F32 => ValueRef::F32(f32::from_le_bytes(array(bytes, 0)?)),
        ElementKind::F64 => ValueRef::F64(f64::from_le_bytes(array(bytes, 0)?)),
        ElementKind::Bool => ValueRef::Bool(bytes.first()? & 1 == 1),
        ElementKind::Char => ValueRef::Char(char::from_u32(u32::from_le_bytes(array(bytes, 0)?))?),
        ElementKind::Text => {
            let len = u32::from_le_bytes(array(bytes, 0)?) as usize;
            return Some((ValueRef::Text(bytes.get(4..4 + len)?), 4 + len));
        }
    };
    Some((value, kind.element_bytes()))
}

fn decode_text(tag: Tag, bytes: &[u8]) -> Option<(ValueRef<'_>, usize)> {
    let len = u32::from_le_bytes(array(bytes, 0)?) as usize;
    let text = bytes.get(4..4 + len)?;
    let value = match tag {
        Tag::Bytes => ValueRef::Bytes(text),
        Tag::Json => ValueRef::Json(text),
        _ => ValueRef::Text(text),
    };
    Some((value, granules_of(4 + len)))
}

fn decode_list(bytes: &[u8]) -> Option<(ValueRef<'_>, usize)> {
    let kind = ElementKind::from_byte(*bytes.first()?)?;
    let count = u32::from_le_bytes(array(bytes, 4)?) as usize;
    let elements = bytes.get(GRANULE_BYTES..)?;
    let len = if kind == ElementKind::Text {
        texts_len(elements, count)?
    } else {
        count.checked_mul(kind.element_bytes())?
    };
    let list = ListRef { kind, count, bytes: elements.get(..len)? };
    Some((ValueRef::List(list), 1 + granules_of(len)))
}

/// The bytes that `count` texts take.
fn texts_len(bytes: &[u8], count: usize) -> Option<usize> {
    let mut len = 0;
    for _ in 0..count {
        len += 4 + u32::from_le_bytes(array(bytes, len)?) as usize;
    }
    Some(len)
}

fn nanos(bytes: &[u8]) -> Option<u32> {
    let nanos = u32::from_le_bytes(array(bytes, GRANULE_BYTES)?);
    (nanos < 1_000_000_000).then_some(nanos)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(array(bytes, at)?))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

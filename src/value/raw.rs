//! A value as it lies in an envelope, not decoded yet. Runs on the collector. Whoever only passes
//! over values, or writes the few kinds that most records are made of, saves the way through
//! [`ValueRef`]: to decode three fields by it took 300 instructions.

use super::wire::scalar_granules;
use super::{GRANULE_BYTES, Tag, ValueRef, granules_of};

/// A tag, and bytes that begin with the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawValue<'a> {
    /// Any byte: not known to be a [`Tag`].
    pub(crate) tag: u8,
    pub(crate) bytes: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// The tags of what most fields are.
    pub(crate) const U64: u8 = Tag::U64 as u8;
    pub(crate) const I64: u8 = Tag::I64 as u8;
    pub(crate) const F64: u8 = Tag::F64 as u8;
    pub(crate) const TEXT: u8 = Tag::Text as u8;

    /// No value.
    pub(crate) const NULL: RawValue<'static> = RawValue { tag: Tag::Null as u8, bytes: &[] };

    /// The first granule.
    #[inline(always)]
    pub(crate) fn word(self) -> Option<u64> {
        self.bytes.first_chunk::<GRANULE_BYTES>().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The bytes of a text, and the granules that it takes.
    #[inline(always)]
    pub(crate) fn text(self) -> Option<(&'a [u8], usize)> {
        let (len, rest) = self.bytes.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len) as usize;
        Some((rest.get(..len)?, granules_of(4 + len)))
    }

    /// The value, and the granules that it takes.
    pub(crate) fn decode(self) -> Option<(ValueRef<'a>, usize)> {
        ValueRef::decode(Tag::from_byte(self.tag)?, self.bytes)
    }

    /// The granules that it takes.
    #[inline(always)]
    pub(crate) fn granules(self) -> Option<usize> {
        const SIZES: [u8; Tag::ALL.len()] = sizes();
        match SIZES.get(usize::from(self.tag)) {
            Some(&size) if size != VARIABLE => Some(usize::from(size)),
            _ if self.tag == RawValue::TEXT => self.text().map(|(_, granules)| granules),
            _ => self.decode().map(|(_, granules)| granules),
        }
    }
}

/// In place of a size.
const VARIABLE: u8 = u8::MAX;

const fn sizes() -> [u8; Tag::ALL.len()] {
    let mut sizes = [VARIABLE; Tag::ALL.len()];
    let mut at = 0;
    while at < sizes.len() {
        let tag = Tag::ALL[at];
        if !matches!(tag, Tag::Text | Tag::Json | Tag::Bytes | Tag::List) {
            sizes[at] = scalar_granules(tag) as u8;
        }
        at += 1;
    }
    sizes
}

//! Reads an envelope back. Runs on the collector, over a copy of the ring's bytes, and after a
//! crash over foreign bytes: total, it gives a record or an error, never a panic.

use super::bound::BoundRef;
use super::{HEADER_GRANULES, META, Meta, TICKS, flag};
use crate::level::Level;
use crate::value::{RawValue, ValueRef};

const GRANULE: usize = 8;

/// An envelope, its fields not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    /// When the call read the clock.
    pub(crate) ticks: u64,
    /// Callsite and flags.
    pub(crate) meta: Meta,
    tags: &'a [u8],
    values: &'a [u8],
}

/// The bytes are no envelope; where the first contradiction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Bytes from the envelope's start.
    pub(crate) offset: usize,
}

impl<'a> Envelope<'a> {
    /// Takes the bytes of one envelope, commit word included, whose length the commit word gave.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Envelope<'a>, Malformed> {
        const START: usize = HEADER_GRANULES * GRANULE;
        let malformed = || Malformed { offset: bytes.len().min(START) };
        let (header, rest) = bytes.split_first_chunk::<START>().ok_or_else(malformed)?;
        let meta = Meta::from_word(word(header, META));
        let fields = usize::from(meta.fields);
        let (tags, values) =
            rest.split_at_checked(fields.div_ceil(8) * GRANULE).ok_or_else(malformed)?;
        Ok(Envelope { ticks: word(header, TICKS), meta, tags: &tags[..fields], values })
    }

    /// One whose parts stood apart: its tags, one for each field, and what follows them.
    #[cfg(any(test, feature = "cli", feature = "bench-internals"))]
    pub(crate) fn from_parts(
        ticks: u64,
        meta: Meta,
        tags: &'a [u8],
        values: &'a [u8],
    ) -> Envelope<'a> {
        Envelope { ticks, meta, tags, values }
    }

    /// The record's level.
    #[inline]
    pub(crate) fn level(&self) -> Result<Level, Malformed> {
        Level::from_index(self.meta.level).ok_or(Malformed { offset: 2 * GRANULE + 5 })
    }

    /// Whether bound fields follow the values.
    #[inline]
    pub(crate) fn has_bound(&self) -> bool {
        self.meta.flags & flag::BOUND != 0
    }

    /// Hands all fields to `visit` in call order, which says how many granules each takes, or that
    /// it is malformed; gives the granules of all.
    #[inline(always)]
    pub(crate) fn raw_fields(
        &self,
        mut visit: impl FnMut(RawValue<'a>) -> Option<usize>,
    ) -> Result<usize, Malformed> {
        let mut bytes = self.values;
        for &tag in self.tags {
            let granules = visit(RawValue { tag, bytes });
            match granules.and_then(|granules| bytes.get(granules * GRANULE..)) {
                Some(rest) => bytes = rest,
                None => return Err(self.malformed(bytes)),
            }
        }
        Ok((self.values.len() - bytes.len()) / GRANULE)
    }

    /// Decodes all fields, handing each to `visit` in call order, and gives the bound
    /// ones.
    pub(crate) fn fields(
        &self,
        mut visit: impl FnMut(ValueRef<'a>),
    ) -> Result<BoundRef<'a>, Malformed> {
        let granules = self.raw_fields(|raw| {
            let (value, granules) = raw.decode()?;
            visit(value);
            Some(granules)
        })?;
        if self.has_bound() { self.bound(granules) } else { Ok(BoundRef::EMPTY) }
    }

    /// The logger's bound fields, behind the call's own, which take so many granules.
    pub(crate) fn bound(&self, granules: usize) -> Result<BoundRef<'a>, Malformed> {
        let rest = self.values.get(granules * GRANULE..).unwrap_or_default();
        let (bound, _) = BoundRef::parse(rest).ok_or_else(|| self.malformed(rest))?;
        Ok(bound)
    }

    /// One of the values, which begins this many granules behind the tags.
    #[inline(always)]
    pub(crate) fn raw_field(&self, index: usize, granules: usize) -> Option<RawValue<'a>> {
        let tag = *self.tags.get(index)?;
        Some(RawValue { tag, bytes: self.values.get(granules * GRANULE..)? })
    }

    /// The contradiction stands where `rest` begins, the end of the envelope.
    #[cold]
    fn malformed(&self, rest: &[u8]) -> Malformed {
        let start = HEADER_GRANULES * GRANULE + self.tags.len().div_ceil(8) * GRANULE;
        Malformed { offset: start + (self.values.len() - rest.len()) }
    }
}

/// One granule of the header.
#[inline(always)]
fn word(header: &[u8; HEADER_GRANULES * GRANULE], granule: usize) -> u64 {
    let word = header[granule * GRANULE..].first_chunk::<GRANULE>();
    u64::from_le_bytes(*word.expect("a granule of the header"))
}

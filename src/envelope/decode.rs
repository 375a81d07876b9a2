//! Reads an envelope back. Runs on the collector, over a copy of the ring's bytes, and after a
//! crash over foreign bytes: total, it gives a record or an error, never a panic.

use super::bound::BoundRef;
use super::site::SiteRef;
use super::{HEADER_GRANULES, Meta, flag};
use crate::level::Level;
use crate::value::{Tag, ValueRef};

const GRANULE: usize = 8;

/// An envelope, its fields not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    /// When the call read the clock.
    pub(crate) ticks: u64,
    /// Callsite and flags.
    pub(crate) meta: Meta,
    tags: &'a [u8],
    rest: &'a [u8],
}

/// The bytes are no envelope; where the first contradiction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Bytes from the envelope's start.
    pub(crate) offset: usize,
}

impl<'a> Envelope<'a> {
    /// Takes the bytes of one envelope, commit word included, whose length the commit word gave.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Envelope<'a>, Malformed> {
        let ticks = word(bytes, GRANULE)?;
        let meta = Meta::from_word(word(bytes, 2 * GRANULE)?);
        let start = HEADER_GRANULES * GRANULE;
        let tags_end = start + usize::from(meta.fields).div_ceil(8) * GRANULE;
        let tags = bytes.get(start..tags_end).ok_or(Malformed { offset: start })?;
        Ok(Envelope {
            ticks,
            meta,
            tags: &tags[..usize::from(meta.fields)],
            rest: &bytes[tags_end..],
        })
    }

    /// The record's level.
    pub(crate) fn level(&self) -> Result<Level, Malformed> {
        Level::from_index(self.meta.level).ok_or(Malformed { offset: 2 * GRANULE + 5 })
    }

    /// Decodes all fields, handing each to `visit` in call order, and gives what follows them.
    pub(crate) fn fields(
        &self,
        mut visit: impl FnMut(ValueRef<'a>),
    ) -> Result<Trailer<'a>, Malformed> {
        let mut rest = self.rest;
        let start = HEADER_GRANULES * GRANULE + self.tags.len().div_ceil(8) * GRANULE;
        for tag in self.tags {
            let malformed = Malformed { offset: start + (self.rest.len() - rest.len()) };
            let tag = Tag::from_byte(*tag).ok_or(malformed)?;
            let (value, granules) = ValueRef::decode(tag, rest).ok_or(malformed)?;
            rest = rest.get(granules * GRANULE..).ok_or(malformed)?;
            visit(value);
        }
        let malformed = Malformed { offset: start + (self.rest.len() - rest.len()) };
        let mut bound = BoundRef::EMPTY;
        if self.meta.flags & flag::BOUND != 0 {
            let used;
            (bound, used) = BoundRef::parse(rest).ok_or(malformed)?;
            rest = &rest[used..];
        }
        if self.meta.flags & flag::SITE != 0 {
            // Whoever shares the process with the caller has the callsite itself.
            SiteRef::parse(rest).ok_or(malformed)?;
        }
        Ok(Trailer { bound })
    }
}

/// What follows an envelope's values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trailer<'a> {
    /// The logger's bound fields.
    pub(crate) bound: BoundRef<'a>,
}

fn word(bytes: &[u8], at: usize) -> Result<u64, Malformed> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    word.map(|word| u64::from_le_bytes(*word)).ok_or(Malformed { offset: at })
}

//! A logger's bound fields: encoded once by `Logger::with`, copied into each envelope as one block.
//!
//! ```text
//! | bytes of the block u32 | fields u32 |
//!   then each: | tag u8 | key length u16 | 5 bytes 0 | key | value |
//! ```
//! Keys and values are padded to granules of 8 bytes.
#![allow(unsafe_code)] // Lets the sealed encoders write into a vector.

use std::ops::Range;

use crate::value::{Encode, Tag, ValueRef, floor_char_boundary, granules_of};

const GRANULE: usize = 8;

/// The longest key, whose length is one of sixteen bits.
const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// The block, as a logger keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct BoundBlock {
    words: Vec<u64>,
}

impl BoundBlock {
    /// The granules to copy; empty when nothing is bound.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Binds a value to a key, in place of the key's former value; changes nothing if the block
    /// would grow beyond `max` granules. A key above 64 KiB is cut, at a character.
    pub(crate) fn bind<E: Encode>(&mut self, key: &str, value: &E, max: usize) {
        let key = floor_char_boundary(key.as_bytes(), KEY_BYTES_MAX);
        let former = self.find(key);
        // What the former value leaves is room.
        if self.len_with(key, value) - former.len() <= max {
            self.remove(former);
            self.append(key, value);
        }
    }

    /// Binds a value to a key to which none is bound, and says whether it did: not if the key is
    /// above 64 KiB or the block would grow beyond `max` granules.
    #[cfg(feature = "cli")]
    pub(crate) fn push<E: Encode>(&mut self, key: &str, value: &E, max: usize) -> bool {
        let key = key.as_bytes();
        let fits = key.len() <= KEY_BYTES_MAX && self.len_with(key, value) <= max;
        if fits {
            self.append(key, value);
        }
        fits
    }

    /// The granules of the block with one more field.
    fn len_with<E: Encode>(&self, key: &[u8], value: &E) -> usize {
        self.words.len().max(1) + 1 + granules_of(key.len()) + value.granules()
    }

    fn append<E: Encode>(&mut self, key: &[u8], value: &E) {
        let (start, len) = (self.words.len().max(1), self.len_with(key, value));
        self.words.resize(len, 0);
        self.words[start] = value.tag() as u64 | (key.len() as u64) << 8;
        let value_at = len - value.granules();
        for (word, chunk) in self.words[start + 1..value_at].iter_mut().zip(key.chunks(GRANULE)) {
            let mut bytes = [0; GRANULE];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(bytes);
        }
        // SAFETY: the vector holds the granules that the value takes from `value_at` on.
        unsafe { value.put(self.words[value_at..].as_mut_ptr()) };
        let fields = (self.words[0] >> 32) + 1;
        self.words[0] = (len * GRANULE) as u64 | fields << 32;
    }

    /// The granules of a key's field; empty when nothing is bound to it.
    fn find(&self, key: &[u8]) -> Range<usize> {
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let block = BoundRef::parse(&bytes).map_or(BoundRef::EMPTY, |(block, _)| block);
        // The block's own granule comes before the fields.
        let granule = |at: usize| at / GRANULE + 1;
        block.find(key).map_or(0..0, |range| granule(range.start)..granule(range.end))
    }

    /// Removes the field with these granules, if there are any.
    fn remove(&mut self, field: Range<usize>) {
        if field.is_empty() {
            return;
        }
        self.words.drain(field);
        let fields = (self.words[0] >> 32) - 1;
        self.words[0] = (self.words.len() * GRANULE) as u64 | fields << 32;
    }
}

/// A block in an envelope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundRef<'a> {
    fields: usize,
    bytes: &'a [u8],
}

impl<'a> BoundRef<'a> {
    /// No bound fields.
    pub(crate) const EMPTY: BoundRef<'static> = BoundRef { fields: 0, bytes: &[] };

    /// Reads a block at the start of `bytes`; gives it and the bytes it took.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<(BoundRef<'a>, usize)> {
        let len = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
        let fields = u32::from_le_bytes(*bytes.get(4..)?.first_chunk::<4>()?) as usize;
        let block = bytes.get(GRANULE..len)?;
        Some((BoundRef { fields, bytes: block }, len))
    }

    /// Whether nothing is bound.
    pub(crate) fn is_empty(self) -> bool {
        self.fields == 0
    }

    /// Keys and values in the order in which they were bound; ends early where foreign bytes lie.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a [u8], ValueRef<'a>)> {
        let mut rest = self.bytes;
        (0..self.fields).map_while(move |_| {
            let (key, value, len) = field(rest)?;
            rest = &rest[len..];
            Some((key, value))
        })
    }

    /// Where in the block's fields the one with this key lies, in bytes.
    fn find(self, key: &[u8]) -> Option<Range<usize>> {
        let mut at = 0;
        for _ in 0..self.fields {
            let (found, _, len) = field(&self.bytes[at..])?;
            if found == key {
                return Some(at..at + len);
            }
            at += len;
        }
        None
    }
}

/// The field at the start of `bytes`, and the bytes it takes.
fn field(bytes: &[u8]) -> Option<(&[u8], ValueRef<'_>, usize)> {
    let tag = Tag::from_byte(*bytes.first()?)?;
    let key_len = usize::from(u16::from_le_bytes(*bytes.get(1..)?.first_chunk::<2>()?));
    let key = bytes.get(GRANULE..GRANULE + key_len)?;
    let value_at = GRANULE + key_len.next_multiple_of(GRANULE);
    let (value, granules) = ValueRef::decode(tag, bytes.get(value_at..)?)?;
    let len = value_at + granules * GRANULE;
    (len <= bytes.len()).then_some((key, value, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Scratch, Value};

    #[test]
    fn bound_fields_read_back_in_order() {
        let mut block = BoundBlock::default();
        let scratch = Scratch::new();
        block.bind("request", &"r-16".encode(&scratch), 99);
        block.bind("", &None::<u8>.encode(&scratch), 99);
        block.bind("attempt", &3_u8.encode(&scratch), 99);
        block.bind("request", &"r-17".encode(&scratch), 99);
        block.bind("long", &"x".repeat(800).as_str().encode(&scratch), 99);
        let bytes: Vec<u8> = block.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        let (read, used) = BoundRef::parse(&bytes).expect("a block");
        assert_eq!(used, bytes.len());
        let fields: Vec<_> = read.iter().collect();
        let expected: [(&[u8], ValueRef<'_>); 3] = [
            (b"", ValueRef::Null),
            (b"attempt", ValueRef::U64(3)),
            (b"request", ValueRef::Text(b"r-17")),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_value_that_does_not_fit_leaves_the_former_one() {
        let mut block = BoundBlock::default();
        let scratch = Scratch::new();
        block.bind("request", &"r-16".encode(&scratch), 8);
        block.bind("attempt", &3_u8.encode(&scratch), 8);
        let before = block.words().to_vec();
        block.bind("request", &"x".repeat(800).as_str().encode(&scratch), 8);
        assert_eq!(block.words(), before);
        // What the former value leaves is room for the new one.
        block.bind("request", &"r-17".encode(&scratch), before.len());
        let bytes: Vec<u8> = block.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        let (read, used) = BoundRef::parse(&bytes).expect("a block");
        assert_eq!(used, bytes.len());
        let values: Vec<_> = read.iter().map(|(_, value)| value).collect();
        assert_eq!(values, [ValueRef::U64(3), ValueRef::Text(b"r-17")]);
    }
}

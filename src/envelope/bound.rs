//! A logger's bound fields: encoded once by `Logger::with`, copied into each envelope as one block.
//!
//! ```text
//! | bytes of the block u32 | fields u32 | then each: tag u8, key length u16, 5 bytes 0 | key | value |
//! ```
//! Keys and values are padded to granules of 8 bytes.
#![allow(unsafe_code)] // Lets the sealed encoders write into a vector.

use crate::value::{Encode, Tag, ValueRef};

const GRANULE: usize = 8;

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

    /// Appends a field. A key above 64 KiB is cut, at a character.
    pub(crate) fn push<E: Encode>(&mut self, key: &str, value: &E) {
        if self.words.is_empty() {
            self.words.push(0);
        }
        let key = key.as_bytes();
        let mut key_len = key.len().min(usize::from(u16::MAX));
        while key_len < key.len() && key[key_len] & 0b1100_0000 == 0b1000_0000 {
            key_len -= 1;
        }
        self.words.push(value.tag() as u64 | (key_len as u64) << 8);
        self.words.extend(key[..key_len].chunks(GRANULE).map(|chunk| {
            let mut word = [0; GRANULE];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        }));
        let start = self.words.len();
        self.words.resize(start + value.granules(), 0);
        // SAFETY: the vector was just extended by the granules that the value takes.
        unsafe { value.put(self.words[start..].as_mut_ptr()) };
        let fields = (self.words[0] >> 32) + 1;
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
            let tag = Tag::from_byte(*rest.first()?)?;
            let key_len = usize::from(u16::from_le_bytes(*rest.get(1..)?.first_chunk::<2>()?));
            let key = rest.get(GRANULE..GRANULE + key_len)?;
            let value = rest.get(GRANULE + key_len.next_multiple_of(GRANULE)..)?;
            let (decoded, granules) = ValueRef::decode(tag, value)?;
            rest = value.get(granules * GRANULE..)?;
            Some((key, decoded))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Scratch, Value};

    #[test]
    fn bound_fields_read_back_in_order() {
        let mut block = BoundBlock::default();
        let scratch = Scratch::new();
        block.push("request", &"r-17".encode(&scratch));
        block.push("", &None::<u8>.encode(&scratch));
        block.push("attempt", &3_u8.encode(&scratch));
        let bytes: Vec<u8> = block.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        let (read, used) = BoundRef::parse(&bytes).expect("a block");
        assert_eq!(used, bytes.len());
        let fields: Vec<_> = read.iter().collect();
        let expected: [(&[u8], ValueRef<'_>); 3] = [
            (b"request", ValueRef::Text(b"r-17")),
            (b"", ValueRef::Null),
            (b"attempt", ValueRef::U64(3)),
        ];
        assert_eq!(fields, expected);
    }
}

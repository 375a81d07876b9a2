//! All fields of one call: lists `(&a, (&b, ()))` of references, so that a call with many fields
//! compiles as fast as one with few. Runs on the caller.
#![allow(unsafe_code)] // Puts values one behind the other into claimed ring memory.

use super::{Encode, FieldSet, Scratch, Tag, Value};

/// The fields of a call: `()` or `(&value, rest)`. Made by the macro.
pub trait Fields {
    /// The travelling form of all of them.
    type Encoded<'a>: EncodedFields
    where
        Self: 'a;

    /// Encodes each in order; user code runs here.
    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Self::Encoded<'a>;

    /// As `encode`, for a call some of whose values are not to be copied: no user code of theirs
    /// runs.
    fn encode_shown<'a>(&'a self, scratch: &'a Scratch, hidden: &FieldSet) -> Self::Encoded<'a>;
}

impl Fields for () {
    type Encoded<'a> = ();

    #[inline(always)]
    fn encode<'a>(&'a self, _: &'a Scratch) {}

    fn encode_shown<'a>(&'a self, _: &'a Scratch, _: &FieldSet) {}
}

impl<A: Value + ?Sized, B: Fields> Fields for (&A, B) {
    type Encoded<'a>
        = (A::Encoded<'a>, B::Encoded<'a>)
    where
        Self: 'a;

    #[inline(always)]
    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Self::Encoded<'a> {
        (self.0.encode(scratch), self.1.encode(scratch))
    }

    fn encode_shown<'a>(&'a self, scratch: &'a Scratch, hidden: &FieldSet) -> Self::Encoded<'a> {
        let is_hidden = hidden.has(B::Encoded::COUNT);
        let first = if is_hidden { A::Encoded::BLANK } else { self.0.encode(scratch) };
        (first, self.1.encode_shown(scratch, hidden))
    }
}

/// How many granules values may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Each one of variable length; at least 1.
    pub value: usize,
    /// All together.
    pub room: usize,
}

/// Fields in their travelling form: `()` or `(encoded, rest)`.
///
/// # Safety
///
/// As [`Encode`]: what is written is what was promised.
pub unsafe trait EncodedFields {
    /// How many there are.
    const COUNT: usize;
    /// Whether any lies in the scratch.
    const RENDERED: bool;
    /// The granules of all values, if every record of this shape takes the same.
    const FIXED: Option<usize>;

    /// Granules (8 bytes) of all values.
    fn granules(&self) -> usize;

    /// The tags of the first eight, the first in the lowest byte. A constant for most calls.
    fn tag_word(&self) -> u64;

    /// Writes all tags, a byte each.
    ///
    /// # Safety
    ///
    /// `out` is valid for writing `COUNT` bytes.
    unsafe fn put_tags(&self, out: *mut u8);

    /// Writes all values.
    ///
    /// # Safety
    ///
    /// `out` is valid for writing `granules()` granules and 8-byte aligned.
    unsafe fn put(&self, out: *mut u64);

    /// Granules when each value of variable length may take at most `limit` (at least 1), and those
    /// of the hidden fields none.
    fn granules_within(&self, limit: usize, hidden: &FieldSet) -> usize;

    /// Writes tags and values, those of variable length cut to `limit` granules, for each hidden
    /// field that it is one, and null for each value that `room` does not hold; says how many
    /// granules the values took.
    ///
    /// # Safety
    ///
    /// `tags` is valid for writing `COUNT` bytes, `out` for `limits.room` granules, aligned to 8.
    unsafe fn put_within(
        &self,
        tags: *mut u8,
        out: *mut u64,
        limits: Limits,
        hidden: &FieldSet,
    ) -> usize;

    /// Whether any was cut while rendering.
    fn is_cut(&self) -> bool;
}

// SAFETY: writes nothing, promises nothing.
unsafe impl EncodedFields for () {
    const COUNT: usize = 0;
    const RENDERED: bool = false;
    const FIXED: Option<usize> = Some(0);

    #[inline(always)]
    fn granules(&self) -> usize {
        0
    }

    #[inline(always)]
    fn tag_word(&self) -> u64 {
        0
    }

    #[inline(always)]
    unsafe fn put_tags(&self, _: *mut u8) {}

    #[inline(always)]
    unsafe fn put(&self, _: *mut u64) {}

    fn granules_within(&self, _: usize, _: &FieldSet) -> usize {
        0
    }

    unsafe fn put_within(&self, _: *mut u8, _: *mut u64, _: Limits, _: &FieldSet) -> usize {
        0
    }

    fn is_cut(&self) -> bool {
        false
    }
}

// SAFETY: the first value's granules, then the rest's; each step keeps its own promise.
unsafe impl<A: Encode, B: EncodedFields> EncodedFields for (A, B) {
    const COUNT: usize = 1 + B::COUNT;
    const RENDERED: bool = A::RENDERED || B::RENDERED;
    const FIXED: Option<usize> = match (A::FIXED, B::FIXED) {
        (Some(first), Some(rest)) => Some(first + rest),
        _ => None,
    };

    #[inline(always)]
    fn granules(&self) -> usize {
        self.0.granules() + self.1.granules()
    }

    #[inline(always)]
    fn tag_word(&self) -> u64 {
        self.0.tag() as u64 | self.1.tag_word() << 8
    }

    #[inline(always)]
    unsafe fn put_tags(&self, out: *mut u8) {
        // SAFETY: the caller gives room for COUNT bytes: one here, the rest behind it.
        unsafe {
            out.write(self.0.tag() as u8);
            self.1.put_tags(out.add(1));
        }
    }

    #[inline(always)]
    unsafe fn put(&self, out: *mut u64) {
        // SAFETY: the caller gives room for both parts; the rest starts where the first ends.
        unsafe {
            self.0.put(out);
            self.1.put(out.add(self.0.granules()));
        }
    }

    fn granules_within(&self, limit: usize, hidden: &FieldSet) -> usize {
        let first = if hidden.has(B::COUNT) { 0 } else { self.0.granules_within(limit) };
        first + self.1.granules_within(limit, hidden)
    }

    unsafe fn put_within(
        &self,
        tags: *mut u8,
        out: *mut u64,
        Limits { value, room }: Limits,
        hidden: &FieldSet,
    ) -> usize {
        let is_hidden = hidden.has(B::COUNT);
        let fits = !is_hidden && self.0.granules_within(value) <= room;
        let tag = match (is_hidden, fits) {
            (true, _) => Tag::Redacted,
            (false, true) => self.0.tag_within(value),
            (false, false) => Tag::Null,
        };
        // SAFETY: room for COUNT tags; the value is only put when `room` holds it, and the rest
        // gets what is left.
        unsafe {
            tags.write(tag as u8);
            let used = if fits { self.0.put_within(out, value) } else { 0 };
            let left = Limits { value, room: room - used };
            used + self.1.put_within(tags.add(1), out.add(used), left, hidden)
        }
    }

    fn is_cut(&self) -> bool {
        self.0.is_cut() || self.1.is_cut()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ValueRef, chain, debug, display};
    use super::*;
    use proptest::prelude::*;
    use std::fmt;

    /// Encodes as a call does, and reads back every value.
    fn read_back<F: Fields>(fields: F, check: impl FnOnce(Vec<ValueRef<'_>>)) {
        let scratch = Scratch::new();
        let encoded = fields.encode(&scratch);
        let mut tags = vec![0_u8; F::Encoded::COUNT];
        let mut words = vec![0_u64; encoded.granules()];
        // SAFETY: both buffers have the length that was asked for.
        unsafe {
            encoded.put_tags(tags.as_mut_ptr());
            encoded.put(words.as_mut_ptr());
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        check(decode_all(&tags, &bytes));
    }

    fn decode_all<'a>(tags: &[u8], bytes: &'a [u8]) -> Vec<ValueRef<'a>> {
        let mut at = 0;
        let values = tags.iter().map(|tag| {
            let tag = Tag::from_byte(*tag).expect("a known tag");
            let (value, granules) = ValueRef::decode(tag, &bytes[at..]).expect("a whole value");
            at += granules * super::super::GRANULE_BYTES;
            value
        });
        let values = values.collect();
        assert_eq!(at, bytes.len(), "all granules belong to a value");
        values
    }

    #[test]
    fn every_kind_of_value_reads_back() {
        let nothing: Option<u8> = None;
        let fields = (&7_u8, (&-7_i64, (&u128::MAX, (&i128::MIN, (&1.5_f32, (&nothing, ()))))));
        read_back(fields, |values| {
            let expected = [
                ValueRef::U64(7),
                ValueRef::I64(-7),
                ValueRef::U128(u128::MAX),
                ValueRef::I128(i128::MIN),
                ValueRef::F32(1.5),
                ValueRef::Null,
            ];
            assert_eq!(values, expected);
        });
        let list = vec!["a", "", "\u{2028}"];
        read_back((&"text", (&list, (&[1_u8, 255], ()))), |values| {
            assert_eq!(values[0], ValueRef::Text(b"text"));
            let ValueRef::List(list) = values[1] else { panic!("{:?} is no list", values[1]) };
            let texts: Vec<_> = list.iter().collect();
            assert_eq!(texts.len(), 3);
            assert_eq!(texts[2], ValueRef::Text("\u{2028}".as_bytes()));
            assert_eq!(values[2], ValueRef::Bytes(&[1, 255]));
        });
    }

    #[test]
    fn rendering_shares_the_scratch_as_a_stack() {
        struct Nested(u32);
        impl fmt::Display for Nested {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "<{}", self.0)?;
                if self.0 > 0 {
                    read_back((&display(&Nested(self.0 - 1)), ()), |values| {
                        let ValueRef::Text(text) = values[0] else { panic!("no text") };
                        assert!(text.starts_with(format!("<{}", self.0 - 1).as_bytes()));
                    });
                }
                write!(f, "{}>", self.0)
            }
        }
        read_back((&display(&Nested(2)), (&debug(&"q\""), ())), |values| {
            assert_eq!(values, [ValueRef::Text(b"<22>"), ValueRef::Text(b"\"q\\\"\"")]);
        });
    }

    #[test]
    fn a_rendering_that_panics_says_so_and_spares_its_neighbours() {
        struct Panics;
        impl fmt::Display for Panics {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("before")?;
                panic!("on purpose")
            }
        }
        read_back((&display(&Panics), (&display(&1), ())), |values| {
            assert_eq!(values, [ValueRef::Text(b"<panicked>"), ValueRef::Text(b"1")]);
        });
    }

    #[test]
    fn an_error_comes_with_its_sources() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bad port")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Outer("x".parse::<u8>().unwrap_err());
        read_back((&chain(&error), ()), |values| {
            assert_eq!(values, [ValueRef::Text(b"bad port: invalid digit found in string")]);
        });
    }

    #[test]
    fn a_rendering_longer_than_the_scratch_is_cut_at_a_character() {
        let long = "\u{e9}".repeat(1 << 19);
        let scratch = Scratch::new();
        let rendered = scratch.format(format_args!("x{long}"));
        assert!(rendered.is_cut());
        assert_eq!(rendered.granules(), 2048 * 7 / 8 + 1);
        assert!(!scratch.format(format_args!("a short one still fits")).is_cut());
    }

    proptest! {
        #[test]
        fn cutting_keeps_to_its_limit_and_to_characters(
            first in any::<String>(),
            list in proptest::collection::vec(any::<String>(), 0..20),
            numbers in proptest::collection::vec(any::<i16>(), 0..99),
            limit in 1_usize..30,
            spare in 0_usize..40,
        ) {
            let scratch = Scratch::new();
            let fields = (&first, (&list, (&5_u64, (&numbers, ()))));
            let encoded = fields.encode(&scratch);
            let need = encoded.granules_within(limit, &FieldSet::NONE);
            let room = need.saturating_sub(spare);
            let mut tags = [0xff_u8; 4];
            let mut words = vec![0_u64; room + 1];
            words[room] = 0xdead;
            // SAFETY: four tags, and `room` granules before the guard word.
            let used = unsafe {
                let limits = Limits { value: limit, room };
                encoded.put_within(
                    tags.as_mut_ptr(), words.as_mut_ptr(), limits, &FieldSet::NONE,
                )
            };
            prop_assert!(used <= room);
            prop_assert_eq!(words[room], 0xdead);
            let bytes: Vec<u8> = words[..used].iter().flat_map(|word| word.to_le_bytes()).collect();
            let values = decode_all(&tags, &bytes);
            if let ValueRef::Text(text) = values[0] {
                prop_assert!(first.as_bytes().starts_with(text));
                prop_assert!(std::str::from_utf8(text).is_ok());
            }
            if let ValueRef::List(texts) = values[1] {
                for (read, written) in texts.iter().zip(&list) {
                    let ValueRef::Text(read) = read else { panic!("no text") };
                    prop_assert!(written.as_bytes().starts_with(read));
                    prop_assert!(std::str::from_utf8(read).is_ok());
                }
            }
        }

        #[test]
        fn decoding_is_total(
            tag in 0_u8..21, bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let tag = Tag::from_byte(tag).expect("below the number of tags");
            if let Some((value, granules)) = ValueRef::decode(tag, &bytes) {
                if let ValueRef::List(list) = value {
                    prop_assert!(list.iter().count() <= bytes.len());
                }
                prop_assert!(granules <= bytes.len().div_ceil(8));
            }
        }
    }
}

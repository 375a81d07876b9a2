//! Values that are text or bytes of any length. Runs on the caller.
#![allow(unsafe_code)] // `Encode::put` writes into claimed ring memory; see `Encode`'s contract.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::path::{Path, PathBuf};

use super::sealed::Sealed;
use super::{Encode, GRANULE_BYTES, Scratch, Tag, Value, granules_of};
use crate::level::Level;

/// Bytes of the length before a text.
const LEN_BYTES: usize = 4;

/// A text or a byte string as it travels: a length and the bytes, cut at a character boundary when
/// the record is too long. Made from a `&str` or by [`Value::encode`] of a string.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    tag: Tag,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// A text whose bytes should be UTF-8; what is not becomes U+FFFD in the log.
    #[inline(always)]
    pub const fn new(bytes: &'a [u8]) -> Text<'a> {
        Text { tag: Tag::Text, bytes }
    }

    /// Bytes, shown as hex.
    #[inline(always)]
    pub const fn hex(bytes: &'a [u8]) -> Text<'a> {
        Text { tag: Tag::Bytes, bytes }
    }

    /// A value of JSON, compact; a part of it is a text. Only from a text that a parser wrote.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) const fn json(text: &'a str) -> Text<'a> {
        Text { tag: Tag::Json, bytes: text.as_bytes() }
    }

    #[inline(always)]
    unsafe fn copy(bytes: &[u8], out: *mut u64) {
        // SAFETY: the caller gives room for the length and the bytes, aligned to 8; the source is
        // the caller's value, which cannot lie in the claimed ring memory.
        unsafe {
            out.cast::<u32>().write(bytes.len() as u32);
            let to = out.cast::<u8>().add(LEN_BYTES);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }
}

impl Sealed for Text<'_> {}

// SAFETY: `copy` writes LEN_BYTES + len bytes, which is `granules()` rounded up; `put_within` cuts
// the bytes to what `limit` granules hold.
unsafe impl Encode for Text<'_> {
    const BLANK: Self = Text::new(&[]);
    const FIXED: Option<usize> = None;

    #[inline(always)]
    fn tag(&self) -> Tag {
        self.tag
    }

    #[inline(always)]
    fn granules(&self) -> usize {
        granules_of(LEN_BYTES + self.bytes.len())
    }

    #[inline(always)]
    unsafe fn put(&self, out: *mut u64) {
        // SAFETY: the caller gives room for `granules()`.
        unsafe { Text::copy(self.bytes, out) };
    }

    /// `12` of `123` would be another value: a part is shown as the text that it is.
    fn tag_within(&self, limit: usize) -> Tag {
        if self.tag == Tag::Json && self.granules() > limit { Tag::Text } else { self.tag }
    }

    fn granules_within(&self, limit: usize) -> usize {
        self.granules().min(limit)
    }

    unsafe fn put_within(&self, out: *mut u64, limit: usize) -> usize {
        let room = limit * GRANULE_BYTES - LEN_BYTES;
        let cut = match self.tag {
            Tag::Bytes => &self.bytes[..room.min(self.bytes.len())],
            _ => floor_char_boundary(self.bytes, room),
        };
        // SAFETY: `cut` is at most `room` bytes, which with the length fill `limit` granules.
        unsafe { Text::copy(cut, out) };
        granules_of(LEN_BYTES + cut.len())
    }
}

/// The longest prefix of at most `max` bytes that does not end inside a UTF-8 character.
pub(crate) fn floor_char_boundary(bytes: &[u8], max: usize) -> &[u8] {
    if bytes.len() <= max {
        return bytes;
    }
    const CONTINUATION_MAX: usize = 3;
    let is_boundary = |at: &usize| bytes[*at] & 0b1100_0000 != 0b1000_0000;
    let end = (max.saturating_sub(CONTINUATION_MAX)..=max).rev().find(is_boundary);
    // Bytes that are no UTF-8 have no boundary to keep.
    &bytes[..end.unwrap_or(max)]
}

/// Types that are text once dereferenced by an expression.
macro_rules! texts {
    ($($type:ty, |$value:ident| $bytes:expr;)*) => {$(
        impl Value for $type {
            type Encoded<'a> = Text<'a> where Self: 'a;

            #[inline(always)]
            fn encode<'a>(&'a self, _: &'a Scratch) -> Text<'a> {
                let $value = self;
                Text::new($bytes)
            }
        }
    )*};
}

texts! {
    str, |v| v.as_bytes();
    String, |v| v.as_bytes();
    Cow<'_, str>, |v| v.as_bytes();
    CStr, |v| v.to_bytes();
    CString, |v| v.to_bytes();
    OsStr, |v| v.as_encoded_bytes();
    OsString, |v| v.as_encoded_bytes();
    Path, |v| v.as_os_str().as_encoded_bytes();
    PathBuf, |v| v.as_os_str().as_encoded_bytes();
    Level, |v| v.as_str().as_bytes();
}

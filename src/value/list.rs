//! Slices of numbers and strings as lists, of bytes as hex. Runs on the caller.
#![allow(unsafe_code)] // `Encode::put` writes into claimed ring memory; see `Encode`'s contract.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::sealed::Sealed;
use super::text::floor_char_boundary;
use super::{ElementKind, Encode, GRANULE_BYTES, Scratch, Tag, Text, Value, granules_of};

/// What a list may hold: numbers, `bool`, `char` and strings; `u8` makes hex instead. Sealed.
pub trait Element: Sealed + Sized {
    /// How a slice of it travels.
    type List<'a>: Encode
    where
        Self: 'a;

    /// The slice's travelling form.
    fn list(slice: &[Self]) -> Self::List<'_>;
}

/// A slice of numbers as it travels: the elements' bytes as they lie in memory.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    kind: ElementKind,
    bytes: &'a [u8],
}

/// A slice of strings as it travels.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a, T> {
    texts: &'a [T],
}

/// The first granule of a list.
const fn list_word(kind: ElementKind, count: usize) -> u64 {
    kind as u64 | (count as u64) << 32
}

impl Sealed for Numbers<'_> {}

// SAFETY: writes one granule and then `bytes`, which is what `granules` counts; `put_within` cuts
// the bytes to whole elements that fit.
unsafe impl Encode for Numbers<'_> {
    const BLANK: Self = Numbers { kind: ElementKind::U64, bytes: &[] };
    const FIXED: Option<usize> = None;

    fn tag(&self) -> Tag {
        Tag::List
    }

    fn granules(&self) -> usize {
        1 + granules_of(self.bytes.len())
    }

    unsafe fn put(&self, out: *mut u64) {
        // SAFETY: room for `granules()` is room for all of it.
        unsafe { self.put_within(out, self.granules()) };
    }

    fn granules_within(&self, limit: usize) -> usize {
        self.granules().min(limit)
    }

    unsafe fn put_within(&self, out: *mut u64, limit: usize) -> usize {
        let size = self.kind.element_bytes();
        let count = (self.bytes.len() / size).min((limit - 1) * GRANULE_BYTES / size);
        // SAFETY: the caller gives room for `limit` granules, or for all if they are fewer; one for
        // the word, and `count` was chosen to fit the others.
        unsafe {
            out.write(list_word(self.kind, count));
            std::ptr::copy_nonoverlapping(
                self.bytes.as_ptr(),
                out.add(1).cast::<u8>(),
                count * size,
            );
        }
        1 + granules_of(count * size)
    }
}

impl<T> Sealed for Texts<'_, T> {}

impl<T: AsRef<str>> Texts<'_, T> {
    fn bytes(&self) -> usize {
        self.texts.iter().map(|text| 4 + text.as_ref().len()).sum()
    }
}

// SAFETY: writes one granule and then the texts until the room for `limit` granules is used up.
// `AsRef<str>` is only ever that of `String`, `&str` and their like (`Element` is sealed), so the
// lengths do not change between `granules` and `put`.
unsafe impl<T: AsRef<str>> Encode for Texts<'_, T> {
    const BLANK: Self = Texts { texts: &[] };
    const FIXED: Option<usize> = None;

    fn tag(&self) -> Tag {
        Tag::List
    }

    fn granules(&self) -> usize {
        1 + granules_of(self.bytes())
    }

    unsafe fn put(&self, out: *mut u64) {
        // SAFETY: room for `granules()` is room for all of it.
        unsafe { self.put_within(out, self.granules()) };
    }

    fn granules_within(&self, limit: usize) -> usize {
        self.granules().min(limit)
    }

    unsafe fn put_within(&self, out: *mut u64, limit: usize) -> usize {
        let room = (limit - 1) * GRANULE_BYTES;
        let (mut used, mut count) = (0, 0);
        for text in self.texts {
            if used + 4 > room {
                break;
            }
            let whole = text.as_ref().as_bytes();
            let bytes = floor_char_boundary(whole, room - used - 4);
            // SAFETY: `used + 4 + bytes.len()` is at most `room`, which lies behind the first of
            // the `limit` granules that the caller gives; a u32 needs no alignment here.
            unsafe {
                let to = out.add(1).cast::<u8>().add(used);
                to.cast::<u32>().write_unaligned(bytes.len() as u32);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(4), bytes.len());
            }
            used += 4 + bytes.len();
            count += 1;
            if bytes.len() < whole.len() {
                break;
            }
        }
        // SAFETY: the first granule is within the room.
        unsafe { out.write(list_word(ElementKind::Text, count)) };
        1 + granules_of(used)
    }
}

macro_rules! number_elements {
    ($($type:ty => $kind:ident;)*) => {$(
        impl Element for $type {
            type List<'a> = Numbers<'a>;

            #[inline]
            fn list(slice: &[$type]) -> Numbers<'_> {
                // SAFETY: a slice of a primitive without padding is as many initialised bytes.
                let bytes = unsafe {
                    std::slice::from_raw_parts(slice.as_ptr().cast::<u8>(), size_of_val(slice))
                };
                Numbers { kind: ElementKind::$kind, bytes }
            }
        }
    )*};
}

number_elements! {
    i8 => I8; i16 => I16; u16 => U16; i32 => I32; u32 => U32; i64 => I64; u64 => U64;
    i128 => I128; u128 => U128; f32 => F32; f64 => F64; bool => Bool; char => Char;
}

#[cfg(target_pointer_width = "64")]
number_elements! { isize => I64; usize => U64; }
#[cfg(target_pointer_width = "32")]
number_elements! { isize => I32; usize => U32; }

impl Element for u8 {
    type List<'a> = Text<'a>;

    #[inline]
    fn list(slice: &[u8]) -> Text<'_> {
        Text::hex(slice)
    }
}

macro_rules! text_elements {
    ($({$($lifetime:lifetime)?} $type:ty;)*) => {$(
        impl<$($lifetime)?> Sealed for $type {}

        impl<$($lifetime)?> Element for $type {
            type List<'a> = Texts<'a, $type> where Self: 'a;

            fn list(slice: &[Self]) -> Self::List<'_> {
                Texts { texts: slice }
            }
        }
    )*};
}

text_elements! {
    {'t} &'t str;
    {} String;
    {'t} Cow<'t, str>;
    {} Box<str>;
    {} Arc<str>;
    {} Rc<str>;
}

macro_rules! list_values {
    ($({$($parameter:tt)*} $type:ty;)*) => {$(
        impl<T: Element $($parameter)*> Value for $type {
            type Encoded<'a>
                = T::List<'a>
            where
                Self: 'a;

            #[inline]
            fn encode<'a>(&'a self, _: &'a Scratch) -> T::List<'a> {
                T::list(self)
            }
        }
    )*};
}

list_values! {
    {} [T];
    {, const N: usize} [T; N];
    {} Vec<T>;
}

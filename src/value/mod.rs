//! What a field's value may be: the [`Value`] trait, the types that have it, and the tagged form in
//! which a value travels. Runs on the caller; decoding runs on the collector.
//!
//! A value goes in two steps. [`Value::encode`] runs first, outside any claim of ring memory: user
//! code, `Display` and `Debug` run here and write into this thread's scratch. What it returns
//! implements the sealed [`Encode`], which only copies bytes: no user code runs inside a claim.
//!
//! ```text
//! tag (u8, in the envelope's tag word) decides how the granules (8 bytes each) are read:
//!   scalar  | value, little endian, one or two granules |
//!   text    | len u32 | bytes ...                       | padded to a granule
//!   list    | kind u8 | 0 0 0 | count u32 | elements ...| padded to a granule
//!   null    |                                           | no granule at all
//! ```

mod field_set;
mod fields;
mod list;
mod raw;
mod scalar;
mod scratch;
mod stack;
mod text;
mod wire;
mod wrap;

pub use field_set::FieldSet;
pub use fields::{EncodedFields, Fields, Limits};
pub use list::Element;
pub use scratch::{Rendered, Scratch};
pub use text::Text;
pub use wire::{ElementKind, Tag};
pub use wrap::{Chain, Debug, Display, Redacted, chain, debug, display};

pub(crate) use raw::RawValue;
pub(crate) use text::floor_char_boundary;
pub(crate) use wire::{ListRef, ValueRef};
pub(crate) use wrap::Hidden;
#[cfg(feature = "cli")]
pub(crate) use wrap::REDACTED;

/// What a field's value may be.
///
/// Implemented for integers up to 128 bits, floats, `bool`, `char`, strings, paths, `Option`
/// (`None` is null), references and smart pointers, [`Duration`](std::time::Duration),
/// [`SystemTime`](std::time::SystemTime), IP and socket addresses, `[u8]` (hex), slices, arrays and
/// vectors of numbers and strings, `dyn Error` (with its sources), `Backtrace`, and, with the
/// feature `uuid`, `Uuid`. Anything else goes through [`display`], [`debug`] or [`chain`], or
/// implements this trait:
///
/// ```
/// use fastlog::value::{Rendered, Scratch, Value};
///
/// struct Celsius(f64); // travels as a number
///
/// impl Value for Celsius {
///     type Encoded<'a> = f64;
///     fn encode<'a>(&'a self, _: &'a Scratch) -> f64 {
///         self.0
///     }
/// }
///
/// struct Point(i32, i32); // travels as text
///
/// impl Value for Point {
///     type Encoded<'a> = Rendered<'a>;
///     fn encode<'a>(&'a self, scratch: &'a Scratch) -> Rendered<'a> {
///         scratch.format(format_args!("{};{}", self.0, self.1))
///     }
/// }
/// ```
///
/// # Panics
///
/// A `Display` that panics while [`Scratch`] renders it yields `"<panicked>"`. A panic in
/// [`Value::encode`] itself is a panic in an argument: it unwinds to the caller of the macro.
pub trait Value {
    /// The form that travels: a scalar, [`Text`], [`Rendered`], an `Option` of one of them, or
    /// whatever `encode` of another value returns.
    type Encoded<'a>: Encode
    where
        Self: 'a;

    /// The travelling form. May run user code, may log; `scratch` renders text.
    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Self::Encoded<'a>;
}

/// The form in which a value travels: knows its size, copies itself, runs no user code. Sealed.
///
/// # Safety
///
/// `put` writes exactly `granules()` granules and `put_within` exactly as many as it returns, which
/// are at most `granules_within(limit)`; a value that says `FIXED = Some(n)` has `granules() == n`.
#[allow(unsafe_code)]
pub unsafe trait Encode: sealed::Sealed + Sized {
    /// In place of a value that is not to be encoded; what it says is never shown.
    const BLANK: Self;
    /// Whether it lies in the scratch, which the emitting call then gives back.
    const RENDERED: bool = false;
    /// The granules that every value of this type takes, if they all take the same.
    const FIXED: Option<usize>;

    /// What the granules mean.
    fn tag(&self) -> Tag;

    /// Granules (8 bytes) of the whole value.
    fn granules(&self) -> usize;

    /// Writes the value.
    ///
    /// # Safety
    ///
    /// `out` is valid for writing `granules()` granules and 8-byte aligned.
    unsafe fn put(&self, out: *mut u64);

    /// What the granules mean that [`Encode::put_within`] writes.
    fn tag_within(&self, _limit: usize) -> Tag {
        self.tag()
    }

    /// Granules when a value of variable length may take at most `limit` (which is at least 1).
    fn granules_within(&self, _limit: usize) -> usize {
        self.granules()
    }

    /// Writes the value cut to `limit` granules, texts at a character boundary; says how many
    /// granules it wrote.
    ///
    /// # Safety
    ///
    /// `out` is valid for writing `granules_within(limit)` granules and 8-byte aligned.
    unsafe fn put_within(&self, out: *mut u64, _limit: usize) -> usize {
        // SAFETY: the caller gives room for `granules_within`, which here is `granules`.
        unsafe { self.put(out) };
        self.granules()
    }

    /// Whether the scratch was too small for it, so that it is cut already.
    fn is_cut(&self) -> bool {
        false
    }
}

pub(crate) mod sealed {
    /// Keeps [`Encode`](super::Encode) to this crate: the size it promises is relied on.
    pub trait Sealed {}
}

/// Granules that `bytes` take, which are fewer than an address space has: `div_ceil` provides for
/// more, with four instructions in each call that logs a text.
#[inline(always)]
pub(crate) const fn granules_of(bytes: usize) -> usize {
    (bytes + GRANULE_BYTES - 1) >> GRANULE_BYTES.trailing_zeros()
}

/// Bytes in a granule, the unit of ring positions and value sizes.
pub(crate) const GRANULE_BYTES: usize = 8;

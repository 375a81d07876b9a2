//! Values made of other values: options, references, and the wrappers that render. Runs on the
//! caller.
#![allow(unsafe_code)] // `Encode::put` writes into claimed ring memory; see `Encode`'s contract.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::sealed::Sealed;
use super::{Encode, Rendered, Scratch, Tag, Value};

impl<E: Encode> Sealed for Option<E> {}

// SAFETY: `None` has no granules and writes none; `Some` delegates.
unsafe impl<E: Encode> Encode for Option<E> {
    const BLANK: Self = None;
    const RENDERED: bool = E::RENDERED;
    const FIXED: Option<usize> = None;

    #[inline(always)]
    fn tag(&self) -> Tag {
        self.as_ref().map_or(Tag::Null, Encode::tag)
    }

    #[inline(always)]
    fn granules(&self) -> usize {
        self.as_ref().map_or(0, Encode::granules)
    }

    #[inline(always)]
    unsafe fn put(&self, out: *mut u64) {
        if let Some(value) = self {
            // SAFETY: handed on from the caller.
            unsafe { value.put(out) };
        }
    }

    fn tag_within(&self, limit: usize) -> Tag {
        self.as_ref().map_or(Tag::Null, |value| value.tag_within(limit))
    }

    fn granules_within(&self, limit: usize) -> usize {
        self.as_ref().map_or(0, |value| value.granules_within(limit))
    }

    unsafe fn put_within(&self, out: *mut u64, limit: usize) -> usize {
        match self {
            // SAFETY: handed on from the caller.
            Some(value) => unsafe { value.put_within(out, limit) },
            None => 0,
        }
    }

    fn is_cut(&self) -> bool {
        self.as_ref().is_some_and(Encode::is_cut)
    }
}

impl<T: Value> Value for Option<T> {
    type Encoded<'a>
        = Option<T::Encoded<'a>>
    where
        Self: 'a;

    #[inline(always)]
    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Self::Encoded<'a> {
        self.as_ref().map(|value| value.encode(scratch))
    }
}

/// Pointers that travel as what they point to.
macro_rules! pointers {
    ($($type:ty),*) => {$(
        impl<T: Value + ?Sized> Value for $type {
            type Encoded<'a> = T::Encoded<'a> where Self: 'a;

            #[inline(always)]
            fn encode<'a>(&'a self, scratch: &'a Scratch) -> Self::Encoded<'a> {
                (**self).encode(scratch)
            }
        }
    )*};
}

pointers! { &T, &mut T, Box<T>, Arc<T>, Rc<T> }

/// A value that is known to be there and never shown: it travels as `"[redacted]"`.
///
/// ```
/// # use fastlog::{fastlog, Redacted};
/// let password = "hunter2";
/// fastlog!(INFO, "signed in", password = Redacted(password));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Redacted<T>(pub T);

/// What stands in the log for a [`Redacted`] value.
pub(crate) const REDACTED: &str = "[redacted]";

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The travelling form of [`Redacted`]: nothing but its tag.
#[derive(Clone, Copy, Debug)]
pub struct Hidden;

impl Sealed for Hidden {}

// SAFETY: no granules, and `put` writes none.
unsafe impl Encode for Hidden {
    const BLANK: Self = Hidden;
    const FIXED: Option<usize> = Some(0);

    fn tag(&self) -> Tag {
        Tag::Redacted
    }

    fn granules(&self) -> usize {
        0
    }

    unsafe fn put(&self, _: *mut u64) {}
}

impl<T> Value for Redacted<T> {
    type Encoded<'a>
        = Hidden
    where
        Self: 'a;

    #[inline(always)]
    fn encode<'a>(&'a self, _: &'a Scratch) -> Hidden {
        Hidden
    }
}

/// A value rendered by its `Display`; what [`display`] returns.
pub struct Display<'v, T: ?Sized>(&'v T);

/// A value rendered by its `Debug`; what [`debug`] returns.
pub struct Debug<'v, T: ?Sized>(&'v T);

/// An error rendered with its sources; what [`chain`] returns.
pub struct Chain<'v>(&'v (dyn Error + 'v));

/// Renders the value by its `Display` into this thread's scratch; the same as `%value` in the
/// macro, in a form that rustfmt formats.
///
/// ```
/// # use fastlog::{display, fastlog};
/// let error = "x".parse::<u8>().unwrap_err();
/// fastlog!(WARN, "no number", error = display(&error));
/// ```
#[inline(always)]
pub const fn display<T: fmt::Display + ?Sized>(value: &T) -> Display<'_, T> {
    Display(value)
}

/// Renders the value by its `Debug`; the same as `?value` in the macro.
#[inline(always)]
pub const fn debug<T: fmt::Debug + ?Sized>(value: &T) -> Debug<'_, T> {
    Debug(value)
}

/// Renders an error and its sources, each after `": "`: `cannot load: not found`.
///
/// `dyn Error` in a box or reference is a [`Value`] already; this is for concrete error types.
///
/// ```
/// # use fastlog::{chain, fastlog};
/// if let Err(error) = std::fs::read("/nowhere") {
///     fastlog!(ERROR, "cannot read", error = chain(&error));
/// }
/// ```
#[inline(always)]
pub fn chain<'v, E: Error + 'v>(error: &'v E) -> Chain<'v> {
    Chain(error)
}

/// Types that render through an expression.
macro_rules! rendered {
    ($({$($generics:tt)*} $type:ty, |$value:ident, $scratch:ident| $render:expr;)*) => {$(
        impl<$($generics)*> Value for $type {
            type Encoded<'a> = Rendered<'a> where Self: 'a;

            fn encode<'a>(&'a self, $scratch: &'a Scratch) -> Rendered<'a> {
                let $value = self;
                $render
            }
        }
    )*};
}

rendered! {
    {T: fmt::Display + ?Sized} Display<'_, T>, |v, scratch| scratch.format(format_args!("{}", v.0));
    {T: fmt::Debug + ?Sized} Debug<'_, T>, |v, scratch| scratch.format(format_args!("{:?}", v.0));
    {} Chain<'_>, |v, scratch| scratch.chain(v.0);
    {} dyn Error, |v, scratch| scratch.chain(v);
    {} dyn Error + Send, |v, scratch| scratch.chain(v);
    {} dyn Error + Send + Sync, |v, scratch| scratch.chain(v);
    {} std::io::Error, |v, scratch| scratch.chain(v);
    {} Backtrace, |v, scratch| scratch.format(format_args!("{v}"));
    {} fmt::Arguments<'_>, |v, scratch| scratch.format(*v);
}

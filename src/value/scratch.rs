//! This thread's scratch: where `Display`, `Debug` and users' own values render before the claim.
//! Runs on the caller, and never inside a claim.
//!
//! The scratch is a stack. A `Display` that itself logs renders its own fields above what it has
//! written so far, commits its own record, and gives the space back before it goes on.
#![allow(unsafe_code)] // One buffer is shared by nested renderings at disjoint places.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use super::sealed::Sealed;
use super::text::floor_char_boundary;
use super::{Encode, Tag, Text};

/// Bytes that all renderings of one call, and of the calls nested in it, share.
const SCRATCH_BYTES: usize = 16 * 1024;

/// One part in so many of what is left is kept for the texts to come.
const KEPT_FOR_OTHERS: usize = 8;

/// What a field shows whose rendering panicked.
const PANICKED: &str = "<panicked>";

type Buffer = [u8; SCRATCH_BYTES];

thread_local! {
    /// Made when something first renders, freed by [`free_scratch`]. Without a destructor, so that
    /// destructors of other thread locals may still log.
    static BUFFER: Cell<*mut Buffer> = const { Cell::new(ptr::null_mut()) };
    /// How much of the buffer is taken.
    static TOP: Cell<usize> = const { Cell::new(0) };
    /// Calls that will give back what they rendered.
    static GUARDS: Cell<u32> = const { Cell::new(0) };
}

/// Renders text on this thread, for [`Value::encode`](super::Value::encode).
#[derive(Debug)]
pub struct Scratch {
    /// Its texts lie in this thread's buffer.
    not_send: PhantomData<*const ()>,
}

impl Scratch {
    #[inline(always)]
    pub(crate) const fn new() -> Scratch {
        Scratch { not_send: PhantomData }
    }

    /// Renders `format_args!(...)`, or `"<panicked>"` if a value's formatting panics. All texts of
    /// a record share 16 KiB: each is cut at seven eighths of what those before it left, so that
    /// short ones behind a long one stay whole. What is cut marks the record as truncated.
    pub fn format(&self, arguments: fmt::Arguments<'_>) -> Rendered<'_> {
        self.render(&mut |writer| writer.write_fmt(arguments))
    }

    /// Renders an error and its sources, each after `": "`.
    pub fn chain(&self, error: &(dyn Error + '_)) -> Rendered<'_> {
        self.render(&mut |writer| {
            write!(writer, "{error}")?;
            let mut source = error.source();
            while let Some(error) = source {
                write!(writer, ": {error}")?;
                source = error.source();
            }
            Ok(())
        })
    }

    /// Not generic, so that a rendered field costs a call site little code.
    #[inline(never)]
    fn render(&self, write: &mut dyn FnMut(&mut Writer) -> fmt::Result) -> Rendered<'_> {
        let mut writer = Writer::new();
        // What user code left behind is only its own: our state is the writer's and TOP.
        let outcome = catch_unwind(AssertUnwindSafe(|| write(&mut writer)));
        if let Err(payload) = outcome {
            // The payload's own destructor may panic too; leaking it is the safe way out.
            std::mem::forget(payload);
            writer.restart();
            // An error only says that there was no room, which `cut` says already.
            let _ = writer.write_str(PANICKED);
        }
        writer.finish()
    }
}

/// Gives back, when dropped, what was rendered since it was made: also when a value's `encode`
/// panics.
#[derive(Debug)]
pub(crate) struct ScratchGuard {
    top: usize,
    not_send: PhantomData<*const ()>,
}

impl ScratchGuard {
    pub(crate) fn new() -> ScratchGuard {
        GUARDS.set(GUARDS.get() + 1);
        ScratchGuard { top: TOP.get(), not_send: PhantomData }
    }
}

impl Drop for ScratchGuard {
    fn drop(&mut self) {
        TOP.set(self.top);
        GUARDS.set(GUARDS.get() - 1);
    }
}

/// Frees this thread's buffer, at the thread's end, unless a call still uses it.
pub(crate) fn free_scratch() {
    if GUARDS.get() > 0 {
        return;
    }
    let buffer = BUFFER.replace(ptr::null_mut());
    TOP.set(0);
    if !buffer.is_null() {
        // SAFETY: made by `Box::into_raw` in `buffer()`, on this thread, and now forgotten.
        drop(unsafe { Box::from_raw(buffer) });
    }
}

/// This thread's buffer, made on first use.
fn buffer() -> *mut u8 {
    let mut buffer = BUFFER.get();
    if buffer.is_null() {
        buffer = Box::into_raw(Box::new([0; SCRATCH_BYTES]));
        BUFFER.set(buffer);
    }
    buffer.cast()
}

/// Appends to the scratch from where its top was.
struct Writer {
    start: usize,
    /// Where the text has to end.
    limit: usize,
    len: usize,
    cut: bool,
}

impl Writer {
    fn new() -> Writer {
        if GUARDS.get() == 0 {
            // A value that renders but does not travel as text: its call gives nothing back.
            TOP.set(0);
        }
        let start = TOP.get();
        let left = SCRATCH_BYTES - start;
        Writer { start, limit: SCRATCH_BYTES - left / KEPT_FOR_OTHERS, len: 0, cut: false }
    }

    /// Throws away what was written, and what nested calls that never returned had taken.
    fn restart(&mut self) {
        self.len = 0;
        self.cut = false;
        TOP.set(self.start);
    }

    /// Goes on above what a value's formatting has itself rendered and kept.
    fn move_up(&mut self) {
        let to = TOP.get();
        self.len = self.len.min(self.limit.saturating_sub(to));
        // SAFETY: both ranges lie within the buffer, and the new one, above TOP, is nobody's; it
        // may overlap the old one only if TOP went down, which `copy` allows.
        unsafe { ptr::copy(buffer().add(self.start), buffer().add(to), self.len) };
        self.start = to;
    }

    fn finish<'a>(self) -> Rendered<'a> {
        // SAFETY: the range lies below TOP, so that nobody writes to it until the emitting call
        // releases it, after the last use of the slice (the fields' lifetime is the call's).
        let bytes = unsafe { std::slice::from_raw_parts(buffer().add(self.start), self.len) };
        Rendered { text: Text::new(bytes), cut: self.cut }
    }
}

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut {
            // A value that goes on after the error: what it writes now does not belong here.
            return Err(fmt::Error);
        }
        if TOP.get() != self.start + self.len {
            self.move_up();
        }
        let end = self.start + self.len;
        let fits = floor_char_boundary(text.as_bytes(), self.limit.saturating_sub(end));
        // SAFETY: `fits` ends within the buffer; the text is not part of it, as whatever lies above
        // `end` belongs to nobody at this moment.
        unsafe { ptr::copy_nonoverlapping(fits.as_ptr(), buffer().add(end), fits.len()) };
        self.len += fits.len();
        TOP.set(self.start + self.len);
        self.cut = fits.len() < text.len();
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// A text in this thread's scratch; what [`Scratch`] returns.
#[derive(Clone, Copy, Debug)]
pub struct Rendered<'a> {
    text: Text<'a>,
    cut: bool,
}

impl Sealed for Rendered<'_> {}

// SAFETY: delegates to `Text`.
unsafe impl Encode for Rendered<'_> {
    const RENDERED: bool = true;
    const FIXED: Option<usize> = None;

    fn tag(&self) -> Tag {
        self.text.tag()
    }

    fn granules(&self) -> usize {
        self.text.granules()
    }

    unsafe fn put(&self, out: *mut u64) {
        // SAFETY: handed on from the caller.
        unsafe { self.text.put(out) };
    }

    fn tag_within(&self, limit: usize) -> Tag {
        self.text.tag_within(limit)
    }

    fn granules_within(&self, limit: usize) -> usize {
        self.text.granules_within(limit)
    }

    unsafe fn put_within(&self, out: *mut u64, limit: usize) -> usize {
        // SAFETY: handed on from the caller.
        unsafe { self.text.put_within(out, limit) }
    }

    fn is_cut(&self) -> bool {
        self.cut
    }
}

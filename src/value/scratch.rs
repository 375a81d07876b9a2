//! This thread's scratch: where `Display`, `Debug` and users' own values render before the claim.
//! Runs on the caller, and never inside a claim.
//!
//! The scratch is a stack. A `Display` that itself logs renders its own fields above what it has
//! written so far, commits its own record, and gives the space back before it goes on. What gives
//! back is the [`Scratch`] that rendered, when it is dropped; until then nothing that it lent is
//! moved, written to or freed, in whatever order texts are made.
//!
//! A signal's handler may come in between any two instructions here and render itself. It leaves
//! the stack as it found it, and writes above the top: so the top moves before bytes are written.
#![allow(unsafe_code)] // One buffer is shared by nested renderings at disjoint places.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use super::sealed::Sealed;
use super::stack::{SCRATCH_BYTES, Stack, get, set, with_stack};
use super::text::floor_char_boundary;
use super::{Encode, Tag, Text};
use crate::primitive::{Ordering, compiler_fence};

/// One part in so many of what is left is kept for the texts to come.
const KEPT_FOR_OTHERS: usize = 8;

/// What a field shows whose rendering panicked.
const PANICKED: &str = "<panicked>";

/// Renders text on this thread, for [`Value::encode`](super::Value::encode).
///
/// What it returned stays as it is for as long as the scratch is borrowed, whatever is rendered or
/// logged meanwhile.
#[derive(Debug)]
pub struct Scratch {
    /// Its number among the thread's scratches, from 1; 0 before it has rendered.
    number: Cell<usize>,
    /// Where the stack's top was before.
    base: Cell<usize>,
    /// The scratch that was the newest before it.
    below: Cell<usize>,
    /// Its texts lie in this thread's buffer.
    not_send: PhantomData<*const ()>,
}

impl Scratch {
    #[inline(always)]
    pub(crate) const fn new() -> Scratch {
        let (number, base, below) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Scratch { number, base, below, not_send: PhantomData }
    }

    /// Renders `format_args!(...)`, or `"<panicked>"` if a value's formatting panics. All texts of
    /// a record share 16 KiB: each is cut at seven eighths of what those before it left, so that
    /// short ones behind a long one stay whole. What is cut, or finds no memory at all, marks the
    /// record as truncated.
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
        with_stack(|stack| self.join(stack));
        let mut writer = Writer::new();
        // What user code left behind is only its own: our state is the writer's and the stack's.
        let outcome = catch_unwind(AssertUnwindSafe(|| write(&mut writer)));
        if let Err(payload) = outcome {
            // The payload's own destructor may panic too; leaking it is the safe way out.
            std::mem::forget(payload);
            writer.restart();
            // An error only says that there was no room, which `cut` says already.
            let _ = writer.write_str(PANICKED);
        }
        if with_stack(|stack| get(&stack.newest)) != self.number.get() {
            writer.keep();
        }
        writer.finish()
    }

    /// From now on the buffer is in use, and what lies above the present top is to be given back.
    fn join(&self, stack: &Stack) {
        if self.number.get() != 0 {
            return;
        }
        self.base.set(get(&stack.top));
        self.below.set(get(&stack.newest));
        set(&stack.users, get(&stack.users) + 1);
        // A handler in between may get the same number; it has gone when this one goes on.
        self.number.set(get(&stack.numbers) + 1);
        set(&stack.numbers, self.number.get());
        set(&stack.newest, self.number.get());
    }

    #[inline(never)]
    fn leave(&self) {
        with_stack(|stack| {
            let users = get(&stack.users) - 1;
            if users == 0 {
                set(&stack.kept, 0);
                set(&stack.top, 0);
                set(&stack.newest, 0);
                stack.free_if_ending();
            } else if get(&stack.newest) == self.number.get() {
                // Whoever came later has gone. Those below may have rendered meanwhile.
                set(&stack.top, self.base.get().max(get(&stack.kept)));
                set(&stack.newest, self.below.get());
            } else {
                // Not in turn, as on a stack that user code has switched: all stays until the
                // last has gone.
                set(&stack.kept, get(&stack.top));
            }
            // Last: nobody frees what is not given back.
            set(&stack.users, users);
        });
    }
}

impl Drop for Scratch {
    #[inline(always)]
    fn drop(&mut self) {
        if self.number.get() != 0 {
            self.leave();
        }
    }
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
        let (start, buffer) = with_stack(|stack| (get(&stack.top), stack.buffer()));
        let left = SCRATCH_BYTES - start;
        let limit = if buffer.is_null() { start } else { SCRATCH_BYTES - left / KEPT_FOR_OTHERS };
        Writer { start, limit, len: 0, cut: false }
    }

    /// Throws away what was written, but not what user code has rendered above it, and may hold.
    fn restart(&mut self) {
        with_stack(|stack| {
            let top = get(&stack.top);
            if top == self.start + self.len {
                set(&stack.top, self.start);
            } else {
                self.start = top;
            }
        });
        self.len = 0;
        self.cut = false;
    }

    /// Goes on above what a value's formatting has itself rendered and kept; false if it had to be
    /// cut for that.
    fn move_up(&mut self, stack: &Stack) -> bool {
        let to = get(&stack.top);
        let before = self.len;
        let from = stack.buffer().wrapping_add(self.start);
        self.len = self.written(stack, self.limit.saturating_sub(to)).len();
        set(&stack.top, to + self.len);
        // Before the bytes: a handler writes above the top.
        compiler_fence(Ordering::SeqCst);
        // SAFETY: both ranges lie within the buffer, and the new one, above the former top, is
        // nobody's; `copy` allows them to overlap.
        unsafe { ptr::copy(from, stack.buffer().wrapping_add(to), self.len) };
        self.start = to;
        self.len == before
    }

    /// What was written, as much as fits into `max` bytes.
    fn written(&self, stack: &Stack, max: usize) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `write_str` has written these bytes, and nobody else writes below the top. There
        // is a buffer, as there was room for them.
        let bytes = unsafe {
            std::slice::from_raw_parts(stack.buffer().wrapping_add(self.start), self.len)
        };
        floor_char_boundary(bytes, max)
    }

    /// Its text stays when the scratches above it go.
    fn keep(&self) {
        with_stack(|stack| set(&stack.kept, get(&stack.kept).max(self.start + self.len)));
    }

    fn finish<'a>(self) -> Rendered<'a> {
        if self.len == 0 {
            return Rendered { text: Text::new(&[]), cut: self.cut };
        }
        let buffer = with_stack(Stack::buffer);
        // SAFETY: the range lies below the top, which no scratch lowers past it before the one that
        // rendered it is dropped: the newest gives back to its own base and to `kept`, and the
        // lifetime is that of a borrow of the scratch. So nobody writes to it, or frees it.
        let bytes = unsafe { std::slice::from_raw_parts(buffer.add(self.start), self.len) };
        Rendered { text: Text::new(bytes), cut: self.cut }
    }
}

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut {
            // A value that goes on after the error: what it writes now does not belong here.
            return Err(fmt::Error);
        }
        with_stack(|stack| {
            if get(&stack.top) != self.start + self.len && !self.move_up(stack) {
                self.cut = true;
                return Err(fmt::Error);
            }
            let end = self.start + self.len;
            let fits = floor_char_boundary(text.as_bytes(), self.limit.saturating_sub(end));
            if !fits.is_empty() {
                set(&stack.top, end + fits.len());
                // Before the bytes: a handler writes above the top.
                compiler_fence(Ordering::SeqCst);
                // SAFETY: `fits` ends within the buffer, which is there as there is room; the text
                // is not part of it, as what lies above `end` belonged to nobody.
                unsafe {
                    let to = stack.buffer().add(end);
                    ptr::copy_nonoverlapping(fits.as_ptr(), to, fits.len());
                }
                self.len += fits.len();
            }
            self.cut = fits.len() < text.len();
            if self.cut { Err(fmt::Error) } else { Ok(()) }
        })
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
    const BLANK: Self = Rendered { text: Text::new(&[]), cut: false };
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

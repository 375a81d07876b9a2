//! The memory behind a thread's scratch: a stack of bytes and its bookkeeping. Runs on the caller;
//! which bytes are whose is the business of [`Scratch`](super::Scratch).
#![allow(unsafe_code)] // Allocates, because running out of memory must not end the host.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr;

use crate::primitive::{AtomicPtr, AtomicUsize, Ordering};
use crate::sys::thread_end::ThreadEnd;

/// Bytes that all renderings of one call, and of the calls nested in it, share.
pub(super) const SCRATCH_BYTES: usize = 16 * 1024;

const LAYOUT: Layout = Layout::new::<[u8; SCRATCH_BYTES]>();

/// Renderings that go without memory, at most, before it is asked for again.
const UNASKED_MAX: usize = 1024;

/// A thread's stack of texts. Atomics, because a signal's handler looks at them as well.
pub(super) struct Stack {
    /// Made when something first renders; null before, and when there was no memory.
    buffer: AtomicPtr<u8>,
    /// How much of it is taken.
    pub(super) top: AtomicUsize,
    /// Up to where there are texts of scratches that were not the newest when they rendered.
    pub(super) kept: AtomicUsize,
    /// Scratches that live and have rendered.
    pub(super) users: AtomicUsize,
    /// The number of the newest of them; 0 without any.
    pub(super) newest: AtomicUsize,
    /// The last number given out.
    pub(super) numbers: AtomicUsize,
    /// Renderings to come that do not ask for memory, and how many these were at first.
    unasked: AtomicUsize,
    unasked_of: AtomicUsize,
}

thread_local! {
    /// Without a destructor, so that destructors of other thread locals may still log.
    static STACK: Stack = const {
        Stack {
            buffer: AtomicPtr::new(ptr::null_mut()),
            top: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
            newest: AtomicUsize::new(0),
            numbers: AtomicUsize::new(0),
            unasked: AtomicUsize::new(0),
            unasked_of: AtomicUsize::new(0),
        }
    };
    /// Whether the thread ends: whoever renders frees the buffer when it is the last to use it.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
}

static END: ThreadEnd = ThreadEnd::new(end);

/// At the thread's end, behind the destructors of its locals.
fn end() {
    IS_ENDING.set(true);
    with_stack(|stack| {
        // Else whoever uses it, up the stack, frees it.
        if get(&stack.users) == 0 {
            stack.free_if_ending();
        }
    });
}

/// Hands this thread's stack to `work`.
pub(super) fn with_stack<R>(work: impl FnOnce(&Stack) -> R) -> R {
    STACK.with(work)
}

pub(super) fn get(word: &AtomicUsize) -> usize {
    word.load(Ordering::Relaxed)
}

pub(super) fn set(word: &AtomicUsize, to: usize) {
    word.store(to, Ordering::Relaxed);
}

impl Stack {
    /// The buffer, made now if need be; null when there is no memory.
    pub(super) fn buffer(&self) -> *mut u8 {
        let present = self.buffer.load(Ordering::Relaxed);
        if present.is_null() { self.make() } else { present }
    }

    #[cold]
    fn make(&self) -> *mut u8 {
        let unasked = get(&self.unasked);
        if unasked > 0 {
            set(&self.unasked, unasked - 1);
            return ptr::null_mut();
        }
        // SAFETY: the layout is not empty.
        let made = unsafe { alloc(LAYOUT) };
        if made.is_null() {
            // Not asked for again by each call at the price of the system's refusal.
            let twice = (2 * get(&self.unasked_of)).clamp(1, UNASKED_MAX);
            set(&self.unasked_of, twice);
            set(&self.unasked, twice);
            return made;
        }
        set(&self.unasked_of, 0);
        let present = self.buffer.load(Ordering::Relaxed);
        if !present.is_null() {
            // The host's allocator has logged, and what it logged has rendered.
            // SAFETY: made above, and nobody else saw it.
            unsafe { dealloc(made, LAYOUT) };
            return present;
        }
        self.buffer.store(made, Ordering::Relaxed);
        if !IS_ENDING.get() && END.ask().is_err() {
            // Nobody would free it later.
            IS_ENDING.set(true);
        }
        made
    }

    /// Frees the buffer, which nobody uses, when the thread ends.
    pub(super) fn free_if_ending(&self) {
        if !IS_ENDING.get() {
            return;
        }
        set(&self.top, 0);
        let buffer = self.buffer.swap(ptr::null_mut(), Ordering::Relaxed);
        if !buffer.is_null() {
            // SAFETY: allocated in `make` with this layout, by this thread, and now forgotten.
            unsafe { dealloc(buffer, LAYOUT) };
        }
    }
}

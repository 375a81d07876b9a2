//! Calls that no engine heard, counted on every thread. A program may run without an engine, and
//! log all the same: one counter for all threads would cost each call 9 ns, as the line that it
//! lies on travels between the processors. So a thread that counts takes a line of its own, on
//! which it adds with plain loads and stores, and leaves it with its count to a later thread.
//!
//! Where there are more threads than lines, at a thread's end, and in a signal's handler that has
//! interrupted the addition, the counter that all share takes it.

use std::cell::Cell;
use std::ptr;

use crossbeam_utils::CachePadded;

use crate::primitive::{AtomicBool, AtomicU64, Ordering, compiler_fence};

/// Threads that count at the same time on lines of their own.
const LINES: usize = 64;

struct Line {
    calls: AtomicU64,
    is_taken: AtomicBool,
}

static OWN_LINES: [CachePadded<Line>; LINES] = [const {
    CachePadded::new(Line { calls: AtomicU64::new(0), is_taken: AtomicBool::new(false) })
}; LINES];

static SHARED: CachePadded<AtomicU64> = CachePadded::new(AtomicU64::new(0));

thread_local! {
    /// This thread's line, if it has one and is not about to add to it.
    static OWN: Cell<Option<&'static Line>> = const { Cell::new(None) };
    /// Whether the thread has asked for a line.
    static HAS_ASKED: Cell<bool> = const { Cell::new(false) };
    static GUARD: Guard = const { Guard };
}

/// Leaves the thread's line when it ends.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(line) = OWN.take() {
            // Pairs with the Acquire in `take_line`: the next owner adds to this count.
            line.is_taken.store(false, Ordering::Release);
        }
    }
}

/// Counts calls.
#[inline]
pub(super) fn count(calls: u64) {
    let Some(line) = OWN.take() else { return count_first(calls) };
    // A handler that comes in between finds no line, and counts on the shared one.
    compiler_fence(Ordering::SeqCst); // pairs with such a handler, on the same thread
    line.calls.store(line.calls.load(Ordering::Relaxed).wrapping_add(calls), Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst); // pairs with such a handler
    OWN.set(Some(line));
}

/// Counts calls without a look at what is the thread's own, which may be in use up the stack.
pub(super) fn count_shared(calls: u64) {
    SHARED.fetch_add(calls, Ordering::Relaxed);
}

#[cold]
#[inline(never)]
fn count_first(calls: u64) {
    count_shared(calls);
    // Before anything that may allocate: a global allocator that logs would come here again.
    if !HAS_ASKED.replace(true) && GUARD.try_with(|_| ()).is_ok() {
        OWN.set(take_line());
    }
}

fn take_line() -> Option<&'static Line> {
    let take = |line: &&CachePadded<Line>| {
        // Pairs with the Release store of whoever left it.
        line.is_taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    };
    OWN_LINES.iter().find(take).map(|line| &**line)
}

/// Calls counted so far; exact when those who count are quiet.
pub(super) fn total() -> u64 {
    let own = OWN_LINES.iter().map(|line| line.calls.load(Ordering::Relaxed));
    own.fold(SHARED.load(Ordering::Relaxed), u64::wrapping_add)
}

/// In a forked child: the threads of the others' lines are not in it. Only stores.
pub(super) fn forget_after_fork() {
    let own = OWN.get();
    for line in &OWN_LINES {
        if !own.is_some_and(|own| ptr::eq(own, &raw const **line)) {
            // Pairs with the Acquire in `take_line`.
            line.is_taken.store(false, Ordering::Release);
        }
    }
}

//! A global allocator that counts what the calling thread asks of it.

// A global allocator cannot be written without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

/// What one thread asked of the allocator. A `realloc` counts as an allocation of the new size.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub allocations: u64,
    pub bytes: u64,
    pub frees: u64,
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, bytes: 0, frees: 0 }) };
}

/// The calling thread's counts so far: all zero unless [`Counting`] is installed.
pub fn this_thread() -> Counts {
    COUNTS.get()
}

/// Whether this program runs under [`Counting`].
pub fn are_counted() -> bool {
    let before = this_thread().allocations;
    drop(black_box(Box::new(1_u64)));
    this_thread().allocations > before
}

fn count(add: impl FnOnce(&mut Counts)) {
    // A thread that is being torn down may free memory after its locals are gone.
    let _ = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        add(&mut counts);
        cell.set(counts);
    });
}

fn count_allocation(bytes: usize) {
    count(|counts| {
        counts.allocations += 1;
        counts.bytes += bytes as u64;
    });
}

/// The system's allocator, with counts.
pub struct Counting;

// SAFETY: every call goes to `System` unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: the caller keeps `GlobalAlloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count_allocation(new_size);
        // SAFETY: as in `alloc`; `old` came from `System`, as all of ours does.
        unsafe { System.realloc(old, layout, new_size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        count(|counts| counts.frees += 1);
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(old, layout) }
    }
}

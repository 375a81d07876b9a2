//! std's `AtomicU64` in unit tests: each store can be watched by the thread that makes it, so that
//! a test of crashes sees a file after every store that the protocol makes into it.
//! Data, used on every thread; watched by the test's own alone.
#![allow(unsafe_code)] // A view of memory that somebody else keeps.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::atomic::{self, Ordering};

type Watcher = Box<dyn FnMut()>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// As std's, but that stores are seen.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) const fn new(value: u64) -> AtomicU64 {
        AtomicU64(atomic::AtomicU64::new(value))
    }

    /// As std's.
    ///
    /// # Safety
    ///
    /// As std's: valid and aligned for as long, and accessed as an atomic only.
    pub(crate) const unsafe fn from_ptr<'a>(ptr: *mut u64) -> &'a AtomicU64 {
        // SAFETY: by contract; the type is transparent.
        unsafe { &*ptr.cast::<AtomicU64>() }
    }

    pub(crate) fn store(&self, value: u64, ordering: Ordering) {
        self.0.store(value, ordering);
        stored();
    }
}

impl Deref for AtomicU64 {
    type Target = atomic::AtomicU64;

    fn deref(&self) -> &atomic::AtomicU64 {
        &self.0
    }
}

/// Tells the watcher, which does not hear of its own stores.
fn stored() {
    // A thread that ends stores as well; nobody watches it any more.
    let taken = WATCHER.try_with(|watcher| watcher.take()).ok().flatten();
    if let Some(mut watcher) = taken {
        watcher();
        WATCHER.with(|slot| slot.replace(Some(watcher)));
    }
}

/// Has this thread's stores watched during `work`: `watcher` is called behind each.
pub(crate) fn watched<R>(watcher: impl FnMut() + 'static, work: impl FnOnce() -> R) -> R {
    struct Unwatch;
    impl Drop for Unwatch {
        fn drop(&mut self) {
            WATCHER.with(RefCell::take);
        }
    }
    WATCHER.with(|slot| slot.replace(Some(Box::new(watcher))));
    let _unwatch = Unwatch;
    work()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn each_store_is_seen_and_nothing_else() {
        let word = AtomicU64::new(1);
        let seen = Rc::new(Cell::new(0));
        let counting = Rc::clone(&seen);
        watched(
            move || {
                // Its own are not.
                AtomicU64::new(0).store(1, Ordering::Relaxed);
                counting.set(counting.get() + 1);
            },
            || {
                (0..5).for_each(|value| word.store(value, Ordering::Release));
                assert_eq!(word.load(Ordering::Acquire), 4);
            },
        );
        word.store(9, Ordering::Relaxed);
        assert_eq!(seen.get(), 5);
    }
}

//! A child of this process that no handler has told that it is one: noticed by its wiped memory.
//! Looked for on cold paths of all threads, before anything that the parent shares is touched.
#![allow(unsafe_code)] // The watch is found through a pointer that a child need not lock.

use super::thread::SignalsBlocked;
use super::wiped::Wiped;
use crate::primitive::{AtomicPtr, AtomicU32, Ordering, spin_loop};

/// The process that watches; in its children the memory reads 0.
const OWN: u32 = 1;
/// A thread of a child tells it.
const TELLING: u32 = 2;
const WIPED: u32 = 0;

static WATCH: AtomicPtr<Watch> = AtomicPtr::new(std::ptr::null_mut());

struct Watch {
    witness: Wiped<AtomicU32>,
    /// What the handler of `fork` does in a child.
    handler: extern "C" fn(),
}

/// From now on a child calls `handler` before it looks at what the parent shares, if `fork`'s own
/// handlers have not. `handler` only stores, and ends with [`told`]. Called once in a process;
/// without memory there is no watch.
pub(crate) fn watch(handler: extern "C" fn()) {
    // SAFETY: an atomic is valid whatever it holds, and has no destructor.
    let Ok(witness) = (unsafe { Wiped::new(AtomicU32::new(OWN)) }) else { return };
    let watch = Box::into_raw(Box::new(Watch { witness, handler }));
    // Release: pairs with the Acquire in `present`. A former one, of the parent's, leaks.
    WATCH.store(watch, Ordering::Release);
}

fn present() -> Option<&'static Watch> {
    // Acquire: pairs with the Release in `watch`.
    // SAFETY: null, or a leaked box.
    unsafe { WATCH.load(Ordering::Acquire).as_ref() }
}

/// Tells a child of itself, if nobody has.
#[inline]
pub(crate) fn notice() {
    if let Some(watch) = present() {
        // Acquire: pairs with the Release in `told`, what the handler stored comes with it.
        if watch.witness.load(Ordering::Acquire) != OWN {
            tell(watch);
        }
    }
}

#[cold]
fn tell(watch: &Watch) {
    // A handler of a signal that came here on this thread would wait for it.
    let _blocked = SignalsBlocked::now();
    let (witness, relaxed) = (&*watch.witness, Ordering::Relaxed);
    if witness.compare_exchange(WIPED, TELLING, relaxed, relaxed).is_ok() {
        (watch.handler)();
        return;
    }
    // Another thread of the child does; it only stores. Pairs with the Release in `told`.
    while witness.load(Ordering::Acquire) == TELLING {
        spin_loop();
    }
}

/// This process, a child, knows.
pub(crate) fn told() {
    if let Some(watch) = present() {
        // Release: pairs with the Acquire in `notice`.
        watch.witness.store(OWN, Ordering::Release);
    }
}

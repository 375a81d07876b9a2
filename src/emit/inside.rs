//! The word that says whether this thread is inside the engine: in a call between claim and commit,
//! or on a cold path. Runs on the caller. Whatever comes in again from within (a signal's handler,
//! a global allocator that logs) is turned away, and counted.
//!
//! It is the very pointer through which the hot path finds its ring. Inside, it points to a ring
//! that is nobody's: a call from within fails its one comparison, takes the cold path, and is told
//! there. So the word costs a call two stores and no comparison of its own.

use std::ptr;

use crate::primitive::{AtomicPtr, Ordering, compiler_fence};
use crate::ring::{Mapped, Ring};
use crate::sys::unannounced;

/// What [`RING`] points to before the thread has a ring of its own: no gate equals its engine.
static NOBODYS: Ring<Mapped> = Ring::nobodys();
/// What [`WORD`] points to while the thread is inside.
static INSIDE: Ring<Mapped> = Ring::nobodys();

type RingCell = AtomicPtr<Ring<Mapped>>;

thread_local! {
    /// [`RING`], or [`INSIDE`]. Without a destructor, as all here, so that it can be read at any
    /// time; atomics, because handlers of signals read and write them between two instructions.
    static WORD: RingCell = const { AtomicPtr::new((&raw const NOBODYS).cast_mut()) };
    /// The ring to the default engine. Changed only by who is inside.
    static RING: RingCell = const { AtomicPtr::new((&raw const NOBODYS).cast_mut()) };
}

/// The ring to the default engine, or one that is nobody's.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn ring() -> &'static Ring<Mapped> {
    // SAFETY: points to a static, or into the `Arc` of a table entry, which stays until `set_ring`
    // has named something else, and then until the one after that (`Table::former`): a handler may
    // come in between this load and `enter`. The reference does not outlive the call that asks.
    unsafe { &*WORD.with(|word| word.load(Ordering::Relaxed)) }
}

/// Whether [`ring`] would be this one for a call that is not inside.
pub(super) fn is_ring(ring: &Ring<Mapped>) -> bool {
    ptr::eq(RING.with(|own| own.load(Ordering::Relaxed)), ring)
}

/// Names the ring to the default engine; none: nobody's. Only inside.
pub(super) fn set_ring(ring: Option<&Ring<Mapped>>) {
    let ring = ptr::from_ref(ring.unwrap_or(&NOBODYS)).cast_mut();
    RING.with(|own| own.store(ring, Ordering::Relaxed));
}

/// The hot path goes in. Only with what [`ring`] gave, and up to [`leave`].
#[inline(always)]
pub(super) fn enter() {
    WORD.with(|word| word.store((&raw const INSIDE).cast_mut(), Ordering::Relaxed));
    // Orders this thread for its handlers: from here on they are turned away.
    compiler_fence(Ordering::SeqCst);
}

/// The hot path comes out, having committed or given up.
#[inline(always)]
pub(super) fn leave(ring: &'static Ring<Mapped>) {
    // Orders this thread for its handlers: who is let in finds the record committed.
    compiler_fence(Ordering::SeqCst);
    WORD.with(|word| word.store(ptr::from_ref(ring).cast_mut(), Ordering::Relaxed));
}

/// Held while this thread is on one of the engine's cold paths.
#[derive(Debug)]
#[must_use = "inside only while it is held"]
pub(crate) struct Inside(());

impl Inside {
    /// None if the thread is inside already. In a child that nobody has told that it is one, the
    /// rings are forgotten first: they are the parent's.
    pub(crate) fn enter() -> Option<Inside> {
        unannounced::notice();
        if ptr::eq(ring(), &raw const INSIDE) {
            return None;
        }
        enter();
        Some(Inside(()))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst); // orders, as in `leave`
        let ring = RING.with(|own| own.load(Ordering::Relaxed));
        WORD.with(|word| word.store(ring, Ordering::Relaxed));
    }
}

/// In a forked child: nobody is inside, and no ring is the child's. Only stores.
pub(super) fn forget_after_fork() {
    set_ring(None);
    WORD.with(|word| word.store((&raw const NOBODYS).cast_mut(), Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_inside_until_the_first_guard_goes() {
        let first = Inside::enter().expect("nobody is inside");
        for _ in 0..2 {
            assert!(Inside::enter().is_none(), "a vain attempt frees nothing");
        }
        assert_eq!(ring().engine(), 0, "no gate has the number");
        drop(first);
        assert!(Inside::enter().is_some());
    }

    #[test]
    fn the_hot_path_turns_away_as_the_cold_one_does() {
        let own = ring();
        enter();
        assert!(Inside::enter().is_none());
        leave(own);
        assert!(Inside::enter().is_some());
    }
}

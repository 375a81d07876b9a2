//! What the whole process shares: the default engine, the engines' numbers, the lock under which
//! callsites are registered and their gates set. Used on cold paths of all threads.
//!
//! Every engine needs the lock to start and to end. So nothing is done under it that may take
//! longer than a few stores: no mapped memory is touched, no user code run, nothing written.
//!
//! A forked child finds none of it locked: its handler only stores.

use std::sync::{Arc, MutexGuard};

use super::{Registry, unheard};
use crate::callsite::{self, Callsite};
use crate::primitive::{AtomicI32, AtomicU32, Ordering};
use crate::sys::fork_safe::ForkSafe;
use crate::sys::unannounced;

/// The default engine's number; 0 while there is none. A hint that saves the lock.
static DEFAULT: AtomicI32 = AtomicI32::new(0);
/// The number of the next engine.
static NEXT: AtomicI32 = AtomicI32::new(1);
/// How often this process has forked off from its ancestors since the first engine.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static SHARED: ForkSafe<Shared> = ForkSafe::new();

/// What stands under the registration lock.
#[derive(Default)]
pub(crate) struct Shared {
    /// The default engine, from the last step of its start on.
    default: Option<Arc<Registry>>,
    /// Whether the place of the default engine is taken, by one that runs or starts.
    is_reserved: bool,
}

/// The registration lock.
pub(crate) fn lock() -> MutexGuard<'static, Shared> {
    SHARED.lock()
}

impl Shared {
    /// Takes the place of the process's engine; false if it is taken.
    pub(crate) fn reserve(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reserved, true)
    }

    /// Frees the place.
    pub(crate) fn unreserve(&mut self) {
        self.is_reserved = false;
    }

    /// Makes the engine the default: calls from now on are its.
    pub(crate) fn set_default(&mut self, registry: Arc<Registry>) {
        DEFAULT.store(registry.number(), Ordering::Relaxed);
        self.default = Some(registry);
        self.close_gates();
    }

    /// There is no default engine any more, if it was this one: calls from now on are unheard.
    pub(crate) fn clear_default(&mut self, number: i32) {
        if self.default.as_ref().is_some_and(|registry| registry.number() == number) {
            self.default = None;
            DEFAULT.store(0, Ordering::Relaxed);
            self.close_gates();
        }
    }

    /// Gives a callsite the id that it keeps.
    pub(crate) fn register(&mut self, callsite: &'static Callsite) -> u32 {
        callsite.register()
    }

    /// Lets a gate say what `registry` has decided, if that is the default engine and its filter is
    /// the same as when it had been set `filters` times; else the next call decides anew. `state`
    /// is the open callsite's, or 0.
    pub(crate) fn set_gate(
        &mut self,
        callsite: &'static Callsite,
        state: i64,
        registry: &Registry,
        filters: u64,
    ) {
        let is_default = self.default.as_ref().is_some_and(|one| one.number() == registry.number());
        // A filter that is set later closes the gate, under this lock.
        if !is_default || registry.verdicts.filters() != filters {
            return;
        }
        if state == 0 { callsite.disable() } else { callsite.open(state) }
    }

    /// Lets every callsite decide anew.
    pub(crate) fn close_gates(&mut self) {
        close_gates();
    }
}

/// The default engine.
pub(crate) fn default_engine() -> Option<Arc<Registry>> {
    lock().default.clone()
}

/// Lets every callsite decide anew. Under the registration lock, or in a forked child.
fn close_gates() {
    callsite::all().for_each(Callsite::close);
}

/// Whether there may be a default engine.
pub(crate) fn has_default() -> bool {
    DEFAULT.load(Ordering::Relaxed) != 0
}

/// A number that no other engine of this process has.
pub(crate) fn next_number() -> i32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// How often this process and its ancestors have forked, which a child notices here that nobody has
/// told.
pub(crate) fn generation() -> u32 {
    unannounced::notice();
    GENERATION.load(Ordering::Relaxed)
}

/// Counts calls that no engine heard.
#[inline]
pub(crate) fn count_unheard(calls: u64) {
    unheard::count(calls);
}

/// As [`count_unheard`], for a call that came in from within another, on the same thread.
pub(crate) fn count_unheard_within(calls: u64) {
    unheard::count_shared(calls);
}

/// Calls of this process so far that no engine heard.
pub(crate) fn unheard() -> u64 {
    unheard::total()
}

/// In a forked child: nobody's engine runs here. Only stores, as a child of a threaded process may
/// not do more.
pub(crate) fn forget_after_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    DEFAULT.store(0, Ordering::Relaxed);
    SHARED.forget();
    unheard::forget_after_fork();
    close_gates();
}

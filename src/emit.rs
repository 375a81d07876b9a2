//! The caller's path: gate, clock, claim, encode, commit. Runs on the caller's thread.
//!
//! A call tests its gate, evaluates and encodes its arguments in place, and calls what all sites
//! with the same types of fields share. That neither locks, allocates, enters the kernel nor
//! formats, and runs no user code between claim and commit. What happens rarely stands behind one
//! cold call: a thread's first record, a full ring, a cut record, another clock, another engine,
//! a field whose value is hidden.
//!
//! What is hidden ([`Config::redact`](crate::Config::redact)) is decided when a callsite registers:
//! the state of one with such a field equals no ring's engine, so that the hot path's one
//! comparison turns its calls away, before a byte of a value is copied. The cold path then asks
//! which fields it is, and copies the others. Only calls that render have to ask sooner, as they
//! run user code first: one test of a bit that they have at hand.

#![allow(unsafe_code)] // Writes claimed ring memory and reads this thread's ring by pointer.

mod announce;
mod inside;
mod room;
mod route;
mod thread;

use crate::callsite::{self, Callsite};
use crate::clock::coarse;
use crate::envelope::{HEADER_GRANULES, encode};
use crate::level::Level;
use crate::registry::process;
use crate::registry::{Registry, Verdict};
use crate::sys::clock::ticks_tsc;
use crate::value::{EncodedFields, Fields, Scratch};

pub(crate) use inside::Inside;
pub(crate) use route::{Route, emit_routed};
pub(crate) use thread::{forget_after_fork, prepare};

/// The longest record, in granules, that every engine accepts: `record_bytes` is at least this.
const SHORT_GRANULES: usize = 1024 / 8;

/// Emits a record of an open callsite to the default engine. `state` is what its gate said.
#[inline(always)]
pub(crate) fn emit<F: Fields>(callsite: &'static Callsite, state: i64, level: Level, fields: &F) {
    if <F::Encoded<'_> as EncodedFields>::RENDERED {
        emit_rendered(callsite, state, level, fields);
    } else {
        emit_encoded(callsite, state, level, fields.encode(&Scratch::new()));
    }
}

/// As [`emit`], for fields that run user code and leave text in the scratch.
#[inline(never)]
fn emit_rendered<F: Fields>(callsite: &'static Callsite, state: i64, level: Level, fields: &F) {
    if callsite::is_hiding(state) {
        return emit_shown(callsite, state, level, fields);
    }
    emit_encoded(callsite, state, level, fields.encode(&Scratch::new()));
}

/// As [`emit_rendered`], where some fields are hidden: what they would show is not rendered.
#[cold]
#[inline(never)]
fn emit_shown<F: Fields>(callsite: &'static Callsite, state: i64, level: Level, fields: &F) {
    let number = callsite::number_of(state);
    let Some(hidden) = route::hidden(callsite, number, level) else { return };
    let scratch = Scratch::new();
    emit_cold(callsite, state, level, fields.encode_shown(&scratch, &hidden));
}

/// Not inlined: 0.6 ns more (10.1 against 9.5, beside a clock read of 9), but 180 bytes of code a
/// call site instead of 459, and one copy for all sites with fields of the same types.
#[inline(never)]
fn emit_encoded<E: EncodedFields>(
    callsite: &'static Callsite,
    state: i64,
    level: Level,
    fields: E,
) {
    let ring = inside::ring();
    let granules = encode::granules(&fields);
    // One comparison for four questions: does this thread have a ring, is it this engine's, does
    // the engine's clock allow the hot path, and is every value of the callsite to be copied.
    if ring.engine() == callsite::hot_number_of(state)
        && (is_short::<E>() || granules <= ring.record_max())
        && !(E::RENDERED && fields.is_cut())
    {
        inside::enter();
        // SAFETY: `inside::ring` is the ring of which this thread owns the producing end, and what
        // comes in from here on is turned away.
        if let Some(claim) = unsafe { ring.claim(granules) } {
            let meta = encode::meta::<E>(callsite::id_of(state), level as u8, 0);
            let ticks = if ring.has_coarse_clock() { coarse::ticks() } else { ticks_tsc() };
            // SAFETY: the claim holds `granules` granules from its index on; nothing between
            // claim and commit runs code that is not ours.
            unsafe {
                let out = ring.memory().granule(claim.index);
                encode::put(out, ticks, meta, &fields);
                ring.commit(claim);
            }
            inside::leave(ring);
            if level.is_urgent() {
                thread::urge(callsite::number_of(state));
            }
            return;
        }
        inside::leave(ring);
    }
    emit_cold(callsite, state, level, fields);
}

/// Whether records of this shape are short enough for every engine.
const fn is_short<E: EncodedFields>() -> bool {
    match E::FIXED {
        Some(values) => HEADER_GRANULES + encode::tag_granules::<E>() + values <= SHORT_GRANULES,
        None => false,
    }
}

#[cold]
#[inline(never)]
fn emit_cold<E: EncodedFields>(callsite: &'static Callsite, state: i64, level: Level, fields: E) {
    emit_routed(&Route::to_default(callsite, state, level), &fields);
}

/// What the macro asks before it evaluates an argument: 0, or the state to hand to [`emit`].
#[inline(always)]
pub(crate) fn gate(callsite: &'static Callsite) -> i64 {
    let state = callsite.state();
    // Open is asked for first: one branch on the way of an enabled call, not two.
    if state > 0 {
        return state;
    }
    if state == 0 { 0 } else { resolve(callsite) }
}

/// Counts a call that no engine hears, and else decides. Apart from that, which saves registers
/// that this does not need: a program without an engine comes here with each call.
#[cold]
#[inline(never)]
fn resolve(callsite: &'static Callsite) -> i64 {
    if process::has_default() {
        return decide(callsite);
    }
    unheard();
    0
}

/// Decides on a callsite that nobody has decided on: the first call after a start or a change of
/// the filter.
#[inline(never)]
fn decide(callsite: &'static Callsite) -> i64 {
    // Deciding allocates: a global allocator that logs would come here again.
    let Some(_inside) = Inside::enter() else {
        count_from_within();
        return 0;
    };
    let Some(registry) = process::default_engine() else {
        unheard();
        return 0;
    };
    // Without the registration lock, which every engine needs: deciding may wait for a disk.
    let filters = registry.verdicts.filters();
    let state = match registry.verdicts.decide(callsite) {
        Verdict::No => 0,
        Verdict::Yes | Verdict::Unknown => callsite.open_for(registry.number()),
    };
    let is_hiding = state != 0 && registry.verdicts.hides(callsite);
    let state = if is_hiding { Callsite::hiding(state) } else { state };
    process::lock().set_gate(callsite, state, &registry, filters);
    state
}

/// As [`gate`], for an engine that need not be the default one.
pub(crate) fn admit(registry: &Registry, callsite: &'static Callsite) -> bool {
    if !registry.is_running() {
        unheard();
        return false;
    }
    let verdict = match registry.verdicts.of(callsite) {
        Verdict::Unknown => {
            let Some(_inside) = Inside::enter() else {
                count_from_within();
                return false;
            };
            registry.verdicts.decide(callsite)
        }
        known => known,
    };
    verdict != Verdict::No
}

/// Counts a call that came in from within the engine. Says nothing: a signal's handler that has
/// interrupted who knows what may do no more.
#[cold]
fn count_from_within() {
    process::count_unheard_within(1);
}

/// Counts a call that no engine heard, and says so once in builds with debug assertions.
#[inline]
pub(crate) fn unheard() {
    process::count_unheard(1);
    #[cfg(debug_assertions)]
    {
        use crate::primitive::{AtomicBool, Ordering};
        // No `Once`: a forked child may find it begun by a thread that it has not.
        static IS_SAID: AtomicBool = AtomicBool::new(false);
        if !IS_SAID.swap(true, Ordering::Relaxed) {
            crate::sys::stderr::say(
                "a record was logged while no engine ran: call `Engine::start` first, and `drain` \
                 last (said once; `fastlog::unheard()` counts)",
            );
        }
    }
}

//! What an engine's filter says of each callsite, which of its fields are hidden, and its entry in
//! the engine's dictionary. Callers ask on their cold paths; the owner replaces the filter.
//!
//! Two locks, both the engine's own and never held together: the filter's for an answer's time, the
//! turn's while an entry is written, which may wait for a frozen disk.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::process;
use crate::arena::Arena;
use crate::callsite::Callsite;
use crate::config::{Filter, Redaction};
use crate::primitive::{AtomicU8, AtomicU64, Ordering};
use crate::value::FieldSet;

/// Callsites for which an engine remembers its verdict, in chunks that are made when the first of
/// them is decided on. A program has as many as its source has calls: there are no more.
const CHUNKS: usize = 256;
const CHUNK_VERDICTS: usize = 4096;

const UNKNOWN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;
/// Beside one of the above: the dictionary has the callsite's entry.
const LISTED: u8 = 4;
/// Beside one of the above: values of some of the callsite's fields are hidden.
const HIDING: u8 = 8;
/// What stays when the filter changes.
const KEPT: u8 = LISTED | HIDING;

/// What the filter says of a callsite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody asked yet.
    Unknown,
    /// Below the level.
    No,
    /// To be logged; its dictionary entry is committed.
    Yes,
}

/// Verdicts by callsite, grown by whoever decides.
struct Slots([OnceLock<Box<[AtomicU8]>>; CHUNKS]);

impl Slots {
    fn new() -> Slots {
        Slots([const { OnceLock::new() }; CHUNKS])
    }

    #[inline]
    fn get(&self, id: u32) -> Option<&AtomicU8> {
        let id = id as usize;
        self.0.get(id / CHUNK_VERDICTS)?.get()?.get(id % CHUNK_VERDICTS)
    }

    /// The slot of this callsite, made if it is missing; none beyond all chunks.
    fn make(&self, id: u32) -> Option<&AtomicU8> {
        let id = id as usize;
        let new = || (0..CHUNK_VERDICTS).map(|_| AtomicU8::new(UNKNOWN)).collect();
        self.0.get(id / CHUNK_VERDICTS)?.get_or_init(new).get(id % CHUNK_VERDICTS)
    }

    fn for_each(&self, visit: impl FnMut(&AtomicU8)) {
        self.0.iter().filter_map(OnceLock::get).flatten().for_each(visit);
    }
}

/// The filter, and what it has said so far.
pub(crate) struct Verdicts {
    arena: Arc<Arena>,
    /// Whose turn it is to write an entry.
    turn: Mutex<()>,
    filter: RwLock<Filter>,
    redaction: Redaction,
    /// How often the filter was set.
    filters: AtomicU64,
    slots: Box<Slots>,
}

impl Verdicts {
    pub(super) fn new(filter: Filter, redaction: Redaction, arena: Arc<Arena>) -> Verdicts {
        Verdicts {
            arena,
            turn: Mutex::default(),
            filter: RwLock::new(filter),
            redaction,
            filters: AtomicU64::new(0),
            slots: Box::new(Slots::new()),
        }
    }

    /// The remembered verdict on a callsite.
    #[inline]
    pub(crate) fn of(&self, callsite: &Callsite) -> Verdict {
        match self.slots.get(callsite.id()) {
            // Pairs with the Release store in `remember`: the callsite is registered, its entry
            // committed.
            Some(verdict) => verdict_of(verdict.load(Ordering::Acquire) & !KEPT),
            None => Verdict::Unknown,
        }
    }

    /// Whether the values of some of the callsite's fields are hidden. Of a callsite that was
    /// decided on.
    pub(crate) fn hides(&self, callsite: &Callsite) -> bool {
        match self.slots.get(callsite.id()) {
            // Relaxed: whoever asks has had the verdict, which was stored with this.
            Some(verdict) => verdict.load(Ordering::Relaxed) & HIDING != 0,
            None => !self.hidden(callsite).is_empty(),
        }
    }

    /// The callsite's fields whose values are hidden.
    pub(crate) fn hidden(&self, callsite: &Callsite) -> FieldSet {
        FieldSet::of(callsite.names(), |name| self.redaction.hides(name))
    }

    /// The names whose values are hidden.
    pub(crate) fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Decides on a callsite and, if it is to be logged, commits its dictionary entry: that alone
    /// may wait for a disk, and holds up nobody but who has an entry for the same engine.
    pub(crate) fn decide(&self, callsite: &'static Callsite) -> Verdict {
        let id = process::lock().register(callsite);
        let wants = || {
            let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
            filter.enabled(callsite.level(), callsite.target())
        };
        let Some(slot) = self.slots.make(id) else {
            // Whether it has its entry nobody would remember.
            let is_wanted = wants();
            if is_wanted {
                self.arena.miss_site();
            }
            return if is_wanted { Verdict::Yes } else { Verdict::No };
        };
        loop {
            let verdict = if wants() { self.list(callsite, slot) } else { NO };
            if self.remember(callsite, slot, verdict) {
                return verdict_of(verdict);
            }
        }
    }

    /// Commits the callsite's dictionary entry, once.
    fn list(&self, callsite: &Callsite, slot: &AtomicU8) -> u8 {
        // Pairs with the addition below: the entry is committed.
        if slot.load(Ordering::Acquire) & LISTED != 0 {
            return YES;
        }
        let entry = callsite.site().to_bytes();
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Again: who waited for the turn may have waited for the same entry.
        if slot.load(Ordering::Relaxed) & LISTED == 0 {
            self.arena.list_site(&entry);
        }
        // Pairs with the Acquire load above.
        slot.fetch_or(LISTED, Ordering::Release);
        YES
    }

    /// Remembers the verdict, unless the filter says another by now.
    fn remember(&self, callsite: &Callsite, slot: &AtomicU8, verdict: u8) -> bool {
        let hiding = if self.hidden(callsite).is_empty() { 0 } else { HIDING };
        // Held meanwhile: a filter that is set later forgets the verdict.
        let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
        let is_current = filter.enabled(callsite.level(), callsite.target()) == (verdict != NO);
        if is_current {
            // Pairs with the Acquire load in `verdict`. Succeeds: the closure always gives one.
            let _ = slot.fetch_update(Ordering::Release, Ordering::Relaxed, |present| {
                Some(present & KEPT | hiding | verdict)
            });
        }
        is_current
    }

    /// Replaces the filter.
    pub(crate) fn set_filter(&self, mut filter: Filter) {
        {
            let mut present = self.filter.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *present, &mut filter);
            self.slots.for_each(|verdict| {
                verdict.fetch_and(KEPT, Ordering::Relaxed);
            });
            // Pairs with the Acquire load in `filters`: who counts it finds the new filter.
            self.filters.fetch_add(1, Ordering::Release);
        }
        process::lock().close_gates();
        // The old one is freed without a lock: a global allocator may log.
    }

    /// How often the filter was set.
    pub(crate) fn filters(&self) -> u64 {
        self.filters.load(Ordering::Acquire) // pairs with `set_filter`
    }
}

#[inline]
fn verdict_of(verdict: u8) -> Verdict {
    match verdict {
        YES => Verdict::Yes,
        NO => Verdict::No,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_slot_for_each_of_a_million_callsites() {
        let slots = Slots::new();
        let last = (CHUNKS * CHUNK_VERDICTS) as u32 - 1;
        for id in [1, 4095, 4096, 50_000, last] {
            slots.make(id).expect("a slot").store(YES, Ordering::Relaxed);
        }
        assert!(slots.make(last + 1).is_none() && slots.get(last + 1).is_none());
        assert!(slots.get(20_000).is_none(), "made when it is needed");
        let mut set = 0;
        slots.for_each(|slot| set += u32::from(slot.load(Ordering::Relaxed) == YES));
        assert_eq!(set, 5);
    }
}

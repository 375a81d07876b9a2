//! What an engine's filter says of each callsite, and the callsite's entry in its dictionary.
//! Callers ask on their cold paths; the owner replaces the filter.
//!
//! Two locks, both the engine's own and never held together: the filter's for an answer's time, the
//! dictionary's while an entry is written, which may wait for a frozen disk.

use std::sync::{Mutex, PoisonError, RwLock};

use super::process;
use crate::arena::dictionary::Dictionary;
use crate::callsite::Callsite;
use crate::config::Filter;
use crate::primitive::{AtomicU8, AtomicU64, Ordering};

/// Callsites for which an engine remembers its verdict; later ones are decided at each call.
const VERDICTS: usize = 16 * 1024;

const UNKNOWN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;
const INLINE: u8 = 3;
/// Beside one of the above: the dictionary has the callsite's entry.
const LISTED: u8 = 4;

/// What the filter says of a callsite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody asked yet.
    Unknown,
    /// Below the level.
    No,
    /// To be logged; its dictionary entry is committed.
    Yes,
    /// To be logged, and each record carries the callsite, because the dictionary is full.
    Inline,
}

/// The filter, and what it has said so far.
pub(crate) struct Verdicts {
    dictionary: Mutex<Dictionary>,
    filter: RwLock<Filter>,
    /// How often the filter was set.
    filters: AtomicU64,
    slots: Box<[AtomicU8]>,
}

impl Verdicts {
    pub(super) fn new(filter: Filter, dictionary: Dictionary) -> Verdicts {
        Verdicts {
            dictionary: Mutex::new(dictionary),
            filter: RwLock::new(filter),
            filters: AtomicU64::new(0),
            slots: (0..VERDICTS).map(|_| AtomicU8::new(UNKNOWN)).collect(),
        }
    }

    /// The remembered verdict on a callsite.
    #[inline]
    pub(crate) fn of(&self, callsite: &Callsite) -> Verdict {
        match self.slots.get(callsite.id() as usize) {
            // Pairs with the Release store in `remember`: the callsite is registered, its entry
            // committed.
            Some(verdict) => verdict_of(verdict.load(Ordering::Acquire) & !LISTED),
            None => Verdict::Unknown,
        }
    }

    /// Decides on a callsite and, if it is to be logged, commits its dictionary entry: that alone
    /// may wait for a disk, and holds up nobody but who has an entry for the same engine.
    pub(crate) fn decide(&self, callsite: &'static Callsite) -> Verdict {
        let id = process::lock().register(callsite) as usize;
        let wants = || {
            let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
            filter.enabled(callsite.level(), callsite.target())
        };
        let Some(slot) = self.slots.get(id) else {
            return if wants() { Verdict::Inline } else { Verdict::No };
        };
        loop {
            let verdict = if wants() { self.list(callsite, slot) } else { NO };
            if self.remember(callsite, slot, verdict) {
                return verdict_of(verdict);
            }
        }
    }

    /// Commits the callsite's dictionary entry, once; whether the dictionary has it.
    fn list(&self, callsite: &Callsite, slot: &AtomicU8) -> u8 {
        // Pairs with the addition below: the entry is committed.
        if slot.load(Ordering::Acquire) & LISTED != 0 {
            return YES;
        }
        let entry = callsite.site().to_bytes();
        let dictionary = self.dictionary.lock().unwrap_or_else(PoisonError::into_inner);
        // Again: who waited for the lock may have waited for the same entry.
        if slot.load(Ordering::Relaxed) & LISTED == 0 && !dictionary.append(&entry) {
            return INLINE;
        }
        // Pairs with the Acquire load above.
        slot.fetch_or(LISTED, Ordering::Release);
        YES
    }

    /// Remembers the verdict, unless the filter says another by now.
    fn remember(&self, callsite: &Callsite, slot: &AtomicU8, verdict: u8) -> bool {
        // Held meanwhile: a filter that is set later forgets the verdict.
        let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
        let is_current = filter.enabled(callsite.level(), callsite.target()) == (verdict != NO);
        if is_current {
            // Pairs with the Acquire load in `verdict`. Succeeds: the closure always gives one.
            let _ = slot.fetch_update(Ordering::Release, Ordering::Relaxed, |present| {
                Some(present & LISTED | verdict)
            });
        }
        is_current
    }

    /// Replaces the filter.
    pub(crate) fn set_filter(&self, mut filter: Filter) {
        {
            let mut present = self.filter.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *present, &mut filter);
            for verdict in &self.slots {
                verdict.fetch_and(LISTED, Ordering::Relaxed);
            }
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
        INLINE => Verdict::Inline,
        _ => Verdict::Unknown,
    }
}

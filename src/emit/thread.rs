//! This thread's producers: one ring for each engine it has logged to. Runs on the caller; found by
//! the hot path through one pointer, changed on cold paths, handed back when the thread ends.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::announce::{ANNOUNCEMENT_GRANULES_MAX, announce};
use super::inside::{self, Inside};
use super::{count_from_within, unheard};
use crate::clock::TickSource;
use crate::flush::signal::bit;
use crate::level::Level;
use crate::primitive::{Ordering, fence};
use crate::registry::room::Room;
use crate::registry::{OwnedRing, Registry, process};
use crate::ring::{Mapped, Producer, Ring, SharedRing};
use crate::stats::DropReason;
use crate::sys::thread_end::ThreadEnd;

thread_local! {
    /// All of the thread's rings; null before the first and after the thread's end. Without a
    /// destructor, so that it can be read at any time. Used only by who is inside.
    static TABLE: Cell<*mut Table> = const { Cell::new(ptr::null_mut()) };
    /// Whether the rings were handed back, or nobody would: what is logged now borrows a ring.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
    /// The ring that was handed back last, to borrow again: records of a thread keep their order
    /// within one ring even where the clock cannot tell them apart.
    static LAST: Cell<*const Ring<Mapped>> = const { Cell::new(ptr::null()) };
}

static END: ThreadEnd = ThreadEnd::new(hand_back);

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    /// The ring that was the default engine's before this one: a call that a signal's handler has
    /// interrupted, which then made this one, may still be about to enter it.
    former: Option<SharedRing<Mapped>>,
}

/// A ring to one engine.
pub(super) struct Entry {
    pub(super) registry: Arc<Registry>,
    pub(super) producer: Producer<Mapped>,
    /// Where it waits for room.
    pub(super) room: Arc<Room>,
    /// What this thread has waited in the present stall of its ring.
    pub(super) waited: Cell<Duration>,
    /// Whether the ring says that the records from here on are this thread's.
    is_announced: Cell<bool>,
}

impl Entry {
    fn new(registry: &Arc<Registry>, owned: OwnedRing) -> Entry {
        let OwnedRing { producer, room } = owned;
        let is_announced = Cell::new(announce(registry, &producer));
        let registry = Arc::clone(registry);
        Entry { registry, producer, room, waited: Cell::default(), is_announced }
    }

    /// Granules that the thread's announcement still needs before its next record.
    pub(super) fn owed(&self) -> usize {
        if self.is_announced.get() { 0 } else { ANNOUNCEMENT_GRANULES_MAX }
    }

    /// Announces the thread now that there is room for it.
    pub(super) fn announce(&self) {
        self.is_announced.set(announce(&self.registry, &self.producer));
    }
}

/// Hands the thread's rings back when it ends.
fn hand_back() {
    IS_ENDING.set(true);
    let _inside = Inside::enter();
    inside::set_ring(None);
    let table = TABLE.replace(ptr::null_mut());
    if !table.is_null() {
        // SAFETY: made by `Box::into_raw` in `table`, on this thread, and forgotten above.
        let table = unsafe { Box::from_raw(table) };
        table.entries.into_iter().for_each(retire);
    }
}

/// Hands this thread's entry for an engine to `work`, made now if need be: with `registry`, or the
/// default engine if it has the number. None when there is no such engine or no ring; that is
/// counted.
pub(super) fn with_entry<R>(
    number: i32,
    registry: Option<&Arc<Registry>>,
    level: Level,
    work: impl FnOnce(&Entry) -> R,
) -> Option<R> {
    let Some(_inside) = Inside::enter() else {
        count_from_within();
        return None;
    };
    if let Some(entry) = find(number) {
        return Some(work(entry));
    }
    let default = || process::default_engine().filter(|default| default.number() == number);
    let Some(registry) = registry.cloned().or_else(default) else {
        unheard();
        return None;
    };
    let entry = enter(&registry, level)?;
    // A thread that is past its end keeps nothing: nobody would give it back.
    if !is_kept() {
        let result = work(&entry);
        retire(entry);
        return Some(result);
    }
    Some(work(keep(entry, registry.number())))
}

/// Whether the thread's end will hand back what is kept now: asks for that with the first ring.
fn is_kept() -> bool {
    if TABLE.get().is_null() && !IS_ENDING.get() && END.ask().is_err() {
        IS_ENDING.set(true);
    }
    !IS_ENDING.get()
}

fn find(number: i32) -> Option<&'static Entry> {
    // SAFETY: null, or the table that only this thread uses; the reference lives for one call of
    // `with_entry`, during which nobody else comes in who could change the table.
    let table = unsafe { TABLE.get().as_ref() }?;
    // In a forked child another thread may have noticed that it is one: these are the parent's.
    let is_own = |entry: &&Entry| !entry.registry.is_forked();
    table.entries.iter().filter(is_own).find(|entry| entry.registry.number() == number)
}

/// Takes a ring and announces the thread in it.
fn enter(registry: &Arc<Registry>, level: Level) -> Option<Entry> {
    if !registry.is_running() {
        unheard();
        return None;
    }
    let Some(owned) = registry.take_ring_again(LAST.get()) else {
        registry.shared.counters.drop_record(DropReason::NoRing, level);
        return None;
    };
    Some(Entry::new(registry, owned))
}

/// Puts the entry into the table, without those of engines that stopped meanwhile.
fn keep(entry: Entry, number: i32) -> &'static Entry {
    let mut table = TABLE.get();
    if table.is_null() {
        table = Box::into_raw(Box::default());
        TABLE.set(table);
    }
    // SAFETY: only this thread uses its table, and nobody else of it is inside.
    let Table { entries, former } = unsafe { &mut *table };
    for index in (0..entries.len()).rev() {
        if !entries[index].registry.is_running() {
            let stopped = entries.swap_remove(index);
            if inside::is_ring(stopped.producer.ring()) {
                inside::set_ring(None);
                *former = Some(Arc::clone(stopped.producer.ring()));
            }
            retire(stopped);
        }
    }
    let ring = entry.producer.ring();
    let is_default = process::default_engine().is_some_and(|one| one.number() == number);
    if is_default {
        if matches!(entry.registry.source, TickSource::Tsc | TickSource::Published) {
            ring.set_engine(number);
        }
        inside::set_ring(Some(&***ring));
    }
    entries.push(entry);
    // SAFETY: the entry was pushed just now.
    unsafe { entries.last().unwrap_unchecked() }
}

/// Hands a ring back. What stands in it although its engine has drained was never heard.
fn retire(entry: Entry) {
    let Entry { registry, producer, .. } = entry;
    if registry.is_forked() {
        producer.forget();
        return;
    }
    let ring = Arc::clone(producer.ring());
    LAST.set(ptr::from_ref::<Ring<Mapped>>(&ring));
    drop(producer);
    // Pairs with the fence in `Registry::settle`: either that finds the ring free, or this finds
    // the engine drained.
    fence(Ordering::SeqCst);
    if registry.is_drained() {
        registry.count_unheard(&ring);
    }
}

/// Wakes the collector for a record that should not wait.
#[cold]
#[inline(never)]
pub(super) fn urge(number: i32) {
    // Inside, the table may be about to change; the collector looks by itself before long.
    let Some(_inside) = Inside::enter() else { return };
    if let Some(entry) = find(number) {
        entry.registry.shared.collector.raise(bit::URGENT);
    }
}

/// Gives the calling thread its ring now rather than with its first record.
pub(crate) fn prepare(registry: &Arc<Registry>) {
    if registry.is_running() {
        with_entry(registry.number(), Some(registry), Level::Info, |_| ());
    }
}

/// In a forked child: the rings are the parent's. Only stores; the table leaks.
pub(crate) fn forget_after_fork() {
    inside::forget_after_fork();
    TABLE.set(ptr::null_mut());
}

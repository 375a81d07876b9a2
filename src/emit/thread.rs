//! This thread's producers: one ring for each engine it has logged to. Runs on the caller; found by
//! the hot path through one pointer, changed on cold paths, handed back when the thread ends.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::unheard;
use crate::clock::TickSource;
use crate::envelope::{HEADER_GRANULES, Meta, control, encode, flag};
use crate::flush::room::Room;
use crate::flush::signal::bit;
use crate::level::Level;
use crate::primitive::{Ordering, fence};
use crate::registry::{OwnedRing, Registry, process};
use crate::ring::{Mapped, Producer, Ring};
use crate::stats::DropReason;
use crate::sys::thread::{current_name, current_tid};
use crate::value::{Fields, Scratch, free_scratch};

/// What [`RING`] points to before the thread has a ring of its own: no gate equals its engine.
static NOBODYS: Ring<Mapped> = Ring::nobodys();

thread_local! {
    /// The ring to the default engine. Without a destructor, so that it can be read at any time.
    static RING: Cell<*const Ring<Mapped>> = const { Cell::new(&raw const NOBODYS) };
    /// All of the thread's rings; null before the first and after the thread's end.
    static TABLE: Cell<*mut Table> = const { Cell::new(ptr::null_mut()) };
    /// Whether the table is in use: a global allocator that logs would come here again.
    static IS_BUSY: Cell<bool> = const { Cell::new(false) };
    /// Whether [`GUARD`] has gone: what is logged now borrows a ring.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
    static GUARD: Guard = const { Guard };
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
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
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        IS_ENDING.set(true);
        RING.set(&raw const NOBODYS);
        let table = TABLE.replace(ptr::null_mut());
        if !table.is_null() {
            // SAFETY: made by `Box::into_raw` in `register`, on this thread, and forgotten above.
            let table = unsafe { Box::from_raw(table) };
            table.entries.into_iter().for_each(retire);
        }
        free_scratch();
    }
}

/// The ring to the default engine, or one that is nobody's.
#[inline(always)]
pub(super) fn ring() -> &'static Ring<Mapped> {
    // SAFETY: points to a static, or into the `Arc` of a table entry, which stays until `RING` is
    // set to something else; the reference does not outlive the call that asks for it.
    unsafe { &*RING.get() }
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
    let Some(_busy) = Busy::begin() else {
        unheard();
        return None;
    };
    if let Some(entry) = find(number) {
        return Some(work(entry));
    }
    let Some(registry) = registry.cloned().or_else(|| default_engine(number)) else {
        unheard();
        return None;
    };
    let entry = enter(&registry, level)?;
    // A thread whose guard has gone keeps nothing: whoever came after it could not give it back.
    if IS_ENDING.get() || GUARD.try_with(|_| ()).is_err() {
        let result = work(&entry);
        retire(entry);
        return Some(result);
    }
    Some(work(keep(entry, registry.number())))
}

/// Held while this thread is inside the engine's cold paths, so that what these call (a global
/// allocator that logs) does not come in again.
pub(crate) struct Busy(());

impl Busy {
    /// None if the thread is busy already.
    pub(crate) fn begin() -> Option<Busy> {
        // Not `then_some`: a guard made in vain would free the thread when it is dropped.
        (!IS_BUSY.replace(true)).then(|| Busy(()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        IS_BUSY.set(false);
    }
}

/// Frees the scratch of a thread whose guard has gone, unless a call up the stack renders.
pub(super) fn free_scratch_if_ending() {
    if IS_ENDING.get() {
        free_scratch();
    }
}

fn find(number: i32) -> Option<&'static Entry> {
    // SAFETY: null, or the table that only this thread uses; the reference lives for one call of
    // `with_entry`, during which IS_BUSY keeps the table as it is.
    let table = unsafe { TABLE.get().as_ref() }?;
    table.entries.iter().find(|entry| entry.registry.number() == number)
}

fn default_engine(number: i32) -> Option<Arc<Registry>> {
    process::lock().default_engine().filter(|registry| registry.number() == number).cloned()
}

/// Takes a ring and announces the thread in it.
fn enter(registry: &Arc<Registry>, level: Level) -> Option<Entry> {
    if !registry.is_running() {
        unheard();
        return None;
    }
    let Some(owned) = registry.take_ring() else {
        registry.counters.drop_record(DropReason::NoRing, level);
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
    // SAFETY: only this thread uses its table, and IS_BUSY says that nobody up the stack does.
    let entries = unsafe { &mut (*table).entries };
    for index in (0..entries.len()).rev() {
        if !entries[index].registry.is_running() {
            let stopped = entries.swap_remove(index);
            if ptr::eq(RING.get(), &raw const **stopped.producer.ring()) {
                RING.set(&raw const NOBODYS);
            }
            retire(stopped);
        }
    }
    let ring = entry.producer.ring();
    let is_default = process::lock().default_engine().is_some_and(|one| one.number() == number);
    if is_default {
        if matches!(entry.registry.source, TickSource::Tsc | TickSource::Published) {
            ring.set_engine(number);
        }
        RING.set(&raw const **ring);
    }
    entries.push(entry);
    // SAFETY: as above; the entry was pushed just now.
    unsafe { (*table).entries.last().unwrap_unchecked() }
}

/// Hands a ring back. What stands in it although its engine has drained was never heard.
fn retire(entry: Entry) {
    let Entry { registry, producer, .. } = entry;
    if registry.is_forked() {
        producer.forget();
        return;
    }
    let ring = Arc::clone(producer.ring());
    drop(producer);
    // Pairs with the fence in `Registry::settle`: either that finds the ring free, or this finds
    // the engine drained.
    fence(Ordering::SeqCst);
    if registry.is_drained() {
        registry.count_unheard(&ring);
    }
}

/// More than an announcement ever takes: header, tags, number, and a name with its length.
const ANNOUNCEMENT_GRANULES_MAX: usize = HEADER_GRANULES + 4 + control::NAME_BYTES_MAX / 8;

/// Writes the control envelope that names this thread: the records behind it are its own. False if
/// the ring is too full for it.
fn announce(registry: &Registry, producer: &Producer<Mapped>) -> bool {
    let mut name = if IS_ENDING.get() { None } else { current_name() };
    if let Some(name) = &mut name {
        // A name may be longer than a record.
        let end = (0..=control::NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or(0));
    }
    let tid = u64::from(current_tid());
    let fields = (&tid, (&name, ()));
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let granules = encode::granules(&encoded);
    let ring = producer.ring();
    debug_assert!(granules <= ANNOUNCEMENT_GRANULES_MAX);
    if ring.free() <= granules {
        return false;
    }
    let meta = Meta { id: control::THREAD, fields: 2, level: 0, flags: flag::CONTROL };
    // SAFETY: this thread owns the producer; there is room, as was just seen; the claim is filled
    // by `put` and committed before the next.
    unsafe {
        ring.set_soft_limit(granules + 1);
        let Some(claim) = ring.claim(granules) else { return false };
        let out = ring.memory().granule(claim.index);
        encode::put(out, registry.source.stamp(), meta.to_word(), &encoded);
        ring.commit_uncounted(claim);
    }
    true
}

/// Wakes the collector for a record that should not wait.
#[cold]
#[inline(never)]
pub(super) fn urge(number: i32) {
    if IS_BUSY.get() {
        return; // The table is being changed; the collector looks by itself before long.
    }
    if let Some(entry) = find(number) {
        entry.registry.collector.raise(bit::URGENT);
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
    RING.set(&raw const NOBODYS);
    TABLE.set(ptr::null_mut());
    IS_BUSY.set(false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_busy_until_the_first_guard_goes() {
        let first = Busy::begin().expect("nobody is inside");
        for _ in 0..2 {
            assert!(Busy::begin().is_none(), "a vain attempt frees nothing");
        }
        drop(first);
        assert!(Busy::begin().is_some());
    }
}

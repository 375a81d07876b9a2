//! A callsite: the static half of a record, made by the macro, one for each call and level. Read on
//! the caller's hot path, changed under the registration lock.
//!
//! Its **state** is one word, so that the hot path decides and learns the id by a single load:
//!
//! ```text
//! -1                      closed: nobody has decided yet, take the cold path
//!  0                      disabled by the default engine
//! (id << 32) | number     open: the default engine's number, its dictionary entry is committed
//!            | 1 << 31    the same, but the engine hides values of some of its fields: the cold
//!                         path leaves them out
//! ```

use crate::envelope::site::Site;
use crate::level::Level;
use crate::primitive::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Nobody has decided yet.
const CLOSED: u64 = u64::MAX;
/// Not for the default engine.
const DISABLED: u64 = 0;
/// Beside an engine's number, where values of some fields are hidden: no ring has such an engine,
/// so that calls take the cold path.
const HIDING: u32 = 1 << 31;

/// The newest registered callsite; each points to the one before it.
static NEWEST: AtomicPtr<Callsite> = AtomicPtr::new(std::ptr::null_mut());

/// How many are registered; ids count from 1.
static REGISTERED: AtomicU32 = AtomicU32::new(0);

/// Level, target, template, field names and place of one call. Made by the macros.
#[derive(Debug)]
pub struct Callsite {
    state: AtomicU64,
    id: AtomicU32,
    line: u32,
    next: AtomicPtr<Callsite>,
    level: Level,
    target: &'static str,
    template: &'static str,
    file: &'static str,
    names: &'static [&'static str],
}

impl Callsite {
    /// A callsite that nobody has seen yet.
    pub const fn new(
        level: Level,
        target: &'static str,
        template: &'static str,
        names: &'static [&'static str],
        file: &'static str,
        line: u32,
    ) -> Callsite {
        Callsite {
            state: AtomicU64::new(CLOSED),
            id: AtomicU32::new(0),
            line,
            next: AtomicPtr::new(std::ptr::null_mut()),
            level,
            target,
            template,
            file,
            names,
        }
    }

    /// One callsite for each level, the least important first: for a level known at run time.
    pub const fn for_levels(
        target: &'static str,
        template: &'static str,
        names: &'static [&'static str],
        file: &'static str,
        line: u32,
    ) -> [Callsite; Level::COUNT] {
        let [trace, debug, info, warn, error, critical] = Level::ALL;
        [
            Callsite::new(trace, target, template, names, file, line),
            Callsite::new(debug, target, template, names, file, line),
            Callsite::new(info, target, template, names, file, line),
            Callsite::new(warn, target, template, names, file, line),
            Callsite::new(error, target, template, names, file, line),
            Callsite::new(critical, target, template, names, file, line),
        ]
    }

    /// The state as the hot path wants it: above 0 open, 0 disabled, below 0 closed.
    #[inline(always)]
    pub(crate) fn state(&self) -> i64 {
        // Pairs with the Release store in `open`: by the commit of a record with this id, whoever
        // reads the record finds the callsite listed. The same instruction as Relaxed on x86-64.
        self.state.load(Ordering::Acquire) as i64
    }

    /// The state of this callsite, registered by now, where it is open for the engine.
    pub(crate) fn open_for(&self, number: i32) -> i64 {
        (u64::from(self.id()) << 32 | u64::from(number as u32)) as i64
    }

    /// Such a state, where the engine hides values of some of the callsite's fields.
    pub(crate) fn hiding(state: i64) -> i64 {
        state | i64::from(HIDING)
    }

    /// Opens the callsite with such a state, for the default engine. Under the registration lock,
    /// after the dictionary entry: whoever logs on account of this leaves the entry for recovery
    /// first.
    pub(crate) fn open(&self, state: i64) {
        // Pairs with the Acquire load in `state`: orders registration and entry before the records
        // of whoever finds the callsite open.
        self.state.store(state as u64, Ordering::Release);
    }

    /// Calls do nothing until the filter changes.
    pub(crate) fn disable(&self) {
        self.state.store(DISABLED, Ordering::Relaxed);
    }

    /// The next call takes the cold path and decides anew.
    pub(crate) fn close(&self) {
        self.state.store(CLOSED, Ordering::Relaxed);
    }

    /// The id; 0 before it is registered.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// Gives the callsite its id and lists it. Under the registration lock.
    pub(crate) fn register(&'static self) -> u32 {
        let id = self.id();
        if id != 0 {
            return id;
        }
        let id = REGISTERED.load(Ordering::Relaxed) + 1;
        REGISTERED.store(id, Ordering::Relaxed);
        // Listed without an id: this process was forked off between the two stores.
        if !all().any(|listed| std::ptr::eq(listed, self)) {
            self.next.store(NEWEST.load(Ordering::Relaxed), Ordering::Relaxed);
            // Pairs with the Acquire load in `all`: next is there.
            NEWEST.store(std::ptr::from_ref(self).cast_mut(), Ordering::Release);
        }
        // Last: who has an id is listed, in a forked child as well.
        self.id.store(id, Ordering::Release);
        id
    }

    /// How much a record of it matters.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The names of its fields, in the order of the call.
    pub(crate) fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// What the filter looks at.
    pub(crate) fn target(&self) -> &'static str {
        self.target
    }

    /// Its entry.
    pub(crate) fn site(&self) -> Site<'static> {
        Site {
            id: self.id(),
            level: self.level,
            target: self.target,
            template: self.template,
            file: self.file,
            line: self.line,
            names: self.names,
        }
    }
}

/// What `emit` compares with its ring's engine: equal only if the hot path may be taken.
#[inline(always)]
pub(crate) fn hot_number_of(state: i64) -> i32 {
    state as i32
}

/// The engine's number in an open state.
#[inline(always)]
pub(crate) fn number_of(state: i64) -> i32 {
    (state as u32 & !HIDING) as i32
}

/// Whether values of the callsite's fields are hidden, in an open state.
#[inline(always)]
pub(crate) fn is_hiding(state: i64) -> bool {
    state as u32 & HIDING != 0
}

/// The callsite's id in an open state.
#[inline(always)]
pub(crate) fn id_of(state: i64) -> u32 {
    (state as u64 >> 32) as u32
}

/// All registered callsites, the newest first. Takes no lock: a forked child may ask.
pub(crate) fn all() -> impl Iterator<Item = &'static Callsite> {
    // Pairs with the Release store in `register`.
    let mut next = NEWEST.load(Ordering::Acquire);
    std::iter::from_fn(move || {
        #[allow(unsafe_code)] // The list links statics, so that it needs neither lock nor memory.
        // SAFETY: `register` lists nothing but `&'static Callsite`s.
        let callsite: &'static Callsite = unsafe { next.as_ref() }?;
        next = callsite.next.load(Ordering::Relaxed);
        Some(callsite)
    })
}

/// The callsite with this id. Walks the list: for the cold path.
pub(crate) fn by_id(id: u32) -> Option<&'static Callsite> {
    all().find(|callsite| callsite.id() == id)
}

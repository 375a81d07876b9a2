//! The mappings that the guard knows. Entered and left on any thread; read by the handler, on any
//! thread and at any instant: nothing here waits, allocates while it is read, or is ever freed.

use std::ptr;

use crate::primitive::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sys::mapped_file::MappedFile;

/// Slots that are made together.
const SLOTS: usize = 64;

/// A mapping.
#[derive(Debug)]
pub(crate) struct Slot {
    is_taken: AtomicBool,
    /// 0: none. Stored last and cleared first.
    start: AtomicUsize,
    len: AtomicUsize,
    /// Where in the file it begins.
    offset: AtomicUsize,
    /// Lives as long as the region that holds the slot.
    file: AtomicPtr<MappedFile>,
    /// From here on all pages are memory of the process.
    replaced_from: AtomicUsize,
    /// Whether anything that it held is gone.
    is_lost: AtomicBool,
    /// Whether single pages of it are mappings of their own.
    is_worn: AtomicBool,
    /// What is lowered then, and to what; null: nothing.
    limit: AtomicPtr<AtomicU64>,
    bound: AtomicPtr<AtomicU64>,
}

struct Chunk {
    slots: [Slot; SLOTS],
    next: AtomicPtr<Chunk>,
}

static FIRST: Chunk = Chunk::new();

impl Slot {
    const fn new() -> Slot {
        Slot {
            is_taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            offset: AtomicUsize::new(0),
            file: AtomicPtr::new(ptr::null_mut()),
            replaced_from: AtomicUsize::new(0),
            is_lost: AtomicBool::new(false),
            is_worn: AtomicBool::new(false),
            limit: AtomicPtr::new(ptr::null_mut()),
            bound: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// As soon as anything is lost, `limit` gets the value of `bound`, from whatever thread finds
    /// out.
    ///
    /// # Safety
    ///
    /// Both words live until the slot is left.
    pub(crate) unsafe fn lower_when_lost(&self, limit: &AtomicU64, bound: &AtomicU64) {
        self.bound.store(ptr::from_ref(bound).cast_mut(), Ordering::Relaxed);
        // Pairs with the load in `set_lost`.
        self.limit.store(ptr::from_ref(limit).cast_mut(), Ordering::Release);
    }

    /// Whether anything that the mapping held is gone.
    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// The word that says so.
    pub(crate) fn loss(&self) -> &AtomicBool {
        &self.is_lost
    }

    /// Whether single pages of it are mappings of their own, of which a process may have some
    /// 65,000.
    pub(crate) fn is_worn(&self) -> bool {
        self.is_worn.load(Ordering::Relaxed)
    }

    pub(super) fn set_worn(&self) {
        self.is_worn.store(true, Ordering::Relaxed);
    }

    /// Leaves the table: the mapping is about to go, or is memory of the process by now.
    pub(crate) fn leave(&self) {
        self.start.store(0, Ordering::Release); // pairs with the load in `find`
        self.file.store(ptr::null_mut(), Ordering::Relaxed);
        self.limit.store(ptr::null_mut(), Ordering::Relaxed);
        self.is_taken.store(false, Ordering::Release); // pairs with the exchange in `take`
    }

    fn take(&self) -> bool {
        // Pairs with the Release store in `leave`.
        !self.is_taken.swap(true, Ordering::Acquire)
    }

    fn holds(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::Acquire); // pairs with the store in `register`
        let len = self.len.load(Ordering::Relaxed);
        // Pairs with the Release stores of `start`: a slot that was left and entered again
        // meanwhile has another start, and that length may be its.
        fence(Ordering::Acquire);
        let is_same = self.start.load(Ordering::Relaxed) == start;
        start != 0 && is_same && address >= start && address - start < len
    }
}

/// What the handler asks of a slot, whose mapping it is in.
impl Slot {
    pub(super) fn start(&self) -> usize {
        self.start.load(Ordering::Relaxed)
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset.load(Ordering::Relaxed) as u64
    }

    pub(super) fn file(&self) -> *const MappedFile {
        self.file.load(Ordering::Relaxed)
    }

    pub(super) fn replaced_from(&self) -> usize {
        self.replaced_from.load(Ordering::Relaxed)
    }

    pub(super) fn set_replaced_from(&self, address: usize) {
        self.replaced_from.store(address, Ordering::Relaxed);
    }

    /// To be called before anybody can see the zeros that stand for what is gone.
    pub(super) fn set_lost(&self) {
        // Pairs with the fences in `Region::is_intact` and in `Watch::is_intact`.
        self.is_lost.store(true, Ordering::SeqCst);
        let limit = self.limit.load(Ordering::Acquire); // pairs with `lower_when_lost`
        let bound = self.bound.load(Ordering::Relaxed);
        // SAFETY: null, or words that live as long as the mapping, in which a thread has its fault.
        if let (Some(limit), Some(bound)) = unsafe { (limit.as_ref(), bound.as_ref()) } {
            limit.store(bound.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl Chunk {
    const fn new() -> Chunk {
        Chunk { slots: [const { Slot::new() }; SLOTS], next: AtomicPtr::new(ptr::null_mut()) }
    }

    fn next(&self) -> Option<&'static Chunk> {
        // Pairs with the exchange in `grow`.
        let next = self.next.load(Ordering::Acquire);
        // SAFETY: null, or a chunk that `grow` has leaked.
        unsafe { next.as_ref() }
    }

    /// The chunk behind this one, made now if there is none.
    fn grow(&self) -> &'static Chunk {
        if let Some(next) = self.next() {
            return next;
        }
        let made = Box::into_raw(Box::new(Chunk::new()));
        let none = ptr::null_mut();
        // Pairs with itself and with `next`: whoever finds the chunk finds it initialised.
        match self.next.compare_exchange(none, made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: made just now, and never freed from here on.
            Ok(_) => unsafe { &*made },
            Err(other) => {
                // SAFETY: `made` came from a box just now and nobody else saw it; the other one was
                // leaked by whoever came first.
                unsafe {
                    drop(Box::from_raw(made));
                    &*other
                }
            }
        }
    }
}

/// Enters `len` bytes from `start`, which are those of `file` from `offset` on and stay mapped, as
/// the file stays where it is, until the slot is [left](Slot::leave).
pub(crate) fn register(start: usize, len: usize, file: &MappedFile, offset: u64) -> &'static Slot {
    let mut chunk = &FIRST;
    let slot = loop {
        if let Some(slot) = chunk.slots.iter().find(|slot| slot.take()) {
            break slot;
        }
        chunk = chunk.grow();
    };
    slot.len.store(len, Ordering::Relaxed);
    slot.offset.store(offset as usize, Ordering::Relaxed);
    slot.file.store(ptr::from_ref(file).cast_mut(), Ordering::Relaxed);
    slot.replaced_from.store(start + len, Ordering::Relaxed);
    slot.is_lost.store(false, Ordering::Relaxed);
    slot.is_worn.store(false, Ordering::Relaxed);
    // Pairs with the Acquire load in `holds`: whoever finds the mapping finds what belongs to it.
    slot.start.store(start, Ordering::Release);
    slot
}

/// The mapping that holds the address.
pub(super) fn find(address: usize) -> Option<&'static Slot> {
    let mut chunk = Some(&FIRST);
    while let Some(present) = chunk {
        if let Some(slot) = present.slots.iter().find(|slot| slot.holds(address)) {
            return Some(slot);
        }
        chunk = present.next();
    }
    None
}

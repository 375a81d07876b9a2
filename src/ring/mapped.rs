//! Ring memory in a mapped file or in anonymous memory.
//!
//! ```text
//! | header page: released u64, 0 ..., kind, 0 ..., owner x 2, 0 ... | granules ... | overhang |
//! ```
//! An owner, for whoever reads the file: the position from which on the records are its own, the
//! thread's id, its name's length plus one (0: it has no name), a u64 each, and its name.

use std::io;
use std::sync::Arc;

use super::{Memory, Peeked, Position, Ring, SharedRing};
use crate::primitive::{AtomicU64, Ordering, fence};
use crate::sys::mmap::{Region, Watch};
use crate::sys::wiped::Wiped;

/// Bytes before the granules: a page, so that the position that the collector stores never shares
/// a cache line, nor a write-protected page, with records.
pub(crate) const RING_HEADER_BYTES: usize = 4096;

/// Where in the header stands what the ring is: 0, this engine's, whose records are released. Four
/// words, all zero, kept for rings that overwrite their oldest records and for other processes'.
pub(crate) const KIND_AT: usize = 64;

/// Where the owners stand: not on the cache line of the released position.
pub(crate) const OWNERS_AT: usize = 128;

/// Bytes of an owner's slot.
pub(crate) const OWNER_BYTES: usize = 128;

/// Where in its slot its id stands, then its name's length plus one, then its name.
pub(crate) const OWNER_ID: usize = 8;
pub(crate) const OWNER_NAME: usize = OWNER_ID + 8;

/// Bytes of its name that are kept.
pub(crate) const OWNER_NAME_BYTES_MAX: usize = 64;

const _: () = assert!(KIND_AT + 4 * 8 <= OWNERS_AT);
const _: () = assert!(OWNER_NAME + 8 + OWNER_NAME_BYTES_MAX <= OWNER_BYTES);
const _: () = assert!(OWNERS_AT + 2 * OWNER_BYTES <= RING_HEADER_BYTES);

/// A mapping that holds one ring. The granules' address comes first: the hot path needs it.
#[derive(Clone)]
pub(crate) struct Mapped {
    granules: *mut u64,
    region: Option<Arc<Region>>,
}

// SAFETY: the address is that of `region`, which is Send and Sync and lives as long; who may
// dereference it when is the ring's protocol.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Takes a region of [`RING_HEADER_BYTES`] + capacity + overhang.
    pub(crate) fn new(region: Arc<Region>) -> Mapped {
        // SAFETY: the header lies within the region, whose owner made it longer than that.
        let granules = unsafe { region.as_ptr().add(RING_HEADER_BYTES) }.cast();
        Mapped { granules, region: Some(region) }
    }

    /// See [`Region::is_intact`].
    #[inline]
    pub(super) fn is_intact(&self) -> bool {
        self.region.as_ref().is_none_or(|region| region.is_intact())
    }

    /// See [`Watch`].
    pub(super) fn watch(&self) -> Watch {
        self.region.as_ref().map_or_else(Watch::of_nothing, Watch::of)
    }

    /// See [`Region::is_worn`].
    pub(super) fn is_worn(&self) -> bool {
        self.region.as_ref().is_some_and(|region| region.is_worn())
    }

    /// See [`Region::lower_when_lost`].
    ///
    /// # Safety
    ///
    /// Both words live as long as the memory.
    pub(super) unsafe fn lower_when_lost(&self, limit: &AtomicU64, bound: &AtomicU64) {
        if let Some(region) = &self.region {
            // SAFETY: handed on.
            unsafe { region.lower_when_lost(limit, bound) };
        }
    }

    /// See [`Region::leave_file`].
    pub(super) fn leave_file(&self) -> std::io::Result<()> {
        self.region.as_ref().map_or(Ok(()), |region| region.leave_file())
    }

    /// The address of a granule.
    ///
    /// # Safety
    ///
    /// `granule` is below capacity + overhang.
    #[inline(always)]
    pub(crate) unsafe fn granule(&self, granule: usize) -> *mut u64 {
        // SAFETY: within the mapping, by contract.
        unsafe { self.granules.add(granule) }
    }
}

impl Memory for Mapped {
    #[inline(always)]
    fn word(&self, granule: usize) -> &AtomicU64 {
        // SAFETY: the ring asks for granules below its capacity only, all within the mapping;
        // first granules of records are only ever accessed as atomics by both sides, and while
        // they are payload of another record, only by their owner.
        unsafe { AtomicU64::from_ptr(self.granules.add(granule)) }
    }

    fn released(&self) -> &AtomicU64 {
        // Of a ring that is nobody's, or that a child finds wiped.
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        self.region.as_ref().map_or(&NOWHERE, |region| region.word(0))
    }
}

impl Ring<Mapped> {
    /// Moves the ring to where it is shared; it stays there, and hears of what its memory loses.
    ///
    /// # Errors
    /// The system's: no memory.
    pub(crate) fn share(self) -> io::Result<SharedRing<Mapped>> {
        // SAFETY: all zeros are atomics, numbers, false, and no region; dropping that frees
        // nothing. It is what a child finds: no engine's, without room, its memory nowhere.
        let ring = unsafe { Wiped::new(self) }.map(Arc::new)?;
        Ring::watch_memory(&ring);
        Ok(ring)
    }

    /// The ring that stands in where a thread has none: no engine's, never written or read.
    pub(crate) const fn nobodys() -> Ring<Mapped> {
        use super::{AtomicI32, AtomicU32, CachePadded, ConsumerSide, FREE, ProducerSide};
        const NOWHERE: Mapped = Mapped { granules: std::ptr::null_mut(), region: None };
        let head = AtomicU64::new(0);
        let consumer = ConsumerSide { head, mask: 0, memory: NOWHERE, record_max: 0 };
        Ring {
            producer: CachePadded::new(ProducerSide {
                tail: AtomicU64::new(0),
                soft_limit: AtomicU64::new(0),
                mask: 0,
                memory: NOWHERE,
                engine: AtomicI32::new(0),
                record_max: 0,
                has_coarse_clock: false,
                state: AtomicU32::new(FREE),
                folds: AtomicU32::new(0),
                committed: AtomicU64::new(0),
            }),
            consumer: CachePadded::new(consumer),
            damage: CachePadded::new(super::damage::Damage::none()),
        }
    }

    /// Says in the header whose records stand from `position` on, the collector's next: before the
    /// commit slot that moves the ring there. Of the two slots the one with the lower position is
    /// overwritten. Whoever recovers takes the owner with the highest position that is not above
    /// where the ring is released to by the newest slot, and so never one that is being written.
    pub(crate) fn set_owner(&self, position: Position, id: u64, name: Option<&[u8]>) {
        let Some(region) = &self.consumer.memory.region else { return };
        let [first, second] = [0, OWNER_BYTES].map(|at| {
            let at = OWNERS_AT + at;
            (region.word(at).load(Ordering::Relaxed), at)
        });
        let at = if first.0.wrapping_sub(second.0) as i64 <= 0 { first.1 } else { second.1 };
        let len = name.map_or(0, |name| name.len().min(OWNER_NAME_BYTES_MAX) + 1);
        // Nobody's while it changes: of the ring's first owner there is no other slot to take.
        region.word(at).store(0, Ordering::Relaxed);
        fence(Ordering::Release); // pairs with whoever reads the file: in this order everywhere
        region.word(at + OWNER_ID).store(id, Ordering::Relaxed);
        region.word(at + OWNER_NAME).store(len as u64, Ordering::Relaxed);
        if let Some(name) = name {
            region.write_bytes(at + OWNER_NAME + 8, &name[..len - 1]);
        }
        region.word(at).store(position, Ordering::Release); // pairs with whoever reads the file
    }

    /// A granule of a peeked record, counted from its commit word.
    ///
    /// # Panics
    ///
    /// Panics if the record is not that long.
    #[inline]
    pub(crate) fn granule_of(&self, peeked: Peeked, granule: usize) -> u64 {
        assert!(granule < peeked.granules);
        // SAFETY: a peeked record is committed; it may run into the overhang, which is mapped.
        unsafe { self.consumer.memory.granule(peeked.index + granule).read() }
    }

    /// Copies a peeked record's bytes, commit word included, and gives them back. Those of a short
    /// record in pairs of granules: what is read back at once then comes of one store, which with
    /// `memcpy`'s overlapping vectors it does not (3 ns a record on an AMD EPYC).
    ///
    /// # Panics
    ///
    /// Panics if `to` is shorter than the record.
    #[inline]
    pub(crate) fn copy<'a>(&self, peeked: Peeked, to: &'a mut [u8]) -> &'a [u8] {
        const SHORT_GRANULES: usize = 32;
        let Peeked { index, granules } = peeked;
        let to = &mut to[..granules * 8];
        // SAFETY: committed and not released, so that the producer leaves it alone; within the
        // capacity and the overhang, which holds the longest record. `to` is as long.
        unsafe {
            let (from, out) = (self.consumer.memory.granule(index), to.as_mut_ptr());
            if granules > SHORT_GRANULES {
                std::ptr::copy_nonoverlapping(from.cast(), out, to.len());
                return to;
            }
            for pair in 0..granules / 2 {
                let pair_of = from.cast::<[u64; 2]>().add(pair).read_unaligned();
                out.cast::<[u64; 2]>().add(pair).write_unaligned(pair_of);
            }
            if granules % 2 == 1 {
                out.cast::<u64>().add(granules - 1).write_unaligned(from.add(granules - 1).read());
            }
        }
        to
    }
}

//! The rings as the collector reads them. Runs on the collector.

use std::sync::Arc;

use super::damage::Soundness;
use crate::envelope::decode::Envelope;
use crate::envelope::{self, control};
use crate::format::{Label, ThreadLabel};
use crate::registry::room::{Awaited, Room};
use crate::registry::{ListedRing, Registry};
use crate::ring::{Consumer, Mapped, Peeked};

/// A ring, and whose records it holds.
pub(super) struct Source {
    /// Whether what was read is what was committed. First, as it goes before the ring: it has a
    /// handle to the memory, which must not outlive the ring.
    pub(super) soundness: Soundness,
    pub(super) consumer: Consumer<Mapped>,
    room: Arc<Room>,
    /// The ring's number in the arena.
    pub(super) number: Option<u32>,
    pub(super) label: Label,
    /// Whether a control envelope of this batch has named another thread.
    has_new_owner: bool,
    /// The next record, as the present pass has seen it.
    pub(super) next: Option<Peeked>,
    /// Records taken or given up over the ring's life.
    pub(super) taken: u64,
}

impl Source {
    /// How full the ring is, in thousandths. Looks at the producer's cache line: not for each pass.
    pub(super) fn fill_permille(&self) -> u32 {
        (self.consumer.ring().used() * 1000 / self.consumer.capacity()) as u32
    }

    /// Wakes the ring's owner if it waits for the room there is now; after `Progress::released`.
    pub(super) fn wake_owner(&self) {
        let ring = self.consumer.ring();
        // The producer's cache line is looked at only while it waits.
        let is_enough = match self.room.awaited() {
            None => false,
            Some(Awaited::Any) => true,
            Some(Awaited::Half) => ring.used() <= ring.capacity() / 2,
        };
        if is_enough {
            self.room.wake();
        }
    }

    /// For the final account, should the ring not be readable then.
    pub(super) fn tell_taken(&self) {
        self.consumer.ring().set_taken(self.taken);
    }

    /// Takes note of a control envelope.
    pub(super) fn note(&mut self, envelope: &Envelope<'_>) {
        if envelope.meta.id == control::THREAD {
            self.label.read(envelope);
            self.has_new_owner = true;
        }
    }

    /// Before the batch is committed: whose records come next, for whoever reads the arena.
    #[inline]
    pub(super) fn tell_owner(&mut self) {
        if self.has_new_owner {
            self.has_new_owner = false;
            let ThreadLabel { id, name } = self.label.get();
            self.consumer.ring().set_owner(self.consumer.head(), id, name);
        }
    }

    /// When a peeked record was made.
    #[inline]
    pub(super) fn ticks(&self, peeked: Peeked) -> u64 {
        self.consumer.ring().granule_of(peeked, envelope::TICKS)
    }
}

/// Adds the rings that were made since the last look.
pub(super) fn refresh(sources: &mut Vec<Source>, registry: &Registry) {
    let made = registry.rings_made();
    if made == sources.len() {
        return;
    }
    // Allocated before the list's lock is taken: a global allocator that logs may take it as well.
    // Copied under it and read behind it: a ring's memory may wait for a disk.
    let mut new = Vec::with_capacity(made - sources.len());
    registry.rings_between(sources.len(), made, |entry| new.push(entry.clone()));
    sources.extend(new.into_iter().map(|ListedRing { ring, room, number }| Source {
        soundness: Soundness::of(&ring),
        consumer: Consumer::from_start(ring),
        room,
        number,
        label: Label::default(),
        has_new_owner: false,
        next: None,
        taken: 0,
    }));
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ring::{Mapped, Producer, RING_HEADER_BYTES, Ring};
    use crate::sys::mmap::Region;

    const CAPACITY: usize = 1024;
    const RECORD: usize = CAPACITY / 16;

    fn full() -> (Producer<Mapped>, Source) {
        let bytes = RING_HEADER_BYTES + (CAPACITY + RECORD) * 8;
        let region = Arc::new(Region::anonymous(bytes).expect("anonymous memory"));
        let ring = Ring::new(Mapped::new(region), CAPACITY, RECORD).share().expect("memory");
        let producer = Producer::take(&ring).expect("it is free");
        #[allow(unsafe_code)]
        // SAFETY: the producer is this test's; what is claimed is filled by nobody, and read by
        // nobody but for its length.
        unsafe {
            ring.set_soft_limit(ring.free());
            while let Some(claim) = ring.claim(RECORD) {
                ring.commit(claim);
            }
        }
        let source = Source {
            soundness: Soundness::of(&ring),
            consumer: Consumer::new(ring),
            room: Arc::default(),
            number: None,
            label: Label::default(),
            has_new_owner: false,
            next: None,
            taken: 0,
        };
        (producer, source)
    }

    fn release(source: &mut Source, records: usize) {
        for _ in 0..records {
            let peeked = source.consumer.peek().expect("a record");
            source.consumer.advance(peeked);
        }
        source.consumer.release();
    }

    #[test]
    fn an_owner_is_woken_for_what_it_waits_for() {
        let (_producer, mut source) = full();
        source.wake_owner();
        assert_eq!(source.room.awaited(), None, "nobody waits");
        source.room.pretend(Awaited::Half);
        release(&mut source, 5);
        source.wake_owner();
        assert_eq!(source.room.awaited(), Some(Awaited::Half), "a third is free");
        release(&mut source, 3);
        source.wake_owner();
        assert_eq!(source.room.awaited(), None, "half is free");
        let (_producer, mut source) = full();
        source.room.pretend(Awaited::Any);
        release(&mut source, 1);
        source.wake_owner();
        assert_eq!(source.room.awaited(), None, "one record's room is free");
    }
}

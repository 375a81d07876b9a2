//! Both ends of a ring alone, for benches: behind the feature `bench-internals`. Runs on whichever
//! threads a bench has.

use std::sync::Arc;

use super::{Consumer, Mapped, Producer, RECORD_GRANULES_MIN, RING_HEADER_BYTES, Ring};
use crate::sys::mmap::Region;

const LONGEST_GRANULES: usize = 2048;

/// Both ends of a ring of `capacity` granules in anonymous memory.
///
/// # Panics
///
/// When there is no memory, or `capacity` is no power of two above 2048.
pub fn ring(capacity: usize) -> (RingWriter, RingReader) {
    let bytes = RING_HEADER_BYTES + (capacity + LONGEST_GRANULES) * 8;
    let region = Arc::new(Region::anonymous(bytes).expect("anonymous memory"));
    let ring = Ring::new(Mapped::new(region), capacity, LONGEST_GRANULES);
    let ring = ring.share().expect("anonymous memory");
    let producer = Producer::take(&ring).expect("nobody else has it");
    (RingWriter { producer }, RingReader { consumer: Consumer::new(ring), granules: capacity })
}

/// A ring's producing end.
pub struct RingWriter {
    producer: Producer<Mapped>,
}

impl RingWriter {
    pub(crate) fn new(producer: Producer<Mapped>) -> RingWriter {
        RingWriter { producer }
    }

    /// Copies a record into the ring, commit word excepted; false when the ring is full.
    #[inline]
    pub(crate) fn put(&mut self, words: &[u64]) -> bool {
        let ring = self.producer.ring();
        // A longer one would run past the overhang.
        assert!((RECORD_GRANULES_MIN..=ring.record_max()).contains(&words.len()));
        // SAFETY: as in `emit`; a claim holds as many granules as it was asked for.
        unsafe {
            let Some(claim) = ring.claim(words.len()) else { return self.look() };
            let out = ring.memory().granule(claim.index);
            for (granule, word) in words.iter().enumerate().skip(1) {
                out.add(granule).write(*word);
            }
            ring.commit(claim);
        }
        true
    }

    /// Claims, fills and commits a record; false when the ring is full.
    #[inline]
    pub fn emit<const GRANULES: usize>(&mut self, value: u64) -> bool {
        // Written without a look: a shorter one has no second granule, a longer one no overhang.
        const { assert!(GRANULES >= RECORD_GRANULES_MIN && GRANULES <= LONGEST_GRANULES) };
        let ring = self.producer.ring();
        // SAFETY: the producer is this one's own; the claim is filled and committed at once.
        unsafe {
            let Some(claim) = ring.claim(GRANULES) else { return self.look() };
            let out = ring.memory().granule(claim.index);
            out.add(1).write(value);
            for granule in 2..GRANULES {
                out.add(granule).write(value);
            }
            ring.commit(claim);
        }
        true
    }

    #[cold]
    fn look(&mut self) -> bool {
        let ring = self.producer.ring();
        // SAFETY: as above; what is free stays free for this producer.
        unsafe { ring.set_soft_limit(ring.free()) };
        false
    }
}

/// A ring's consuming end.
pub struct RingReader {
    consumer: Consumer<Mapped>,
    granules: usize,
}

impl RingReader {
    /// Reads the second granule of the next record, and releases in steps of an eighth of the
    /// ring.
    #[inline]
    pub fn read(&mut self) -> Option<u64> {
        let Some(peeked) = self.consumer.peek() else {
            self.consumer.release();
            return None;
        };
        let value = self.consumer.ring().granule_of(peeked, 1);
        self.consumer.advance(peeked);
        if self.consumer.held() > self.granules / 8 {
            self.consumer.release();
        }
        Some(value)
    }
}

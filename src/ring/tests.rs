//! The ring over real memory: laps, the overhang, stale payload, counting.

use std::sync::Arc;

use super::{Consumer, Mapped, Memory, Producer, RING_HEADER_BYTES, Ring, SharedRing};
use crate::primitive::Ordering;
use crate::sys::mmap::Region;

const CAPACITY: usize = 1024;
const RECORD_MAX: usize = 128;

fn ring() -> SharedRing<Mapped> {
    let bytes = RING_HEADER_BYTES + (CAPACITY + RECORD_MAX) * 8;
    let region = Arc::new(Region::anonymous(bytes).expect("anonymous memory"));
    Ring::new(Mapped::new(region), CAPACITY, RECORD_MAX).share().expect("anonymous memory")
}

/// Emits `granules` of which each holds `value`; false when the ring is full.
fn emit(producer: &Producer<Mapped>, granules: usize, value: u64) -> bool {
    emit_each(producer, granules, |_| value)
}

/// Emits `granules` of which each holds what `value` gives for it; false when the ring is full.
fn emit_each(producer: &Producer<Mapped>, granules: usize, value: impl Fn(usize) -> u64) -> bool {
    let ring = producer.ring();
    // SAFETY: this thread owns the producer and fills exactly what it claimed.
    unsafe {
        let mut claim = ring.claim(granules);
        if claim.is_none() {
            if ring.free() <= granules {
                return false;
            }
            ring.set_soft_limit(ring.free());
            claim = ring.claim(granules);
        }
        let Some(claim) = claim else { return false };
        for granule in 1..granules {
            ring.memory().granule(claim.index + granule).write(value(granule));
        }
        ring.commit(claim);
    }
    true
}

fn read(consumer: &mut Consumer<Mapped>) -> Option<(usize, u64)> {
    let peeked = consumer.peek()?;
    let mut bytes = [0; RECORD_MAX * 8];
    let copied = consumer.ring().copy(peeked, &mut bytes);
    let words: Vec<_> = copied.chunks_exact(8).map(|word| word.try_into().unwrap()).collect();
    let payload: Vec<_> = words[1..].iter().map(|word| u64::from_le_bytes(*word)).collect();
    assert!(payload.iter().all(|word| *word == payload[0]), "a record is whole");
    consumer.advance(peeked);
    consumer.release();
    Some((peeked.granules, payload[0]))
}

fn unread(consumer: &Consumer<Mapped>) -> u64 {
    let mut records = 0;
    consumer.walk(|_, _| records += 1);
    records
}

#[test]
fn lengths_of_all_kinds_go_round_many_times() {
    let ring = ring();
    let producer = Producer::take(&ring).expect("free");
    let mut consumer = Consumer::new(Arc::clone(&ring));
    let mut expected = std::collections::VecDeque::new();
    for value in 0..200_000_u64 {
        let granules = 3 + (value.wrapping_mul(0x9e37_79b9) >> 7) as usize % (RECORD_MAX - 2);
        while !emit(&producer, granules, value) {
            assert_eq!(read(&mut consumer), expected.pop_front());
        }
        expected.push_back((granules, value));
    }
    assert_eq!(unread(&consumer), expected.len() as u64);
    while let Some(record) = read(&mut consumer) {
        assert_eq!(Some(record), expected.pop_front());
    }
    assert!(expected.is_empty());
    assert_eq!(ring.committed().0, 200_000);
    assert_eq!(ring.used(), 0);
}

/// Payload that is the commit word of the same place a lap later must not pass for a record. The
/// lengths do not divide the capacity, so that each granule is once where a record begins.
#[test]
fn stale_payload_is_no_record() {
    const LAPS: u64 = 50;
    for granules in [3, 5, 7] {
        let ring = ring();
        let producer = Producer::take(&ring).expect("free");
        let mut consumer = Consumer::new(Arc::clone(&ring));
        let mut position = 0;
        while position < LAPS * CAPACITY as u64 {
            // Every granule pretends to be a record that begins there in the next lap.
            let pretended = |granule: u64| (position + granule + CAPACITY as u64 + 1) << 16 | 3;
            assert!(emit_each(&producer, granules, |granule| pretended(granule as u64)));
            let peeked = consumer.peek().expect("just committed");
            assert_eq!(peeked.granules, granules, "at {position}");
            consumer.advance(peeked);
            consumer.release();
            assert_eq!(consumer.peek(), None, "behind the record at {position}");
            position += granules as u64;
        }
        assert_eq!(consumer.head() >> 16, position);
    }
}

/// A stray store of the program may look like the commit word of a record without a header.
#[test]
fn a_length_that_no_producer_writes_is_no_record() {
    let ring = ring();
    let consumer = Consumer::new(Arc::clone(&ring));
    for granules in [0, 1, 2, RECORD_MAX as u64 + 1, 0xffff] {
        ring.memory().word(0).store(1 << 16 | granules, Ordering::Relaxed);
        assert_eq!(consumer.peek(), None, "{granules} granules");
    }
    for granules in [3, RECORD_MAX as u64] {
        ring.memory().word(0).store(1 << 16 | granules, Ordering::Relaxed);
        assert_eq!(consumer.peek().map(|record| record.granules as u64), Some(granules));
    }
}

#[test]
fn a_full_ring_says_so_and_a_given_back_one_goes_on() {
    let ring = ring();
    let mut emitted = 0;
    {
        let producer = Producer::take(&ring).expect("free");
        assert!(Producer::take(&ring).is_none(), "one owner at a time");
        while emit(&producer, 100, emitted) {
            emitted += 1;
        }
        assert_eq!(emitted, (CAPACITY as u64 - 1) / 100);
    }
    assert!(ring.is_free());
    let mut consumer = Consumer::new(Arc::clone(&ring));
    assert_eq!(read(&mut consumer), Some((100, 0)));
    let producer = Producer::take(&ring).expect("given back");
    assert!(emit(&producer, 100, emitted));
    assert_eq!(unread(&consumer), emitted);
    for value in 1..=emitted {
        assert_eq!(read(&mut consumer), Some((100, value)));
    }
    assert_eq!(ring.committed().0, emitted + 1);
}

/// Reads under a writer that never stops: everything arrives, in order, and is counted.
#[test]
fn two_threads_hand_over_without_loss() {
    const RECORDS: u64 = 300_000;
    let ring = ring();
    let producer = Producer::take(&ring).expect("free");
    let writer = std::thread::spawn(move || {
        for value in 0..RECORDS {
            let granules = 3 + value as usize % 60;
            while !emit(&producer, granules, value) {
                std::thread::yield_now();
            }
        }
    });
    let mut consumer = Consumer::new(Arc::clone(&ring));
    let mut next = 0;
    while next < RECORDS {
        match read(&mut consumer) {
            Some((granules, value)) => {
                assert_eq!((granules, value), (3 + next as usize % 60, next));
                next += 1;
            }
            None => std::thread::yield_now(),
        }
    }
    writer.join().expect("the writer ends");
    assert_eq!(ring.committed(), (RECORDS, consumer.head()));
}

/// What a child finds of its parent's rings is like the ring that is nobody's: all zeros.
#[test]
fn a_ring_without_memory_is_empty() {
    let ring = Ring::nobodys().share().expect("anonymous memory");
    let mut consumer = Consumer::new(Arc::clone(&ring));
    assert_eq!((consumer.peek(), consumer.walk(|_, _| unreachable!())), (None, 0));
    consumer.release();
    assert_eq!((ring.committed(), ring.released(), ring.used()), ((0, 0), 0, 0));
    let producer = Producer::take(&ring).expect("it is free");
    assert!(!emit(&producer, 3, 0), "it has no room");
}

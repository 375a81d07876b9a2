//! Loom explores every interleaving of small rings: `RUSTFLAGS="--cfg loom" cargo test --lib
//! --profile loom`. Two memories: `Words` lets stale payload pass for a commit word if the protocol
//! lets it; `Cells` lets loom see a race on payload. `tests/orderings/run.py` changes the orderings
//! one by one and shows that these models see it.

use loom::cell::UnsafeCell;
use loom::sync::Arc as LoomArc;
use loom::thread;
use std::sync::Arc;

use super::{Consumer, Memory, POSITION_SHIFT, Producer, Ring, distance};
use crate::primitive::{AtomicU64, Ordering};

const CAPACITY: usize = 8;
const OVERHANG: usize = 3;

/// Payload access, which the two memories do differently.
trait Payload: Memory + Send + Sync + 'static {
    fn new() -> Self;
    fn put(&self, granule: usize, value: u64);
    fn get(&self, granule: usize) -> u64;
}

/// Every granule is one atomic, as in real memory.
#[derive(Clone)]
struct Words {
    granules: Arc<Vec<AtomicU64>>,
    released: Arc<AtomicU64>,
}

impl Memory for Words {
    fn word(&self, granule: usize) -> &AtomicU64 {
        &self.granules[granule]
    }

    fn released(&self) -> &AtomicU64 {
        &self.released
    }
}

impl Payload for Words {
    fn new() -> Words {
        let granules = (0..CAPACITY + OVERHANG).map(|_| AtomicU64::new(0)).collect();
        Words { granules: Arc::new(granules), released: Arc::new(AtomicU64::new(0)) }
    }

    fn put(&self, granule: usize, value: u64) {
        self.granules[granule].store(value, Ordering::Relaxed);
    }

    fn get(&self, granule: usize) -> u64 {
        self.granules[granule].load(Ordering::Relaxed)
    }
}

/// Commit words are atomics, payload lies in cells beside them.
#[derive(Clone)]
struct Cells {
    words: Arc<Vec<AtomicU64>>,
    payload: Arc<Vec<UnsafeCell<u64>>>,
    released: Arc<AtomicU64>,
}

// SAFETY: loom itself checks that accesses to a cell do not race.
unsafe impl Send for Cells {}
// SAFETY: as above.
unsafe impl Sync for Cells {}

impl Memory for Cells {
    fn word(&self, granule: usize) -> &AtomicU64 {
        &self.words[granule]
    }

    fn released(&self) -> &AtomicU64 {
        &self.released
    }
}

impl Payload for Cells {
    fn new() -> Cells {
        let count = CAPACITY + OVERHANG;
        Cells {
            words: Arc::new((0..count).map(|_| AtomicU64::new(0)).collect()),
            payload: Arc::new((0..count).map(|_| UnsafeCell::new(0)).collect()),
            released: Arc::new(AtomicU64::new(0)),
        }
    }

    fn put(&self, granule: usize, value: u64) {
        // SAFETY: loom fails the test if another thread accesses the cell meanwhile.
        self.payload[granule].with_mut(|cell| unsafe { *cell = value });
    }

    fn get(&self, granule: usize) -> u64 {
        // SAFETY: as above.
        self.payload[granule].with(|cell| unsafe { *cell })
    }
}

/// Payload that looks like the commit word of a later lap, the worst there is.
fn hostile(value: u64) -> u64 {
    value.wrapping_add(8 + 1) << 16 | 3
}

fn ring<M: Payload>() -> Arc<Ring<M>> {
    Arc::new(Ring::new(M::new(), CAPACITY, OVERHANG))
}

/// Emits a record of three granules whose payload is `value`, disguised; false when full.
fn emit<M: Payload>(producer: &Producer<M>, value: u64) -> bool {
    emit_disguised(producer, value, hostile(value))
}

/// The same, in this disguise.
fn emit_disguised<M: Payload>(producer: &Producer<M>, value: u64, disguise: u64) -> bool {
    let ring = producer.ring();
    // SAFETY: this thread owns the producer and commits each claim before the next.
    unsafe {
        let mut claim = ring.claim(3);
        if claim.is_none() {
            ring.set_soft_limit(ring.free());
            claim = ring.claim(3);
        }
        let Some(claim) = claim else { return false };
        ring.memory().put(claim.index + 1, disguise);
        ring.memory().put(claim.index + 2, value);
        ring.commit(claim);
    }
    true
}

/// Reads one record if there is one.
fn read<M: Payload>(consumer: &mut Consumer<M>) -> Option<u64> {
    let peeked = consumer.peek()?;
    assert_eq!(peeked.granules, 3);
    let memory = consumer.ring().memory();
    let value = memory.get(peeked.index + 2);
    assert_eq!(memory.get(peeked.index + 1), hostile(value));
    consumer.advance(peeked);
    consumer.release();
    Some(value)
}

/// Every record arrives once and in order, over more than a lap.
fn hand_over<M: Payload>(records: u64) {
    loom::model(move || {
        let ring = ring::<M>();
        let producer = Producer::take(&ring).expect("a new ring is free");
        let writer = thread::spawn(move || {
            (0..records).filter(|value| emit(&producer, *value)).collect::<Vec<_>>()
        });
        let mut consumer = Consumer::new(Arc::clone(&ring));
        let mut seen: Vec<u64> = (0..records).filter_map(|_| read(&mut consumer)).collect();
        let written = writer.join().unwrap();
        seen.extend(std::iter::from_fn(|| read(&mut consumer)));
        assert_eq!(seen, written);
        assert_eq!(ring.committed().0, written.len() as u64);
        assert_eq!(ring.used(), 0);
    });
}

#[test]
fn every_record_arrives_once_words() {
    hand_over::<Words>(4);
}

#[test]
fn every_record_arrives_once_cells() {
    hand_over::<Cells>(4);
}

/// A ring that its thread gave back is taken by another, which goes on behind unread records.
fn hand_back<M: Payload>() {
    loom::model(|| {
        let ring = ring::<M>();
        let first = Producer::take(&ring).expect("a new ring is free");
        let given = LoomArc::new(ring);
        let other = LoomArc::clone(&given);
        let thread_a = thread::spawn(move || {
            assert!(emit(&first, 1));
        });
        let thread_b =
            thread::spawn(move || Producer::take(&other).is_some_and(|second| emit(&second, 2)));
        let mut consumer = Consumer::new(Arc::clone(&given));
        let mut seen = Vec::new();
        seen.extend(read(&mut consumer));
        thread_a.join().unwrap();
        let took = thread_b.join().unwrap();
        seen.extend(std::iter::from_fn(|| read(&mut consumer)));
        assert_eq!(seen, if took { vec![1, 2] } else { vec![1] });
        assert_eq!(given.committed().0, seen.len() as u64);
    });
}

#[test]
fn a_given_back_ring_goes_on_words() {
    hand_back::<Words>();
}

#[test]
fn a_given_back_ring_goes_on_cells() {
    hand_back::<Cells>();
}

/// The commit word of a record that stands where the payload of record `number` was, a lap before:
/// it begins at 3 x `number`, its first payload granule is where record `number` + 3 will begin.
fn word_of_the_next_lap(number: u64) -> u64 {
    (3 * (number + 3) + 1) << 16 | 3
}

/// Payload that is the very commit word of what will stand there passes for no record.
#[test]
fn stale_payload_at_its_place_is_no_record() {
    const RECORDS: u64 = 3;
    loom::model(|| {
        let ring = ring::<Words>();
        let producer = Producer::take(&ring).expect("a new ring is free");
        let mut consumer = Consumer::new(Arc::clone(&ring));
        let reader = thread::spawn(move || {
            let mut seen = 0;
            // Once more than there are records: what the last look finds is none, or stale.
            for _ in 0..=RECORDS {
                let Some(peeked) = consumer.peek() else { continue };
                let value = consumer.ring().memory().get(peeked.index + 2);
                assert_eq!(value, seen, "a record that nobody wrote");
                consumer.advance(peeked);
                consumer.release();
                seen += 1;
            }
            (seen, consumer)
        });
        let mut written = 0;
        for _ in 0..RECORDS + 1 {
            written += u64::from(emit_disguised(&producer, written, word_of_the_next_lap(written)));
        }
        let (mut seen, mut consumer) = reader.join().unwrap();
        while let Some(peeked) = consumer.peek() {
            assert!(seen < written, "a record that nobody wrote");
            consumer.advance(peeked);
            seen += 1;
        }
        assert_eq!(seen, written);
    });
}

/// The count and the tail that an account reads belong together, whatever is folded meanwhile, and
/// what the tail counts is there. Read on a thread of its own, as every reader here that spins.
#[test]
fn a_count_and_its_tail_are_of_one_moment() {
    const RECORDS: u64 = 2;
    let mut model = loom::model::Builder::new();
    // All interleavings of a loop that spins take minutes. So at most two switches where no
    // thread waits; which store a load sees is not bounded by that.
    model.preemption_bound = Some(2);
    model.check(|| {
        let ring = ring::<Words>();
        let producer = Producer::take(&ring).expect("a new ring is free");
        let other = Arc::clone(&ring);
        let reader = thread::spawn(move || {
            let (records, tail) = other.committed();
            assert_eq!(tail >> POSITION_SHIFT, 3 * records);
            let mut found = 0;
            Consumer::new(other).walk(|_, _| found += 1);
            assert!(found >= records, "{found} of {records} are there");
        });
        for value in 0..RECORDS {
            // SAFETY: this thread owns the producer. Folds what was counted before.
            unsafe { producer.ring().set_soft_limit(producer.ring().free()) };
            assert!(emit(&producer, value));
        }
        reader.join().unwrap();
        assert_eq!(ring.committed(), (RECORDS, distance(3 * RECORDS as usize)));
    });
}

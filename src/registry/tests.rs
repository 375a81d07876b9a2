//! The account of rings that are handed back while an engine ends.

use super::account::unread;
use super::*;
use crate::arena::{Identity, Lines, Shape, layout};
use crate::clock::{Clock, Readings};
use crate::envelope::{self, Meta};
use crate::flush::controller::{self, Mode, SyncGoal};
use crate::level::Level;
use crate::ring::{Claim, Consumer};
use crate::shared::Shared;
use crate::stats::Counters;
use std::path::Path;

const RING_BYTES: usize = 16 << 10;
const RECORD_BYTES: usize = 2 << 10;

const LIMITS: controller::Limits = controller::Limits {
    mode: Mode::Fixed,
    publish_every: Duration::from_millis(5),
    sync: SyncGoal::Never,
    urgent_sync_every: None,
    publish_bytes: 1 << 20,
    staging_bytes: 4 << 20,
    shed_below: None,
};

fn registry() -> Registry {
    let identity = Identity {
        name: "app",
        base: "app",
        file_name: "",
        directory: Path::new(""),
        lines: Lines { output: 3, ..Lines::JSON },
    };
    let shape = Shape { ring_bytes: RING_BYTES, record_bytes: RECORD_BYTES, rings_max: 16 };
    let arena = Arc::new(Arena::anonymous(identity, shape).expect("anonymous memory"));
    Registry::new(Parts {
        source: TickSource::choose(Clock::Monotonic, Readings::Kept),
        limits: Limits {
            ring_granules: RING_BYTES / 8,
            record_granules: RECORD_BYTES / 8,
            reserve_granules: 0,
            rings_max: 16,
            overflow: Overflow::Drop,
            stall_after: Duration::from_secs(5),
        },
        shared: Shared::new(
            Counters::new(Arc::clone(arena.fixed()), layout::COUNTERS_AT),
            LIMITS,
            None,
        ),
        arena,
        filter: Filter::parse("info", Level::INFO).expect("a filter"),
        redaction: Redaction::default(),
    })
}

/// Claims and fills an envelope without fields, with these flags.
fn fill(producer: &Producer<Mapped>, flags: u16) -> Claim {
    let ring = producer.ring();
    let meta = Meta { id: 1, fields: 0, level: Level::INFO as u8, flags };
    #[allow(unsafe_code)]
    // SAFETY: the producer is this test's; three granules are claimed and filled.
    unsafe {
        ring.set_soft_limit(ring.free());
        let claim = ring.claim(3).expect("room");
        let out = ring.memory().granule(claim.index);
        out.add(envelope::TICKS).write(1);
        out.add(envelope::META).write(meta.to_word());
        claim
    }
}

/// Commits one record without fields.
fn commit(producer: &Producer<Mapped>) {
    let claim = fill(producer, 0);
    #[allow(unsafe_code)]
    // SAFETY: the producer is this test's, the claim its latest, and filled.
    unsafe {
        producer.ring().commit(claim);
    }
}

#[test]
fn a_record_after_the_last_pass_is_in_one_count_whoever_comes_first() {
    for is_handed_back_first in [true, false] {
        let registry = registry();
        let producer = registry.take_ring().expect("a ring").producer;
        let ring = Arc::clone(producer.ring());
        registry.close();
        registry.set_drained();
        commit(&producer);
        let unheard = process::unheard();
        let account = if is_handed_back_first {
            drop(producer);
            registry.count_unheard(&ring);
            registry.settle()
        } else {
            let account = registry.settle();
            drop(producer);
            registry.count_unheard(&ring);
            account
        };
        assert_eq!((account.committed, account.pending), (0, 0), "{is_handed_back_first}");
        // Other tests of this process may count as well.
        assert!(process::unheard() > unheard);
        assert_eq!(unread(&Consumer::behind_last(ring)).records, 0);
    }
}

/// A thread loses the CPU between the two stores of a commit, with a record or as it announces
/// itself, and the engine ends meanwhile; the collector may have read what is committed, or not.
#[test]
fn an_envelope_in_flight_is_counted_if_it_is_a_record() {
    let mut seen = 0;
    for (flags, counted) in [(envelope::flag::CONTROL, 0), (0, 1)] {
        for (records, is_read) in [(0, false), (0, true), (3, false), (3, true)] {
            let registry = registry();
            let producer = registry.take_ring().expect("a ring").producer;
            let ring = Arc::clone(producer.ring());
            (0..records).for_each(|_| commit(&producer));
            let claim = fill(&producer, flags);
            ring.publish_half(&claim);
            if is_read {
                let mut consumer = Consumer::new(Arc::clone(&ring));
                while let Some(peeked) = consumer.peek() {
                    consumer.advance(peeked);
                }
                consumer.release();
            }
            registry.close();
            let account = registry.settle();
            let committed = records + counted;
            let pending = if is_read { 0 } else { committed };
            assert_eq!((account.committed, account.pending), (committed, pending));
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

/// What stands in the ring when the engine has drained was never heard, in flight or not.
#[test]
fn a_record_in_flight_after_the_last_pass_is_not_in_the_account() {
    let registry = registry();
    let producer = registry.take_ring().expect("a ring").producer;
    let ring = Arc::clone(producer.ring());
    let claim = fill(&producer, 0);
    registry.close();
    registry.set_drained();
    ring.publish_half(&claim);
    let account = registry.settle();
    assert_eq!((account.committed, account.pending), (0, 0));
}

#[test]
fn what_is_submitted_never_shrinks_whatever_becomes_of_the_rings() {
    let registry = registry();
    let producer = registry.take_ring().expect("a ring").producer;
    commit(&producer);
    assert_eq!(registry.submitted(0), 1);
    commit(&producer);
    registry.close();
    assert_eq!(registry.submitted(0), 2, "as of the close");
    // Nobody knows yet whether this one is heard.
    commit(&producer);
    assert_eq!(registry.submitted(0), 2);
    registry.set_drained();
    registry.close();
    assert!(registry.is_drained(), "closing again opens nothing");
    drop(producer);
    registry.forget_rings();
    assert_eq!((registry.submitted(0), registry.submitted(7)), (2, 7));
}

/// To look at a ring's memory may wait for a disk.
#[test]
fn a_ring_that_was_left_is_looked_at_without_the_lists_lock() {
    let registry = registry();
    let owned = [(); 3].map(|()| registry.take_ring().expect("a ring").producer);
    let [first, second, third] = owned.each_ref().map(|producer| Arc::clone(producer.ring()));
    let [_first, second_left, third_left] = owned;
    drop((second_left, third_left));
    let is_fit = |ring: &Ring<Mapped>| {
        assert!(registry.rings.try_lock().is_ok());
        ptr::eq(ring, &raw const **third)
    };
    let taken = registry.take_left(is_fit).expect("the third was left");
    assert!(Arc::ptr_eq(taken.producer.ring(), &third));
    assert_eq!([first, second, third].map(|ring| ring.is_free()), [false, true, false]);
}

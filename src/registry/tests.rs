//! The account of rings that are handed back while an engine ends.

use super::account::unread;
use super::*;
use crate::arena::{Identity, Lines, Shape, layout};
use crate::clock::{Clock, Readings};
use crate::envelope::{self, Meta};
use crate::flush::controller::{self, Mode, SyncGoal};
use crate::level::Level;
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
        file_name: "",
        directory: Path::new(""),
        lines: Lines { format: 1, details: 0, output: 3 },
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
    })
}

/// Commits one record without fields.
fn commit(producer: &Producer<Mapped>) {
    let ring = producer.ring();
    let meta = Meta { id: 1, fields: 0, level: Level::INFO as u8, flags: 0 };
    assert!(meta.is_record());
    #[allow(unsafe_code)]
    // SAFETY: the producer is this test's; three granules are claimed, filled and committed.
    unsafe {
        ring.set_soft_limit(ring.free());
        let claim = ring.claim(3).expect("room");
        let out = ring.memory().granule(claim.index);
        out.add(envelope::TICKS).write(1);
        out.add(envelope::META).write(meta.to_word());
        ring.commit(claim);
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
        assert_eq!(unread(&ring).records, 0);
    }
}

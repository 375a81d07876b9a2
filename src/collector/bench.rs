//! A collector without its thread, for benches: behind the feature `bench-internals`. Rings and
//! segments lie in anonymous memory, and lines are forgotten once written.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Barriers, Collector, Idling, Parts, StartNote};
use crate::arena::{Arena, Identity, Lines, Shape, layout};
use crate::callsite::Callsite;
use crate::clock::{TickClock, TickSource};
use crate::config::{Filter, Overflow};
use crate::envelope;
use crate::flush::Progress;
use crate::flush::actuator::Actuators;
use crate::flush::controller::{Decision, Limits, Mode, SyncGoal};
use crate::flush::signal::Signal;
use crate::format::{Colour, Details, Format, Formatter};
use crate::level::Level;
use crate::registry::{self, Registry};
use crate::ring::bench::RingWriter;
use crate::segment::{Pool, SegmentWriter, Source};
use crate::stats::{Counter, Counters};
use crate::sys::mmap::Region;

const RING_GRANULES: usize = 128 * 1024;
const RECORD_GRANULES: usize = 2048;
const HOT_SEGMENTS: usize = 4;

static ORDER: Callsite = Callsite::new(
    Level::Info,
    "app",
    "order accepted",
    &["user_id", "price", "symbol"],
    file!(),
    line!(),
);

/// Rings, a collector over them, and a pool whose segments come back at once.
pub struct Passes {
    collector: Collector,
    pool: Arc<Pool>,
    writers: Vec<RingWriter>,
    callsite: u32,
    ticks: u64,
    /// The oldest segment that was not given back.
    segment: u64,
}

impl Passes {
    /// With as many rings, each of 1 MiB.
    ///
    /// # Panics
    ///
    /// When there is no memory.
    pub fn new(rings: usize) -> Passes {
        let (arena, registry) = registry();
        let pool = Arc::new(Pool::new(HOT_SEGMENTS, HOT_SEGMENTS, Anonymous).expect("memory"));
        let writer = SegmentWriter::begin(pool.clone(), arena.id()).expect("a segment");
        // Of known rate, so that a start takes no time that varies.
        let clock = TickClock::calibrate(registry.source);
        let ticks = registry.source.now();
        let writers = (0..rings).map(|_| registry.take_ring().expect("memory for a ring").producer);
        let writers = writers.map(RingWriter::new).collect();
        let collector = Collector::new(Parts {
            arena,
            clock,
            formatter: Formatter::new(Format::Json, Colour::Off, Details::default(), 16 * 1024),
            writer,
            barriers: Arc::new(Barriers::default()),
            publisher: Arc::new(Signal::default()),
            order_window: Duration::ZERO,
            idling: Idling::Spin,
            limits: limits(),
            actuators: Arc::clone(&registry.actuators),
            start_note: StartNote {
                log: String::new(),
                is_crash_safe: false,
                orphans: 0,
                warnings: Vec::new(),
            },
            sides: Vec::new(),
            seal_when: None,
            binary: None,
            registry,
        });
        let callsite = ORDER.register();
        Passes { collector, pool, writers, callsite, ticks, segment: 1 }
    }

    /// Puts an envelope of a `u64`, an `f64` and a text into a ring, later than all before it;
    /// false when the ring is full.
    pub fn emit(&mut self, ring: usize, words: &mut [u64]) -> bool {
        const TICKS_BETWEEN: u64 = 100;
        self.ticks += TICKS_BETWEEN;
        words[envelope::TICKS] = self.ticks;
        let mut meta = envelope::Meta::from_word(words[envelope::META]);
        meta.id = self.callsite;
        words[envelope::META] = meta.to_word();
        self.writers[ring].put(words)
    }

    /// Writes all that was emitted; how many records that makes in all.
    pub fn pass(&mut self) -> u64 {
        self.collector.pass(u64::MAX);
        let batch = &self.collector.batch;
        while self.segment < batch.parts.writer.seq() {
            let (index, _) = self.pool.find(self.segment).expect("it is not given back yet");
            self.pool.give_back(index);
            self.segment += 1;
        }
        self.collector.registry.counters.get(Counter::Written)
    }
}

fn registry() -> (Arc<Arena>, Arc<Registry>) {
    let segment_bytes = layout::SEGMENT_BYTES;
    let lines = Lines { format: 0, details: 0, output: 0, segment_mode: 0, segment_bytes };
    let directory = Path::new("");
    let identity = Identity { name: "bench", file_name: "", directory, lines };
    let (ring_bytes, record_bytes) = (RING_GRANULES * 8, RECORD_GRANULES * 8);
    let shape = Shape { ring_bytes, record_bytes, rings_max: 64 };
    let arena = Arc::new(Arena::anonymous(identity, shape).expect("memory"));
    let registry = Registry::new(registry::Parts {
        source: TickSource::Monotonic,
        limits: registry::Limits {
            ring_granules: RING_GRANULES,
            record_granules: RECORD_GRANULES,
            reserve_granules: 0,
            rings_max: usize::MAX,
            overflow: Overflow::Drop,
            stall_after: Duration::MAX,
        },
        counters: Counters::new(Arc::clone(arena.fixed()), layout::COUNTERS_AT),
        progress: Arc::new(Progress::default()),
        collector: Arc::new(Signal::default()),
        arena: Arc::clone(&arena),
        filter: Filter::parse("", Level::Info).expect("no directive"),
        actuators: Arc::new(Actuators::new(&Decision::configured(&limits()))),
    });
    (arena, Arc::new(registry))
}

fn limits() -> Limits {
    Limits {
        mode: Mode::Fixed,
        publish_every: Duration::MAX,
        sync: SyncGoal::Never,
        urgent_sync_every: None,
        publish_bytes: u64::MAX,
        staging_bytes: (HOT_SEGMENTS * layout::SEGMENT_BYTES) as u64,
        shed_below: None,
    }
}

/// Segments in anonymous memory.
struct Anonymous;

impl Source for Anonymous {
    fn make(&self, _: usize) -> io::Result<Region> {
        Region::anonymous(layout::SEGMENT_BYTES)
    }

    fn take_back(&self, _: &Region) -> io::Result<()> {
        Ok(())
    }

    fn restore(&self, _: usize, _: &Region) -> io::Result<()> {
        Ok(())
    }
}

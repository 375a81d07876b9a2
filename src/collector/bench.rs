//! A collector without its thread, for benches and a test: behind the feature `bench-internals`.
//! Segments lie in anonymous memory, and lines are forgotten once written.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Barriers, Collector, Idling, Parts, StartNote};
use crate::arena::commit::Commits;
use crate::arena::{Arena, Identity, Lines, Shape, layout};
use crate::callsite::Callsite;
use crate::clock::{TickClock, TickSource};
use crate::config::{Filter, Overflow, Redaction, UrlPasswords};
use crate::envelope;
use crate::flush::controller::{Limits, Mode, SyncGoal};
use crate::format::{Colour, Details, Format, Formatter};
use crate::level::Level;
use crate::registry::{self, Registry};
use crate::ring::bench::RingWriter;
use crate::segment::{Pool, SegmentWriter, Source};
use crate::shared::Shared;
use crate::stats::{Counter, Counters};
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::OsIo;
use crate::sys::mmap::Region;

const SHAPE: Shape = Shape { ring_bytes: 1 << 20, record_bytes: 16 << 10, rings_max: 64 };
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
    /// With as many rings, each of 1 MiB of anonymous memory.
    ///
    /// # Panics
    ///
    /// When there is no memory.
    pub fn new(rings: usize) -> Passes {
        Passes::over(Arena::anonymous(identity(), SHAPE).expect("memory"), SHAPE, rings)
    }

    /// The same in a file of the directory, guarded, as the rings of most engines are.
    ///
    /// # Panics
    ///
    /// When there is no file to be had.
    pub fn in_file(dir: &Path, rings: usize) -> Passes {
        Passes::of_shape(dir, SHAPE, rings)
    }

    fn of_shape(dir: &Path, shape: Shape, rings: usize) -> Passes {
        let (io, guard) = (Arc::new(OsIo), SigbusGuard::Install);
        let arena = Arena::create(io, dir, identity(), shape, guard).expect("an arena");
        Passes::over(arena, shape, rings)
    }

    /// With as many rings of an arena of that shape.
    fn over(arena: Arena, shape: Shape, rings: usize) -> Passes {
        let arena = Arc::new(arena);
        let registry = registry(&arena, shape);
        let pool = Arc::new(Pool::new(HOT_SEGMENTS, HOT_SEGMENTS, Anonymous).expect("memory"));
        let writer = SegmentWriter::begin(pool.clone(), arena.id()).expect("a segment");
        // Of known rate, so that a start takes no time that varies.
        let clock = TickClock::calibrate(registry.source);
        let ticks = registry.source.now();
        let writers = (0..rings).map(|_| registry.take_ring().expect("memory for a ring").producer);
        let writers = writers.map(RingWriter::new).collect();
        let collector = Collector::new(Parts {
            commits: Commits::new(Arc::clone(arena.fixed())),
            arena,
            clock,
            formatter: Formatter::new(Format::Json, Colour::Off, Details::default(), 16 * 1024),
            writer,
            barriers: Arc::new(Barriers::default()),
            order_window: Duration::ZERO,
            idling: Idling::Spin,
            start_note: StartNote::default(),
            sides: Vec::new(),
            segment_age: None,
            binary: None,
            url_passwords: UrlPasswords::Shown,
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
        self.collector.registry.shared.counters.get(Counter::Written)
    }
}

fn identity() -> Identity<'static> {
    let lines = Lines { output: 4, ..Lines::JSON };
    Identity { name: "bench", base: "bench", file_name: "", directory: Path::new(""), lines }
}

fn registry(arena: &Arc<Arena>, shape: Shape) -> Arc<Registry> {
    Arc::new(Registry::new(registry::Parts {
        source: TickSource::Monotonic,
        limits: registry::Limits {
            ring_granules: shape.ring_bytes / 8,
            record_granules: shape.record_bytes / 8,
            reserve_granules: 0,
            rings_max: usize::MAX,
            overflow: Overflow::Drop,
            stall_after: Duration::MAX,
        },
        shared: Shared::new(
            Counters::new(Arc::clone(arena.fixed()), layout::COUNTERS_AT),
            limits(),
            None,
        ),
        arena: Arc::clone(arena),
        filter: Filter::parse("", Level::Info).expect("no directive"),
        redaction: Redaction::default(),
    }))
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

    fn mend(&self, _: &Region) -> io::Result<()> {
        Ok(())
    }
}

// Elsewhere there are no arenas in files.
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests {
    use super::*;
    use crate::arena::commit::MOVED_MAX;
    use crate::bench_support;

    #[test]
    fn a_pass_over_more_rings_than_a_slot_names_takes_two_batches() {
        const RINGS: usize = MOVED_MAX + 10;
        let shape = Shape { ring_bytes: 16 << 10, record_bytes: 2 << 10, rings_max: RINGS };
        let dir = tempfile::tempdir().expect("a directory");
        let mut passes = Passes::of_shape(dir.path(), shape, RINGS);
        let bytes = bench_support::envelope(&(&7_u64, (&1.25_f64, (&"ACME.NYS", ()))));
        let words = bytes.chunks_exact(8);
        let mut words: Vec<u64> =
            words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect();
        for ring in 0..RINGS {
            // A new ring looks for room first.
            while !passes.emit(ring, &mut words) {}
        }
        assert_eq!(passes.pass(), RINGS as u64);
        let collector = &passes.collector;
        assert!(collector.sources.iter().all(|source| source.number.is_some()));
        assert!(collector.sources.iter().all(|source| source.consumer.held() == 0));
        assert_eq!(collector.registry.shared.counters.get(Counter::Batches), 2);
        assert_eq!(collector.batch.parts.commits.read().records, RINGS as u64);
    }
}

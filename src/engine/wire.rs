//! Wires the engine's parts together and starts its threads. Runs on the owner, at start.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use super::core::{Core, Drain, Place, ThreadFacts};
use super::open::{self, LogPlace};
use super::sides::Sides;
use super::start::HOT_SEGMENTS;
use super::threads::{Threads, pin_collector};
use crate::arena::commit::Commits;
use crate::arena::intent::Intents;
use crate::arena::{Arena, layout};
use crate::clock::{TickClock, TickSource};
use crate::collector::{self, Barriers, Collector, Idling, SideParts, StartNote};
use crate::config::{Colour, FlushControl, Idle, Output, Settings, Shed, SyncPolicy, UrgentSync};
use crate::error::Error;
use crate::flush::actuator::Actuators;
use crate::flush::controller::{Decision, Limits, Mode, SyncGoal};
use crate::flush::{EngineThread, Progress};
use crate::flush::files::LogFiles;
use crate::flush::signal::Signal;
use crate::format::{self, Format, Formatter};
use crate::keep::{self, Keeper};
use crate::primitive::Ordering;
use crate::publish::{self, Console, Publisher, Target};
use crate::registry::{self, Registry};
use crate::segment::{Pool, SegmentWriter, Source};
use crate::stats::Counters;
use crate::sys::io::FileKind;
use crate::sys::mmap::Region;

/// Written bytes at which the publisher does not wait for its interval: half of the hot segments.
const PUBLISH_BYTES: u64 = (HOT_SEGMENTS * layout::SEGMENT_BYTES / 2) as u64;

/// What a start has opened.
pub(super) struct Opened {
    pub(super) log: Option<LogPlace>,
    pub(super) arena: Arc<Arena>,
    pub(super) orphans: u64,
    pub(super) counters: Counters,
    pub(super) target: Target,
    pub(super) files: Option<Arc<LogFiles>>,
}

/// What the threads share.
struct Shared {
    arena: Arc<Arena>,
    pool: Arc<Pool>,
    counters: Counters,
    progress: Arc<Progress>,
    barriers: Arc<Barriers>,
    limits: Limits,
    actuators: Arc<Actuators>,
    registry: Arc<Registry>,
    collector: Arc<Signal>,
    publisher: Arc<Signal>,
    keeper: Arc<Signal>,
}

impl Shared {
    fn new(settings: &Settings, opened: &Opened, source: TickSource) -> Result<Shared, Error> {
        let (arena, counters) = (Arc::clone(&opened.arena), opened.counters.clone());
        let pool = pool(settings, &arena)?;
        let progress = Arc::new(Progress::default());
        let limits = limits(settings);
        let actuators = Arc::new(Actuators::new(&Decision::configured(&limits)));
        let [collector, publisher, keeper] = [(); 3].map(|()| Arc::new(Signal::default()));
        let registry = Registry::new(registry::Parts {
            source,
            limits: registry_limits(settings),
            counters: counters.clone(),
            progress: Arc::clone(&progress),
            collector: Arc::clone(&collector),
            arena: Arc::clone(&arena),
            filter: settings.filter.clone(),
            actuators: Arc::clone(&actuators),
        });
        Ok(Shared {
            arena,
            pool,
            counters,
            progress,
            barriers: Arc::default(),
            limits,
            actuators,
            registry: Arc::new(registry),
            collector,
            publisher,
            keeper,
        })
    }
}

/// Starts the threads over what is open.
pub(super) fn run(
    settings: &Settings,
    place: Place,
    opened: Opened,
    warnings: &[String],
) -> Result<Arc<Core>, Error> {
    let source = TickSource::choose(settings.clock);
    let shared = Shared::new(settings, &opened, source)?;
    let (sides, side_parts) = Sides::start(settings, &shared.counters, &shared.progress)?;
    let collector = collector(settings, &shared, &opened, warnings, side_parts)?;
    let keeper = keeper(settings, &shared, &opened);
    let (log_path, lock) = match opened.log {
        Some(log) => (Some(log.path), Some(Arc::new(log.lock))),
        None => (None, None),
    };
    let publisher = publisher(&shared, opened.target, keeper.is_some());
    let facts = Arc::new(ThreadFacts::default());
    let signals = [&shared.collector, &shared.publisher, &shared.keeper].map(Arc::clone);
    let mut threads = Threads::new(Arc::clone(&facts), Arc::clone(&shared.progress), signals);
    let has_keeper = keeper.is_some();
    // The lock lives as long as somebody may still append to the file, or cut it.
    let [kept, held] = [(); 2].map(|()| lock.clone());
    if let Some(keeper) = keeper {
        threads.spawn(EngineThread::Keeper, move || {
            keeper.run();
            drop(kept);
        })?;
    }
    threads.spawn(EngineThread::Publisher, move || {
        publisher.run();
        drop(held);
    })?;
    let (pin, pinned) = (settings.pin, Arc::clone(&facts));
    threads.spawn(EngineThread::Collector, move || {
        if let Some(cpu) = pin_collector(pin) {
            pinned.pinned_to.store(cpu as i32, Ordering::Relaxed);
        }
        collector.run();
    })?;
    Ok(Arc::new(Core {
        place,
        registry: shared.registry,
        progress: shared.progress,
        collector: shared.collector,
        publisher: shared.publisher,
        keeper: has_keeper.then_some(shared.keeper),
        barriers: shared.barriers,
        arena: shared.arena,
        lock,
        level: settings.level,
        patience: settings.barrier_patience,
        log_path,
        orphans: opened.orphans,
        facts,
        threads: Mutex::new(threads.finish()),
        sides: Mutex::new(sides),
        drain: Mutex::new(Drain::default()),
        drained: Condvar::new(),
    }))
}

fn collector(
    settings: &Settings,
    shared: &Shared,
    opened: &Opened,
    warnings: &[String],
    sides: Vec<SideParts>,
) -> Result<Collector, Error> {
    let pool = Arc::clone(&shared.pool);
    let writer = SegmentWriter::begin(pool, shared.arena.id()).ok_or_else(|| {
        let source = std::io::ErrorKind::OutOfMemory.into();
        Error::Memory { bytes: layout::SEGMENT_BYTES, source }
    })?;
    Ok(Collector::new(collector::Parts {
        registry: Arc::clone(&shared.registry),
        arena: Arc::clone(&shared.arena),
        clock: TickClock::calibrate(shared.registry.source),
        formatter: formatter(
            settings,
            open::console(&settings.output),
            settings.format,
            settings.colour,
        ),
        writer,
        barriers: Arc::clone(&shared.barriers),
        publisher: Arc::clone(&shared.publisher),
        order_window: settings.order_window,
        idling: if settings.idle == Idle::Spin { Idling::Spin } else { Idling::Park },
        limits: shared.limits,
        actuators: Arc::clone(&shared.actuators),
        start_note: start_note(settings, opened, warnings),
        sides,
    }))
}

fn publisher(shared: &Shared, target: Target, has_keeper: bool) -> Publisher {
    Publisher::new(publish::Parts {
        target,
        commits: Commits::new(Arc::clone(shared.arena.fixed())),
        intents: Intents::new(Arc::clone(shared.arena.fixed())),
        pool: Arc::clone(&shared.pool),
        counters: shared.counters.clone(),
        progress: Arc::clone(&shared.progress),
        limits: shared.limits,
        actuators: Arc::clone(&shared.actuators),
        signal: Arc::clone(&shared.publisher),
        collector: Arc::clone(&shared.collector),
        keeper: has_keeper.then(|| Arc::clone(&shared.keeper)),
    })
}

/// The keeper; none where there is no file to keep.
fn keeper(settings: &Settings, shared: &Shared, opened: &Opened) -> Option<Keeper> {
    let (files, log) = (opened.files.as_ref()?, opened.log.as_ref()?);
    Some(Keeper::new(keep::Parts {
        io: Arc::clone(&settings.io),
        dir: log.dir.clone(),
        name: settings.name.clone(),
        next: log.places().next(),
        file_bytes_max: settings.rotation.bytes,
        retention: settings.retention,
        #[cfg(feature = "compress")]
        compression: settings.compression,
        files: Arc::clone(files),
        counters: shared.counters.clone(),
        progress: Arc::clone(&shared.progress),
        limits: shared.limits,
        actuators: Arc::clone(&shared.actuators),
        signal: Arc::clone(&shared.keeper),
        publisher: Arc::clone(&shared.publisher),
    }))
}

/// Segments have their memory from the arena.
struct FromArena(Arc<Arena>);

impl Source for FromArena {
    fn make(&self, index: usize) -> io::Result<Region> {
        self.0.map_segment(index)
    }

    fn take_back(&self, region: &Region) -> io::Result<()> {
        self.0.take_segment_back(region)
    }

    fn restore(&self, index: usize, region: &Region) -> io::Result<()> {
        self.0.restore_segment(index, region)
    }
}

fn pool(settings: &Settings, arena: &Arc<Arena>) -> Result<Arc<Pool>, Error> {
    let max = settings.staging_bytes / layout::SEGMENT_BYTES;
    let pool = Pool::new(HOT_SEGMENTS, max, FromArena(Arc::clone(arena)));
    pool.map(Arc::new).map_err(|source| {
        let bytes = HOT_SEGMENTS * layout::SEGMENT_BYTES;
        Error::Memory { bytes, source }
    })
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        mode: match settings.flush_control {
            FlushControl::Adaptive => Mode::Adaptive,
            FlushControl::Fixed => Mode::Fixed,
        },
        staging_bytes: settings.staging_bytes as u64,
        shed_below: match settings.shed {
            Shed::Never => None,
            Shed::Below(level) => Some(level),
        },
        publish_every: settings.publish_every,
        sync: match settings.sync {
            SyncPolicy::Never => SyncGoal::Never,
            SyncPolicy::Every(age) => SyncGoal::Within(age),
            SyncPolicy::EachBatch => SyncGoal::EachBatch,
        },
        urgent_sync_every: match settings.urgent_sync {
            UrgentSync::Never => None,
            UrgentSync::AtMostEvery(interval) => Some(interval),
        },
        publish_bytes: PUBLISH_BYTES,
    }
}

fn registry_limits(settings: &Settings) -> registry::Limits {
    registry::Limits {
        ring_granules: settings.ring_bytes / 8,
        record_granules: settings.record_bytes / 8,
        reserve_granules: settings.reserve_bytes / 8,
        rings_max: settings.max_rings,
        overflow: settings.overflow,
        stall_after: settings.stall_after,
    }
}

/// What makes the lines of an output.
pub(super) fn formatter(
    settings: &Settings,
    console: Option<Console>,
    format: Format,
    colour: Colour,
) -> Formatter {
    let is_terminal = || {
        let status = console.map(|console| console.with_fd(|fd| settings.io.fstat(fd)));
        status.is_some_and(|status| status.is_ok_and(|s| s.kind == FileKind::Terminal))
    };
    let is_coloured = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => is_terminal(),
    };
    let colour = if is_coloured { format::Colour::On } else { format::Colour::Off };
    Formatter::new(format, colour, settings.details, settings.record_bytes)
}

fn start_note(settings: &Settings, opened: &Opened, warnings: &[String]) -> StartNote {
    let log = match (&opened.log, &settings.output) {
        (Some(log), _) => log.path.display().to_string(),
        (None, Output::Stdout) => Console::Stdout.as_str().to_owned(),
        (None, Output::Stderr) => Console::Stderr.as_str().to_owned(),
        (None, Output::File | Output::Null) => "<null>".to_owned(),
    };
    StartNote {
        log,
        is_crash_safe: opened.arena.is_crash_safe(),
        orphans: opened.orphans,
        warnings: warnings.to_vec(),
    }
}

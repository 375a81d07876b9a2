//! Wires the engine's parts together and starts its threads. Runs on the owner, at start.

use std::sync::{Arc, Condvar, Mutex};

use super::core::{Core, Drain, Place, ThreadIds};
use super::open::{self, LogPlace};
use super::rear::{Destination, Rear};
use super::recovery::Outcome;
use super::sides::Sides;
use super::start::HOT_SEGMENTS;
use super::threads::{Threads, pin_collector};
use crate::arena::commit::Commits;
use crate::arena::{Arena, layout};
use crate::clock::{Readings, TickClock, TickSource};
use crate::collector::{self, Barriers, Collector, Idling, SideParts, StartNote};
use crate::config::file_names::Unit;
use crate::config::{Colour, FlushControl, Idle, Output, Settings, Shed, SyncPolicy, UrgentSync};
use crate::error::Error;
use crate::flush::EngineThread;
use crate::flush::controller::{Limits, Mode, SyncGoal};
use crate::format::binary::write::{Origin, Writer};
use crate::format::{self, Format, Formatter};
use crate::level::{CUT_OFF, Level};
use crate::primitive::AtomicU32;
use crate::publish::Console;
use crate::registry::{self, Registry};
use crate::segment::{Pool, SegmentWriter};
use crate::shared::Shared;
use crate::stats::{Counter, Counters};
use crate::sys::io::FileKind;
use crate::sys::process;

/// Written bytes at which the publisher does not wait for its interval: half of the hot segments.
const PUBLISH_BYTES: u64 = (HOT_SEGMENTS * layout::SEGMENT_BYTES / 2) as u64;

/// What a start has opened.
pub(super) struct Opened {
    pub(super) log: Option<LogPlace>,
    pub(super) arena: Arc<Arena>,
    pub(super) recovery: Outcome,
    pub(super) counters: Counters,
    pub(super) destination: Destination,
}

/// What stands before the collector.
pub(super) struct Front {
    pub(super) arena: Arc<Arena>,
    pub(super) commits: Commits,
    pub(super) registry: Arc<Registry>,
    barriers: Arc<Barriers>,
}

impl Front {
    fn new(settings: &Settings, opened: &Opened, source: TickSource) -> Front {
        let arena = Arc::clone(&opened.arena);
        let keeper = opened.destination.files.is_some().then(Arc::default);
        let registry = Registry::new(registry::Parts {
            source,
            limits: registry_limits(settings),
            shared: Shared::new(opened.counters.clone(), limits(settings), keeper),
            arena: Arc::clone(&arena),
            filter: settings.filter.clone(),
            redaction: settings.redaction.clone(),
        });
        let commits = Commits::new(Arc::clone(arena.fixed()));
        Front { arena, commits, registry: Arc::new(registry), barriers: Arc::default() }
    }
}

/// Starts the threads over what is open.
pub(super) fn run(
    settings: &Settings,
    place: Place,
    opened: Opened,
    warnings: &mut Vec<String>,
) -> Result<Arc<Core>, Error> {
    let readings = match settings.idle {
        Idle::Spin => Readings::Published,
        Idle::Park => Readings::Kept,
    };
    let source = TickSource::choose(settings.clock.unwrap_or_default(), readings);
    let front = Front::new(settings, &opened, source);
    let shared = front.registry.shared.clone();
    let Outcome { records, arenas, orphans } = opened.recovery;
    shared.counters.set(Counter::Recovered, records);
    shared.counters.set(Counter::RecoveredArenas, arenas);
    shared.counters.set(Counter::Orphans, orphans.kept);
    shared.counters.set(Counter::RemovedOrphans, orphans.removed);
    shared.counters.set(Counter::ClockInUse, source.clock().number());
    let (sides, side_parts) = Sides::start(settings, &shared)?;
    let mut start_note = start_note(settings, &opened);
    let Rear { pool, publisher, keeper } =
        Rear::new(settings, &front, opened.log.as_ref(), opened.destination, warnings)?;
    start_note.is_crash_safe = front.arena.is_crash_safe();
    start_note.warnings.clone_from(warnings);
    let collector = collector(settings, &front, pool, start_note, side_parts)?;
    let (log_path, lock) = match opened.log {
        Some(log) => (Some(log.path), Some(log.lock)),
        None => (None, None),
    };
    let thread_ids = Arc::new(ThreadIds::default());
    let mut threads = Threads::new(Arc::clone(&thread_ids), shared.clone());
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
    let (pin, counters) = (settings.pin, shared.counters.clone());
    threads.spawn(EngineThread::Collector, move || {
        if let Some(cpu) = pin_collector(pin) {
            counters.set(Counter::PinnedToPlusOne, cpu as u64 + 1);
        }
        collector.run();
    })?;
    Ok(Arc::new(Core {
        place,
        registry: front.registry,
        shared,
        barriers: front.barriers,
        arena: front.arena,
        lock,
        level: settings.level,
        told_cut_off: told_cut_off(settings),
        patience: settings.barrier_patience,
        log_path,
        thread_ids,
        threads: Mutex::new(threads.finish()),
        sides: Mutex::new(sides),
        drain: Mutex::new(Drain::default()),
        drained: Condvar::new(),
    }))
}

/// What the start has said of levels that were cut off.
fn told_cut_off(settings: &Settings) -> AtomicU32 {
    let told = CUT_OFF.and_then(|cut_off| settings.filter.in_vain(cut_off));
    AtomicU32::new(told.map_or(Level::COUNT as u32, |(level, _)| level as u32))
}

fn collector(
    settings: &Settings,
    front: &Front,
    pool: Arc<Pool>,
    start_note: StartNote,
    sides: Vec<SideParts>,
) -> Result<Collector, Error> {
    let writer = SegmentWriter::begin(pool, front.arena.id()).ok_or_else(|| {
        let source = std::io::ErrorKind::OutOfMemory.into();
        Error::Memory { bytes: layout::SEGMENT_BYTES, source }
    })?;
    let clock = TickClock::calibrate(front.registry.source);
    // Before any thread runs, and so before any record: the collector may be late.
    front.arena.store_clock(clock.pieces());
    let (binary, segment_age) = match settings.unit() {
        Unit::Lines => (None, None),
        Unit::Segments => {
            (Some(binary(settings, front, &clock)), Some(settings.rotation.segment_age))
        }
    };
    Ok(Collector::new(collector::Parts {
        registry: Arc::clone(&front.registry),
        arena: Arc::clone(&front.arena),
        commits: front.commits.clone(),
        clock,
        formatter: formatter(
            settings,
            open::console(&settings.output),
            settings.format,
            settings.colour,
        ),
        writer,
        barriers: Arc::clone(&front.barriers),
        order_window: settings.order_window,
        idling: if settings.idle == Idle::Spin { Idling::Spin } else { Idling::Park },
        start_note,
        sides,
        segment_age,
        binary,
        url_passwords: settings.url_passwords,
    }))
}

/// What writes binary segments.
fn binary(settings: &Settings, front: &Front, clock: &TickClock) -> Writer {
    let origin = Origin {
        details: settings.details,
        message_max: settings.record_bytes,
        pid: process::pid(),
        engine: front.arena.id(),
    };
    Writer::new(origin, clock.pieces())
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
    let colour = self::colour(settings, console, colour);
    Formatter::new(format, colour, settings.details, settings.record_bytes)
}

/// Whether an output's text is coloured.
pub(super) fn colour(
    settings: &Settings,
    console: Option<Console>,
    colour: Colour,
) -> format::Colour {
    let is_terminal = || {
        let status = console.map(|console| console.with_fd(|fd| settings.io.fstat(fd)));
        status.is_some_and(|status| status.is_ok_and(|s| s.kind == FileKind::Terminal))
    };
    let is_coloured = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => is_terminal(),
    };
    if is_coloured { format::Colour::On } else { format::Colour::Off }
}

fn start_note(settings: &Settings, opened: &Opened) -> StartNote {
    let log = match (&opened.log, &settings.output) {
        (Some(log), _) => log.path.display().to_string(),
        (None, Output::Stdout) => Console::Stdout.as_str().to_owned(),
        (None, Output::Stderr) => Console::Stderr.as_str().to_owned(),
        (None, Output::File | Output::Null) => "<null>".to_owned(),
    };
    StartNote {
        log,
        is_crash_safe: opened.arena.is_crash_safe(),
        recovered: opened.recovery.records,
        orphans: opened.recovery.orphans.kept,
        arena: match opened.arena.path() {
            Some(path) => path.display().to_string(),
            None => "<memory>".to_owned(),
        },
        warnings: Vec::new(),
    }
}

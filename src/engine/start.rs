//! Starts an engine. Runs on the owner. What was begun is undone in reverse when a step fails: each
//! part releases itself when it is dropped.
//!
//! Validate → the process's place → directories, name lock, orphans → log file → arena and hot
//! segments → clock → threads → exit hook and fork handler → start record → published as running.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};

use super::core::{Core, Drain, ThreadFacts};
use super::exit;
use super::open::{self, LogPlace};
use super::place::{self, Placed};
use super::threads::{Role, Threads, pin_collector};
use crate::arena::commit::Commits;
use crate::arena::intent::Intents;
use crate::arena::{Arena, layout};
use crate::clock::{TickClock, TickSource};
use crate::collector::{Barriers, Collector, Idling, StartNote};
use crate::collector;
use crate::config::{Arena as ArenaPlace, Colour, Config, Idle, OpenFailure, Output, Settings};
use crate::config::{SyncPolicy, UrgentSync};
use crate::error::Error;
use crate::flush::Progress;
use crate::flush::controller::{Limits, SyncGoal};
use crate::flush::signal::Signal;
use crate::format::{self, Formatter};
use crate::keep::{self, Keeper};
use crate::primitive::Ordering;
use crate::publish::{self, Console, ConsoleOutput, Publisher, Target};
use crate::registry::{self, Registry, process};
use crate::segment::{Pool, SegmentWriter};
use crate::stats::Counters;
use crate::sys::io::FileKind;

pub(super) use super::core::Place;

/// Segments that are always there.
pub(super) const HOT_SEGMENTS: usize = 4;

/// Written bytes at which the publisher does not wait for its interval: half of the hot segments.
const PUBLISH_BYTES: u64 = (HOT_SEGMENTS * layout::SEGMENT_BYTES / 2) as u64;

/// The process's place, freed again when the start fails.
struct Reserved {
    place: Place,
    is_kept: bool,
}

impl Reserved {
    fn take(place: Place) -> Result<Reserved, Error> {
        if place == Place::Process && !process::lock().reserve() {
            return Err(Error::AlreadyRunning);
        }
        Ok(Reserved { place, is_kept: false })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.place == Place::Process && !self.is_kept {
            process::lock().unreserve();
        }
    }
}

/// Starts an engine for the process or for its handles.
pub(super) fn start(config: Config, place: Place) -> Result<Arc<Core>, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let executable = std::env::current_exe().ok();
    let (settings, warnings) = config.resolve(environment, executable.as_deref())?;
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let mut reserved = Reserved::take(place)?;
    let generation = process::generation();
    let core = match build(&settings, place, &mut warnings) {
        Err(error) if can_degrade(&settings, &error) => {
            warnings.push(format!("{error}; the log goes to the standard error instead"));
            let degraded = Settings {
                output: Output::Stderr,
                arena: ArenaPlace::Anonymous,
                sync: SyncPolicy::Never,
                urgent_sync: UrgentSync::Never,
                ..settings.clone()
            };
            build(&degraded, place, &mut warnings)?
        }
        other => other?,
    };
    for warning in &warnings {
        // A host without a standard error still finds the warning in its log.
        let _ = writeln!(std::io::stderr(), "fastlog: {warning}");
    }
    if generation != process::generation() {
        return Err(Error::Forked);
    }
    exit::install()?;
    exit::remember(&core, settings.exit_hook);
    if place == Place::Process {
        process::lock().set_default(Arc::clone(&core.registry));
    }
    reserved.is_kept = true;
    Ok(core)
}

/// Whether the failure is one that `OpenFailure::Stderr` is for.
fn can_degrade(settings: &Settings, error: &Error) -> bool {
    let is_about_files = matches!(
        error,
        Error::Directory { .. }
            | Error::NotADirectory { .. }
            | Error::LogFile { .. }
            | Error::NotAFile { .. }
            | Error::LockFile { .. }
            | Error::LockedBy { .. }
            | Error::Sync { .. }
    );
    is_about_files && settings.on_open_failure == OpenFailure::Stderr
}

/// Opens everything and starts the threads.
fn build(
    settings: &Settings,
    place: Place,
    warnings: &mut Vec<String>,
) -> Result<Arc<Core>, Error> {
    let log = match settings.output {
        Output::File => Some(open::log_place(settings)?),
        _ => None,
    };
    warnings.extend(log.iter().filter_map(|log| log.warning.clone()));
    let Placed { arena, orphans } = place::place(settings, log.as_ref(), warnings)?;
    let arena = Arc::new(arena);
    let undo = Unlink(Some(Arc::clone(&arena)));
    let counters = Counters::new(Arc::clone(arena.fixed()), layout::COUNTERS_AT);
    let (target, files) = match &log {
        Some(log) => {
            let file = open::log_file(settings, log, counters.clone())?;
            let files = file.files();
            (Target::File(file), Some(files))
        }
        None => (console_target(settings), None),
    };
    if let (Some(log), SyncPolicy::EachBatch) = (&log, settings.sync) {
        let path = log.dir.clone();
        settings.io.sync_dir(&log.dir).map_err(|source| Error::Sync { path, source })?;
    }
    let core = run(settings, place, Opened { log, arena, orphans, counters, target, files }, warnings)?;
    undo.keep();
    Ok(core)
}

/// Removes the arena of a start that failed.
struct Unlink(Option<Arc<Arena>>);

impl Unlink {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unlink {
    fn drop(&mut self) {
        if let Some(arena) = &self.0 {
            // The error that matters is why the start failed.
            let _ = arena.unlink();
        }
    }
}

/// What a start has opened.
struct Opened {
    log: Option<LogPlace>,
    arena: Arc<Arena>,
    orphans: u64,
    counters: Counters,
    target: Target,
    files: Option<Arc<crate::flush::files::LogFiles>>,
}

fn console_target(settings: &Settings) -> Target {
    let console = match settings.output {
        Output::Stdout => Console::Stdout,
        Output::Stderr => Console::Stderr,
        Output::File | Output::Null => return Target::Null,
    };
    Target::Console(ConsoleOutput::new(Arc::clone(&settings.io), console))
}

/// Starts the threads over what is open.
fn run(
    settings: &Settings,
    place: Place,
    opened: Opened,
    warnings: &[String],
) -> Result<Arc<Core>, Error> {
    let Opened { log, arena, orphans, counters, target, files } = opened;
    let pool = make_pool(settings, &arena)?;
    let writer = SegmentWriter::begin(Arc::clone(&pool), arena.id()).ok_or_else(|| {
        let source = std::io::ErrorKind::OutOfMemory.into();
        Error::Memory { bytes: layout::SEGMENT_BYTES, source }
    })?;
    let source = TickSource::choose(settings.clock);
    let clock = TickClock::calibrate(source);
    let progress = Arc::new(Progress::default());
    let [collector, publisher, keeper] = [(); 3].map(|()| Arc::new(Signal::default()));
    let limits = limits(settings);
    let registry = Arc::new(Registry::new(registry::Parts {
        source,
        limits: registry_limits(settings),
        counters: counters.clone(),
        progress: Arc::clone(&progress),
        collector: Arc::clone(&collector),
        arena: Arc::clone(&arena),
        filter: settings.filter.clone(),
    }));
    let barriers = Arc::new(Barriers::default());
    let collector_thread = Collector::new(collector::Parts {
        registry: Arc::clone(&registry),
        arena: Arc::clone(&arena),
        clock,
        formatter: formatter(settings),
        writer,
        barriers: Arc::clone(&barriers),
        publisher: Arc::clone(&publisher),
        order_window: settings.order_window,
        idling: if settings.idle == Idle::Spin { Idling::Spin } else { Idling::Park },
        start_note: start_note(settings, log.as_ref(), &arena, orphans, warnings),
    });
    let has_keeper = files.is_some();
    let publisher_thread = Publisher::new(publish::Parts {
        target,
        commits: Commits::new(Arc::clone(arena.fixed())),
        intents: Intents::new(Arc::clone(arena.fixed())),
        pool,
        counters: counters.clone(),
        progress: Arc::clone(&progress),
        limits,
        signal: Arc::clone(&publisher),
        collector: Arc::clone(&collector),
        keeper: has_keeper.then(|| Arc::clone(&keeper)),
    });
    let keeper_thread = files.zip(log.as_ref()).map(|(files, log)| {
        Keeper::new(keep::Parts {
            io: Arc::clone(&settings.io),
            dir: log.dir.clone(),
            files,
            counters,
            progress: Arc::clone(&progress),
            limits,
            signal: Arc::clone(&keeper),
            publisher: Arc::clone(&publisher),
        })
    });
    let (log_path, lock) = match log {
        Some(log) => (Some(log.path), Some(Arc::new(log.lock))),
        None => (None, None),
    };
    let facts = Arc::new(ThreadFacts::default());
    let signals = [Arc::clone(&collector), Arc::clone(&publisher), Arc::clone(&keeper)];
    let mut threads = Threads::new(Arc::clone(&facts), signals);
    if let Some(keeper) = keeper_thread {
        threads.spawn(Role::Keeper, move || keeper.run())?;
    }
    // The lock lives as long as somebody may still append to the file.
    let held = lock.clone();
    threads.spawn(Role::Publisher, move || {
        publisher_thread.run();
        drop(held);
    })?;
    let (pin, pinned) = (settings.pin, Arc::clone(&facts));
    threads.spawn(Role::Collector, move || {
        if let Some(cpu) = pin_collector(pin) {
            pinned.pinned_to.store(cpu as i32, Ordering::Relaxed);
        }
        collector_thread.run();
    })?;
    Ok(Arc::new(Core {
        place,
        registry,
        progress,
        collector,
        publisher,
        keeper: has_keeper.then_some(keeper),
        barriers,
        arena,
        lock,
        level: settings.level,
        patience: settings.barrier_patience,
        log_path,
        orphans,
        facts,
        threads: Mutex::new(threads.finish()),
        drain: Mutex::new(Drain::default()),
        drained: Condvar::new(),
    }))
}

fn make_pool(settings: &Settings, arena: &Arc<Arena>) -> Result<Arc<Pool>, Error> {
    let source = Arc::clone(arena);
    let max = settings.staging_bytes / layout::SEGMENT_BYTES;
    let pool = Pool::new(HOT_SEGMENTS, max, move |index| source.map_segment(index));
    pool.map(Arc::new).map_err(|source| {
        let bytes = HOT_SEGMENTS * layout::SEGMENT_BYTES;
        Error::Memory { bytes, source }
    })
}

fn limits(settings: &Settings) -> Limits {
    Limits {
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
        overflow: settings.overflow,
        stall_after: settings.stall_after,
    }
}

fn formatter(settings: &Settings) -> Formatter {
    let is_terminal = || {
        let console = match settings.output {
            Output::Stdout => Console::Stdout,
            Output::Stderr => Console::Stderr,
            Output::File | Output::Null => return false,
        };
        console.with_fd(|fd| settings.io.fstat(fd)).is_ok_and(|s| s.kind == FileKind::Terminal)
    };
    let is_coloured = match settings.colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => is_terminal(),
    };
    let colour = if is_coloured { format::Colour::On } else { format::Colour::Off };
    Formatter::new(settings.format, colour, settings.details, settings.record_bytes)
}

fn start_note(
    settings: &Settings,
    log: Option<&LogPlace>,
    arena: &Arena,
    orphans: u64,
    warnings: &[String],
) -> StartNote {
    let name = match settings.output {
        Output::Stdout => Console::Stdout.as_str().to_owned(),
        Output::Stderr => Console::Stderr.as_str().to_owned(),
        Output::File | Output::Null => "<null>".to_owned(),
    };
    StartNote {
        log: log.map_or(name, |log| log.path.display().to_string()),
        is_crash_safe: arena.is_crash_safe(),
        orphans,
        warnings: warnings.to_vec(),
    }
}

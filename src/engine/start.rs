//! Starts an engine. Runs on the owner. What was begun is undone in reverse when a step fails: each
//! part releases itself when it is dropped.
//!
//! Validate → the process's place → exit hook and fork handler → directories, name lock, recovery →
//! log file → arena and hot segments → clock → threads → start record → published as running.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::arena_place;
use super::core::Core;
use super::open::LogPlace;
use super::rear::Destination;
use super::wire::{self, Opened};
use super::{exit, open, recovery};
use crate::arena::{Arena, layout};
use crate::clock::Clock;
use crate::config::{Config, FILTER_VARIABLE, OpenFailure, Output, Rotate, Settings, SyncPolicy};
use crate::error::{BarrierError, Error};
use crate::flush::Limit;
use crate::publish::{Calendar, ConsoleOutput, Target};
use crate::registry::process;
use crate::stats::Counters;
use crate::sys::clock::tsc_is_fit;
use crate::sys::io::needs_no_sync;
use crate::sys::stderr;

pub(super) use super::core::Place;

/// Said where the processor's counter was asked for by name.
const UNFIT_CLOCK: &str = "the time is CLOCK_MONOTONIC's instead of `Clock::Tsc`: this machine's \
    counter is not invariant, or the kernel has taken it from its available_clocksource";

/// Segments that are always there.
pub(super) const HOT_SEGMENTS: usize = 4;

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
    // What the shell asks for is meant for the program's log, not for one that the program has set
    // apart, an audit say.
    let is_heard = |name: &str| place == Place::Process || name != FILTER_VARIABLE;
    let environment = |name: &str| std::env::var_os(name).filter(|_| is_heard(name));
    let executable = std::env::current_exe().ok();
    let (settings, warnings) = config.resolve(environment, executable.as_deref())?;
    // Before anything is touched; where there is no file, nothing is rotated.
    let period = match settings.output {
        Output::File => settings.rotation.period,
        _ => Rotate::Never,
    };
    let calendar = Calendar::new(period, settings.rotation.zone)?;
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let mut reserved = Reserved::take(place)?;
    // The handlers of the process stay: before anything that their failure would leave behind.
    exit::install()?;
    let core = match build_confirmed(&settings, &calendar, place, &mut warnings) {
        Err(error) if can_degrade(&settings, &error) => {
            warnings.push(format!("{error}; the log goes to the standard error instead"));
            build_confirmed(&settings.to_standard_error(), &calendar, place, &mut warnings)?
        }
        other => other?,
    };
    warnings.iter().for_each(|warning| stderr::say(warning));
    exit::remember(&core, settings.exit_hook);
    if place == Place::Process {
        process::lock().set_default(Arc::clone(&core.registry));
    }
    reserved.is_kept = true;
    Ok(core)
}

/// Starts the engine, and sees that it does what its user relies on.
fn build_confirmed(
    settings: &Settings,
    calendar: &Calendar,
    place: Place,
    warnings: &mut Vec<String>,
) -> Result<Arc<Core>, Error> {
    let generation = process::generation();
    let core = build(settings, calendar, place, warnings)?;
    if generation != process::generation() {
        return Err(Error::Forked);
    }
    if settings.sync == SyncPolicy::EachBatch {
        // The start record is on the device before anybody relies on it.
        core.sync(None).map_err(|error| undo(&core, error))?;
    }
    Ok(core)
}

/// Ends an engine that runs but cannot confirm what it writes; gives the error of the start.
fn undo(core: &Arc<Core>, error: BarrierError) -> Error {
    let said = core.shared.progress.last_failure();
    // The error that matters is why the start failed. Threads end by themselves, the name is
    // released with the last of them; nothing but the start record is in the arena.
    let _ = core.drain(Limit::Clock(Duration::ZERO));
    let _ = core.arena.unlink();
    match (said, &core.log_path) {
        (Some(text), Some(path)) => {
            Error::LogFile { path: path.clone(), source: io::Error::other(text) }
        }
        _ => error.into(),
    }
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
            | Error::NotPrivate { .. }
            | Error::OwnedBy { .. }
            | Error::Sync { .. }
    );
    is_about_files && settings.on_open_failure == OpenFailure::Stderr
}

/// Opens everything and starts the threads.
fn build(
    settings: &Settings,
    calendar: &Calendar,
    place: Place,
    warnings: &mut Vec<String>,
) -> Result<Arc<Core>, Error> {
    let log = match settings.output {
        Output::File => Some(open::log_place(settings)?),
        _ => None,
    };
    warnings.extend(log.iter().flat_map(|log| log.warnings.clone()));
    if settings.clock == Some(Clock::Tsc) && !tsc_is_fit() {
        warnings.push(UNFIT_CLOCK.to_owned());
    }
    let recovery = recovery::at_start(settings, log.as_ref(), warnings);
    let arena = Arc::new(arena_place::place(settings, log.as_ref(), warnings)?);
    let undo = Unlink(Some(Arc::clone(&arena)));
    let counters = Counters::new(Arc::clone(arena.fixed()), layout::COUNTERS_AT);
    let destination = match &log {
        Some(log) => {
            let (destination, troubles) =
                destination(settings, log, calendar.clone(), counters.clone())?;
            warnings.extend(troubles);
            destination
        }
        None => Destination { target: console_target(settings, &counters), files: None },
    };
    if let (Some(log), SyncPolicy::EachBatch) = (&log, settings.sync) {
        let path = log.dir.clone();
        match settings.io.sync_dir(&log.dir) {
            Err(source) if !needs_no_sync(&source) => return Err(Error::Sync { path, source }),
            _ => {}
        }
    }
    let opened = Opened { log, arena, recovery, counters, destination };
    let core = wire::run(settings, place, opened, warnings)?;
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

fn destination(
    settings: &Settings,
    log: &LogPlace,
    calendar: Calendar,
    counters: Counters,
) -> Result<(Destination, Vec<String>), Error> {
    let mut file = open::log_file(settings, log, calendar, counters)?;
    let troubles = file.take_troubles();
    let files = file.files();
    if log.is_dir_new {
        files.set_dir_new();
    }
    Ok((Destination { target: Target::File(Box::new(file)), files: Some(files) }, troubles))
}

fn console_target(settings: &Settings, counters: &Counters) -> Target {
    let Some(console) = open::console(&settings.output) else { return Target::Null };
    Target::Console(ConsoleOutput::new(Arc::clone(&settings.io), console, counters.clone()))
}

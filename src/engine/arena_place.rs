//! Where an engine's arena lies. Runs on the owner, at start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::{self, LogPlace};
use super::recovery::check_private;
use super::start::HOT_SEGMENTS;
use super::wire;
use crate::arena::layout::{RINGS_AT, RINGS_PER_CHUNK, SEGMENT_BYTES, ring_stride};
use crate::arena::{Arena, Identity, Lines, Shape, shared_memory_dir};
use crate::config::{Arena as Place, Output, Settings, UrlPasswords, file_names};
use crate::error::Error;
use crate::format::Colour;
use crate::recover::places;
use crate::sys::io::Io;
use crate::sys::{file_system, process};

/// Mode of a directory that holds arenas: they hold raw values.
const PRIVATE_MODE: u32 = 0o700;

/// Makes the arena in files or, where they cannot be had, in anonymous memory, with a warning.
pub(super) fn place(
    settings: &Settings,
    log: Option<&LogPlace>,
    warnings: &mut Vec<String>,
) -> Result<Arena, Error> {
    let io = &settings.io;
    let shape = Shape {
        ring_bytes: settings.ring_bytes,
        record_bytes: settings.record_bytes,
        rings_max: settings.max_rings,
    };
    let file_name = log.map(|log| file_names::live(&log.base, settings.unit())).unwrap_or_default();
    let identity = Identity {
        name: &settings.name,
        base: log.map_or(&settings.name, |log| &log.base),
        file_name: &file_name,
        directory: log_directory(log),
        lines: lines(settings),
    };
    let dir = directory(settings, log, shape);
    let made = dir.map(|dir| {
        let dir = dir?;
        note(settings, log, &dir, warnings);
        Arena::create(Arc::clone(io), &dir, identity, shape, settings.sigbus_guard)
            .map_err(|source| Error::Directory { path: dir, source })
    });
    match made {
        Some(Ok(arena)) => return Ok(arena),
        Some(Err(error)) => warnings.push(format!(
            "records do not survive `kill -9`, because the arena has no file: {error}"
        )),
        None => {}
    }
    let arena = Arena::anonymous(identity, shape);
    arena.map_err(|source| Error::Memory { bytes: RINGS_AT, source })
}

/// Notes beside the log where the arena comes, for whoever recovers it, who may be told another
/// place. Beside the log and in shared memory he looks by himself.
fn note(settings: &Settings, log: Option<&LogPlace>, dir: &Path, warnings: &mut Vec<String>) {
    let (Some(log), Place::Dir(_)) = (log, &settings.arena) else { return };
    if let Err(error) = places::add(&*settings.io, &log.private_dir, &log.base, dir) {
        warnings.push(format!(
            "only an engine with this `arena_dir` will find the arena in {}: {error}",
            dir.display()
        ));
    }
}

/// Empty where the log is no file.
fn log_directory(log: Option<&LogPlace>) -> &Path {
    log.map_or(Path::new(""), |log| &log.dir)
}

fn lines(settings: &Settings) -> Lines {
    Lines {
        format: settings.format.number(),
        details: settings.details.bits(),
        output: match settings.output {
            Output::File => 1,
            Output::Stdout => 2,
            Output::Stderr => 3,
            Output::Null => 4,
        },
        colour: match wire::colour(settings, open::console(&settings.output), settings.colour) {
            Colour::Off => 0,
            Colour::On => 1,
        },
        message_max: settings.record_bytes as u64,
        url_passwords: match settings.url_passwords {
            UrlPasswords::Shown => 0,
            UrlPasswords::Masked => 1,
        },
    }
}

/// The directory for the arena's files; none where it is to be anonymous.
fn directory(
    settings: &Settings,
    log: Option<&LogPlace>,
    shape: Shape,
) -> Option<Result<PathBuf, Error>> {
    let io = &*settings.io;
    let beside_the_log = || Some(beside(io, log?, shape));
    match &settings.arena {
        Place::InLogDir => match log {
            Some(log) if file_system::writes_elsewhere(&log.dir).unwrap_or(false) => {
                shared_memory(io, shape).map_or_else(|_| beside_the_log(), |dir| Some(Ok(dir)))
            }
            _ => beside_the_log(),
        },
        Place::Dir(dir) => Some(open::directory(io, dir, file_names::DIR_MODE).map(|(dir, _)| dir)),
        Place::SharedMemory => match shared_memory(io, shape) {
            Ok(dir) => Some(Ok(dir)),
            Err(error) => beside_the_log().or(Some(Err(error))),
        },
        Place::Anonymous => None,
    }
}

/// The log's private directory, if there is room for the arena and still some for the log.
fn beside(io: &dyn Io, log: &LogPlace, shape: Shape) -> Result<PathBuf, Error> {
    let path = log.private_dir.clone();
    match check_room(io, &path, shape) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Directory { path, source }),
    }
}

/// Whether a chunk of rings and twice the hot segments have room: with less, rings could have no
/// file, and nothing would be left for the log.
fn check_room(io: &dyn Io, path: &Path, shape: Shape) -> io::Result<()> {
    let rings = RINGS_PER_CHUNK * ring_stride(shape.ring_bytes, shape.record_bytes);
    let need = (RINGS_AT + rings + 2 * HOT_SEGMENTS * SEGMENT_BYTES) as u64;
    let free = io.statvfs(path)?.free_bytes;
    if free >= need {
        return Ok(());
    }
    let text = format!("{free} bytes are free, and rings, segments and log need {need}");
    Err(io::Error::new(io::ErrorKind::StorageFull, text))
}

/// `/dev/shm/fastlog-<uid>`, if it has room.
fn shared_memory(io: &dyn Io, shape: Shape) -> Result<PathBuf, Error> {
    let path = shared_memory_dir(process::effective_uid());
    open::make_dir(io, &path, PRIVATE_MODE)?;
    let refused = |source| Error::Directory { path: path.clone(), source };
    check_private(&path).map_err(refused)?;
    check_room(io, &path, shape).map_err(refused)?;
    Ok(path)
}

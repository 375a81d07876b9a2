//! Looks at arenas from outside, for `fastlog stat`: which there are, whose, and what their
//! counters and rings say. Runs in a process that reads others' arenas, or on any thread of one
//! that has its own, which it leaves alone.
//!
//! Files are read with `pread` into memory of this process, never mapped, and nothing in them is
//! trusted: whatever bytes they hold, there is an answer, and what is allocated for it is bounded.

mod rings;
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::layout::{COUNTERS_AT, PAGE, shared_memory_dir};
use super::orphans::{ARENA_EXTENSION, open_foreign};
use super::read::{Bytes, COUNT_MAX, FIXED_BYTES, Header, Unfit, word};
use crate::flush::pressure::Pressure;
use crate::stats::{Counter, Figures, Flow, Stats};
use crate::sys::process;
pub use rings::{RingState, RingThread};

/// Beside a log: where its arenas are, unless they were put elsewhere.
const PRIVATE_DIR: &str = ".fastlog";

/// Arenas that one look reads, of each directory.
const ARENAS_MAX: usize = 1024;

/// A file with the name of an arena.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub what: Inspected,
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum Inspected {
    /// An arena.
    Arena(Box<Snapshot>),
    /// An arena of this very process, which may not open it: `Engine::stats` says more.
    Own,
    /// No whole arena of this version, and why, as a sentence.
    Damaged(String),
    /// It cannot be opened or read.
    Unreadable(io::Error),
}

/// Whether an arena's process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// It holds the arena's lock.
    Locks,
    /// It lives but has lost the lock, by closing another descriptor of the file, or its engine has
    /// ended without removing the arena.
    Lives,
    /// It is gone.
    Gone,
}

/// What an arena said at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whether its process lives.
    pub holder: Holder,
    /// The process's number, in its own namespace.
    pub pid: u64,
    /// The engine's name.
    pub name: String,
    /// `json`, `text`, `logfmt` or `binary`.
    pub format: &'static str,
    /// `file`, `stdout`, `stderr` or `none`.
    pub output: &'static str,
    /// The log's directory, where there is a log.
    pub directory: PathBuf,
    /// When the file was made, where the file system tells.
    pub made: Option<SystemTime>,
    /// How long the engine runs, to one park of its collector (24 ms with `Production`).
    pub uptime: Duration,
    /// Bytes that each ring holds.
    pub ring_bytes: u64,
    /// The rings in the file, in the order of their making.
    pub rings: Vec<RingState>,
    /// What `Engine::stats` says, less the last failure, which is no number.
    pub stats: Stats,
    /// When it was read.
    pub at: Instant,
}

/// The directories beside logs in `dir`, of all users.
fn private_dirs(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(|error| at(dir, &error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_private = |name: &String| {
        let rest = name.strip_prefix(PRIVATE_DIR);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    Ok(names.filter(is_private).map(|name| dir.join(name)).collect())
}

/// Looks at all arenas in `dir`, which is the directory of logs or one of arenas: those in it,
/// beside the logs in it, and those in shared memory whose logs are in it.
///
/// # Errors
/// The directory cannot be read; names it. If that is the one of the arenas in it, it is among what
/// was found.
pub fn look(dir: &Path) -> io::Result<Vec<Found>> {
    let mut found = list(dir)?;
    for private in private_dirs(dir)? {
        match list(&private) {
            Ok(beside) => found.extend(beside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Another user's, perhaps: there may be more to see elsewhere.
            Err(error) => found.push(Found { path: private, what: Inspected::Unreadable(error) }),
        }
    }
    let dir = dir.canonicalize().map_err(|error| at(dir, &error))?;
    let owner = fs::metadata(&dir).map(|metadata| metadata.uid());
    let mut users = vec![process::effective_uid()];
    users.extend(owner.ok().filter(|owner| *owner != users[0]));
    for shared in users.into_iter().map(shared_memory_dir).filter(|shared| *shared != dir) {
        // Where there is none, nobody's arena is there; whose it is, others may not see.
        let others = list(&shared).unwrap_or_default().into_iter();
        found.extend(others.filter(|found| match &found.what {
            Inspected::Arena(snapshot) => snapshot.directory == dir,
            _ => false,
        }));
    }
    Ok(found)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The files of one directory that have the name of an arena, by name.
fn list(dir: &Path) -> io::Result<Vec<Found>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| at(dir, &error))? {
        let path = entry.map_err(|error| at(dir, &error))?.path();
        let is_named = path.extension().is_some_and(|end| end == ARENA_EXTENSION);
        if is_named && paths.len() < ARENAS_MAX {
            paths.push(path);
        }
    }
    paths.sort();
    let inspected = paths.into_iter().map(|path| Found { what: inspect(&path), path });
    // A clean drain removed it since.
    let is_there = |found: &Found| {
        !matches!(&found.what, Inspected::Unreadable(error)
            if error.kind() == io::ErrorKind::NotFound)
    };
    Ok(inspected.filter(is_there).collect())
}

fn inspect(path: &Path) -> Inspected {
    let file = match open_foreign(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Inspected::Own,
        Err(error) => return Inspected::Unreadable(error),
    };
    match read(&file) {
        Ok(Ok(mut snapshot)) => {
            snapshot.made = file.metadata().and_then(|metadata| metadata.created()).ok();
            if process::is_locked(&file) {
                snapshot.holder = Holder::Locks;
            }
            Inspected::Arena(Box::new(snapshot))
        }
        Ok(Err(why)) => Inspected::Damaged(why.to_string()),
        Err(error) => Inspected::Unreadable(error),
    }
}

/// Reads an arena, or says why it is none. Whether it is locked is not looked at.
fn read(bytes: &impl Bytes) -> io::Result<Result<Snapshot, Unfit>> {
    let mut fixed = vec![0; FIXED_BYTES];
    let len = bytes.read_some(&mut fixed, 0)?;
    let header = match Header::parse(&fixed[..len]) {
        Ok(header) => header,
        Err(why) => return Ok(Err(why)),
    };
    // The rings before the counters: what is collected meanwhile shows twice for a moment, as
    // pending and as written, rather than not at all.
    let made = count(&fixed[COUNTERS_AT..], Counter::Rings);
    let anonymous = count(&fixed[COUNTERS_AT..], Counter::AnonymousRings);
    let rings = rings::read(bytes, &header, made.saturating_sub(anonymous))?;
    let counters = &mut fixed[COUNTERS_AT..][..PAGE];
    if bytes.read_some(counters, COUNTERS_AT as u64)? < PAGE {
        return Ok(Err(Unfit::Damaged("it was cut short just now".to_owned())));
    }
    let pending = rings.iter().map(|ring| ring.records).sum();
    let stats = stats(counters, &header, pending);
    let times = Pressure::ALL.map(|state| stats.flow().time_at(state));
    let holder = if header.is_alive() { Holder::Lives } else { Holder::Gone };
    Ok(Ok(Snapshot {
        holder,
        pid: header.pid,
        format: header.format_name(),
        output: header.output_name(),
        made: None,
        uptime: times.iter().sum(),
        ring_bytes: header.ring_bytes as u64,
        rings,
        stats,
        at: Instant::now(),
        name: header.name,
        directory: header.directory,
    }))
}

fn count(counters: &[u8], counter: Counter) -> u64 {
    word(counters, counter as usize * 8).min(COUNT_MAX)
}

fn stats(counters: &[u8], header: &Header, pending: u64) -> Stats {
    let figures = Figures::read(|index| word(counters, index * 8).min(COUNT_MAX));
    Stats {
        submitted: figures.get(Counter::Written) + figures.dropped.total() + pending,
        flow: Flow::of(&figures),
        // What lies in a file is, but for rings that had to go elsewhere.
        crash_safe: [Counter::AnonymousRings, Counter::MappingFaults]
            .iter()
            .all(|counter| figures.get(*counter) == 0),
        log_path: header.log_path(),
        arena_path: None,
        last_failure: None,
        figures,
    }
}

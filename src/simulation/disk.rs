//! The simulated disk: files in memory, names that last only when their directory is synced, bytes
//! that last only when their file is, calls that fail as the weather is, and a process that dies at
//! a call. All drawn from a seed. Runs on the test's thread.

mod calls;
mod others;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::inode::Inode;
use super::names::{Names, Node};
use super::random::Random;
use super::weather::{Call, Failed, Weather};
use crate::config::file_names;
use crate::sys::io::{Io, OsIo};
use crate::sys::moment;

/// Where the log is.
pub(super) const DIR: &str = "/simulated/logs";
/// Beside it, what is not part of it yet.
pub(super) const PRIVATE_DIR: &str = "/simulated/logs/.fastlog";
/// What has the log's name.
pub(super) const LIVE: &str = "/simulated/logs/app.jsonl";

/// Whether a reader of the log finds it. A power cut may leave lines in a file whose last step to
/// the log's name was lost; no barrier has answered for those.
pub(super) fn is_of_log(path: &Path) -> bool {
    !path.iter().any(|part| part.as_encoded_bytes().starts_with(b"."))
}

/// With what a process dies that is killed, or whose machine loses its power: a panic that no hook
/// hears of.
#[derive(Debug)]
pub(super) struct Died;

/// All there is of it.
pub(super) struct State {
    pub(super) random: Random,
    pub(super) names: Names,
    pub(super) files: Vec<Inode>,
    /// By the identity of their tokens.
    numbers: HashMap<(u64, u64), usize>,
    pub(super) weather: Weather,
    /// Calls that failed in this life of the engine.
    pub(super) failed: Failed,
    /// Of a thousand calls before so many others do something to the log's files.
    pub(super) others_permille: u64,
    /// So many calls from now the process dies.
    pub(super) dies_in: Option<u64>,
    pub(super) life: u64,
    appends: u64,
    /// Records that others, or retention, took with a file.
    pub(super) taken_away: BTreeSet<u64>,
    /// Whether each call is told on the standard error.
    pub(super) is_told: bool,
    /// Of everything that was done: the same for the same seed.
    pub(super) trace: u64,
    pub(super) calls: u64,
}

/// The disk.
pub(super) struct Disk(Mutex<State>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// One with the log's directories.
    pub(super) fn new(random: Random) -> Disk {
        let mut names = Names::default();
        for dir in ["/simulated", DIR, PRIVATE_DIR].map(Path::new) {
            names.set(dir, Node::Dir);
            names.sync(dir.parent().expect("it has one"));
        }
        Disk(Mutex::new(State {
            random,
            names,
            files: Vec::new(),
            numbers: HashMap::new(),
            weather: Weather::Fair,
            failed: Failed::default(),
            others_permille: 0,
            dies_in: None,
            life: 0,
            appends: 0,
            taken_away: BTreeSet::new(),
            is_told: false,
            trace: 0,
            calls: 0,
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins: others may be faster, the process may die, the call may fail.
    fn enter(&self, call: Call, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls += 1;
        state.note(format_args!("{call:?} {}", path.display()));
        if state.others_permille > 0 {
            let State { random, others_permille, .. } = &mut *state;
            if random.permille(*others_permille) {
                state.disturb();
            }
        }
        if let Some(left) = state.dies_in {
            state.dies_in = left.checked_sub(1);
            if left == 0 {
                drop(state);
                std::panic::resume_unwind(Box::new(Died));
            }
        }
        let State { failed, weather, random, .. } = &mut *state;
        let outcome = failed.consider(*weather, call, random);
        if let Err(error) = outcome {
            state.note(format_args!("  fails: {error}"));
            return Err(error);
        }
        Ok(state)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let state = self.enter(Call::Open, path)?;
        match state.names.get(path) {
            Some(Node::File(file)) => state.files[file].open(),
            Some(Node::Dir) => Err(io::ErrorKind::InvalidInput.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.dies_in == Some(0) {
            // In the middle of it.
            let part = state.random.within(0..bytes.len() as u64 + 1) as usize;
            state.append(fd, &bytes[..part]);
        }
        drop(state);
        let mut state = self.enter(Call::Append, Path::new(""))?;
        let State { weather, random, .. } = &mut *state;
        let count = weather.taken(bytes.len(), random);
        if count == 0 {
            state.failed.note(Call::Append);
        }
        state.append(fd, &bytes[..count]);
        Ok(count)
    }
}

impl State {
    /// Tells, and keeps a sum of all that was told.
    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        let text = what.to_string();
        for byte in text.bytes() {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.is_told {
            eprintln!("{text}");
        }
    }

    pub(super) fn number(&self, fd: BorrowedFd<'_>) -> usize {
        let status = OsIo.fstat(fd).expect("a descriptor of ours");
        self.numbers[&status.identity()]
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        if self.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.has_parent(path)?;
        let token = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile())?;
        let status = OsIo.fstat(token.as_fd())?;
        let file = token.try_clone()?;
        self.numbers.insert(status.identity(), self.files.len());
        self.names.set(path, Node::File(self.files.len()));
        self.files.push(Inode::new(token, status, moment::utc()));
        Ok(file)
    }

    fn has_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|dir| self.names.get(dir)) {
            Some(Node::Dir) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn append(&mut self, fd: BorrowedFd<'_>, bytes: &[u8]) {
        let file = self.number(fd);
        self.appends += 1;
        let appends = self.appends;
        let inode = &mut self.files[file];
        inode.append(bytes, moment::utc());
        inode.unverified += bytes.len() as u64;
        inode.first_append.get_or_insert(appends);
        self.note(format_args!("  {} bytes to file {file}", bytes.len()));
    }

    /// The engine takes a name away: of a file with lines the last one only where retention asks.
    fn lose_name(&mut self, path: &Path, how: Call) {
        let Some(Node::File(file)) = self.names.get(path) else { return };
        let is_last = self.names.links(file) == 1;
        let inode = &mut self.files[file];
        if !is_last || inode.bytes.is_empty() || inode.is_removed || !is_of_log(path) {
            return;
        }
        assert!(how == Call::Unlink, "a file with lines was replaced: {}", path.display());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let rotated = file_names::parse(name).map(|rotated| rotated.number);
        inode.is_removed = true;
        let number = rotated.unwrap_or_else(|| panic!("a file with lines was removed: {name}"));
        let others = self.rotated().into_iter().map(|(number, _)| number);
        // But for those that could not be removed, or not be looked at.
        let is_sound = self.failed.total() == 0;
        assert!(!is_sound || others.min() == Some(number), "the oldest goes first");
    }

    /// The complete files of the log, by their numbers.
    pub(super) fn rotated(&self) -> Vec<(u64, PathBuf)> {
        let below = self.names.below(Path::new(DIR));
        let numbered = below.into_iter().filter_map(|path| {
            let number = file_names::parse(path.file_name()?.to_str()?)?.number;
            Some((number, path))
        });
        numbered.collect()
    }
}

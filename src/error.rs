//! What can go wrong, in sentences. Data: built and read on the owner's threads, never while a
//! record is emitted. Each sentence names the option or path, the value, the system's reason and
//! the way out.

mod barrier;
mod config;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

pub use self::barrier::BarrierError;
pub use self::config::{ConfigError, FilterError};

/// An engine did not start, or (through `?`) another call on it failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that it cannot have.
    Config(ConfigError),
    /// The process already has an engine.
    AlreadyRunning,
    /// A directory could not be created or opened.
    Directory {
        /// The directory, absolute where that could be found out.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The path of the log directory leads to something else.
    NotADirectory {
        /// The path in question.
        path: PathBuf,
    },
    /// The log file could not be opened or prepared.
    LogFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The path of the log file leads to something that is no regular file.
    NotAFile {
        /// The path in question.
        path: PathBuf,
    },
    /// The lock that gives a log's name to one engine could not be asked for.
    LockFile {
        /// The lock's file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another engine writes the log of this name, and [`InUse::Fail`](crate::InUse::Fail) is set.
    LockedBy {
        /// The log file.
        path: PathBuf,
        /// The process that writes it; [`None`] if the system does not tell (it may run in another
        /// container).
        pid: Option<u32>,
    },
    /// What has the name of the engine's private directory is not its user's, and so cannot be
    /// trusted with locks and raw values.
    NotPrivate {
        /// Its path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
        /// The number of the user who owns it.
        owner: u32,
    },
    /// The log belongs to another user, and this one may not write it; and
    /// [`InUse::Fail`](crate::InUse::Fail) is set.
    OwnedBy {
        /// The log file.
        path: PathBuf,
        /// The number of the user who owns it.
        owner: u32,
    },
    /// The system gave no memory for rings and segments, not even anonymous memory.
    Memory {
        /// How much was asked for.
        bytes: usize,
        /// The system's reason.
        source: io::Error,
    },
    /// A thread of the engine could not be started.
    Thread {
        /// Which: `collector`, `publisher` or `keeper`.
        name: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The exit hook or the fork handler could not be registered.
    Hook {
        /// Which: `atexit` or `pthread_atfork`.
        name: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The log's directory could not be synced at the start, though
    /// [`SyncPolicy::EachBatch`](crate::SyncPolicy::EachBatch) asks for it.
    Sync {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The process forked while the engine was starting.
    Forked,
    /// A flush or a sync failed.
    Barrier(BarrierError),
    /// A drain failed; the boxed error is the one that `drain` returned.
    Drain(Box<dyn StdError + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(error) => error.fmt(f),
            Error::AlreadyRunning => f.write_str(
                "this process already has a running engine: use `Engine::current()`, drain it \
                 first, or start this one with `Engine::detached`",
            ),
            Error::Directory { path, source } => write!(
                f,
                "the directory {path:?} cannot be used: {source}; make it one that this user can \
                 write to, or name another with `dir` (or `arena_dir`, if it is the arena's)"
            ),
            Error::NotADirectory { path } => write!(
                f,
                "{path:?} is not a directory: move away what is there, or name another directory \
                 with `dir`"
            ),
            Error::LogFile { path, source } => write!(
                f,
                "the log file {path:?} cannot be opened: {source}; make it writable for this \
                 user, or choose another with `dir` and `name`"
            ),
            Error::NotAFile { path } => write!(
                f,
                "{path:?} is not a regular file: move away what is there, or choose another log \
                 with `dir` and `name`"
            ),
            Error::LockFile { path, source } => write!(
                f,
                "the lock {path:?} cannot be taken: {source}; make its directory one that this \
                 user can write to, on a file system that has locks, or name another with `dir`"
            ),
            Error::LockedBy { path, pid } => {
                write!(f, "the log {path:?} is being written by ")?;
                match pid {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => f.write_str("a process that the system does not name")?,
                }
                f.write_str(": stop it, choose another `name`, or use `InUse::Suffix`")
            }
            Error::NotPrivate { .. } | Error::OwnedBy { .. } => self.fmt_ownership(f),
            Error::Memory { bytes, source } => write!(
                f,
                "the system gave no {bytes} bytes of memory: {source}; raise the process's limit, \
                 or lower `ring_bytes` or `staging_bytes`"
            ),
            Error::Thread { name, source } => write!(
                f,
                "the engine's thread `{name}` cannot be started: {source}; raise the limit on \
                 threads of this user or container"
            ),
            Error::Hook { name, source } => write!(
                f,
                "`{name}` took no handler: {source}; free memory, and start the engine again"
            ),
            Error::Sync { path, source } => write!(
                f,
                "{path:?} cannot be synced to its device: {source}; check the disk, or choose a \
                 `sync` policy that does not need it"
            ),
            Error::Forked => f.write_str(
                "the process forked while the engine was starting: start it again in each process \
                 that is to log",
            ),
            Error::Barrier(error) => error.fmt(f),
            Error::Drain(error) => error.fmt(f),
        }
    }
}

impl Error {
    /// What belongs to somebody else.
    fn fmt_ownership(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotPrivate { path, what, owner } => write!(
                f,
                "{path:?} cannot be trusted: it is {what} of user {owner}, where the private \
                 directory of this user belongs; remove it, or name another directory with `dir`"
            ),
            Error::OwnedBy { path, owner } => write!(
                f,
                "the log {path:?} belongs to user {owner}, and this user may not write it: choose \
                 another `name`, give the file to this user, or use `InUse::Suffix`"
            ),
            _ => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Directory { source, .. }
            | Error::LogFile { source, .. }
            | Error::LockFile { source, .. }
            | Error::Memory { source, .. }
            | Error::Thread { source, .. }
            | Error::Hook { source, .. }
            | Error::Sync { source, .. } => Some(source),
            Error::Config(error) => Some(error),
            Error::Barrier(error) => Some(error),
            Error::Drain(error) => Some(&**error),
            Error::AlreadyRunning
            | Error::NotADirectory { .. }
            | Error::NotAFile { .. }
            | Error::LockedBy { .. }
            | Error::NotPrivate { .. }
            | Error::OwnedBy { .. }
            | Error::Forked => None,
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        Error::Config(error)
    }
}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Error {
        Error::Config(ConfigError::Filter(error))
    }
}

impl From<BarrierError> for Error {
    fn from(error: BarrierError) -> Error {
        Error::Barrier(error)
    }
}

/// A value from outside between backquotes: escaped, and cut so that a message stays one line.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 100;
        match self.0.char_indices().nth(CHARS_MAX) {
            None => write!(f, "`{}`", self.0.escape_debug()),
            Some((end, _)) => write!(f, "`{}...`", self.0[..end].escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests;

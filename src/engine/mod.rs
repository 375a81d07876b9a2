//! The owner's side: starts an engine, waits at its barriers, drains it. [`Engine`] and [`Logger`]
//! are handles; the process owns its default engine, the handles own a detached one.

mod arena_place;
mod core;
mod drain;
mod exit;
mod lock;
mod logger;
mod name;
mod open;
mod orphans;
mod private_dir;
mod rear;
pub(crate) mod recovery;
mod sides;
mod signature;
mod start;
mod threads;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Filter};
use crate::emit;
use crate::error::{BarrierError, Error, FilterError};
use crate::flush::Limit;
use crate::report::{DrainError, DrainReport};
use crate::stats::Stats;

use self::core::{Core, Handles};
pub use logger::Logger;
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
pub(crate) use rear::FromArena;

// Each function that locks is inside: a handler that interrupts it and logs would wait for a lock
// that this very thread holds, and so would an allocator.

/// A handle to an engine: cheap to clone, usable from any thread.
///
/// Dropping handles never stops the process's engine: [`drain`](Engine::drain) does, and so does a
/// normal exit of the process. A [detached](Engine::detached) engine is drained when its last
/// handle (engine or logger) is dropped.
///
/// ```
/// use fastlog::{Config, Engine, fastlog};
///
/// # fn main() -> Result<(), fastlog::Error> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let config = Config::default().dir(dir.path()).name("doc").ignore_env();
/// let engine = Engine::start(config)?; // or Engine::start(Preset::Production)
/// let user = 42;
/// fastlog!(INFO, "user {user_id} signed in after {ms:.1} ms", user_id = user, ms = 1.25);
/// let report = engine.drain()?;
/// assert_eq!(report.written(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    handles: Arc<Handles>,
}

impl Engine {
    /// Starts the process's engine, to which `fastlog!` logs, from a [`Preset`](crate::Preset) or a
    /// [`Config`].
    ///
    /// # Errors
    ///
    /// A configuration that cannot be, a directory or file that cannot be used, a second engine
    /// while one runs: each error names the value and the way out. No thread, lock or arena is left
    /// behind; directories, and an empty log, may be.
    pub fn start(config: impl Into<Config>) -> Result<Engine, Error> {
        let _inside = emit::Inside::enter();
        start::start(config.into(), start::Place::Process).map(Engine::of)
    }

    /// Starts an engine of its own, reached by `fastlog!(logger: l, ...)` through
    /// [`logger`](Engine::logger): for tests, for a second log.
    ///
    /// # Errors
    ///
    /// As [`start`](Engine::start), except that other engines are no error.
    pub fn detached(config: impl Into<Config>) -> Result<Engine, Error> {
        let _inside = emit::Inside::enter();
        start::start(config.into(), start::Place::Detached).map(Engine::of)
    }

    /// The process's engine, while it runs.
    pub fn current() -> Option<Engine> {
        let _inside = emit::Inside::enter();
        exit::default_core().map(Engine::of)
    }

    fn of(core: Arc<Core>) -> Engine {
        Engine { handles: Handles::of(core) }
    }

    fn core(&self) -> &Arc<Core> {
        self.handles.core()
    }

    /// A logger of this engine, to bind fields to and to name in `fastlog!(logger: l, ...)`.
    pub fn logger(&self) -> Logger {
        Logger::new(Arc::clone(&self.handles))
    }

    /// **Only `sync` and `drain` make records survive a power cut.** Ends the engine: everything
    /// logged before is written, published and, where the output is a file, synced; the engine's
    /// threads are joined, its arena is removed, its log may be opened by another.
    ///
    /// Idempotent; concurrent calls wait for the same report. Calls of `fastlog!` from now on are
    /// [unheard](crate::unheard). Must not be called from a signal handler. Blocks: in async code,
    /// call it where blocking is allowed, last of all.
    ///
    /// # Errors
    ///
    /// When nothing moved for `barrier_patience` (10 s by default), or some of the records may not
    /// be on the device, by the rule of [`sync`](Engine::sync): the file in use has refused, or a
    /// replaced one has and no `sync` has said so. [`DrainError::report`] has the counts then; in
    /// any case [`DrainReport::in_doubt_bytes`] says how much is in doubt. The engine is stopped
    /// all the same; what is left stays in the arena, if that is in a file. Also in a forked child,
    /// and on a thread of the engine itself, which only requests the stop.
    pub fn drain(&self) -> Result<DrainReport, DrainError> {
        let _inside = emit::Inside::enter();
        self.core().drain(Limit::Open)
    }

    /// As [`drain`](Engine::drain), for at most about this long.
    ///
    /// # Errors
    ///
    /// As there, or when the time is over: the engine is stopped then, and what it had not written
    /// is counted as pending.
    pub fn drain_timeout(&self, limit: Duration) -> Result<DrainReport, DrainError> {
        let _inside = emit::Inside::enter();
        self.core().drain(Limit::Clock(limit))
    }

    /// Waits until everything logged before is *published*: a reader of the log sees it.
    ///
    /// # Errors
    ///
    /// When the engine is not running, or is drained meanwhile; when nothing moved for
    /// `barrier_patience` (10 s by default); when one of the engine's own threads asks.
    pub fn flush(&self) -> Result<(), BarrierError> {
        let _inside = emit::Inside::enter();
        self.core().flush(None)
    }

    /// As [`flush`](Engine::flush), for at most this long.
    ///
    /// # Errors
    ///
    /// As there, or when the time is over.
    pub fn flush_timeout(&self, limit: Duration) -> Result<(), BarrierError> {
        let _inside = emit::Inside::enter();
        self.core().flush(Some(limit))
    }

    /// **Only `sync` and `drain` make records survive a power cut.** Waits until everything logged
    /// before is *on the device*: published, and through `fdatasync`. The same as
    /// [`flush`](Engine::flush) where the output is no file.
    ///
    /// # Errors
    ///
    /// As [`flush`](Engine::flush), and when the device refuses. A refused file is never asked
    /// again, since the system would answer that all is well. So every `sync` fails until that file
    /// is replaced, and so does the first one behind it that answers for a record in it: a `sync`
    /// answers for the records that no `sync` before it has answered for. Those that wait at the
    /// same time fail together; the next one succeeds. What stays in doubt shows in
    /// [`Stats::in_doubt_bytes`].
    pub fn sync(&self) -> Result<(), BarrierError> {
        let _inside = emit::Inside::enter();
        self.core().sync(None)
    }

    /// As [`sync`](Engine::sync), for at most this long.
    ///
    /// # Errors
    ///
    /// As there, or when the time is over.
    pub fn sync_timeout(&self, limit: Duration) -> Result<(), BarrierError> {
        let _inside = emit::Inside::enter();
        self.core().sync(Some(limit))
    }

    /// How the engine fares now; after a drain, how it ended.
    pub fn stats(&self) -> Stats {
        let _inside = emit::Inside::enter();
        self.core().stats()
    }

    /// Replaces the filter, whatever configuration and environment said: `"info,app::db=debug"`, as
    /// in [`Config::filter`]. Where it has no bare level, [`Config::level`] holds. One that asks
    /// for a level of which a feature `max_level_*` has left no call holds as well, and is told
    /// once, in the log and on the standard error. Does nothing in a forked child.
    ///
    /// # Errors
    ///
    /// When the text is no filter, or has a directive whose target can fit nothing; the old one
    /// stays.
    pub fn set_filter(&self, filter: impl AsRef<str>) -> Result<(), FilterError> {
        let core = self.core();
        let filter = Filter::parse(filter.as_ref(), core.level)?;
        let _inside = emit::Inside::enter();
        if !core.registry.is_forked() {
            core.tell_in_vain(&filter);
            core.registry.verdicts.set_filter(filter);
        }
        Ok(())
    }

    /// Gives the calling thread its ring now: allocated, mapped and faulted in, which its first
    /// record would have to wait for otherwise.
    pub fn prepare_thread(&self) {
        emit::prepare(&self.core().registry);
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("number", &self.core().registry.number())
            .field("log", &self.core().log_path)
            .field("running", &self.core().registry.is_running())
            .finish()
    }
}

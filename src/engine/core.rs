//! What handles, exit hook and drain share of a running engine. Used on the owner's threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::lock::NameLock;
use super::sides::Sides;
use crate::arena::Arena;
use crate::collector::Barriers;
use crate::config::{Filter, Warning};
use crate::error::BarrierError;
use crate::flush::signal::bit;
use crate::flush::{EngineThread, GaveUp, Limit, Notice, Patience};
use crate::level::{CUT_OFF, Level};
use crate::primitive::{AtomicU32, Ordering};
use crate::registry::Registry;
use crate::report::{DrainError, DrainReport};
use crate::shared::Shared;
use crate::stats::{Counter, Figures, Flow, Stats};
use crate::sys::stderr;
use crate::sys::thread::current_tid;

/// Who owns an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The process: `fastlog!` logs to it.
    Process,
    /// Its handles.
    Detached,
}

/// The ids of the engine's threads, to know one when it calls; 0 for one that does not run.
pub(super) type ThreadIds = [AtomicU32; 3];

/// How far the drain of an engine has come.
#[derive(Debug, Default)]
pub(super) enum Drain {
    #[default]
    NotAsked,
    Running,
    Over(Box<Result<DrainReport, DrainError>>),
}

/// A running or drained engine.
pub(super) struct Core {
    pub(super) place: Place,
    pub(super) registry: Arc<Registry>,
    pub(super) shared: Shared,
    pub(super) barriers: Arc<Barriers>,
    pub(super) arena: Arc<Arena>,
    pub(super) lock: Option<Arc<NameLock>>,
    pub(super) level: Level,
    /// The lowest level of which the owner was told that no call is left in this build, as a
    /// number; [`Level::COUNT`]: of none.
    pub(super) told_cut_off: AtomicU32,
    pub(super) patience: Duration,
    pub(super) log_path: Option<PathBuf>,
    pub(super) thread_ids: Arc<ThreadIds>,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
    pub(super) sides: Mutex<Sides>,
    pub(super) drain: Mutex<Drain>,
    pub(super) drained: Condvar,
}

impl Core {
    /// Whether the calling thread is one of the engine's, which must not wait for itself.
    pub(super) fn is_engine_thread(&self) -> bool {
        let tid = current_tid();
        self.thread_ids.iter().any(|own| own.load(Ordering::Relaxed) == tid)
    }

    fn check_caller(&self) -> Result<(), BarrierError> {
        if !self.registry.is_running() {
            return Err(BarrierError::NotRunning);
        }
        if self.is_engine_thread() {
            return Err(BarrierError::EngineThread);
        }
        Ok(())
    }

    pub(super) fn flush(&self, limit: Option<Duration>) -> Result<(), BarrierError> {
        self.flush_to(limit).map(drop)
    }

    /// Waits for publication; gives the position that was published.
    fn flush_to(&self, limit: Option<Duration>) -> Result<u64, BarrierError> {
        self.check_caller()?;
        let start = Instant::now();
        let barrier = self.barriers.request(&self.shared.collector);
        let written =
            self.wait(limit, start, || self.shared.progress.written_at_barrier(barrier).map(Ok))?;
        self.shared.publisher.raise(bit::BARRIER);
        self.wait(limit, start, || {
            (self.shared.progress.published() >= written).then_some(Ok(written))
        })
    }

    pub(super) fn sync(&self, limit: Option<Duration>) -> Result<(), BarrierError> {
        // Before any lock: in a forked child, a thread of the parent's may have held it.
        self.check_caller()?;
        let start = Instant::now();
        let asked = self.shared.progress.ask();
        let published = self.flush_to(limit)?;
        let Some(keeper) = &self.shared.keeper else { return Ok(()) };
        keeper.raise(bit::BARRIER);
        self.wait(limit, start, || {
            if let Some(thread) = self.shared.progress.panicked() {
                return Some(Err(BarrierError::Panicked { thread: thread.as_str() }));
            }
            // In this order: a failure is told before the position moves.
            let is_synced = self.shared.progress.synced() >= published;
            if let Some(failure) = self.shared.progress.answer(asked, published) {
                return Some(Err(failure.into()));
            }
            is_synced.then_some(Ok(()))
        })
    }

    /// Waits as long as there is progress, and no longer than what is left of `limit`.
    fn wait<T>(
        &self,
        limit: Option<Duration>,
        start: Instant,
        mut done: impl FnMut() -> Option<Result<T, BarrierError>>,
    ) -> Result<T, BarrierError> {
        let limit = Limit::of(limit).rest(start);
        let patience = Patience { without_progress: self.patience, limit };
        let outcome = self.shared.progress.wait(patience, || {
            done()
                .or_else(|| {
                    // A drain meanwhile answers for itself.
                    (!self.registry.is_running()).then_some(Err(BarrierError::NotRunning))
                })
                .or_else(|| {
                    // Lines come to the log without the keeper.
                    let lost = self
                        .shared
                        .progress
                        .panicked()
                        .filter(|lost| *lost != EngineThread::Keeper)?;
                    Some(Err(BarrierError::Panicked { thread: lost.as_str() }))
                })
        });
        match outcome {
            Ok(result) => result,
            Err(GaveUp::NoProgress(waited)) => Err(BarrierError::Stalled { waited }),
            Err(GaveUp::Deadline(_)) => Err(BarrierError::Timeout { waited: start.elapsed() }),
        }
    }

    /// Tells once, in the log and on the standard error, that a new filter asks for calls that are
    /// not in the program.
    pub(super) fn tell_in_vain(&self, filter: &Filter) {
        let Some((level, _)) = CUT_OFF.and_then(|cut_off| filter.in_vain(cut_off)) else { return };
        let told = self.told_cut_off.fetch_min(level as u32, Ordering::Relaxed);
        let warning = Warning::of_cut_off(filter, CUT_OFF).filter(|_| (level as u32) < told);
        if let Some(warning) = warning {
            self.shared.progress.tell(Notice::Warning(warning.to_string()));
            stderr::say(&warning.to_string());
        }
    }

    pub(super) fn stats(&self) -> Stats {
        // First: what is submitted meanwhile shows as pending, not as a hole.
        let mut figures = self.registry.shared.counters.read();
        let (submitted, last_failure) = if self.registry.is_forked() {
            // The parent's threads may have held any of these locks at the fork.
            (figures.get(Counter::Written) + figures.dropped.total(), None)
        } else {
            self.look_again(&mut figures);
            let known = figures.get(Counter::Written) + figures.dropped.total();
            (self.submitted(known), self.shared.progress.last_failure())
        };
        figures.set(Counter::Stalled, self.shared.progress.is_stalled().into());
        figures.set(Counter::MappingFaults, self.arena.faults());
        Stats {
            submitted,
            flow: Flow::of(&figures),
            crash_safe: self.arena.is_crash_safe(),
            log_path: self.log_path.clone(),
            arena_path: self.arena.path().map(Path::to_owned),
            last_failure,
            figures,
        }
    }

    /// At what the keeper counts now and then only.
    fn look_again(&self, figures: &mut Figures) {
        let (synced, published) = (self.shared.progress.synced(), self.shared.progress.published());
        figures.set(Counter::InDoubtBytes, self.shared.progress.in_doubt_bytes(published));
        // Without a keeper all that is published counts as synced.
        if self.shared.keeper.is_some() {
            let in_doubt = self.shared.progress.in_doubt_bytes(synced);
            figures.set(Counter::SyncedBytes, synced.saturating_sub(in_doubt));
        }
    }

    /// Records past the gate, `known` at least: as the final account has them once there is one.
    fn submitted(&self, known: u64) -> u64 {
        let report = match &*super::drain::lock(&self.drain) {
            Drain::Over(result) => match &**result {
                Ok(report) => Some(report.submitted),
                Err(error) => error.report().map(DrainReport::submitted),
            },
            Drain::NotAsked | Drain::Running => None,
        };
        // Calls that overlapped the drain may have been dropped after its account.
        self.registry.submitted(report.map_or(known, |submitted| submitted.max(known)))
    }
}

/// What the handles to an engine share: the last one that goes drains a detached engine.
pub(super) struct Handles {
    core: Arc<Core>,
}

impl Handles {
    pub(super) fn of(core: Arc<Core>) -> Arc<Handles> {
        Arc::new(Handles { core })
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        if self.core.place == Place::Detached {
            let _inside = crate::emit::Inside::enter();
            // A failure shows in the log's absence only: there is nobody left to tell.
            let _ = self.core.drain(Limit::Open);
        }
    }
}

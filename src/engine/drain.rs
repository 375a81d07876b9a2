//! The graceful end of an engine. Runs on whichever of the owner's threads asks first.
//!
//! Gates closed → the collector's last pass and gap record, ended → the publisher empties, ended →
//! the keeper syncs, ended → threads joined → arena unlinked, lock released, the process's place
//! freed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::core::{Core, Drain, Place};
use super::exit;
use crate::error::BarrierError;
use crate::flush::signal::bit;
use crate::flush::{EngineThread, GaveUp, LOOK_EVERY, Limit, Patience};
use crate::registry::process;
use crate::report::{DrainError, DrainReport};
use crate::stats::{Counter, Flow};
use crate::sys::thread;

/// Locks, also after another thread panicked meanwhile.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long an abandoned collector may take to put its pen down.
const COUNT_MAX: Duration = Duration::from_secs(1);

/// How often a drain with a limit looks whether a thread that has done all has ended.
const END_LOOK_EVERY: Duration = Duration::from_micros(100);

/// What the removal of an arena may take, however little of the limit is left.
const REMOVAL_MIN: Duration = Duration::from_millis(100);

const REMOVAL_THREAD_NAME: &str = "fastlog-removal";

impl Core {
    /// Drains once; later and concurrent calls get the same answer.
    pub(super) fn drain(self: &Arc<Core>, limit: Limit<'_>) -> Result<DrainReport, DrainError> {
        if self.registry.is_forked() {
            return Err(DrainError { reason: BarrierError::NotRunning, report: None });
        }
        if self.is_engine_thread() {
            self.close();
            self.shared.collector.raise(bit::STOP);
            return Err(DrainError { reason: BarrierError::EngineThread, report: None });
        }
        let start = Instant::now();
        let mut drain = lock(&self.drain);
        loop {
            match &*drain {
                Drain::Over(result) => return result.as_ref().clone(),
                Drain::NotAsked => break,
                Drain::Running => {}
            }
            let left = limit.left(start);
            if left.is_zero() {
                let reason = BarrierError::Timeout { waited: start.elapsed() };
                return Err(DrainError { reason, report: None });
            }
            let (asleep, turn) = (Instant::now(), left.min(LOOK_EVERY));
            let woken = self.drained.wait_timeout(drain, turn);
            drain = woken.unwrap_or_else(PoisonError::into_inner).0;
            limit.spend(asleep, turn);
        }
        *drain = Drain::Running;
        drop(drain);
        let result = self.drain_now(limit, start);
        *lock(&self.drain) = Drain::Over(Box::new(result.clone()));
        self.drained.notify_all();
        exit::forget(self);
        result
    }

    /// No call is accepted any more.
    fn close(&self) {
        process::lock().clear_default(self.registry.number());
        self.registry.close();
    }

    fn drain_now(
        self: &Arc<Core>,
        limit: Limit<'_>,
        start: Instant,
    ) -> Result<DrainReport, DrainError> {
        let asked = self.shared.progress.ask();
        self.close();
        self.shared.collector.raise(bit::STOP);
        let outcome = self.wait_for_threads(limit);
        let is_over = outcome.is_ok();
        if is_over {
            self.join_threads(limit.left(start));
            lock(&self.sides).end(limit.rest(start));
        } else {
            self.abandon();
            lock(&self.sides).abandon();
        }
        let report = self.report(start);
        if self.place == Place::Process {
            process::lock().unreserve();
        }
        if is_over && report.pending == 0 && report.unpublished_bytes == 0 {
            self.registry.forget_rings();
            self.remove_files(limit.left(start));
        }
        let failed = |reason| DrainError { reason, report: Some(Box::new(report.clone())) };
        if let (Ok(()), Some(thread)) = (&outcome, self.shared.progress.panicked()) {
            return Err(failed(BarrierError::Panicked { thread: thread.as_str() }));
        }
        outcome.map_err(&failed)?;
        // The last barrier of all covers everything.
        match self.shared.progress.answer(asked, u64::MAX) {
            Some(failure) => Err(failed(failure.into())),
            None => Ok(report.clone()),
        }
    }

    /// Joins the threads, which have done all they had to. One that a disk holds at its very end is
    /// left behind after `most`.
    fn join_threads(&self, most: Duration) {
        let start = Instant::now();
        for thread in lock(&self.threads).drain(..) {
            while most != Duration::MAX && !thread.is_finished() && start.elapsed() < most {
                std::thread::sleep(END_LOOK_EVERY);
            }
            if most == Duration::MAX || thread.is_finished() {
                // A thread that panicked has told so on the standard error.
                let _ = thread.join();
            }
        }
    }

    /// Removes the arena and releases the name. Within `most`, if that is a limit, on a thread of
    /// its own: a frozen disk takes no removal, and that thread goes on when it does.
    fn remove_files(self: &Arc<Core>, most: Duration) {
        if most == Duration::MAX {
            return self.remove_files_now();
        }
        let (core, (ended, end)) = (Arc::clone(self), mpsc::channel());
        let thread = thread::spawn(REMOVAL_THREAD_NAME, move || {
            core.remove_files_now();
            // Nobody waits any more.
            let _ = ended.send(());
        });
        let Ok(thread) = thread else { return self.remove_files_now() };
        // What is not removed by then may be later.
        if end.recv_timeout(most.max(REMOVAL_MIN)).is_ok() {
            let _ = thread.join();
        }
    }

    fn remove_files_now(&self) {
        self.arena.set_drained();
        // What stays behind is counted at the next start.
        let _ = self.arena.unlink();
        if let Some(lock) = &self.lock {
            lock.release();
        }
    }

    /// Waits for one thread after the other, as each tells the next to stop.
    fn wait_for_threads(&self, limit: Limit<'_>) -> Result<(), BarrierError> {
        let keeper = self.shared.keeper.as_ref().map(|_| EngineThread::Keeper);
        // All, not the last: one that panicked is over before its turn.
        let are_done = || {
            let threads = [Some(EngineThread::Collector), Some(EngineThread::Publisher), keeper];
            threads.into_iter().flatten().all(|thread| self.shared.progress.is_done(thread))
        };
        let patience = Patience { without_progress: self.patience, limit };
        let outcome = self.shared.progress.wait(patience, || are_done().then_some(()));
        outcome.map_err(|gave_up| match gave_up {
            GaveUp::NoProgress(waited) => BarrierError::Stalled { waited },
            GaveUp::Deadline(waited) => BarrierError::Timeout { waited },
        })
    }

    /// Tells all threads to end as soon as they can. Waits for the collector alone, which does no
    /// I/O, so that what is counted as pending is not written meanwhile.
    fn abandon(&self) {
        if let Some(lock) = &self.lock {
            lock.keep_signature();
        }
        self.shared.signals().for_each(|signal| signal.raise(bit::ABANDON));
        let patience = Patience { without_progress: COUNT_MAX, limit: Limit::Open };
        let is_done = || self.shared.progress.is_done(EngineThread::Collector).then_some(());
        // Should a hung disk hold even the collector, the figures of the report may be off.
        let _ = self.shared.progress.wait(patience, is_done);
        lock(&self.threads).clear();
    }

    fn report(&self, start: Instant) -> DrainReport {
        let account = self.registry.settle();
        let mut figures = self.registry.shared.counters.read();
        let published = figures.get(Counter::PublishedBytes);
        figures.set(Counter::InDoubtBytes, self.shared.progress.in_doubt_bytes(published));
        DrainReport {
            submitted: account.committed + figures.dropped.by_producers(),
            pending: account.pending,
            unpublished_bytes: self.shared.progress.written().saturating_sub(published),
            flow: Flow::of(&figures),
            took: start.elapsed(),
            log_path: self.log_path.clone(),
            arena_path: self.arena.path().map(std::path::Path::to_owned),
            last_failure: self.shared.progress.last_failure(),
            figures,
        }
    }
}

//! Starts the engine's threads one after the other, and stops them again if the start fails. Runs
//! on the owner.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use super::core::ThreadIds;
use crate::config::Pin;
use crate::error::Error;
use crate::flush::EngineThread;
use crate::flush::signal::bit;
use crate::primitive::{AtomicU32, Ordering};
use crate::shared::Shared;
use crate::sys::{process, thread};

/// How long a new thread may take to run.
const READY_MAX: Duration = Duration::from_secs(5);

/// A thread's number, told for as long as the thread runs: the system gives the number of an ended
/// one to the next.
struct OwnTid<'a>(&'a AtomicU32);

impl OwnTid<'_> {
    fn tell(tid: &AtomicU32) -> OwnTid<'_> {
        tid.store(thread::current_tid(), Ordering::Relaxed);
        OwnTid(tid)
    }
}

impl Drop for OwnTid<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The threads started so far; told to end if they are dropped before `finish`.
pub(super) struct Threads {
    ids: Arc<ThreadIds>,
    shared: Shared,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(super) fn new(ids: Arc<ThreadIds>, shared: Shared) -> Threads {
        Threads { ids, shared, running: Vec::new() }
    }

    /// Starts a thread and waits until it says that it is ready.
    pub(super) fn spawn(
        &mut self,
        role: EngineThread,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let (ids, shared) = (Arc::clone(&self.ids), self.shared.clone());
        let (ready, is_ready) = sync_channel(1);
        let name = role.as_str();
        let thread = thread::spawn(&format!("fastlog-{name}"), move || {
            let _own = OwnTid::tell(&ids[index(role)]);
            if let Some(signal) = shared.signal(role) {
                signal.adopt_current_thread();
            }
            // The owner may have given up waiting.
            let _ = ready.send(());
            if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
                shared.progress.set_panicked(role, thread::panic_words(&*payload));
                release_others(role, &shared);
            }
        });
        self.running.push(thread.map_err(|source| Error::Thread { name, source })?);
        // Only a machine that starves its threads gets here without the word; it is late then.
        let _ = is_ready.recv_timeout(READY_MAX);
        Ok(())
    }

    /// The start has succeeded.
    pub(super) fn finish(mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.running)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if self.running.is_empty() {
            return;
        }
        self.shared.signals().for_each(|signal| signal.raise(bit::ABANDON));
        for thread in self.running.drain(..) {
            // A thread that panicked has told so on the standard error.
            let _ = thread.join();
        }
    }
}

/// The thread's place among the ids.
fn index(thread: EngineThread) -> usize {
    (thread as u32).trailing_zeros() as usize
}

/// Lets the other threads finish what they can without the one that panicked.
fn release_others(panicked: EngineThread, shared: &Shared) {
    match panicked {
        EngineThread::Collector => shared.publisher.raise(bit::STOP),
        EngineThread::Publisher => {
            // It would wait for segments that nobody gives back.
            shared.collector.raise(bit::ABANDON);
            if let Some(keeper) = &shared.keeper {
                keeper.raise(bit::STOP);
            }
        }
        // Lines still reach the log.
        EngineThread::Keeper => {}
    }
}

/// Pins the calling thread; the CPU's number if it worked.
pub(super) fn pin_collector(pin: Pin) -> Option<usize> {
    let cpu = match pin {
        Pin::None => return None,
        Pin::Cpu(cpu) => cpu,
        Pin::Auto => {
            let cpus = thread::allowed_cpus();
            if cpus.len() < 2 || thread::parallelism() < 2 {
                return None;
            }
            // Not the process's number, which is 1 in every container of a machine.
            cpus[(process::random_u64() % cpus.len() as u64) as usize]
        }
    };
    thread::pin_current(cpu).then_some(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::controller::{Limits, Mode, SyncGoal};
    use crate::stats::Counters;
    use crate::sys::mmap::Region;

    fn threads() -> Threads {
        let region = Arc::new(Region::anonymous(4096).expect("memory"));
        let limits = Limits {
            mode: Mode::Fixed,
            publish_every: Duration::ZERO,
            sync: SyncGoal::Never,
            urgent_sync_every: None,
            publish_bytes: 0,
            staging_bytes: 0,
            shed_below: None,
        };
        let shared = Shared::new(Counters::new(region, 0), limits, Some(Arc::default()));
        Threads::new(Arc::default(), shared)
    }

    #[test]
    fn the_number_of_an_ended_thread_is_forgotten() {
        let mut threads = threads();
        let ids = Arc::clone(&threads.ids);
        let tids = || ids.iter().map(|tid| tid.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let (end, is_over) = sync_channel::<()>(0);
        let body = move || assert!(is_over.recv().is_err());
        threads.spawn(EngineThread::Publisher, body).expect("a thread");
        assert!(tids()[1] != 0 && tids()[1] != thread::current_tid());
        drop(end);
        threads.finish().into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(tids(), [0; 3]);
    }

    #[test]
    fn a_panic_is_told_and_the_others_go_on_without_the_thread() {
        let cases = [
            (EngineThread::Collector, [0, bit::STOP, 0]),
            (EngineThread::Publisher, [bit::ABANDON, 0, bit::STOP]),
            (EngineThread::Keeper, [0, 0, 0]),
        ];
        for (role, bits) in cases {
            let mut threads = threads();
            let shared = threads.shared.clone();
            let progress = &shared.progress;
            threads.spawn(role, move || panic!("a test's {}", "panic")).expect("a thread");
            threads.finish().into_iter().for_each(|thread| thread.join().expect("caught"));
            assert!(progress.is_stalled() && progress.is_done(role));
            assert_eq!(progress.panicked(), Some(role));
            let sentence = format!("the {} thread panicked: a test's panic", role.as_str());
            assert_eq!(progress.last_failure(), Some(sentence));
            let raised: Vec<_> = shared.signals().map(|signal| signal.take()).collect();
            assert_eq!(raised, bits, "{role:?}");
            progress.set_published(1);
            assert!(progress.is_stalled(), "for good");
        }
    }
}

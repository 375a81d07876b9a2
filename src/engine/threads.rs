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
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Progress};
use crate::primitive::{AtomicU32, Ordering};
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
    progress: Arc<Progress>,
    signals: [Arc<Signal>; 3],
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Signals in the order of the record's journey.
    pub(super) fn new(
        ids: Arc<ThreadIds>,
        progress: Arc<Progress>,
        signals: [Arc<Signal>; 3],
    ) -> Threads {
        Threads { ids, progress, signals, running: Vec::new() }
    }

    /// Starts a thread and waits until it says that it is ready.
    pub(super) fn spawn(
        &mut self,
        role: EngineThread,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let index = index(role);
        let (ids, signal) = (Arc::clone(&self.ids), Arc::clone(&self.signals[index]));
        let (progress, signals) = (Arc::clone(&self.progress), self.signals.clone());
        let (ready, is_ready) = sync_channel(1);
        let name = role.as_str();
        let thread = thread::spawn(&format!("fastlog-{name}"), move || {
            let _own = OwnTid::tell(&ids[index]);
            signal.adopt_current_thread();
            // The owner may have given up waiting.
            let _ = ready.send(());
            if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
                progress.set_panicked(role, thread::panic_words(&*payload));
                release_others(role, &signals);
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
        self.signals.iter().for_each(|signal| signal.raise(bit::ABANDON));
        for thread in self.running.drain(..) {
            // A thread that panicked has told so on the standard error.
            let _ = thread.join();
        }
    }
}

/// The thread's place among signals and ids.
fn index(thread: EngineThread) -> usize {
    (thread as u32).trailing_zeros() as usize
}

/// Lets the other threads finish what they can without the one that panicked.
fn release_others(panicked: EngineThread, [collector, publisher, keeper]: &[Arc<Signal>; 3]) {
    match panicked {
        EngineThread::Collector => publisher.raise(bit::STOP),
        EngineThread::Publisher => {
            // It would wait for segments that nobody gives back.
            collector.raise(bit::ABANDON);
            keeper.raise(bit::STOP);
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
            if cpus.len() < 2 || thread::cpu_quota().is_some_and(|quota| quota < 2.0) {
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

    fn threads() -> Threads {
        Threads::new(Arc::default(), Arc::default(), [(); 3].map(|()| Arc::default()))
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
            let (progress, signals) = (Arc::clone(&threads.progress), threads.signals.clone());
            threads.spawn(role, move || panic!("a test's {}", "panic")).expect("a thread");
            threads.finish().into_iter().for_each(|thread| thread.join().expect("caught"));
            assert!(progress.is_stalled() && progress.is_done(role));
            assert_eq!(progress.panicked(), Some(role));
            let sentence = format!("the {} thread panicked: a test's panic", role.as_str());
            assert_eq!(progress.last_failure(), Some(sentence));
            assert_eq!(signals.map(|signal| signal.take()), bits, "{role:?}");
            progress.set_published(1);
            assert!(progress.is_stalled(), "for good");
        }
    }
}

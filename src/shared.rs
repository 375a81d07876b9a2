//! What an engine's threads share besides rings and segments: how far each has come, what is
//! counted and decided, and how they wake each other. Made by the owner at start, used on all
//! threads.

use std::sync::Arc;

use crate::flush::actuator::Actuators;
use crate::flush::controller::{Decision, Limits};
use crate::flush::signal::Signal;
use crate::flush::{EngineThread, Progress};
use crate::stats::{Counter, Counters};

/// One engine's. A copy is another handle to the same.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
    pub(crate) limits: Limits,
    pub(crate) actuators: Arc<Actuators>,
    /// The signals of the threads.
    pub(crate) collector: Arc<Signal>,
    pub(crate) publisher: Arc<Signal>,
    /// None where there is no file to keep.
    pub(crate) keeper: Option<Arc<Signal>>,
}

impl Shared {
    /// Of an engine that begins, with what was configured, and a keeper or none.
    pub(crate) fn new(counters: Counters, limits: Limits, keeper: Option<Arc<Signal>>) -> Shared {
        let collector = Arc::<Signal>::default();
        Shared {
            counters,
            progress: Arc::new(Progress::waking(Arc::clone(&collector))),
            actuators: Arc::new(Actuators::new(&Decision::configured(&limits))),
            limits,
            collector,
            publisher: Arc::default(),
            keeper,
        }
    }

    /// Something failed in the background: counted, and kept as the last failure.
    pub(crate) fn fail(&self, counter: Counter, sentence: String) {
        self.counters.add(counter, 1);
        self.progress.report_failure(sentence);
    }

    /// The signal of a thread, if there is one of the kind.
    pub(crate) fn signal(&self, thread: EngineThread) -> Option<&Arc<Signal>> {
        match thread {
            EngineThread::Collector => Some(&self.collector),
            EngineThread::Publisher => Some(&self.publisher),
            EngineThread::Keeper => self.keeper.as_ref(),
        }
    }

    /// The signals of all threads, in the order of the record's journey.
    pub(crate) fn signals(&self) -> impl Iterator<Item = &Arc<Signal>> {
        [Some(&self.collector), Some(&self.publisher), self.keeper.as_ref()].into_iter().flatten()
    }
}

//! The consoles beside the main output: their buffers and writer threads, started and ended. Runs
//! on the owner.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{open, wire};
use crate::collector::SideParts;
use crate::config::{Also, Settings};
use crate::error::Error;
use crate::flush::signal::{Signal, bit};
use crate::flush::{Limit, Patience};
use crate::level::Level;
use crate::primitive::{AtomicU32, Ordering};
use crate::publish::{Console, ConsoleWriter, SideWriter, SideWriterParts};
use crate::segment::SideBuffer;
use crate::shared::Shared;
use crate::stats::Counter;
use crate::sys::thread;

/// How long their last lines may take. A reader that takes nothing is given up before.
const END_MAX: Duration = Duration::from_secs(5);

const THREAD_NAME: &str = "fastlog-console";

/// The writer threads; told to end if they are dropped before.
pub(super) struct Sides {
    shared: Shared,
    signals: Vec<Arc<Signal>>,
    threads: Vec<JoinHandle<()>>,
    ended: Arc<AtomicU32>,
}

impl Sides {
    /// Starts a writer for each console; gives what the collector needs of them.
    pub(super) fn start(
        settings: &Settings,
        shared: &Shared,
    ) -> Result<(Sides, Vec<SideParts>), Error> {
        let mut sides = Sides {
            shared: shared.clone(),
            signals: Vec::new(),
            threads: Vec::new(),
            ended: Arc::default(),
        };
        let consoles = settings.also.iter();
        let consoles = consoles.filter_map(|also| Some((also, open::console(&also.console)?)));
        let parts = consoles.map(|(also, console)| sides.add(settings, also, console));
        let parts = parts.collect::<Result<_, _>>()?;
        Ok((sides, parts))
    }

    fn add(
        &mut self,
        settings: &Settings,
        also: &Also,
        console: Console,
    ) -> Result<SideParts, Error> {
        let (buffer, signal) = (Arc::new(SideBuffer::new()), Arc::new(Signal::default()));
        let mut writer = SideWriter::new(SideWriterParts {
            console: ConsoleWriter::new(Arc::clone(&settings.io), console),
            buffer: Arc::clone(&buffer),
            signal: Arc::clone(&signal),
            shared: self.shared.clone(),
        });
        let own = Arc::clone(&signal);
        let (ended, shared) = (Arc::clone(&self.ended), self.shared.clone());
        let thread = thread::spawn(THREAD_NAME, move || {
            own.adopt_current_thread();
            if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                // The others go on without this console.
                let sentence = format!("the writer to {} panicked", console.as_str());
                writer.close();
                shared.fail(Counter::SideFailures, sentence);
            }
            ended.fetch_add(1, Ordering::Release); // pairs with `end`
            shared.progress.wake();
        });
        let failed = |source| Error::Thread { name: "console", source };
        self.threads.push(thread.map_err(failed)?);
        self.signals.push(Arc::clone(&signal));
        let formatter = wire::formatter(settings, Some(console), also.format, also.colour);
        let level = also.level.unwrap_or(Level::TRACE);
        Ok(SideParts { level, formatter, buffer, writer: signal })
    }

    /// Lets the writers write what they have, within the limit, and ends them. One that a hung
    /// console holds stays behind.
    pub(super) fn end(&mut self, limit: Limit<'_>) {
        self.signals.iter().for_each(|signal| signal.raise(bit::STOP));
        let all = self.threads.len() as u32;
        let patience = Patience { without_progress: END_MAX, limit };
        let is_over = self.shared.progress.wait(patience, || {
            // Pairs with the addition at each thread's end.
            (self.ended.load(Ordering::Acquire) >= all).then_some(())
        });
        for thread in self.threads.drain(..) {
            if is_over.is_ok() {
                // Its panic was told.
                let _ = thread.join();
            }
        }
    }
}

impl Sides {
    /// Ends the writers as they are.
    pub(super) fn abandon(&self) {
        self.signals.iter().for_each(|signal| signal.raise(bit::ABANDON));
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        self.abandon();
    }
}

//! The publisher: the thread that carries whole lines from the segments to the visible log. It
//! never syncs. It knows what is written from the newest complete commit slot and from nothing
//! else.

mod backoff;
mod broken_end;
mod calendar;
mod console;
mod file;
mod live;
mod look;
mod names;
mod pace;
mod read_back;
mod rotate;
mod salvage;
mod side;
mod swap;
mod target;
mod unit;

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::arena::commit::{Commits, Written};
use crate::arena::intent::Intents;
use crate::flush::controller::SyncGoal;
use crate::flush::due::Urgency;
use crate::flush::signal::bit;
use crate::flush::{EngineThread, Latency};
use crate::segment::{Pool, Segment};
use crate::shared::Shared;
use crate::stats::Counter;
use crate::sys::io::is_unreadable;
use crate::sys::moment;
use backoff::Backoff;

pub(crate) use calendar::Calendar;
pub(crate) use console::{Console, ConsoleOutput, ConsoleWriter};
use file::Appended;
pub(crate) use file::FileOutput;
pub(crate) use names::{NameHeld, Places};
use salvage::{Before, Salvage};
pub(crate) use side::{SideWriter, SideWriterParts};
use target::Lines;
pub(crate) use target::Target;

/// How long it waits after a failed append: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MOST: Duration = Duration::from_secs(1);

/// What a publisher is made of.
pub(crate) struct Parts {
    pub(crate) target: Target,
    pub(crate) commits: Commits,
    pub(crate) intents: Intents,
    pub(crate) pool: Arc<Pool>,
    pub(crate) shared: Shared,
}

/// A segment that is published, until it may be used again.
#[derive(Clone, Copy, Debug)]
struct Published {
    index: usize,
    /// Where it ends, in bytes of the engine's life.
    end: u64,
}

/// The thread's state.
pub(crate) struct Publisher {
    parts: Parts,
    /// The segment that is being published, and how far.
    segment: u64,
    from: u64,
    /// In bytes of the engine's life.
    published: u64,
    waiting: VecDeque<Published>,
    /// Whether there was something to publish when it last looked.
    is_behind: bool,
    urgency: Urgency,
    /// When it published last, and how much.
    published_at: Option<Instant>,
    last_bytes: u64,
    /// Whether a record of ERROR or above is among the unpublished bytes.
    has_urgent: bool,
    publishes: u64,
    latency: Latency,
    /// Whether the collector has ended.
    is_last: bool,
    retry: Backoff,
    /// Records of the program that are published, or given up.
    records: u64,
    /// What the output has of the line that comes next.
    before: Before,
    /// What is left of the present segment, which has lost something.
    salvage: Option<Salvage>,
}

impl Publisher {
    pub(crate) fn new(parts: Parts) -> Publisher {
        Publisher {
            waiting: VecDeque::with_capacity(parts.pool.segments_max()),
            parts,
            segment: 1,
            from: 0,
            published: 0,
            is_behind: false,
            urgency: Urgency::None,
            published_at: None,
            last_bytes: 0,
            has_urgent: false,
            publishes: 0,
            latency: Latency::default(),
            is_last: false,
            retry: Backoff::new(RETRY_FIRST, RETRY_MOST),
            records: 0,
            before: Before::default(),
            salvage: None,
        }
    }

    /// Runs until the collector has ended and everything is published, or it is abandoned.
    pub(crate) fn run(mut self) {
        loop {
            // Once the collector has ended there is nothing to wait for but a failed output.
            let is_over = self.is_last && !self.retry.has_failed();
            let bits = if is_over { self.parts.shared.publisher.take() } else { self.sleep() };
            if self.step(bits).is_break() {
                break;
            }
        }
        self.end();
    }

    /// What is done when it wakes with these bits; breaks when it is over.
    pub(crate) fn step(&mut self, bits: u32) -> ControlFlow<()> {
        self.is_last |= bits & bit::STOP != 0;
        if bits & bit::ABANDON != 0 {
            return ControlFlow::Break(());
        }
        if bits & bit::URGENT != 0 {
            self.urgency = Urgency::Record;
            self.has_urgent = true;
        }
        if bits & (bit::BARRIER | bit::SEGMENT) != 0 || self.is_last {
            self.urgency = Urgency::Flush;
        }
        self.give_back();
        let written = self.parts.commits.read();
        self.is_behind = self.published != written.bytes;
        if self.is_behind {
            if self.decide(&written).is_zero() {
                self.publish(&written);
            }
            return ControlFlow::Continue(());
        }
        if self.is_last {
            return ControlFlow::Break(());
        }
        if self.has_urgent {
            // Published before it was known to be urgent.
            self.wake_keeper();
        }
        ControlFlow::Continue(())
    }

    /// The last of all.
    pub(crate) fn end(&mut self) {
        self.parts.shared.progress.set_done(EngineThread::Publisher);
        if let Some(keeper) = &self.parts.shared.keeper {
            keeper.raise(bit::STOP);
        }
    }

    /// Publishes everything written, segment by segment.
    fn publish(&mut self, written: &Written) {
        let before = self.published;
        match self.publish_to(written) {
            Ok(()) => {
                self.published_at = Some(moment::now());
                self.last_bytes = self.published.saturating_sub(before);
                self.retry.reset();
                self.is_behind = false;
            }
            Err(error) => self.fail(&error),
        }
        self.urgency = Urgency::None;
    }

    fn publish_to(&mut self, written: &Written) -> io::Result<()> {
        let pool = Arc::clone(&self.parts.pool);
        while let Some((index, segment)) = pool.find(self.segment) {
            let is_newest = self.segment == written.segment;
            let (end, records) = if is_newest {
                (written.len as usize, written.records)
            } else {
                (segment.sealed(), segment.records())
            };
            while (self.from as usize) < end {
                let start = moment::now();
                self.publish_part(segment, end, records)?;
                let latency = self.latency.add(moment::since(start));
                self.parts.shared.counters.set(Counter::PublishLatencyNs, latency);
                // The newest completed append ends here: all earlier segments are done with.
                self.tell();
            }
            if is_newest {
                break;
            }
            self.waiting.push_back(Published { index, end: self.published });
            self.segment += 1;
            self.from = 0;
        }
        Ok(())
    }

    /// Publishes the segment up to `end`, by when the engine had written as many `records`.
    fn publish_part(&mut self, segment: &Segment, end: usize, records: u64) -> io::Result<()> {
        if self.is_to_be_salvaged(segment) {
            let outcome = self.publish_rest(segment, end, records);
            self.parts.shared.counters.set(Counter::PublishedBytes, self.published);
            return outcome;
        }
        let from = self.from as usize;
        let appended = {
            #[allow(unsafe_code)] // Mapped memory, see `Segment::lines`.
            // SAFETY: the slot, or the seal, says that these bytes are written; the segment is
            // given back by this thread alone, later.
            let lines = unsafe { segment.lines(0, end) };
            let start = self.published - self.from;
            let lines = Lines { segment: self.segment, start, from, bytes: lines };
            append(&mut self.parts, lines)
        };
        // Backwards, perhaps: a new file begins with a whole line.
        self.published = self.published - self.from + appended.to as u64;
        self.from = appended.to as u64;
        self.parts.shared.counters.set(Counter::PublishedBytes, self.published);
        match appended.result {
            Ok(()) if self.is_to_be_salvaged(segment) => {
                // Somebody cut its file meanwhile: zeros may have gone out.
                self.note_part(segment, from);
                self.give_up(records, 0);
            }
            Ok(()) => (self.records, self.before) = (records, Before::Whole),
            Err(error) => {
                self.note_part(segment, from);
                if !is_unreadable(&error) {
                    return Err(error);
                }
                // Its memory is gone, and would be for ever.
                self.publish_rest(segment, end, records)?;
                self.parts.shared.counters.set(Counter::PublishedBytes, self.published);
            }
        }
        Ok(())
    }

    /// An append is complete. Told after each, not after all that is written: while the output is
    /// slow, callers see that it moves and the collector gets its segments back.
    fn tell(&mut self) {
        self.publishes += 1;
        self.parts.shared.counters.set(Counter::Publishes, self.publishes);
        self.parts.shared.progress.set_published(self.published);
        self.wake_keeper();
        self.give_back();
    }

    /// Frees segments: when a later one holds the end of the newest completed append, and, where
    /// each batch is synced, when the device has their bytes.
    fn give_back(&mut self) {
        let is_durable = self.parts.shared.limits.sync == SyncGoal::EachBatch;
        let safe = if is_durable { self.parts.shared.progress.synced() } else { self.published };
        let mut count = 0;
        while let Some(published) = self.waiting.front() {
            let is_followed = self.from > 0 || self.waiting.len() > 1;
            if published.end > safe || !is_followed {
                break;
            }
            self.parts.pool.give_back(published.index);
            self.waiting.pop_front();
            count += 1;
        }
        if count > 0 {
            self.parts.shared.collector.raise(bit::SEGMENT);
        }
    }

    fn wake_keeper(&mut self) {
        let Some(keeper) = &self.parts.shared.keeper else {
            // Nothing to sync to: what is published is as safe as it gets.
            self.parts.shared.progress.set_synced(self.published);
            return;
        };
        let urgent = if self.has_urgent { bit::URGENT } else { 0 };
        let is_rotated = match &mut self.parts.target {
            Target::File(file) => file.take_rotated(),
            Target::Console(_) | Target::Null => false,
        };
        let rotated = if is_rotated { bit::ROTATED } else { 0 };
        keeper.raise(bit::WORK | urgent | rotated);
        self.has_urgent = false;
    }

    /// The output failed: from now on full rings drop, until an append succeeds.
    fn fail(&mut self, error: &io::Error) {
        self.retry.fail();
        let name = match &self.parts.target {
            Target::File(file) => file.path().display().to_string(),
            Target::Console(console) => console.name().to_owned(),
            Target::Null => "<null>".to_owned(),
        };
        let sentence = format!("cannot append to {name}: {error}");
        self.parts.shared.fail(Counter::WriteFailures, sentence);
        self.parts.shared.progress.stall();
    }
}

/// Appends them.
fn append(parts: &mut Parts, lines: Lines<'_>) -> Appended {
    let Parts { target, intents, shared, .. } = parts;
    let Shared { progress, publisher, .. } = &*shared;
    match target {
        Target::File(file) => file.append(intents, progress, lines),
        Target::Console(console) => console.append(intents, (progress, publisher), lines),
        Target::Null => Appended { to: lines.bytes.len(), result: Ok(()) },
    }
}

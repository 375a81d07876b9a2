//! The collector: the pinned thread that reads all rings, merges them by time, and writes lines
//! into segments. It does no I/O of its own, and allocates only for what is new: a callsite's plan,
//! a ring, a failure to tell of. It waits for a free segment, and for a page of the arena that the
//! kernel has written out and taken away.

mod batch;
#[cfg(all(feature = "bench-internals", not(loom)))]
pub(crate) mod bench;
mod binary;
mod contain;
mod damage;
mod due;
mod gap;
mod governor;
mod house;
mod idle;
mod merge;
mod own;
mod plans;
mod sealing;
mod side;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use crate::arena::Arena;
use crate::arena::commit::Commits;
use crate::clock::TickClock;
use crate::config::UrlPasswords;
use crate::flush::EngineThread;
use crate::flush::signal::{Signal, bit};
use crate::format::Formatter;
use crate::format::binary::write::Writer;
use crate::format::masking::Masking;
use crate::primitive::{AtomicU64, Ordering};
use crate::registry::Registry;
use crate::segment::SegmentWriter;

use batch::{Batch, Taken};
use contain::Contained;
use damage::ArenaWatch;
use gap::GapWatch;
use governor::Governor;
use idle::Idle;
use merge::{Head, Merge};
use own::OwnRecords;
use sealing::Sealing;
use side::Side;
use sources::Source;

pub(crate) use idle::Idling;
pub(crate) use own::StartNote;
pub(crate) use side::SideParts;

/// Counters of two processors never differ by so much: a record that is later than now by more was
/// made before the counter was set back.
const AHEAD: Duration = Duration::from_millis(5);

/// What the owner's side asks of the collector.
#[derive(Debug, Default)]
pub(crate) struct Barriers {
    requested: AtomicU64,
}

impl Barriers {
    /// Asks for a pass over everything committed so far; its number comes up in
    /// `Progress::barriers` when that is written.
    pub(crate) fn request(&self, collector: &Signal) -> u64 {
        // Pairs with the load in `requested`, which follows the collector's look at its signal.
        let number = self.requested.fetch_add(1, Ordering::SeqCst) + 1;
        collector.raise(bit::BARRIER);
        number
    }

    fn requested(&self) -> u64 {
        self.requested.load(Ordering::SeqCst) // pairs with `request`
    }
}

/// What a collector is made of.
pub(crate) struct Parts {
    pub(crate) registry: Arc<Registry>,
    pub(crate) arena: Arc<Arena>,
    pub(crate) commits: Commits,
    pub(crate) clock: TickClock,
    pub(crate) formatter: Formatter,
    pub(crate) writer: SegmentWriter,
    pub(crate) barriers: Arc<Barriers>,
    pub(crate) order_window: Duration,
    pub(crate) idling: Idling,
    pub(crate) start_note: StartNote,
    pub(crate) sides: Vec<SideParts>,
    /// How old a segment gets, where files change with segments.
    pub(crate) segment_age: Option<Duration>,
    pub(crate) binary: Option<Writer>,
    pub(crate) url_passwords: UrlPasswords,
}

/// The thread's state.
pub(crate) struct Collector {
    registry: Arc<Registry>,
    arena: Arc<Arena>,
    clock: TickClock,
    batch: Batch,
    own: OwnRecords,
    gaps: GapWatch,
    arena_watch: ArenaWatch,
    sources: Vec<Source>,
    merge: Merge,
    idle: Idle,
    barriers: Arc<Barriers>,
    order_window: u64,
    barrier_window: u64,
    ahead: u64,
    looked_at: u64,
    start_ticks: u64,
    start_note: StartNote,
    is_started: bool,
    /// What it was told of its end.
    end: u32,
    contained: Contained,
}

/// How a pass ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// It found nothing, and the rings are empty or their records still too young.
    Nothing { is_empty: bool },
    /// It wrote something.
    Wrote,
    /// The engine is to be abandoned.
    Abandoned,
}

impl Collector {
    pub(crate) fn new(parts: Parts) -> Collector {
        let Parts { registry, arena, clock, formatter, writer, barriers, .. } = parts;
        let own = OwnRecords::new(&formatter);
        let batch = Batch::new(batch::Parts {
            formatter,
            writer,
            commits: parts.commits,
            shared: registry.shared.clone(),
            governor: Governor::new(registry.shared.clone()),
            sides: parts.sides.into_iter().map(Side::new).collect(),
            source: registry.source,
            sealing: parts.segment_age.map(Sealing::new),
            binary: parts.binary,
            masking: match parts.url_passwords {
                UrlPasswords::Masked => Some(Masking::default()),
                UrlPasswords::Shown => None,
            },
        });
        Collector {
            order_window: clock.ticks_of(parts.order_window),
            barrier_window: clock.ticks_of(due::barrier_window(parts.order_window)),
            ahead: clock.ticks_of(AHEAD),
            // Before any caller: this thread may run only when the first records are there.
            start_ticks: registry.source.now(),
            registry,
            arena,
            clock,
            batch,
            own,
            gaps: GapWatch::default(),
            arena_watch: ArenaWatch::default(),
            sources: Vec::new(),
            merge: Merge::default(),
            idle: Idle::new(parts.idling),
            barriers,
            looked_at: 0,
            start_note: parts.start_note,
            is_started: false,
            end: 0,
            contained: Contained::default(),
        }
    }

    /// Works until it is told to stop. Can be begun anew where a panic has ended it.
    fn work(&mut self) {
        if !std::mem::replace(&mut self.is_started, true) {
            self.write_start();
        }
        loop {
            let bits = self.batch.parts.shared.collector.take();
            // Read before the clock: what was committed before the request has earlier ticks.
            let barrier = self.barriers.requested();
            self.end |= bits & (bit::STOP | bit::ABANDON);
            if self.end != 0 {
                return self.finish(self.end);
            }
            let is_asked = barrier > self.registry.shared.progress.barriers();
            let now = self.registry.source.now();
            let stale = self.registry.source.staleness(now);
            self.registry.source.publish(now);
            // No record of this counter is later: passes look one window ahead at most.
            let latest = now.saturating_add(self.ahead).saturating_add(self.barrier_window);
            self.batch.forget_ticks_after(latest);
            let cut_off = if is_asked {
                now.saturating_add(self.barrier_window)
            } else {
                now.saturating_sub(self.order_window + stale)
            };
            if self.is_time_to_look(now) {
                // Before the pass, which empties the rings.
                self.batch.govern(&self.sources);
            }
            let pass = if is_asked { self.pass_and_mend(cut_off) } else { self.pass(cut_off) };
            self.keep_house(now);
            if is_asked && pass != Pass::Abandoned {
                self.registry.shared.progress.set_barriers(barrier);
                self.batch.parts.shared.publisher.raise(bit::BARRIER);
            }
            match pass {
                Pass::Wrote | Pass::Abandoned => self.idle.reset(),
                Pass::Nothing { is_empty } => {
                    let decision = self.batch.parts.governor.decision();
                    let park_max =
                        if is_empty { decision.park_max } else { decision.young_park_max };
                    self.idle.wait(&self.batch.parts.shared.collector, park_max);
                }
            }
        }
    }

    /// One pass over all that is committed, by hand.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn step(&mut self) {
        self.pass(u64::MAX);
    }

    /// One pass: all records with ticks up to `cut_off`, in order of time.
    fn pass(&mut self, cut_off: u64) -> Pass {
        sources::refresh(&mut self.sources, &self.registry);
        self.merge.restart(self.sources.len());
        let mut is_empty = true;
        for ring in 0..self.sources.len() {
            self.sources[ring].next = self.sources[ring].consumer.peek();
            if let Some(peeked) = self.sources[ring].next {
                is_empty = false;
                if let Some(ticks) = self.place(self.sources[ring].ticks(peeked), cut_off) {
                    self.merge.enter(ring, ticks);
                }
            }
        }
        if !self.merge.play() {
            return Pass::Nothing { is_empty };
        }
        self.batch.take_in_hand();
        while let Some(first) = self.merge.first() {
            let is_abandoned = self.batch.parts.shared.collector.is_raised(bit::ABANDON);
            if is_abandoned || !self.drain_run(first, cut_off) {
                return Pass::Abandoned;
            }
        }
        self.batch.put_down();
        self.batch.end(&mut self.sources);
        Pass::Wrote
    }

    /// Takes the records of the first ring that come before all others; false: abandoned. Its next
    /// one was peeked and placed when it entered, or when its head was replaced.
    fn drain_run(&mut self, first: usize, cut_off: u64) -> bool {
        let ring = self.merge.ring(first);
        let Some(mut next) = self.sources[ring].next else { return true };
        let mut limit = None;
        loop {
            let is_after_cut_off = self.sources[ring].ticks(next) > cut_off;
            match self.batch.take(&mut self.sources, ring, next, &self.clock) {
                Taken::Kept => {}
                Taken::Committed => self.registry.source.publish(self.registry.source.now()),
                Taken::Lost if self.give_up(ring) => {}
                Taken::Lost => break,
                Taken::Abandoned => return false,
            }
            if is_after_cut_off {
                self.batch.forget_ticks_after(cut_off);
            }
            let Some(peeked) = self.sources[ring].consumer.peek() else { break };
            let Some(ticks) = self.place(self.sources[ring].ticks(peeked), cut_off) else { break };
            next = peeked;
            let head = Head::new(first, ticks);
            if limit.is_some_and(|limit| head < limit) {
                continue;
            }
            self.merge.replace(first, Some(head));
            if limit.is_some() || self.merge.first() != Some(first) {
                self.sources[ring].next = Some(next);
                return true;
            }
            // Twice in a row: up to the second head its records need no comparison.
            limit = Some(self.merge.second(first));
        }
        self.merge.replace(first, None);
        true
    }

    #[inline]
    fn place(&self, ticks: u64, cut_off: u64) -> Option<u64> {
        due::place(ticks, cut_off, || self.registry.source.now(), self.ahead)
    }

    /// The first records of the log: that the engine runs, and what its owner should know.
    fn write_start(&mut self) {
        let ticks = self.start_ticks;
        let record = self.own.start(ticks, &self.start_note);
        self.batch.write_own(&mut self.sources, &record, &self.clock);
        for warning in &self.start_note.warnings {
            let record = self.own.warning(ticks, warning);
            self.batch.write_own(&mut self.sources, &record, &self.clock);
        }
    }

    /// The last pass: walks each ring until no commit word follows.
    fn finish(&mut self, bits: u32) {
        let mut pass = Pass::Wrote;
        while bits & bit::ABANDON == 0 && pass == Pass::Wrote {
            pass = self.pass_and_mend(u64::MAX);
        }
        let is_drained = pass != Pass::Abandoned && bits & bit::ABANDON == 0;
        if is_drained {
            self.look_at_arena();
            let now = self.registry.source.now();
            self.tell_notices(now);
            self.tell_gaps(now, 0);
        }
        self.batch.end(&mut self.sources);
        self.sources.iter().for_each(Source::tell_taken);
        if is_drained {
            // Last: who sees it counts what, by the word above, nobody has taken from its ring.
            self.registry.set_drained();
        }
        self.batch.stop_sides(bits);
        self.registry.shared.progress.set_done(EngineThread::Collector);
        self.batch.parts.shared.publisher.raise(bit::STOP | (bits & bit::ABANDON));
    }
}

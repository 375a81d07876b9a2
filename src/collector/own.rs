//! The engine's own records: that it started, that it lost something, that the clock stepped, and
//! what its other threads tell. They have target `fastlog` and are counted apart. Written by the
//! collector.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::batch::{Batch, Parts};
use super::gap::ClosedGap;
use super::sources::Source;
use crate::callsite::Callsite;
use crate::clock::TickClock;
use crate::envelope::decode::Envelope;
use crate::envelope::encode;
use crate::flush::Notice;
use crate::format::{Formatter, LineBuffer, LineError, Plan, ThreadLabel};
use crate::level::Level;
use crate::stats::{Counter, DropReason};
use crate::value::Fields;

const TARGET: &str = "fastlog";

static START: Callsite = Callsite::new(
    Level::Info,
    TARGET,
    "engine started, log {log}",
    &["version", "pid", "log", "arena", "crash_safe", "recovered", "orphans"],
    file!(),
    line!(),
);

static WARNING: Callsite =
    Callsite::new(Level::Warn, TARGET, "{warning}", &["warning"], file!(), line!());

static GAP: Callsite = Callsite::new(
    Level::Warn,
    TARGET,
    "{dropped} records were dropped here",
    &["dropped", "since", "until", "levels", "reasons"],
    file!(),
    line!(),
);

static CLOCK_STEPPED: Callsite =
    Callsite::new(Level::Warn, TARGET, "clock stepped by {by_s} s", &["by_s"], file!(), line!());

static REMOVED: Callsite = Callsite::new(
    Level::Info,
    TARGET,
    "removed {name}",
    &["name", "bytes", "reason"],
    file!(),
    line!(),
);

static LEFT_OUT: Callsite = Callsite::new(
    Level::Warn,
    TARGET,
    "{left_out} records of the engine's own came too fast",
    &["left_out"],
    file!(),
    line!(),
);

/// A record of the engine's own, ready to be formatted.
pub(super) struct OwnRecord<'a> {
    /// Which of the kinds it is, below [`OwnRecord::KINDS`].
    pub(super) key: usize,
    pub(super) plan: &'a Plan,
    pub(super) site: &'static Callsite,
    pub(super) envelope: Vec<u8>,
    /// How many dropped records it tells of.
    pub(super) told: u64,
}

impl OwnRecord<'_> {
    /// How many kinds there are.
    pub(super) const KINDS: usize = 6;
    /// Whose it is.
    pub(super) const LABEL: ThreadLabel<'static> = ThreadLabel { id: 0, name: Some(b"fastlog") };
}

/// What the start record says.
#[derive(Clone, Debug, Default)]
pub(crate) struct StartNote {
    /// The visible log, or the console's name.
    pub(crate) log: String,
    /// The arena's file, or that it has none.
    pub(crate) arena: String,
    pub(crate) is_crash_safe: bool,
    /// Records of dead processes that came back.
    pub(crate) recovered: u64,
    /// Arenas of dead processes that are still there.
    pub(crate) orphans: u64,
    /// What the owner should hear of besides.
    pub(crate) warnings: Vec<String>,
}

/// The plans of all own records.
pub(super) struct OwnRecords {
    start: Plan,
    warning: Plan,
    gap: Plan,
    clock: Plan,
    removed: Plan,
    left_out: Plan,
}

impl OwnRecords {
    pub(super) fn new(formatter: &Formatter) -> OwnRecords {
        let plan = |callsite: &Callsite| formatter.plan(&callsite.site());
        OwnRecords {
            start: plan(&START),
            warning: plan(&WARNING),
            gap: plan(&GAP),
            clock: plan(&CLOCK_STEPPED),
            removed: plan(&REMOVED),
            left_out: plan(&LEFT_OUT),
        }
    }

    pub(super) fn start(&self, ticks: u64, note: &StartNote) -> OwnRecord<'_> {
        let version = env!("CARGO_PKG_VERSION");
        let (pid, log) = (std::process::id(), &note.log);
        let rest = (&note.is_crash_safe, (&note.recovered, (&note.orphans, ())));
        let fields = (&version, (&pid, (log, (&note.arena, rest))));
        OwnRecord {
            key: 0,
            plan: &self.start,
            site: &START,
            envelope: envelope(&START, ticks, &fields),
            told: 0,
        }
    }

    pub(super) fn warning(&self, ticks: u64, warning: &str) -> OwnRecord<'_> {
        let envelope = envelope(&WARNING, ticks, &(&warning, ()));
        OwnRecord { key: 1, plan: &self.warning, site: &WARNING, envelope, told: 0 }
    }

    pub(super) fn clock_stepped(&self, ticks: u64, offset_ns: i64) -> OwnRecord<'_> {
        let by_s = offset_ns as f64 / 1e9;
        let envelope = envelope(&CLOCK_STEPPED, ticks, &(&by_s, ()));
        OwnRecord { key: 2, plan: &self.clock, site: &CLOCK_STEPPED, envelope, told: 0 }
    }

    /// What another thread tells.
    pub(super) fn notice(&self, ticks: u64, notice: &Notice) -> OwnRecord<'_> {
        match notice {
            Notice::Warning(sentence) => self.warning(ticks, sentence),
            Notice::Removed { file, bytes, reason } => {
                let envelope = envelope(&REMOVED, ticks, &(file, (bytes, (reason, ()))));
                OwnRecord { key: 4, plan: &self.removed, site: &REMOVED, envelope, told: 0 }
            }
            Notice::LeftOut(count) => {
                let envelope = envelope(&LEFT_OUT, ticks, &(count, ()));
                OwnRecord { key: 5, plan: &self.left_out, site: &LEFT_OUT, envelope, told: 0 }
            }
        }
    }

    pub(super) fn gap(&self, ticks: u64, gap: &ClosedGap) -> OwnRecord<'_> {
        let lost = &gap.lost;
        let levels = Level::ALL.map(|level| (level.as_str(), lost.by_level(level)));
        let reasons = DropReason::ALL.map(|reason| (reason.as_str(), lost.by_reason(reason)));
        let (levels, reasons) = (counts(&levels), counts(&reasons));
        let (since, until) = (time(gap.since_utc_ns), time(gap.until_utc_ns));
        let rest = (&until, (&levels, (&reasons, ())));
        let fields = (&lost.total(), (&since, rest));
        let envelope = envelope(&GAP, ticks, &fields);
        OwnRecord { key: 3, plan: &self.gap, site: &GAP, envelope, told: lost.total() }
    }
}

fn envelope<F: Fields>(callsite: &Callsite, ticks: u64, fields: &F) -> Vec<u8> {
    encode::own(callsite.level(), ticks, fields)
}

/// `INFO=3 ERROR=1`, without what is 0.
fn counts(named: &[(&str, u64)]) -> String {
    let some = named.iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> = some.map(|(name, count)| format!("{name}={count}")).collect();
    words.join(" ")
}

fn time(utc_ns: i64) -> SystemTime {
    let offset = Duration::from_nanos(utc_ns.unsigned_abs());
    if utc_ns < 0 { UNIX_EPOCH - offset } else { UNIX_EPOCH + offset }
}

impl Batch {
    /// Writes a record of the engine's own, as a batch of its own.
    pub(super) fn write_own(
        &mut self,
        sources: &mut [Source],
        record: &OwnRecord<'_>,
        clock: &TickClock,
    ) {
        let Ok(envelope) = Envelope::parse(&record.envelope) else { return };
        let utc_ns = clock.utc_ns(envelope.ticks);
        loop {
            let put = if self.parts.binary.is_some() {
                self.put_own(record)
            } else {
                let Parts { formatter, writer, .. } = &mut self.parts;
                let (mut line, label) = (LineBuffer::new(writer.room()), OwnRecord::LABEL);
                let put = formatter.line(&mut line, record.plan, &envelope, utc_ns, label);
                put.map(|()| line.len())
            };
            match put {
                Ok(len) => {
                    self.count_own(len, record.told);
                    break;
                }
                Err(LineError::Full) if self.parts.writer.len() > 0 => {
                    self.end(sources);
                    if !self.next_segment(sources) {
                        return;
                    }
                }
                Err(LineError::Full | LineError::Malformed { .. }) => return,
            }
        }
        for side in &mut self.parts.sides {
            if !side.put_own(record, utc_ns) {
                self.parts.shared.counters.add(Counter::SideDropped, 1);
            }
        }
        self.end(sources);
    }
}

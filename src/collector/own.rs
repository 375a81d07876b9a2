//! The engine's own records: that it started, that it lost something, that the clock stepped. They
//! have target `fastlog` and are counted apart. Written by the collector.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::batch::{Batch, Parts};
use super::sources::Source;
use crate::callsite::Callsite;
use crate::clock::TickClock;
use crate::envelope::decode::Envelope;
use crate::envelope::encode;
use crate::format::{Formatter, LineBuffer, LineError, Plan, ThreadLabel};
use crate::level::Level;
use crate::stats::{Counter, Counters, DropReason, Dropped};
use crate::value::{Fields, Scratch};

const TARGET: &str = "fastlog";

static START: Callsite = Callsite::new(
    Level::Info,
    TARGET,
    "engine started, log {log}",
    &["version", "pid", "log", "crash_safe", "orphans"],
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

/// A record of the engine's own, ready to be formatted.
pub(super) struct OwnRecord<'a> {
    /// Which of the kinds it is, below [`OwnRecord::KINDS`].
    pub(super) key: usize,
    pub(super) plan: &'a Plan,
    pub(super) site: &'static Callsite,
    pub(super) envelope: Vec<u8>,
}

impl OwnRecord<'_> {
    /// How many kinds there are.
    pub(super) const KINDS: usize = 4;
    /// Whose it is.
    pub(super) const LABEL: ThreadLabel<'static> = ThreadLabel { id: 0, name: Some(b"fastlog") };
}

/// What the start record says.
#[derive(Clone, Debug)]
pub(crate) struct StartNote {
    /// The visible log, or the console's name.
    pub(crate) log: String,
    pub(crate) is_crash_safe: bool,
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
}

impl OwnRecords {
    pub(super) fn new(formatter: &Formatter) -> OwnRecords {
        let plan = |callsite: &Callsite| formatter.plan(&callsite.site());
        OwnRecords {
            start: plan(&START),
            warning: plan(&WARNING),
            gap: plan(&GAP),
            clock: plan(&CLOCK_STEPPED),
        }
    }

    pub(super) fn start(&self, ticks: u64, note: &StartNote) -> OwnRecord<'_> {
        let version = env!("CARGO_PKG_VERSION");
        let (pid, log) = (std::process::id(), &note.log);
        let rest = (&note.is_crash_safe, (&note.orphans, ()));
        let fields = (&version, (&pid, (log, rest)));
        OwnRecord {
            key: 0,
            plan: &self.start,
            site: &START,
            envelope: envelope(&START, ticks, &fields),
        }
    }

    pub(super) fn warning(&self, ticks: u64, warning: &str) -> OwnRecord<'_> {
        let envelope = envelope(&WARNING, ticks, &(&warning, ()));
        OwnRecord { key: 1, plan: &self.warning, site: &WARNING, envelope }
    }

    pub(super) fn clock_stepped(&self, ticks: u64, offset_ns: i64) -> OwnRecord<'_> {
        let by_s = offset_ns as f64 / 1e9;
        let envelope = envelope(&CLOCK_STEPPED, ticks, &(&by_s, ()));
        OwnRecord { key: 2, plan: &self.clock, site: &CLOCK_STEPPED, envelope }
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
        OwnRecord { key: 3, plan: &self.gap, site: &GAP, envelope }
    }
}

fn envelope<F: Fields>(callsite: &Callsite, ticks: u64, fields: &F) -> Vec<u8> {
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let meta = encode::meta::<F::Encoded<'_>>(0, callsite.level() as u8, 0);
    encode::to_bytes(ticks, meta, &encoded)
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

/// How long losses must have stopped for the gap to be over.
pub(super) const GAP_QUIET: Duration = Duration::from_millis(100);

/// Losses that are under way.
#[derive(Debug)]
struct OpenGap {
    since_utc_ns: i64,
    until_utc_ns: i64,
    /// When a loss was last seen.
    seen_ticks: u64,
}

/// Losses that have ended.
pub(super) struct ClosedGap {
    since_utc_ns: i64,
    until_utc_ns: i64,
    lost: Dropped,
}

/// Watches the counters of losses.
#[derive(Debug, Default)]
pub(super) struct GapWatch {
    /// Told in the log so far.
    told: Dropped,
    seen: Dropped,
    open: Option<OpenGap>,
}

impl GapWatch {
    /// Looks at the counters; gives the gap when its losses have stopped for `quiet` ticks.
    pub(super) fn look(
        &mut self,
        counters: &Counters,
        ticks: u64,
        utc_ns: i64,
        quiet: u64,
    ) -> Option<ClosedGap> {
        let dropped = counters.dropped();
        if dropped != self.seen {
            self.seen = dropped;
            let open = self.open.get_or_insert(OpenGap {
                since_utc_ns: utc_ns,
                until_utc_ns: utc_ns,
                seen_ticks: ticks,
            });
            (open.until_utc_ns, open.seen_ticks) = (utc_ns, ticks);
        }
        let open = self.open.as_ref()?;
        // Wrapping: when the counter was set back, nobody knows how long losses have stopped.
        if ticks.wrapping_sub(open.seen_ticks) < quiet {
            return None;
        }
        let lost = self.seen.since(&self.told);
        let OpenGap { since_utc_ns, until_utc_ns, .. } = self.open.take()?;
        self.told = self.seen;
        Some(ClosedGap { since_utc_ns, until_utc_ns, lost })
    }
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
                    self.count_own(len);
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
                self.parts.counters.add(Counter::SideDropped, 1);
            }
        }
        self.end(sources);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::mmap::Region;
    use std::sync::Arc;

    fn counters() -> Counters {
        Counters::new(Arc::new(Region::anonymous(4096).expect("anonymous memory")), 0)
    }

    #[test]
    fn a_gap_ends_after_its_quiet_or_when_the_counter_was_set_back() {
        let counters = counters();
        let mut watch = GapWatch::default();
        let mut told = 0;
        for (lost_at, later) in [(1_000_000, 1_000_100), (2_000_000, 5)] {
            counters.drop_record(DropReason::Full, Level::Info);
            assert!(watch.look(&counters, lost_at, 0, 100).is_none());
            assert!(watch.look(&counters, lost_at + 99, 0, 100).is_none());
            let gap = watch.look(&counters, later, 0, 100).expect("the gap is over");
            assert_eq!(gap.lost.total(), 1);
            told += 1;
        }
        assert_eq!(told, 2);
    }
}

//! A console beside the main output, as the collector sees it: what it takes, how it looks, and
//! where its lines go. A full buffer costs the line there, never the main output's time.

use std::sync::Arc;

use super::own::OwnRecord;
use super::plans::Plans;
use crate::envelope::decode::Envelope;
use crate::flush::signal::{Signal, bit};
use crate::format::{Formatter, LineBuffer, Plan, ThreadLabel};
use crate::level::Level;
use crate::segment::SideBuffer;

/// What one is made of.
pub(crate) struct SideParts {
    /// Records of this level and above.
    pub(crate) level: Level,
    pub(crate) formatter: Formatter,
    pub(crate) buffer: Arc<SideBuffer>,
    pub(crate) writer: Arc<Signal>,
}

/// The collector's end.
pub(super) struct Side {
    parts: SideParts,
    plans: Plans,
    /// Whether the present batch has lines for it.
    has_lines: bool,
}

impl Side {
    pub(super) fn new(parts: SideParts) -> Side {
        Side { parts, plans: Plans::default(), has_lines: false }
    }

    /// Takes a record that the main output has taken; false if it wants the record and has no room.
    pub(super) fn put(
        &mut self,
        envelope: &Envelope<'_>,
        level: Level,
        utc_ns: i64,
        label: ThreadLabel<'_>,
    ) -> bool {
        if level < self.parts.level {
            return true;
        }
        let SideParts { formatter, buffer, .. } = &mut self.parts;
        let Some(plan) = self.plans.of(formatter, envelope.meta.id) else { return true };
        let is_in = put(buffer, formatter, plan, envelope, utc_ns, label);
        self.has_lines |= is_in;
        is_in
    }

    /// The same for a record of the engine's own.
    pub(super) fn put_own(&mut self, record: &OwnRecord<'_>, utc_ns: i64) -> bool {
        if record.site.level() < self.parts.level {
            return true;
        }
        let Ok(envelope) = Envelope::parse(&record.envelope) else { return true };
        let SideParts { formatter, buffer, .. } = &mut self.parts;
        let plan = formatter.plan(&record.site.site());
        let is_in = put(buffer, formatter, &plan, &envelope, utc_ns, OwnRecord::LABEL);
        self.has_lines |= is_in;
        is_in
    }

    /// A panic may have left its formatter half way.
    pub(super) fn forget(&mut self) {
        self.parts.formatter.forget();
    }

    /// The batch ends: whoever writes may.
    pub(super) fn wake(&mut self) {
        if std::mem::take(&mut self.has_lines) {
            self.parts.writer.raise(bit::WORK);
        }
    }

    /// Nothing comes any more.
    pub(super) fn stop(&self, bits: u32) {
        self.parts.writer.raise(bit::STOP | (bits & bit::ABANDON));
    }
}

fn put(
    buffer: &SideBuffer,
    formatter: &mut Formatter,
    plan: &Plan,
    envelope: &Envelope<'_>,
    utc_ns: i64,
    label: ThreadLabel<'_>,
) -> bool {
    buffer.put(|room| {
        let mut line = LineBuffer::new(room);
        formatter.line(&mut line, plan, envelope, utc_ns, label).ok()?;
        Some(line.len())
    })
}

//! From ring to binary segment: the counterpart of `batch` where records are copied and not
//! formatted. Runs on the collector.

use super::batch::{Batch, Parts};
use super::own::OwnRecord;
use super::sources::Source;
use crate::callsite;
use crate::clock::{Piece, TickClock};
use crate::envelope::Meta;
use crate::envelope::decode::Envelope;
use crate::format::LineError;
use crate::format::binary::write;
use crate::level::Level;
use crate::ring::Peeked;
use crate::stats::Counter;

/// Own records have the first places in the writer's tables, then come callsites by their ids.
pub(super) const OWN_KEYS: usize = OwnRecord::KINDS;

impl Batch {
    /// Copies one record, or takes note of a control envelope.
    pub(super) fn write_binary(
        &mut self,
        source: &mut Source,
        peeked: Peeked,
        clock: &TickClock,
    ) -> Result<(), LineError> {
        let len = source.copy(peeked, &mut self.copy[..])?.len();
        if let Some(masking) = &mut self.parts.masking {
            masking.mask_copy(&mut self.copy[..], len);
        }
        let bytes = &self.copy[..len];
        let parts = write::Parts::of(bytes)?;
        let meta = Meta::from_word(parts.meta);
        if !meta.is_record() {
            source.note(&Envelope::parse(bytes)?);
            return Ok(());
        }
        let level = Level::from_index(meta.level).ok_or(LineError::Malformed { offset: 16 })?;
        let Parts { binary: Some(binary), writer, .. } = &mut self.parts else { return Ok(()) };
        if writer.len() == 0 {
            binary.begin(writer.seq());
        }
        let (id, label, plans) = (meta.id, source.label.get(), &self.plans);
        #[cfg(test)]
        super::contain::provoke(id, plans);
        let site = || callsite::by_id(id).filter(|_| !plans.is_barred(id));
        let site = (OWN_KEYS + id as usize, || site().map(|callsite| callsite.site().to_bytes()));
        let len = binary.put(writer.room(), &parts, site, label)?;
        let record = (parts.ticks, meta);
        for side in &mut self.parts.sides {
            let envelope = Envelope::parse(bytes)?;
            if !side.put(&envelope, level, clock.utc_ns(envelope.ticks), label) {
                self.parts.shared.counters.add(Counter::SideDropped, 1);
            }
        }
        self.count_record(record, level, len);
        source.taken += 1;
        Ok(())
    }

    /// Copies a record of the engine's own; says how many bytes that took.
    pub(super) fn put_own(&mut self, record: &OwnRecord<'_>) -> Result<usize, LineError> {
        let Parts { binary: Some(binary), writer, .. } = &mut self.parts else { return Ok(0) };
        if writer.len() == 0 {
            binary.begin(writer.seq());
        }
        let site = (record.key, || Some(record.site.site().to_bytes()));
        let parts = write::Parts::of(&record.envelope)?;
        binary.put(writer.room(), &parts, site, OwnRecord::LABEL)
    }

    /// From here on, ticks are converted with these pieces.
    pub(super) fn set_clock(&mut self, pieces: [Piece; 2]) {
        if let Some(binary) = &mut self.parts.binary {
            binary.set_clock(pieces);
        }
    }
}

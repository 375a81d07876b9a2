//! From ring to segment: one record at a time, committed in batches. Runs on the collector.
//!
//! A batch never spans segments. It ends at the segment's end, when it has moved as many rings as a
//! commit slot names, when it holds an eighth of a ring, after a record of ERROR or above, and at
//! the end of a pass. Its end is: slot, then the rings' `released` words, then wake-ups.

use std::time::Duration;

#[cfg(test)]
use super::contain;
use super::damage;
use super::governor::Governor;
use super::plans::Plans;
use super::sealing::Sealing;
use super::side::Side;
use super::sources::Source;
use crate::arena::commit::{Commits, MOVED_MAX, Written};
use crate::arena::layout::SEGMENT_BYTES;
use crate::clock::{TickClock, TickSource};
use crate::envelope::decode::Envelope;
use crate::envelope::{Meta, RECORD_BYTES_MAX, flag};
use crate::flush::controller::Staging;
use crate::flush::signal::bit;
use crate::format::binary::write::Writer;
use crate::format::masking::Masking;
use crate::format::{Formatter, LineBuffer, LineError};
use crate::level::Level;
use crate::ring::{Peeked, Position};
use crate::segment::SegmentWriter;
use crate::shared::Shared;
use crate::stats::{Counter, DropReason};
use crate::template;

/// How long the collector sleeps when all segments are full, before it looks again.
const SEGMENT_WAIT: Duration = Duration::from_millis(20);

/// The longest line. Escaping makes at most six bytes of one (`\u0001`); the message is cut at one
/// record cap after escaping; the rest is punctuation, 24 bytes a field, and the standard keys.
const LINE_BYTES_MAX: usize = 6 * (RECORD_BYTES_MAX + template::TEXT_MAX)
    + RECORD_BYTES_MAX
    + template::FIELDS_MAX * 24
    + 512;
const _: () = assert!(LINE_BYTES_MAX <= SEGMENT_BYTES / 2);
const _: () = assert!(LINE_BYTES_MAX <= 16 * RECORD_BYTES_MAX);

/// What a batch is made of.
pub(super) struct Parts {
    pub(super) formatter: Formatter,
    /// Instead of lines, binary segments.
    pub(super) binary: Option<Writer>,
    pub(super) writer: SegmentWriter,
    pub(super) commits: Commits,
    pub(super) shared: Shared,
    pub(super) governor: Governor,
    pub(super) sides: Vec<Side>,
    pub(super) source: TickSource,
    /// Where files of the log change with segments.
    pub(super) sealing: Option<Sealing>,
    /// Where passwords in addresses are masked.
    pub(super) masking: Option<Masking>,
}

/// All that turns records into committed lines.
pub(super) struct Batch {
    pub(super) parts: Parts,
    pub(super) plans: Plans,
    pub(super) copy: Box<[u8; RECORD_BYTES_MAX]>,
    pub(super) written: Written,
    /// Rings that gave records to the present batch.
    touched: Vec<usize>,
    moved: Vec<(u32, Position)>,
    last_ticks: u64,
    late: u64,
    truncated: u64,
    own: u64,
    /// Dropped records of which gap records tell.
    told: u64,
    batches: u64,
    has_urgent: bool,
    /// Records that are counted as written.
    counted: u64,
    /// Whether a panic would be one over the record that comes next in the first ring.
    pub(super) is_record_in_hand: bool,
}

/// What became of a record.
pub(super) enum Taken {
    /// It is in the batch, which may go on.
    Kept,
    /// The batch ended behind it.
    Committed,
    /// It is not what was committed: its ring has lost something.
    Lost,
    /// The engine is to stop although no segment can be had.
    Abandoned,
}

impl Batch {
    pub(super) fn new(parts: Parts) -> Batch {
        Batch {
            parts,
            plans: Plans::default(),
            copy: Box::new([0; RECORD_BYTES_MAX]),
            written: Written::default(),
            touched: Vec::with_capacity(MOVED_MAX),
            moved: Vec::with_capacity(MOVED_MAX),
            last_ticks: 0,
            late: 0,
            truncated: 0,
            own: 0,
            told: 0,
            batches: 0,
            has_urgent: false,
            counted: 0,
            is_record_in_hand: false,
        }
    }

    /// Takes the peeked record of a source into the batch.
    pub(super) fn take(
        &mut self,
        sources: &mut [Source],
        ring: usize,
        peeked: Peeked,
        clock: &TickClock,
    ) -> Taken {
        if let Err(error) = self.write_any(&mut sources[ring], peeked, clock) {
            match self.write_again(error, sources, ring, peeked, clock) {
                Taken::Kept | Taken::Committed => {}
                other => return other,
            }
        }
        let source = &mut sources[ring];
        self.touch(source, ring);
        source.consumer.advance(peeked);
        // Held times its inverse is at least the ring: a division takes as long as four fields.
        let part = self.parts.governor.decision().batch_part;
        let holds_part = source.consumer.held() * part >= source.consumer.capacity();
        if self.has_urgent || holds_part || self.touched.len() == MOVED_MAX {
            self.end(sources);
            return Taken::Committed;
        }
        Taken::Kept
    }

    /// The batch takes a record of this ring.
    #[inline(always)]
    pub(super) fn touch(&mut self, source: &Source, ring: usize) {
        if source.consumer.held() == 0 {
            self.touched.push(ring);
        }
    }

    /// Goes on after a record that was not written: in a new segment, or without it.
    #[cold]
    #[inline(never)]
    fn write_again(
        &mut self,
        mut error: LineError,
        sources: &mut [Source],
        ring: usize,
        peeked: Peeked,
        clock: &TickClock,
    ) -> Taken {
        while error == LineError::Full && self.parts.writer.len() > 0 {
            self.end(sources);
            if !self.next_segment(sources) {
                return Taken::Abandoned;
            }
            match self.write_any(&mut sources[ring], peeked, clock) {
                Ok(()) => return Taken::Kept,
                Err(again) => error = again,
            }
        }
        if !sources[ring].is_sound() {
            return Taken::Lost;
        }
        // A whole segment holds any line, see LINE_BYTES_MAX.
        let level = damage::level_of(&self.copy[..]);
        let is_barred = damage::meta_of(&self.copy[..]).is_some_and(|m| self.plans.is_barred(m.id));
        let reason = if is_barred { DropReason::Panicked } else { DropReason::Damaged };
        self.parts.shared.counters.drop_record(reason, level);
        sources[ring].taken += 1;
        Taken::Kept
    }

    /// Writes one record, or takes note of a control envelope.
    #[inline(always)]
    fn write_any(
        &mut self,
        source: &mut Source,
        peeked: Peeked,
        clock: &TickClock,
    ) -> Result<(), LineError> {
        if self.parts.binary.is_some() {
            self.write_binary(source, peeked, clock)
        } else {
            self.write(source, peeked, clock)
        }
    }

    /// Formats one record, or takes note of a control envelope.
    #[inline(always)]
    fn write(
        &mut self,
        source: &mut Source,
        peeked: Peeked,
        clock: &TickClock,
    ) -> Result<(), LineError> {
        let len = source.copy(peeked, &mut self.copy[..])?.len();
        if let Some(masking) = &mut self.parts.masking {
            masking.mask_copy(&mut self.copy[..], len);
        }
        let envelope = Envelope::parse(&self.copy[..len])?;
        if !envelope.meta.is_record() {
            source.note(&envelope);
            return Ok(());
        }
        let level = envelope.level()?;
        #[cfg(test)]
        contain::provoke(envelope.meta.id, &self.plans);
        let plan = self
            .plans
            .of(&self.parts.formatter, envelope.meta.id)
            .ok_or(LineError::Malformed { offset: 16 })?;
        let mut line = LineBuffer::new(self.parts.writer.room());
        let utc_ns = clock.utc_ns(envelope.ticks);
        let label = source.label.get();
        self.parts.formatter.line(&mut line, plan, &envelope, utc_ns, label)?;
        let len = line.len();
        for side in &mut self.parts.sides {
            if !side.put(&envelope, level, utc_ns, label) {
                self.parts.shared.counters.add(Counter::SideDropped, 1);
            }
        }
        let record = (envelope.ticks, envelope.meta);
        self.count_record(record, level, len);
        source.taken += 1;
        Ok(())
    }

    /// The record has `len` bytes of the segment.
    #[inline(always)]
    pub(super) fn count_record(&mut self, (ticks, meta): (u64, Meta), level: Level, len: usize) {
        self.parts.writer.advance(len);
        self.written.bytes += len as u64;
        self.written.records += 1;
        self.late += u64::from(ticks < self.last_ticks);
        self.last_ticks = self.last_ticks.max(ticks);
        self.truncated += u64::from(meta.flags & flag::TRUNCATED != 0);
        self.has_urgent |= level.is_urgent();
    }

    /// A record of the engine's own has `len` bytes of the segment, and tells of so many dropped
    /// ones.
    pub(super) fn count_own(&mut self, len: usize, told: u64) {
        self.parts.writer.advance_own(len);
        self.told += told;
        self.written.bytes += len as u64;
        self.own += 1;
    }

    /// The counter was set back, if it was beyond `latest`: what follows is not late for that.
    pub(super) fn forget_ticks_after(&mut self, latest: u64) {
        if self.last_ticks > latest {
            self.last_ticks = 0;
        }
    }

    /// Nothing comes any more.
    pub(super) fn stop_sides(&self, bits: u32) {
        self.parts.sides.iter().for_each(|side| side.stop(bits));
    }

    /// Lets the controller see how things are, if it is time to.
    pub(super) fn govern(&mut self, sources: &[Source]) {
        let Written { records, bytes, .. } = self.written;
        if self.parts.governor.look(sources, records, bytes)
            && self.parts.governor.decision().staging == Staging::Trim
        {
            self.parts.writer.trim();
        }
    }

    /// Commits the batch: slot first, then the rings' room, then whoever waits for either.
    pub(super) fn end(&mut self, sources: &mut [Source]) {
        let len = self.parts.writer.len() as u64;
        if self.touched.is_empty() && len == self.written.len {
            return;
        }
        let is_record_in_hand = std::mem::take(&mut self.is_record_in_hand);
        (self.written.segment, self.written.len) = (self.parts.writer.seq(), len);
        self.moved.clear();
        for ring in &self.touched {
            let source = &mut sources[*ring];
            source.tell_owner();
            // What lies in anonymous memory is not recovered.
            self.moved.extend(source.number.map(|number| (number, source.consumer.head())));
        }
        self.parts.commits.write(self.written, self.told, &self.moved);
        for ring in &self.touched {
            sources[*ring].consumer.release();
        }
        self.count();
        self.parts.shared.progress.set_written(self.written.bytes);
        self.parts.shared.progress.released();
        for ring in self.touched.drain(..) {
            sources[ring].wake_owner();
        }
        let urgency = if self.has_urgent { bit::URGENT } else { 0 };
        self.parts.shared.publisher.raise(bit::WORK | urgency);
        self.parts.sides.iter_mut().for_each(Side::wake);
        self.has_urgent = false;
        self.is_record_in_hand = is_record_in_hand;
    }

    fn count(&mut self) {
        self.batches += 1;
        // Added: the publisher takes back what it finds to be lost.
        let records = self.written.records;
        self.parts.shared.counters.add(Counter::Written, records - self.counted);
        self.counted = records;
        let counts = [
            (Counter::WrittenBytes, self.written.bytes),
            (Counter::OwnRecords, self.own),
            (Counter::Late, self.late),
            (Counter::Truncated, self.truncated),
            (Counter::Batches, self.batches),
        ];
        counts
            .into_iter()
            .for_each(|(counter, count)| self.parts.shared.counters.set(counter, count));
    }

    /// Goes on in a new segment, after a wait while none is free; false when the engine is to be
    /// abandoned.
    pub(super) fn next_segment(&mut self, sources: &[Source]) -> bool {
        let is_record_in_hand = std::mem::take(&mut self.is_record_in_hand);
        while !self.parts.writer.roll(self.written.records) {
            self.govern(sources);
            // Callers go on, and want to know the time.
            self.parts.source.publish(self.parts.source.now());
            self.parts.shared.publisher.raise(bit::SEGMENT);
            if self.parts.shared.collector.is_raised(bit::ABANDON) {
                return false;
            }
            self.parts.shared.collector.sleep(bit::SEGMENT | bit::ABANDON, SEGMENT_WAIT);
            self.parts.shared.collector.lower(bit::SEGMENT);
        }
        // The first slot that names the new segment may take a while; the seal is there already.
        self.written.len = 0;
        if let Some(sealing) = &mut self.parts.sealing {
            sealing.restart();
        }
        self.parts.shared.publisher.raise(bit::SEGMENT);
        self.is_record_in_hand = is_record_in_hand;
        true
    }
}

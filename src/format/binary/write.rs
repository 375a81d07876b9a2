//! Writes records into segments. Runs on the collector: no I/O; allocates when a callsite, or a
//! shape of its records, comes for the first time, and then no more.

use super::shapes::Known;
use super::{
    BEGIN_BYTES, GRANULE, GRANULES_MAX, Header, Kind, MAGIC, NAMELESS, THREADS, VERSION,
    clock_words,
};
use crate::clock::Piece;
use crate::envelope::decode::Malformed;
use crate::envelope::{HEADER_GRANULES, META, Meta, TICKS, control};
use crate::format::line::copy_short;
use crate::format::{Details, LineBuffer, LineError, ThreadLabel};

/// Fields whose tags are one granule.
const NARROW_FIELDS_MAX: u8 = 8;

/// What a begin block says of the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) details: Details,
    /// Where a rendered message is cut, as in the lines that records are decoded to.
    pub(crate) message_max: usize,
    pub(crate) pid: u32,
    /// The arena's id.
    pub(crate) engine: u64,
}

/// The collector's pen for binary segments.
#[derive(Debug)]
pub(crate) struct Writer {
    origin: Origin,
    pieces: [Piece; 2],
    /// The segment's number in the engine's life.
    segment: u64,
    /// Counts begin blocks: what was written under an earlier one does not stand in this segment.
    epoch: u32,
    /// Whether a record needs no block before it but its own shape, thread and time.
    is_ready: bool,
    is_begun: bool,
    /// Of the last record.
    ticks: u64,
    sites: u32,
    shapes: u32,
    /// The slot of the last record's thread.
    thread: Option<usize>,
    threads: Box<[Thread]>,
    /// By key: the shape of a callsite's last record.
    last: Vec<Last>,
    known: Vec<Option<Box<Known>>>,
}

/// A shape that has no more than one granule of tags.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    tags: u64,
    /// The upper half of the meta word.
    meta: u32,
    epoch: u32,
    number: u16,
}

/// The thread that a slot stands for.
#[derive(Clone, Copy, Debug)]
struct Thread {
    id: u64,
    epoch: u32,
    name: [u8; control::NAME_BYTES_MAX],
    name_len: Option<usize>,
}

impl Thread {
    const NOBODY: Thread =
        Thread { id: 0, epoch: 0, name: [0; control::NAME_BYTES_MAX], name_len: None };

    fn name(&self) -> Option<&[u8]> {
        self.name_len.map(|len| &self.name[..len])
    }
}

/// An envelope taken apart as far as writing needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) ticks: u64,
    /// The meta word.
    pub(crate) meta: u64,
    tags: &'a [u8],
    values: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes the bytes of one envelope, commit word included.
    #[inline(always)]
    pub(crate) fn of(envelope: &'a [u8]) -> Result<Parts<'a>, Malformed> {
        let word = |granule: usize| {
            let bytes = envelope.get(granule * GRANULE..).and_then(|rest| rest.first_chunk());
            bytes.map(|bytes| u64::from_le_bytes(*bytes)).ok_or(Malformed { offset: 0 })
        };
        let (ticks, meta) = (word(TICKS)?, word(META)?);
        let start = HEADER_GRANULES * GRANULE;
        let tags_end = start + usize::from(Meta::from_word(meta).fields).div_ceil(8) * GRANULE;
        let tags = envelope.get(start..tags_end).ok_or(Malformed { offset: start })?;
        Ok(Parts { ticks, meta, tags, values: &envelope[tags_end..] })
    }
}

impl Writer {
    /// A pen that has written nothing yet; times are those of `pieces` until others are
    /// [set](Writer::set_clock).
    pub(crate) fn new(origin: Origin, pieces: [Piece; 2]) -> Writer {
        Writer {
            origin,
            pieces,
            segment: 0,
            epoch: 0,
            is_ready: false,
            is_begun: false,
            ticks: 0,
            sites: 0,
            shapes: 0,
            thread: None,
            threads: vec![Thread::NOBODY; THREADS].into(),
            last: Vec::new(),
            known: Vec::new(),
        }
    }

    /// The next record is the first of a segment.
    pub(crate) fn begin(&mut self, segment: u64) {
        self.segment = segment;
        (self.is_begun, self.is_ready) = (false, false);
    }

    /// A callsite's place is nobody's again: its next record asks for it anew.
    pub(crate) fn forget(&mut self, key: usize) {
        if let Some(known) = self.known.get_mut(key) {
            (*known, self.last[key]) = (None, Last::default());
        }
    }

    /// From the next record on, ticks are converted with these pieces.
    pub(crate) fn set_clock(&mut self, pieces: [Piece; 2]) {
        if pieces != self.pieces {
            self.pieces = pieces;
            self.is_ready = false;
        }
    }

    /// Writes a record, and before it what a reader needs to know; says how many bytes that took.
    /// `key` is the callsite's place in the tables, `site` its entry.
    ///
    /// # Errors
    ///
    /// [`LineError::Full`] when not all of it fits: nothing is written then, and the segment is to
    /// be ended. [`LineError::Malformed`] when the callsite is nobody's.
    #[inline]
    pub(crate) fn put(
        &mut self,
        out: &mut [u8],
        parts: &Parts<'_>,
        (key, site): (usize, impl FnOnce() -> Option<Vec<u8>>),
        thread: ThreadLabel<'_>,
    ) -> Result<usize, LineError> {
        let delta = parts.ticks.wrapping_sub(self.ticks);
        // Of a wide shape this is never asked: none is ever the last.
        let tags = parts.tags.first_chunk().map_or(0, |tags| u64::from_le_bytes(*tags));
        if let (Some(last), Ok(delta)) = (self.last.get(key), u32::try_from(delta)) {
            let is_known = last.epoch == self.epoch
                && last.tags == tags
                && last.meta == (parts.meta >> 32) as u32;
            if is_known && self.is_ready && self.is_same_thread(thread) {
                let Some(len) = put_record(out, delta, last.number, parts.values) else {
                    return Err(self.full());
                };
                self.ticks = parts.ticks;
                return Ok(len);
            }
        }
        self.put_slowly(out, parts, (key, site), thread)
    }

    #[inline(always)]
    fn is_same_thread(&self, thread: ThreadLabel<'_>) -> bool {
        !self.origin.details.thread || self.is_last_thread(thread)
    }

    fn is_last_thread(&self, thread: ThreadLabel<'_>) -> bool {
        let last = self.thread.map(|slot| &self.threads[slot]);
        last.is_some_and(|last| last.id == thread.id && last.name() == thread.name)
    }

    #[inline(never)]
    fn put_slowly(
        &mut self,
        out: &mut [u8],
        parts: &Parts<'_>,
        (key, site): (usize, impl FnOnce() -> Option<Vec<u8>>),
        thread: ThreadLabel<'_>,
    ) -> Result<usize, LineError> {
        if self.known.get(key).is_none_or(Option::is_none) {
            // The offset of the id in the envelope.
            let site = site().filter(|site| site.len() <= GRANULES_MAX * GRANULE);
            let site = site.ok_or(LineError::Malformed { offset: META * GRANULE })?;
            self.know(key, site);
        }
        let out = &mut LineBuffer::new(out);
        if !self.is_begun {
            self.put_begin(out, parts.ticks);
        } else if !self.is_ready {
            put_block(out, Kind::Clock, (0, 0), CLOCK_BYTES, |out| {
                clock_words(&self.pieces).for_each(|word| out.put(&word.to_le_bytes()));
            });
        }
        self.is_ready = true;
        if !self.is_same_thread(thread) {
            self.put_thread(out, thread);
        }
        let Some(shape) = self.shape(out, key, parts) else { return Err(self.full()) };
        let delta = parts.ticks.wrapping_sub(self.ticks);
        let delta = u32::try_from(delta).unwrap_or_else(|_| {
            let ticks = parts.ticks.to_le_bytes();
            put_block(out, Kind::Time, (0, 0), GRANULE, |out| out.put(&ticks));
            0
        });
        put_block(out, Kind::Record, (delta, shape), parts.values.len(), |out| {
            out.put(parts.values);
        });
        if out.is_full() {
            return Err(self.full());
        }
        self.ticks = parts.ticks;
        Ok(out.len())
    }

    /// Nothing of what was just written counts: the segment ends before it.
    #[cold]
    fn full(&mut self) -> LineError {
        self.begin(self.segment);
        LineError::Full
    }

    /// Makes places for a callsite.
    #[cold]
    fn know(&mut self, key: usize, site: Vec<u8>) {
        if self.known.len() <= key {
            self.known.resize_with(key + 1, || None);
            self.last.resize(key + 1, Last::default());
        }
        self.known[key] = Some(Box::new(Known::new(site)));
    }

    fn put_begin(&mut self, out: &mut LineBuffer<'_>, ticks: u64) {
        let start = out.len();
        out.put(&MAGIC);
        out.put(&VERSION.to_le_bytes());
        out.put(&(self.origin.details.bits() as u16).to_le_bytes());
        out.put(&(self.origin.message_max as u32).to_le_bytes());
        out.put(&self.origin.pid.to_le_bytes());
        out.put(&[0; 4]);
        out.put(&self.segment.to_le_bytes());
        out.put(&self.origin.engine.to_le_bytes());
        out.put(&ticks.to_le_bytes());
        clock_words(&self.pieces).for_each(|word| out.put(&word.to_le_bytes()));
        debug_assert!(out.is_full() || out.len() - start == BEGIN_BYTES);
        // 0 is nobody's epoch.
        self.epoch = self.epoch.wrapping_add(1).max(1);
        (self.is_begun, self.ticks, self.thread) = (true, ticks, None);
        (self.sites, self.shapes) = (0, 0);
    }

    fn put_thread(&mut self, out: &mut LineBuffer<'_>, thread: ThreadLabel<'_>) {
        let slot = thread.id as usize % THREADS;
        let known = &mut self.threads[slot];
        let name = thread.name.map(|name| &name[..name.len().min(control::NAME_BYTES_MAX)]);
        self.thread = Some(slot);
        let is_known = known.epoch == self.epoch && known.id == thread.id;
        if is_known && known.name() == name {
            return put_block(out, Kind::Thread, (0, slot as u16), 0, |_| {});
        }
        (known.id, known.epoch, known.name_len) = (thread.id, self.epoch, name.map(<[u8]>::len));
        let name = name.unwrap_or_default();
        known.name[..name.len()].copy_from_slice(name);
        let len = known.name_len.map_or(NAMELESS, |len| len as u32);
        put_block(out, Kind::Thread, (len, slot as u16), GRANULE + name.len(), |out| {
            out.put(&thread.id.to_le_bytes());
            out.put(name);
        });
    }

    /// The number of a record's shape, which is written if this segment does not have it; none
    /// when all numbers are taken.
    fn shape(&mut self, out: &mut LineBuffer<'_>, key: usize, parts: &Parts<'_>) -> Option<u16> {
        let epoch = self.epoch;
        let known = self.known[key].as_deref_mut()?;
        if known.epoch != epoch {
            u16::try_from(self.sites).ok()?;
            (known.epoch, known.number) = (epoch, self.sites);
            self.sites += 1;
            put_site(out, known);
        }
        let site = known.number;
        let shape = known.shape_of((parts.meta >> 32) as u32, parts.tags);
        if shape.epoch != epoch {
            (shape.epoch, shape.number) = (epoch, u16::try_from(self.shapes).ok()?);
            self.shapes += 1;
            let (meta, tags) = (u64::from(shape.meta).to_le_bytes(), &shape.tags);
            put_block(out, Kind::Shape, (site, shape.number), GRANULE + tags.len(), |out| {
                out.put(&meta);
                out.put(tags);
            });
        }
        let (meta, number) = (shape.meta, shape.number);
        if Meta::from_word(parts.meta).fields <= NARROW_FIELDS_MAX {
            let tags = parts.tags.first_chunk().map_or(0, |tags| u64::from_le_bytes(*tags));
            self.last[key] = Last { tags, meta, epoch, number };
        }
        Some(number)
    }
}

const CLOCK_BYTES: usize = super::CLOCK_GRANULES * GRANULE;

/// Appends a block with so many bytes behind its header, which `put` writes.
fn put_block(
    out: &mut LineBuffer<'_>,
    kind: Kind,
    (low, number): (u32, u16),
    len: usize,
    put: impl FnOnce(&mut LineBuffer<'_>),
) {
    let granules = len.div_ceil(GRANULE);
    out.put(&Header { kind, low, number, granules }.to_bytes());
    put(out);
    out.put(&[0; GRANULE][..granules * GRANULE - len]);
}

fn put_site(out: &mut LineBuffer<'_>, known: &Known) {
    let len = known.site.len();
    put_block(out, Kind::Site, (len as u32, known.number as u16), len, |out| out.put(&known.site));
}

/// A record's block; says how long it is, or nothing where it does not fit.
#[inline(always)]
fn put_record(out: &mut [u8], delta: u32, shape: u16, values: &[u8]) -> Option<usize> {
    let granules = values.len() / GRANULE;
    let (head, rest) = out.split_first_chunk_mut::<GRANULE>()?;
    let rest = rest.get_mut(..values.len())?;
    *head = Header { kind: Kind::Record, low: delta, number: shape, granules }.to_bytes();
    copy_short(rest, values);
    Some(GRANULE + values.len())
}

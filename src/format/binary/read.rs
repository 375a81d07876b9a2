//! Reads binary segments back. Runs in the command line and in tests, over bytes that may be
//! anything: gives a line or an error for each block, never panics, and keeps no more than the
//! dictionary of one segment, each entry of which stood in the bytes.
//!
//! A record's line is made by the [`Formatter`] that would have made it on the collector, from the
//! same envelope, plan and time: hence the same bytes.

use std::ops::Range;

use super::damage::Damage;
use super::{
    BEGIN_BYTES, CLOCK_AT, CLOCK_GRANULES, DETAILS_AT, GRANULE, Kind, MAGIC, MESSAGE_MAX_AT,
    NAMELESS, SEGMENT_AT, THREADS, TICKS_AT, VERSION, VERSION_AT,
};
use crate::clock::{self, Piece};
use crate::envelope::decode::Envelope;
use crate::envelope::site::SiteRef;
use crate::envelope::{META, Meta, RECORD_BYTES_MAX, control, flag};
use crate::format::{Colour, Details, Format, Formatter, LineBuffer, LineError, Plan, ThreadLabel};
use crate::level::Level;

/// A record in a block.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    ticks: u64,
    shape: usize,
    /// Its values, from the block's first byte.
    values: Range<usize>,
}

/// A block that was read.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Its bytes.
    pub(crate) len: usize,
    /// None: it only says what is needed to read others.
    pub(crate) record: Option<Record>,
}

/// What records of a callsite have in common besides it.
#[derive(Debug)]
struct Shape {
    plan: usize,
    meta: Meta,
    tags: Box<[u8]>,
}

#[derive(Debug)]
struct Thread {
    id: u64,
    name: Option<Box<[u8]>>,
}

/// Reads block by block; knows what the present segment has said so far.
#[derive(Debug)]
pub(crate) struct Decoder {
    formatter: Formatter,
    /// Whether a segment has begun.
    is_begun: bool,
    details: Details,
    message_max: usize,
    pieces: [Piece; 2],
    ticks: u64,
    plans: Vec<Plan>,
    shapes: Vec<Shape>,
    threads: Vec<Option<Thread>>,
    thread: Option<usize>,
}

impl Decoder {
    /// One that waits for a segment's begin.
    pub(crate) fn new() -> Decoder {
        let piece = Piece { base_ticks: 0, base_utc_ns: 0, mult: 0, shift: 0 };
        Decoder {
            formatter: formatter(Details::default(), 0),
            is_begun: false,
            details: Details::default(),
            message_max: 0,
            pieces: [piece; 2],
            ticks: 0,
            plans: Vec::new(),
            shapes: Vec::new(),
            threads: Vec::new(),
            thread: None,
        }
    }

    /// Forgets the segment; the next block must be a begin.
    pub(crate) fn reset(&mut self) {
        self.is_begun = false;
    }

    /// Reads the block at the start of `bytes`, which has one byte at least.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Nothing of it is known then.
    #[inline]
    pub(crate) fn block(&mut self, bytes: &[u8]) -> Result<Block, Damage> {
        let Some(first) = bytes.first_chunk::<GRANULE>() else {
            return Err(Damage::Cut { needed: GRANULE });
        };
        if *first == MAGIC {
            self.begin(bytes)?;
            return Ok(Block { len: BEGIN_BYTES, record: None });
        }
        if !self.is_begun {
            return Err(Damage::NoSegment);
        }
        let header = u64::from_le_bytes(*first);
        let (low, number) = (header as u32, (header >> 32) as u16);
        let kind = (header >> 60) as u8;
        let kind = Kind::from_number(kind).ok_or(Damage::Kind(kind))?;
        let len = GRANULE + (header >> 48 & 0xfff) as usize * GRANULE;
        let content = bytes.get(GRANULE..len).ok_or(Damage::Cut { needed: len })?;
        let record = match kind {
            Kind::Record => {
                let shape = usize::from(number);
                if shape >= self.shapes.len() {
                    return Err(Damage::UnknownShape(number));
                }
                self.ticks = self.ticks.wrapping_add(u64::from(low));
                Some(Record { ticks: self.ticks, shape, values: GRANULE..len })
            }
            kind => {
                self.tell(kind, (low, number), content)?;
                None
            }
        };
        Ok(Block { len, record })
    }

    /// Appends the line of a record that [`block`](Decoder::block) has just read from `bytes`.
    ///
    /// # Errors
    ///
    /// Its values are damaged, or the line does not fit.
    #[inline]
    pub(crate) fn line(
        &mut self,
        bytes: &[u8],
        record: &Record,
        out: &mut LineBuffer<'_>,
    ) -> Result<(), Damage> {
        let shape = self.shapes.get(record.shape).ok_or(Damage::Values)?;
        let plan = self.plans.get(shape.plan).ok_or(Damage::Values)?;
        let values = bytes.get(record.values.clone()).ok_or(Damage::Values)?;
        let envelope = Envelope::from_parts(record.ticks, shape.meta, &shape.tags, values);
        let thread = self.thread.and_then(|slot| self.threads.get(slot)?.as_ref());
        let label = ThreadLabel {
            id: thread.map_or(0, |thread| thread.id),
            name: thread.and_then(|thread| thread.name.as_deref()),
        };
        let utc_ns = clock::utc_ns(&self.pieces, record.ticks);
        match self.formatter.line(out, plan, &envelope, utc_ns, label) {
            Ok(()) => Ok(()),
            Err(LineError::Full) => Err(Damage::TooLong),
            Err(LineError::Malformed { .. }) => Err(Damage::Values),
        }
    }

    /// A segment begins.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        let Some(block) = bytes.first_chunk::<BEGIN_BYTES>() else {
            // What version it has may be known already.
            return match bytes.get(VERSION_AT..VERSION_AT + 2) {
                Some(version) if version != VERSION.to_le_bytes() => {
                    Err(Damage::Version(u16::from_le_bytes([version[0], version[1]])))
                }
                _ => Err(Damage::Cut { needed: BEGIN_BYTES }),
            };
        };
        let version = u16::from_le_bytes([block[VERSION_AT], block[VERSION_AT + 1]]);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let details = u16::from_le_bytes([block[DETAILS_AT], block[DETAILS_AT + 1]]);
        let details = Details::from_bits(details.into()).ok_or(Damage::Begin)?;
        // With the pid behind it; only its low half counts.
        let message_max = word(block, MESSAGE_MAX_AT) as u32 as usize;
        if message_max > RECORD_BYTES_MAX || word(block, SEGMENT_AT) == 0 {
            return Err(Damage::Begin);
        }
        if (details, message_max) != (self.details, self.message_max) {
            (self.details, self.message_max) = (details, message_max);
            self.formatter = formatter(details, message_max);
        }
        self.plans.clear();
        self.shapes.clear();
        self.threads.clear();
        self.thread = None;
        self.ticks = word(block, TICKS_AT);
        self.pieces = pieces(&block[CLOCK_AT..]);
        self.is_begun = true;
        Ok(())
    }

    /// A block that is needed to read others.
    #[inline(never)]
    fn tell(&mut self, kind: Kind, low: (u32, u16), content: &[u8]) -> Result<(), Damage> {
        match kind {
            Kind::Site => self.site(low, content),
            Kind::Shape => self.shape(low, content),
            Kind::Thread => self.thread(low, content),
            Kind::Time if content.len() == GRANULE => {
                self.ticks = word(content, 0);
                Ok(())
            }
            Kind::Clock if content.len() == CLOCK_GRANULES * GRANULE => {
                self.pieces = pieces(content);
                Ok(())
            }
            Kind::Time => Err(Damage::Header("a time")),
            Kind::Clock | Kind::Record => Err(Damage::Header("a clock")),
        }
    }

    fn site(&mut self, (len, number): (u32, u16), content: &[u8]) -> Result<(), Damage> {
        if usize::from(number) != self.plans.len() {
            return Err(Damage::Header("a callsite"));
        }
        let entry = padded(content, len).ok_or(Damage::Header("a callsite"))?;
        let site = SiteRef::parse(entry).ok_or(Damage::Site)?;
        if site.len() != entry.len() {
            return Err(Damage::Site);
        }
        let plan = site.with(|site| self.formatter.plan(site));
        self.plans.push(plan);
        Ok(())
    }

    fn shape(&mut self, (site, number): (u32, u16), content: &[u8]) -> Result<(), Damage> {
        if usize::from(number) != self.shapes.len() || content.is_empty() {
            return Err(Damage::Header("a shape"));
        }
        let (meta, tags) = content.split_at(GRANULE);
        let meta = Meta::from_word(word(meta, 0) << 32);
        let plan = site as usize;
        let fields = usize::from(meta.fields);
        let is_of_site = self.plans.get(plan).is_some_and(|plan| plan.fields() == fields);
        let flags = flag::TRUNCATED | flag::BOUND;
        if !is_of_site
            || tags.len() != fields.div_ceil(8) * GRANULE
            || Level::from_index(meta.level).is_none()
            || meta.flags & !flags != 0
        {
            return Err(Damage::Shape);
        }
        self.shapes.push(Shape { plan, meta, tags: tags[..fields].into() });
        Ok(())
    }

    fn thread(&mut self, (len, number): (u32, u16), content: &[u8]) -> Result<(), Damage> {
        let slot = usize::from(number);
        if slot >= THREADS {
            return Err(Damage::Header("a thread"));
        }
        self.thread = Some(slot);
        if content.is_empty() {
            let is_known = self.threads.get(slot).is_some_and(Option::is_some);
            return if is_known { Ok(()) } else { Err(Damage::UnknownThread(number)) };
        }
        let (id, name) = content.split_at(GRANULE);
        let is_nameless = len == NAMELESS && name.is_empty();
        let name = if is_nameless { None } else { Some(padded(name, len)) };
        let name = match name {
            Some(Some(name)) if name.len() <= control::NAME_BYTES_MAX => Some(name.into()),
            None => None,
            _ => return Err(Damage::Header("a thread")),
        };
        if self.threads.len() <= slot {
            self.threads.resize_with(slot + 1, || None);
        }
        self.threads[slot] = Some(Thread { id: word(id, 0), name });
        Ok(())
    }
}

// The upper half of a meta word alone makes a shape: the id is the callsite's.
const _: () = assert!(META == 2);

fn formatter(details: Details, message_max: usize) -> Formatter {
    Formatter::new(Format::Json, Colour::Off, details, message_max)
}

/// The first `len` of bytes that were padded to granules.
fn padded(content: &[u8], len: u32) -> Option<&[u8]> {
    let len = len as usize;
    (len.div_ceil(GRANULE) * GRANULE == content.len()).then(|| &content[..len])
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

fn pieces(bytes: &[u8]) -> [Piece; 2] {
    [0, 4].map(|first| {
        Piece::of_words([0, 1, 2, 3].map(|index| word(bytes, (first + index) * GRANULE)))
    })
}

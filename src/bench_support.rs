//! What the benches and the fuzz targets need of the inside, one stage of the journey each. Behind
//! the feature `bench-internals`: no part of the public interface, it may change at any time.
#![allow(unsafe_code)] // Drives ring and encoder as `emit` does.

use std::sync::Arc;

use crate::envelope::decode::Envelope;
use crate::envelope::encode;
use crate::envelope::site::{Site, SiteRef};
use crate::format::{Colour, Details, Format, Formatter, LineBuffer, Plan, ThreadLabel, number};
use crate::level::Level;
use crate::ring::{Consumer, Mapped, Producer, RING_HEADER_BYTES, Ring};
use crate::sys::mmap::Region;
use crate::value::{EncodedFields, Fields, Scratch};

const LONGEST_GRANULES: usize = 2048;
const MESSAGE_MAX: usize = 16 * 1024;
const THREAD: ThreadLabel<'static> = ThreadLabel { id: 12, name: Some(b"main") };

/// The clock read of a call.
#[inline(always)]
pub fn ticks() -> u64 {
    crate::sys::clock::ticks_tsc()
}

/// Both ends of a ring of `capacity` granules in anonymous memory.
///
/// # Panics
///
/// When there is no memory, or `capacity` is no power of two above 2048.
pub fn ring(capacity: usize) -> (RingWriter, RingReader) {
    let bytes = RING_HEADER_BYTES + (capacity + LONGEST_GRANULES) * 8;
    let region = Arc::new(Region::anonymous(bytes).expect("anonymous memory"));
    let ring = Arc::new(Ring::new(Mapped::new(region), capacity, LONGEST_GRANULES));
    let producer = Producer::take(&ring).expect("nobody else has it");
    (RingWriter { producer }, RingReader { consumer: Consumer::new(ring), granules: capacity })
}

/// A ring's producing end.
pub struct RingWriter {
    producer: Producer<Mapped>,
}

impl RingWriter {
    /// Claims, fills and commits a record; false when the ring is full.
    #[inline]
    pub fn emit<const GRANULES: usize>(&mut self, value: u64) -> bool {
        let ring = self.producer.ring();
        // SAFETY: the producer is this one's own; the claim is filled and committed at once.
        unsafe {
            let Some(claim) = ring.claim(GRANULES) else { return self.look() };
            let out = ring.memory().granule(claim.index);
            out.add(1).write(value);
            for granule in 2..GRANULES {
                out.add(granule).write(value);
            }
            ring.commit(claim);
        }
        true
    }

    #[cold]
    fn look(&mut self) -> bool {
        let ring = self.producer.ring();
        // SAFETY: as above; what is free stays free for this producer.
        unsafe { ring.set_soft_limit(ring.free()) };
        false
    }
}

/// A ring's consuming end.
pub struct RingReader {
    consumer: Consumer<Mapped>,
    granules: usize,
}

impl RingReader {
    /// Reads the second granule of the next record, and releases in steps of an eighth of the
    /// ring.
    #[inline]
    pub fn read(&mut self) -> Option<u64> {
        let Some(peeked) = self.consumer.peek() else {
            self.consumer.release();
            return None;
        };
        let value = self.consumer.ring().granule_of(peeked, 1);
        self.consumer.advance(peeked);
        if self.consumer.held() > self.granules / 8 {
            self.consumer.release();
        }
        Some(value)
    }
}

/// Encodes an envelope into `out`, as a call does, and says how many granules it has.
///
/// # Panics
///
/// When `out` is shorter than the envelope.
#[inline(always)]
pub fn encode<F: Fields>(out: &mut [u64], ticks: u64, fields: &F) -> usize {
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let granules = encode::granules(&encoded);
    assert!(granules <= out.len(), "{granules} granules need room");
    let meta = encode::meta::<F::Encoded<'_>>(7, Level::Info as u8, 0);
    // SAFETY: there is room, as was just asserted.
    unsafe { encode::put(out.as_mut_ptr(), ticks, meta, &encoded) };
    granules
}

/// The bytes of an envelope with these fields.
pub fn envelope<F: Fields>(fields: &F) -> Vec<u8> {
    let scratch = Scratch::new();
    envelope_of(&fields.encode(&scratch), 0)
}

fn envelope_of<E: EncodedFields>(encoded: &E, flags: u16) -> Vec<u8> {
    encode::to_bytes(1, encode::meta::<E>(7, Level::Info as u8, flags), encoded)
}

/// Formats the records of one callsite.
pub struct Lines {
    formatter: Formatter,
    plan: Plan,
}

impl Lines {
    /// The callsite's lines in this format.
    pub fn new(format: Format, template: &str, names: &[&str]) -> Lines {
        let formatter = formatter(format);
        let plan = formatter.plan(&site(template, names));
        Lines { formatter, plan }
    }

    /// Writes an envelope's line to `out` and says how long it is; 0 if there is none.
    #[inline]
    pub fn line(&mut self, envelope: &[u8], utc_ns: i64, out: &mut [u8]) -> usize {
        let Ok(envelope) = Envelope::parse(envelope) else { return 0 };
        let mut out = LineBuffer::new(out);
        match self.formatter.line(&mut out, &self.plan, &envelope, utc_ns, THREAD) {
            Ok(()) => out.len(),
            Err(_) => 0,
        }
    }
}

fn formatter(format: Format) -> Formatter {
    Formatter::new(format, Colour::Off, Details::default(), MESSAGE_MAX)
}

fn site<'a>(template: &'a str, names: &'a [&'a str]) -> Site<'a> {
    Site { id: 7, level: Level::Info, target: "app", template, file: "src/a.rs", line: 9, names }
}

/// Writes an integer as a line has it, and says how many digits it took.
#[inline]
pub fn integer(value: u64, out: &mut [u8]) -> usize {
    let mut out = LineBuffer::new(out);
    number::put_integer(&mut out, value);
    out.len()
}

/// Writes a finite float as a line has it, and says how many bytes it took.
#[inline]
pub fn float(value: f64, out: &mut [u8]) -> usize {
    let mut out = LineBuffer::new(out);
    number::put_float(&mut out, value);
    out.len()
}

/// Decodes bytes that may be anything, as recovery will: two bytes of length, a callsite's entry,
/// an envelope with its fields, its bound block and an entry of its own; and formats them. None:
/// they are no envelope, or have no line.
pub fn line_of_foreign_bytes(format: Format, bytes: &[u8]) -> Option<String> {
    const LINE_MAX: usize = 64 * 1024;
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let entry = rest.get(..usize::from(u16::from_le_bytes(*len)))?;
    let envelope = Envelope::parse(&rest[entry.len()..]).ok()?;
    envelope.level().ok()?;
    let mut fields = 0_usize;
    envelope.fields(|_| fields += 1).ok()?;
    let mut formatter = formatter(format);
    let plan = match SiteRef::parse(entry) {
        Some(site) => site.with(|site| formatter.plan(site)),
        None => {
            let names: Vec<String> = (0..fields).map(|index| format!("f{index}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            formatter.plan(&site("foreign", &names))
        }
    };
    let mut memory = vec![0; LINE_MAX];
    let mut out = LineBuffer::new(&mut memory);
    let utc_ns = envelope.ticks as i64;
    formatter.line(&mut out, &plan, &envelope, utc_ns, THREAD).ok()?;
    let len = out.len();
    memory.truncate(len);
    Some(String::from_utf8(memory).expect("a line is UTF-8"))
}

#[cfg(test)]
mod tests;

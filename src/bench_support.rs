//! What the benches and the fuzz targets need of the inside, one stage of the journey each. Behind
//! the feature `bench-internals`: no part of the public interface, it may change at any time.

mod arena;
mod binary;

pub use self::arena::{ARENA_PARTS, dead_arena, owed_lines};
pub use self::binary::{BinaryLog, binary_lines};
pub use crate::collector::bench::Passes;
use crate::envelope::decode::Envelope;
use crate::envelope::encode;
use crate::envelope::site::{Site, SiteRef};
use crate::format::{
    Colour, Details, Format, Formatter, LineBuffer, Plan, ThreadLabel, digits, number,
};
use crate::level::Level;
pub use crate::ring::bench::{RingReader, RingWriter, ring};
use crate::value::{EncodedFields, Fields, Scratch};

const MESSAGE_MAX: usize = 16 * 1024;
const THREAD: ThreadLabel<'static> = ThreadLabel { id: 12, name: Some(b"main") };

/// The clock read of a call.
#[inline(always)]
pub fn ticks() -> u64 {
    crate::sys::clock::ticks_tsc()
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
    let meta = encode::meta::<F::Encoded<'_>>(7, Level::Info as u8, 0);
    encode::to_words(out, ticks, meta, &encoded)
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
    digits::put_u64(&mut out, value);
    out.len()
}

/// Writes a finite float as a line has it, and says how many bytes it took.
#[inline]
pub fn float(value: f64, out: &mut [u8]) -> usize {
    let mut out = LineBuffer::new(out);
    number::put_f64(&mut out, value);
    out.len()
}

/// Decodes bytes that may be anything, as recovery will: two bytes of length, a callsite's entry,
/// an envelope with its fields and its bound block; and formats them. None:
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

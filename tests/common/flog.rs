//! A reader of binary logs that knows nothing but `docs/format.md`: what it finds and what the
//! engine's own reader finds have to agree.

use std::collections::HashMap;

use serde_json::{Value, json};

pub const MAGIC: &[u8] = b"FASTLOGB";

/// A record as it was stored.
#[derive(Clone, Debug)]
pub struct Record {
    pub utc_ns: i64,
    pub level: u8,
    pub target: String,
    pub template: String,
    pub fields: Vec<(String, Value)>,
    pub bound: Vec<(String, Value)>,
    pub is_truncated: bool,
    pub thread: Option<(u64, Option<String>)>,
}

impl Record {
    pub fn field(&self, name: &str) -> &Value {
        let named = self.fields.iter().chain(&self.bound).find(|(key, _)| key == name);
        &named.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Content {
    pub records: Vec<Record>,
    /// Where segments begin, with their numbers.
    pub segments: Vec<(usize, u64)>,
    /// Blocks by kind.
    pub blocks: HashMap<u8, usize>,
    /// Bytes of an unfinished block at the end.
    pub cut: usize,
}

#[derive(Default)]
struct Segment {
    pieces: [[u64; 4]; 2],
    ticks: u64,
    sites: Vec<Site>,
    shapes: Vec<Shape>,
    threads: HashMap<u16, (u64, Option<String>)>,
    thread: Option<u16>,
}

struct Site {
    target: String,
    template: String,
    names: Vec<String>,
}

#[derive(Clone)]
struct Shape {
    site: usize,
    level: u8,
    flags: u16,
    tags: Vec<u8>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads a file from its first byte on; nothing in it may be wrong but its end.
pub fn read(bytes: &[u8]) -> Content {
    let (mut content, mut segment, mut at) = (Content::default(), Segment::default(), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        content.cut = rest.len();
        if rest.len() < 8 {
            break;
        }
        if rest.starts_with(MAGIC) {
            if rest.len() < 112 {
                break;
            }
            assert_eq!(u16_at(rest, 8), 1, "the version");
            segment = Segment { ticks: u64_at(rest, 40), ..Segment::default() };
            segment.pieces = pieces(&rest[48..112]);
            content.segments.push((at, u64_at(rest, 24)));
            at += 112;
            content.cut = 0;
            continue;
        }
        let (low, number, last) = (u32_at(rest, 0), u16_at(rest, 4), u16_at(rest, 6));
        let (kind, len) = ((last >> 12) as u8, 8 + usize::from(last & 0xfff) * 8);
        if rest.len() < len {
            break;
        }
        *content.blocks.entry(kind).or_default() += 1;
        if let Some(record) = segment.block((kind, low, number), &rest[8..len]) {
            content.records.push(record);
        }
        at += len;
        content.cut = 0;
    }
    content
}

fn pieces(bytes: &[u8]) -> [[u64; 4]; 2] {
    [0, 32].map(|piece| [0, 8, 16, 24].map(|at| u64_at(bytes, piece + at)))
}

impl Segment {
    fn block(&mut self, (kind, low, number): (u8, u32, u16), bytes: &[u8]) -> Option<Record> {
        match kind {
            1 => return Some(self.record(low, &self.shapes[usize::from(number)].clone(), bytes)),
            2 => {
                assert_eq!(usize::from(number), self.sites.len());
                self.sites.push(site(&bytes[..low as usize]));
            }
            3 => {
                assert_eq!(usize::from(number), self.shapes.len());
                let tags = bytes[8..8 + usize::from(bytes[0])].to_vec();
                let (level, flags) = (bytes[1], u16_at(bytes, 2));
                self.shapes.push(Shape { site: low as usize, level, flags, tags });
            }
            5 => {
                self.thread = Some(number);
                if !bytes.is_empty() {
                    let name = (low != u32::MAX).then(|| text(&bytes[8..8 + low as usize]));
                    self.threads.insert(number, (u64_at(bytes, 0), name));
                }
            }
            6 => self.ticks = u64_at(bytes, 0),
            7 => self.pieces = pieces(bytes),
            _ => panic!("a block of kind {kind}"),
        }
        None
    }

    fn record(&mut self, delta: u32, shape: &Shape, bytes: &[u8]) -> Record {
        self.ticks += u64::from(delta);
        let site = &self.sites[shape.site];
        let mut rest = bytes;
        let mut fields = Vec::new();
        for (name, tag) in site.names.iter().zip(&shape.tags) {
            let (value, granules) = value(*tag, rest);
            rest = &rest[granules * 8..];
            fields.push((name.clone(), value));
        }
        let mut bound = Vec::new();
        if shape.flags & 2 != 0 {
            let count = u32_at(rest, 4);
            let mut at = 8;
            for _ in 0..count {
                let (tag, len) = (rest[at], usize::from(u16_at(rest, at + 1)));
                let key = text(&rest[at + 8..at + 8 + len]);
                at += 8 + len.next_multiple_of(8);
                let (value, granules) = value(tag, &rest[at..]);
                at += granules * 8;
                bound.push((key, value));
            }
        }
        Record {
            utc_ns: self.utc_ns(),
            level: shape.level,
            target: site.target.clone(),
            template: site.template.clone(),
            fields,
            bound,
            is_truncated: shape.flags & 1 != 0,
            thread: self.thread.map(|slot| self.threads[&slot].clone()),
        }
    }

    fn utc_ns(&self) -> i64 {
        let since = |piece: &[u64; 4]| self.ticks.wrapping_sub(piece[0]) as i64;
        let piece = &self.pieces[usize::from(since(&self.pieces[1]) >= 0)];
        let ns = (i128::from(since(piece)) * i128::from(piece[2])) >> piece[3];
        piece[1] as i64 + ns as i64
    }
}

fn site(entry: &[u8]) -> Site {
    assert_eq!(u32_at(entry, 0) as usize, entry.len());
    let mut at = 16 + 2 * (3 + usize::from(entry[13]));
    let mut texts = (0..3 + usize::from(entry[13])).map(|index| {
        let start = at;
        at += usize::from(u16_at(entry, 16 + 2 * index));
        text(&entry[start..at])
    });
    let mut next = || texts.next().unwrap();
    let (target, template, _file) = (next(), next(), next());
    Site { target, template, names: texts.collect() }
}

/// The value at the start of some bytes, and its granules. What JSON has no form for is shown as
/// its bytes in hexadecimal.
fn value(tag: u8, bytes: &[u8]) -> (Value, usize) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match tag {
        0 => (Value::Null, 0),
        1 => (json!(bytes[0] & 1 == 1), 1),
        2 => (json!(u64_at(bytes, 0)), 1),
        3 => (json!(u64_at(bytes, 0) as i64), 1),
        6 => (json!(f64::from_bits(u64_at(bytes, 0))), 1),
        7 => (json!(f32::from_bits(u32_at(bytes, 0))), 1),
        8 => (json!(char::from_u32(u32_at(bytes, 0)).unwrap()), 1),
        9 | 10 => {
            let len = u32_at(bytes, 0) as usize;
            let content = &bytes[4..4 + len];
            let shown = if tag == 9 { text(content) } else { hex(content) };
            (json!(shown), (4 + len).div_ceil(8))
        }
        4 | 5 | 11 | 12 | 14 | 17 => (json!(hex(&bytes[..16])), 2),
        13 | 15 => (json!(hex(&bytes[..8])), 1),
        16 => (json!(hex(&bytes[..32])), 4),
        18 => list(bytes),
        19 => (json!("<redacted>"), 0),
        _ => panic!("tag {tag}"),
    }
}

fn list(bytes: &[u8]) -> (Value, usize) {
    const SIZES: [usize; 13] = [1, 2, 2, 4, 4, 8, 8, 16, 16, 4, 8, 1, 4];
    let (kind, count) = (bytes[0], u32_at(bytes, 4) as usize);
    let (mut at, mut elements) = (8, Vec::new());
    for _ in 0..count {
        let len = match SIZES.get(usize::from(kind)) {
            Some(size) => *size,
            None => 4 + u32_at(bytes, at) as usize,
        };
        let element = &bytes[at..at + len];
        elements.push(match kind {
            3 => json!(u32_at(element, 0) as i32),
            10 => json!(f64::from_bits(u64_at(element, 0))),
            13 => json!(text(&element[4..])),
            _ => json!(element),
        });
        at += len;
    }
    (Value::Array(elements), at.div_ceil(8))
}

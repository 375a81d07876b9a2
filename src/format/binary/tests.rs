//! What is written in binary and read back is, byte for byte, the line of JSON; and bytes that may
//! be anything give lines or errors, never a panic.

mod golden;
mod hostile;

use proptest::prelude::*;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::damage::{Damage, DecodeError};
use super::lines::Lines;
use super::write::{Origin, Parts, Writer};
use super::*;
use crate::clock::utc_ns;
use crate::envelope::bound::BoundBlock;
use crate::envelope::decode::Envelope;
use crate::envelope::encode;
use crate::envelope::flag;
use crate::envelope::site::Site;
use crate::format::{Colour, Detail, Details, Format, Formatter, LineBuffer, ThreadLabel};
use crate::level::Level;
use crate::value::{Fields, Scratch};

const LINE_MAX: usize = 1 << 16;
const CAP: usize = 16 * 1024;

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn site(id: u32, level: Level, template: &'static str, names: &[&'static str]) -> Site<'static> {
    let names = Box::leak(names.to_vec().into_boxed_slice());
    Site { id, level, target: "app::db", template, file: "src/a.rs", line: 9 + id, names }
}

/// An envelope as a call writes it, or one that was cut.
fn envelope<F: Fields>(
    (site, ticks, flags): (&Site<'_>, u64, u16),
    fields: F,
    bound: &BoundBlock,
) -> Vec<u8> {
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let flags = if bound.words().is_empty() { flags } else { flags | flag::BOUND };
    let meta = encode::meta::<F::Encoded<'_>>(site.id, site.level as u8, flags);
    let mut bytes = encode::to_bytes(ticks, meta, &encoded);
    bytes.extend(bound.words().iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

fn origin(details: &[Detail]) -> Origin {
    Origin { details: Details::of(details), message_max: CAP, pid: 4711, engine: 0xfeed }
}

const PIECE: Piece = Piece {
    base_ticks: 1_000_000,
    base_utc_ns: 1_795_210_380_000_000_000,
    mult: 1 << 47,
    shift: 48,
};

/// A binary log that is being written, and the lines of JSON that it stands for.
struct Log {
    writer: Writer,
    segment_bytes: usize,
    segment: Vec<u8>,
    segments: Vec<Vec<u8>>,
    formatter: Formatter,
    pieces: [Piece; 2],
    expected: Vec<u8>,
    records: usize,
}

impl Log {
    fn new(details: &[Detail], segment_bytes: usize) -> Log {
        let pieces = [PIECE; 2];
        let mut writer = Writer::new(origin(details), pieces);
        writer.begin(1);
        Log {
            writer,
            segment_bytes,
            segment: Vec::new(),
            segments: Vec::new(),
            formatter: Formatter::new(Format::Json, Colour::Off, Details::of(details), CAP),
            pieces,
            expected: Vec::new(),
            records: 0,
        }
    }

    fn set_clock(&mut self, pieces: [Piece; 2]) {
        self.pieces = pieces;
        self.writer.set_clock(pieces);
    }

    /// Bytes that the next block has.
    fn put(&mut self, site: &Site<'static>, bytes: &[u8], thread: ThreadLabel<'_>) -> usize {
        let len = loop {
            let mut room = vec![0xa5; self.segment_bytes - self.segment.len()];
            let key = (site.id as usize, || Some(site.to_bytes()));
            let parts = Parts::of(bytes).expect("an envelope");
            match self.writer.put(&mut room, &parts, key, thread) {
                Ok(len) => {
                    self.segment.extend_from_slice(&room[..len]);
                    break len;
                }
                Err(error) => {
                    assert_eq!(error, crate::format::LineError::Full);
                    assert!(!self.segment.is_empty(), "a record that no segment holds");
                    self.end_segment();
                }
            }
        };
        let envelope = Envelope::parse(bytes).expect("an envelope");
        let mut memory = vec![0; LINE_MAX];
        let mut out = LineBuffer::new(&mut memory);
        let plan = self.formatter.plan(site);
        let utc_ns = utc_ns(&self.pieces, envelope.ticks);
        self.formatter.line(&mut out, &plan, &envelope, utc_ns, thread).expect("a line");
        let line_len = out.len();
        self.expected.extend_from_slice(&memory[..line_len]);
        self.records += 1;
        len
    }

    fn end_segment(&mut self) {
        self.segments.push(std::mem::take(&mut self.segment));
        self.writer.begin(self.segments.len() as u64 + 1);
    }

    /// All of it, segment behind segment, and the lines.
    fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.end_segment();
        (self.segments.concat(), self.expected)
    }
}

/// The lines of some bytes, and what could not be read.
fn decode(bytes: &[u8]) -> (Vec<u8>, Vec<DecodeError>) {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    let mut reader = Lines::new(bytes);
    let mut memory = vec![0; LINE_MAX];
    loop {
        let mut out = LineBuffer::new(&mut memory);
        match reader.next(&mut out) {
            Some(Ok(())) => {
                let len = out.len();
                lines.extend_from_slice(&memory[..len]);
            }
            Some(Err(error)) => errors.push(error),
            None => return (lines, errors),
        }
    }
}

#[track_caller]
fn assert_same(bytes: &[u8], expected: &[u8]) {
    let (lines, errors) = decode(bytes);
    assert_eq!(errors, []);
    let [lines, expected] = [&lines[..], expected].map(String::from_utf8_lossy);
    for (line, expected) in lines.lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.lines().count(), expected.lines().count());
}

const MAIN: ThreadLabel<'static> = ThreadLabel { id: 1, name: Some(b"main") };

#[test]
fn the_record_of_the_budget_takes_forty_bytes() {
    let site = site(1, Level::Info, "order accepted", &["user_id", "price", "symbol"]);
    let mut log = Log::new(&[], 1 << 16);
    for n in 0..100_u64 {
        let price = 1.0 + n as f64 * 0.25;
        let fields = (&n, (&price, (&"ACME.NYS", ())));
        let bytes = envelope((&site, 1_000_000 + n * 100, 0), fields, &BoundBlock::default());
        let len = log.put(&site, &bytes, ThreadLabel { id: n % 3, ..MAIN });
        assert!(n == 0 || len == 40, "record {n}: {len}");
    }
    let (bytes, expected) = log.finish();
    assert_same(&bytes, &expected);
}

/// One of several records that differ in everything.
fn put_any(log: &mut Log, sites: &[Site<'static>], seed: &Seed, ticks: u64) {
    let Seed { kind, number, text, flags, bound, .. } = seed;
    let mut block = BoundBlock::default();
    for (index, value) in bound.iter().enumerate() {
        let scratch = Scratch::new();
        use crate::value::Value;
        block.bind(["request", "level", "a"][index % 3], &value.as_str().encode(&scratch), 200);
    }
    let site = &sites[*kind % sites.len()];
    let at = (site, ticks, *flags);
    let text = text.as_str();
    let missing = (number % 3 == 0).then_some(*number);
    let names = [text, "\u{2028}"];
    let small = *number as i16;
    let time: SystemTime = UNIX_EPOCH + Duration::from_nanos(*number);
    let ip: std::net::IpAddr = (*number as u128 | 1 << 100).to_be_bytes().into();
    let bytes = match kind % sites.len() {
        0 => envelope(at, (), &block),
        1 => envelope(at, (number, (&f64::from_bits(*number), (&text, ()))), &block),
        2 => envelope(at, (&missing, (&u128::from(*number), (&'\u{1f980}', ()))), &block),
        3 => envelope(at, (&names, (&[small, 7], (&text.as_bytes(), ()))), &block),
        4 => {
            let three = (number, (&text, (&missing, ())));
            let nine = (&1_u8, (&2_u8, (&3_u8, (&4_u8, (&5_u8, (&6_u8, three))))));
            envelope(at, nine, &block)
        }
        _ => {
            let rest = (&ip, (&f32::from_bits(small as u32), ()));
            envelope(at, (&time, (&Duration::from_nanos(*number), rest)), &block)
        }
    };
    let name = format!("worker {}", seed.thread);
    let name = (seed.thread % 4 > 0).then_some(name.as_bytes());
    log.put(site, &bytes, ThreadLabel { id: seed.thread, name });
}

fn sites() -> Vec<Site<'static>> {
    let nine = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    vec![
        site(1, Level::Info, "plain", &[]),
        site(2, Level::Warn, "user {id} of {rate:.3}", &["id", "rate", "name"]),
        site(3, Level::Error, "{level:?} {b}", &["level", "b", "c"]),
        site(4, Level::Trace, "lists", &["names", "numbers", "bytes"]),
        site(5, Level::Debug, "{} {} {} {}", &nine),
        site(6, Level::Critical, "at {at}", &["at", "took", "ip", "f32"]),
    ]
}

#[derive(Clone, Debug)]
struct Seed {
    kind: usize,
    number: u64,
    text: String,
    flags: u16,
    bound: Vec<String>,
    thread: u64,
    later: i64,
    clock: Option<u64>,
}

fn seed() -> impl Strategy<Value = Seed> {
    let flags = prop_oneof![4 => Just(0), 1 => Just(flag::TRUNCATED)];
    let bound = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(any::<String>(), 1..4)];
    let later = prop_oneof![
        8 => 0_i64..5_000,
        1 => -3_000_i64..0,
        1 => any::<i64>(),
        1 => (u32::MAX as i64 - 1)..(u32::MAX as i64 + 2),
    ];
    let clock = prop_oneof![5 => Just(None), 1 => any::<u64>().prop_map(Some)];
    let thread = prop_oneof![3 => 0_u64..4, 1 => 0_u64..2_000];
    (0_usize..6, any::<u64>(), any::<String>(), flags, bound, thread, later, clock).prop_map(
        |(kind, number, text, flags, bound, thread, later, clock)| Seed {
            kind,
            number,
            text,
            flags,
            bound,
            thread,
            later,
            clock,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // [F1] [F6]
    #[test]
    fn what_is_decoded_is_what_json_would_have_been(
        seeds in prop::collection::vec(seed(), 1..60),
        shows_thread in any::<bool>(),
        segment_bytes in prop::sample::select(vec![4_096_usize, 8_192, 1 << 20]),
    ) {
        let all = [Detail::Thread, Detail::File, Detail::Line];
        let details: &[Detail] = if shows_thread { &all } else { &[] };
        let (mut log, sites) = (Log::new(details, segment_bytes), sites());
        let mut ticks = PIECE.base_ticks;
        for seed in &seeds {
            if let Some(base_ticks) = seed.clock {
                let newer = Piece { base_ticks, mult: base_ticks >> 17, ..PIECE };
                log.set_clock([log.pieces[1], newer]);
            }
            ticks = ticks.wrapping_add_signed(seed.later);
            put_any(&mut log, &sites, seed, ticks);
        }
        prop_assert_eq!(log.records, seeds.len());
        let (bytes, expected) = log.finish();
        assert_same(&bytes, &expected);
    }
}

// [F2] [F5]
#[test]
fn segments_decode_alone_and_in_any_order() {
    let (mut log, sites) = (Log::new(&[Detail::Thread], 4_096), sites());
    for n in 0..600_u64 {
        let seed = Seed {
            kind: n as usize,
            number: n,
            text: format!("text {n}"),
            flags: 0,
            bound: vec![],
            thread: n % 5,
            later: 0,
            clock: None,
        };
        put_any(&mut log, &sites, &seed, PIECE.base_ticks + n);
    }
    log.end_segment();
    let segments = std::mem::take(&mut log.segments);
    assert!(segments.len() >= 8, "{} segments", segments.len());
    let mut alone = Vec::new();
    for segment in &segments {
        assert!(segment.len() <= 4_096 && segment.len() % GRANULE == 0);
        let (lines, errors) = decode(segment);
        assert_eq!(errors, []);
        alone.extend(lines);
    }
    assert_eq!(alone, log.expected);
    let backwards: Vec<u8> = segments.iter().rev().flatten().copied().collect();
    let (lines, errors) = decode(&backwards);
    assert_eq!((lines.len(), errors), (log.expected.len(), vec![]));
}

#[test]
fn many_shapes_of_one_call_are_forgotten_in_turn() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let site = site(1, Level::Info, "options", &names);
    let mut log = Log::new(&[], 1 << 20);
    for round in 0..3 {
        for n in 0..256_u64 {
            let [a, b, c, d, e, f, g, h] =
                [0, 1, 2, 3, 4, 5, 6, 7].map(|bit| (n >> bit & 1 == 1).then_some(n));
            let fields = (&a, (&b, (&c, (&d, (&e, (&f, (&g, (&h, ()))))))));
            let at = (&site, 1_000_000 + round * 256 + n, 0);
            let bytes = envelope(at, fields, &BoundBlock::default());
            log.put(&site, &bytes, MAIN);
        }
    }
    let (bytes, expected) = log.finish();
    assert_same(&bytes, &expected);
}

#[test]
fn a_record_fits_whole_or_not_at_all() {
    let site = site(1, Level::Info, leak("user {id}"), &["id", "name"]);
    let fields = (&7_u64, (&"a name of some length", ()));
    let bytes = envelope((&site, 1_000_000, 0), fields, &BoundBlock::default());
    let put = |writer: &mut Writer, room: usize| {
        let mut out = vec![0; room];
        let key = (1, || Some(site.to_bytes()));
        let parts = Parts::of(&bytes).expect("an envelope");
        writer.put(&mut out, &parts, key, MAIN).map(|len| out[..len].to_vec())
    };
    let mut fresh = Writer::new(origin(&[Detail::Thread]), [PIECE; 2]);
    fresh.begin(1);
    let whole = put(&mut fresh, 4_096).expect("room");
    let mut checked = 0;
    for room in 0..whole.len() {
        let mut writer = Writer::new(origin(&[Detail::Thread]), [PIECE; 2]);
        writer.begin(1);
        assert!(put(&mut writer, room).is_err());
        // What follows is the first of a segment, with all that it needs.
        assert_eq!(put(&mut writer, 4_096).as_ref(), Ok(&whole));
        let second = put(&mut writer, 48).expect("room");
        assert_eq!(second.len(), 48);
        assert!(put(&mut writer, 47).is_err());
        writer.begin(1);
        assert_eq!(put(&mut writer, whole.len()).as_ref(), Ok(&whole));
        checked += 1;
    }
    assert!(checked > 200, "{checked}");
}

// [F10]
#[test]
fn an_unknown_version_is_named() {
    let mut log = Log::new(&[], 4_096);
    let site = site(1, Level::Info, "plain", &[]);
    log.put(&site, &envelope((&site, 1, 0), (), &BoundBlock::default()), MAIN);
    let (mut bytes, _) = log.finish();
    bytes[8] = 2;
    let (lines, errors) = decode(&bytes);
    assert!(lines.is_empty());
    assert_eq!(errors, [DecodeError { offset: 0, damage: Damage::Version(2) }]);
    assert!(errors[0].to_string().contains("version 2"), "{}", errors[0]);
}

//! What a dead arena owes, for the fuzz target: of a small one that is made here, and then damaged.

use std::path::Path;
use std::sync::Arc;

use crate::arena::commit::{Commits, Written};
use crate::arena::intent::{Intent, Intents};
use crate::arena::layout::{
    COMMITS_AT, COUNTERS_AT, DICTIONARY_AT, INTENTS_AT, RINGS_AT, SEGMENT_BYTES, header,
    ring_stride,
};
use crate::arena::read::{Bytes, Dead};
use crate::arena::{Arena, Identity, Lines, Shape};
use crate::clock::Piece;
use crate::envelope::{META, Meta, encode};
use crate::format::Format;
use crate::level::Level;
use crate::recover::lines::owed;
use crate::ring::RING_HEADER_BYTES;
use crate::segment::head;

const SHAPE: Shape = Shape { ring_bytes: 4 << 10, record_bytes: 1 << 10, rings_max: 16 };
const ID: u64 = 0xfeed;
const RECORDS: u64 = 20;
const LINE: &[u8] = b"{\"timestamp\":\"2026-11-20T21:33:00.123456789Z\",\"level\":\"INFO\"}\n";

/// Where the parts of the arena begin, for whoever damages one.
pub const ARENA_PARTS: [usize; 8] = [
    0,
    header::CLOCK,
    COUNTERS_AT,
    COMMITS_AT,
    INTENTS_AT,
    DICTIONARY_AT,
    RINGS_AT,
    RINGS_AT + RING_HEADER_BYTES,
];

/// An arena with a ring of records, and its segments, some lines of which were announced.
///
/// # Panics
/// Where there is no memory.
pub fn dead_arena() -> [Vec<u8>; 2] {
    let lines = Lines { details: 7, message_max: 1 << 10, ..Lines::JSON };
    let directory = Path::new("/logs");
    let identity = Identity { name: "app", base: "app", file_name: "app.jsonl", directory, lines };
    let made = Arena::anonymous(identity, SHAPE).expect("anonymous memory");
    made.list_site(&super::site("user {user_id}", &["user_id"]).to_bytes());
    let pieces = [[0, 1 << 60, 1 << 47, 48], [1_000, (1 << 60) + 500, 1 << 47, 48]];
    made.store_clock(pieces.map(Piece::of_words));
    let len = LINE.len() as u64;
    let intent = Intent { segment: 1, from: 0, to: 2 * len, ..Intent::default() };
    Intents::new(Arc::clone(made.fixed())).begin(intent);
    let written = Written { segment: 1, len: 9 * len, bytes: 9 * len, records: 9 };
    Commits::new(Arc::clone(made.fixed())).write(written, 0, &[(0, 0)]);
    let mut arena = vec![0; RINGS_AT];
    made.fixed().read_what_is_left(0, &mut arena);
    // The same whoever makes it.
    for (at, word) in [(header::ARENA_ID, ID), (header::PID, 7), (header::RINGS, 1)] {
        put(&mut arena, at, word);
    }
    arena.resize(RINGS_AT + ring_stride(SHAPE.ring_bytes, SHAPE.record_bytes), 0);
    let mut position = 0;
    for n in 0..RECORDS {
        let mut record = encode::own(Level::Info, n, &(&n, ()));
        let meta = Meta { id: 7, fields: 1, level: Level::Info as u8, flags: 0 };
        put(&mut record, META * 8, meta.to_word());
        let granules = record.len() as u64 / 8;
        put(&mut record, 0, (position + 1) << 16 | granules);
        arena[RINGS_AT + RING_HEADER_BYTES + position as usize * 8..][..record.len()]
            .copy_from_slice(&record);
        position += granules;
    }
    let mut segments = vec![0; SEGMENT_BYTES];
    put(&mut segments, head::ARENA_ID, ID);
    put(&mut segments, head::SEQ, 1);
    segments[head::BYTES..][..9 * LINE.len()].copy_from_slice(&LINE.repeat(9));
    [arena, segments]
}

fn put(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..][..8].copy_from_slice(&word.to_le_bytes());
}

/// What an arena owes in lines of JSON; none where it is none, or its lines are others.
///
/// # Panics
/// If reading it twice gives two answers.
pub fn owed_lines([arena, segments, sites]: [Vec<u8>; 3]) -> Option<Vec<u8>> {
    let [segments, sites] = [segments, sites].map(|bytes| Some(Box::new(bytes) as Box<dyn Bytes>));
    let dead = Dead::of(Box::new(arena), segments, sites).expect("memory can be read").ok()?;
    let (mut once, mut again) = (Vec::new(), Vec::new());
    let tally = owed(&dead, &mut once).expect("memory can be read").tally;
    let other = owed(&dead, &mut again).expect("memory can be read").tally;
    assert!(tally == other && once == again, "read twice, two answers");
    (Format::from_number(dead.header().format) == Some(Format::Json)).then_some(once)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_owes_lines_and_records() {
        let [arena, segments] = dead_arena();
        let lines = owed_lines([arena, segments, Vec::new()]).expect("an arena of JSON");
        let text = String::from_utf8(lines).expect("text");
        assert_eq!(text.lines().count() as u64, 7 + RECORDS + 1);
        assert_eq!(text.matches("\"user_id\":").count() as u64, RECORDS, "{text}");
    }
}

//! Damaged and planted arenas: any bytes get an answer, and a bad record takes no good one along.

use super::*;
use crate::arena::layout::RINGS_AT;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The files of a killed process.
struct Image {
    arena: Vec<u8>,
    segments: Vec<u8>,
    /// Lines that are owed, and bytes of them.
    lines: usize,
}

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let left = kill_after("json", 5);
    let read = |ending| fs::read(left.file(ending)).expect("it is there");
    let (_, rest) = left.owed();
    let lines = rest.iter().filter(|byte| **byte == b'\n').count();
    Image { arena: read("arena"), segments: read("segments"), lines }
});

/// Reads, and looks at everything that was read: lines that are JSON.
fn any_answer(arena: Vec<u8>, segments: Option<Vec<u8>>) -> Option<(usize, Tally)> {
    let segments = segments.map(|bytes| Box::new(bytes) as Box<dyn crate::arena::read::Bytes>);
    let dead = Dead::of(Box::new(arena), segments, None).expect("memory can be read").ok()?;
    let (mut rest, mut again) = (Vec::new(), Vec::new());
    let Owed { append, tally } = owed(&dead, &mut rest).expect("memory can be read");
    assert_eq!(owed(&dead, &mut again).expect("memory").tally, tally);
    assert!(rest == again, "the same twice");
    if dead.header().format == Format::Json.number() {
        let mut lines = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            let line: serde_json::Value = serde_json::from_slice(line).expect("a line of JSON");
            assert!(line.is_object());
            lines += 1;
        }
        assert!(append.is_none_or(|cut| cut.bytes.len() <= 1 << 20));
        return Some((lines, tally));
    }
    Some((0, tally))
}

/// Words that a reader may stumble over.
fn special() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(u64::MAX),
        Just(0),
        Just(1 << 63),
        0_u64..1 << 20,
        (0_u32..64).prop_map(|shift| 1 << shift),
    ]
}

#[test]
fn without_its_segments_an_arena_gives_what_its_rings_hold() {
    let (_, whole) = any_answer(IMAGE.arena.clone(), Some(IMAGE.segments.clone())).expect("whole");
    let (lines, tally) = any_answer(IMAGE.arena.clone(), None).expect("an arena");
    assert_eq!(tally.records, whole.records);
    assert_eq!((tally.lines, lines as u64), (0, whole.records + 1));
    assert!(tally.unreadable > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..50_000)) {
        prop_assert!(any_answer(bytes.clone(), None).is_none());
        let mut bytes = bytes;
        let len = bytes.len().min(256);
        bytes[..len].copy_from_slice(&IMAGE.arena[..len]);
        any_answer(bytes.clone(), Some(bytes));
    }

    #[test]
    fn any_cut_gets_an_answer(
        (arena, segments) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let arena = IMAGE.arena[..arena.index(IMAGE.arena.len())].to_vec();
        let segments = IMAGE.segments[..segments.index(IMAGE.segments.len())].to_vec();
        any_answer(arena, Some(segments));
    }

    #[test]
    fn any_damage_gets_an_answer(
        header in prop::collection::vec((2_usize..RINGS_AT / 8, special()), 0..4),
        early in prop::collection::vec((2_usize..8 * 512, special()), 0..4),
        rings in prop::collection::vec((any::<prop::sample::Index>(), special()), 0..20),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..50),
    ) {
        let (mut arena, mut segments) = (IMAGE.arena.clone(), IMAGE.segments.clone());
        let in_rings = (arena.len() - RINGS_AT) / 8;
        let rings = rings.into_iter().map(|(at, value)| (RINGS_AT / 8 + at.index(in_rings), value));
        for (word, value) in header.into_iter().chain(early).chain(rings) {
            arena[word * 8..][..8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in flips {
            let at = at.index(segments.len());
            segments[at] = value;
        }
        any_answer(arena, Some(segments));
    }

    /// Most flips in segments hit one line, or none that is owed.
    #[test]
    fn a_bad_byte_in_a_segment_costs_a_line_at_most(
        (at, value) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let mut segments = IMAGE.segments.clone();
        // Behind the heads, and among the lines.
        let at = at.index(segments.len());
        prop_assume!(at % (1 << 20) >= 64);
        segments[at] = value;
        let (lines, _) = any_answer(IMAGE.arena.clone(), Some(segments)).expect("an arena");
        // A newline makes two bad lines of one, and one that is lost one of two.
        prop_assert!(lines + 2 >= IMAGE.lines && lines <= IMAGE.lines + 1);
    }
}

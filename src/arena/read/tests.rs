//! What stands in rings is read as the collector would have read it, and by whose it is; damage
//! costs what it hit.

use super::*;
use crate::arena::{Arena, Identity, Lines, Shape, orphans};
use crate::primitive::Ordering;
use crate::ring::{Mapped, RING_HEADER_BYTES, Ring};
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::OsIo;
use crate::sys::mmap::Region;
use std::sync::Arc;
use tempfile::TempDir;

const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 4 << 10, rings_max: 16 };
const CAPACITY: u64 = (16 << 10) / 8;

/// An arena with one ring.
struct OneRing {
    arena: Arena,
    region: Arc<Region>,
    _dir: TempDir,
}

impl OneRing {
    fn new() -> OneRing {
        let dir = TempDir::new().expect("a directory");
        let lines = Lines::JSON;
        let directory = Path::new("/logs");
        let identity =
            Identity { name: "app", base: "app@7", file_name: "app@7.jsonl", directory, lines };
        let arena =
            Arena::create(Arc::new(OsIo), dir.path(), identity, SHAPE, SigbusGuard::Install);
        let arena = arena.expect("an arena");
        let region = arena.map_ring().expect("a ring").region;
        OneRing { arena, region, _dir: dir }
    }

    /// As a crash leaves it.
    fn dead(&self) -> Dead {
        let path = self.arena.path().expect("a file");
        orphans::forget_own(path);
        let bytes = std::fs::read(path).expect("readable");
        Dead::of(Box::new(bytes), None, None).expect("memory").expect("an arena")
    }

    fn set_word(&self, granule: u64, word: u64) {
        self.region.word(RING_HEADER_BYTES + granule as usize * 8).store(word, Ordering::Relaxed);
    }

    /// A record of three granules at a position, and the end behind it.
    fn put(&self, position: u64) {
        self.set_word((position + 3) % CAPACITY, 0);
        self.set_word(position % CAPACITY, (position + 1) << 16 | 3);
        self.set_word(position % CAPACITY + 1, position);
    }

    fn release(&self, position: u64) {
        self.region.word(0).store(position << 16, Ordering::Relaxed);
    }
}

/// The ticks of all records, and how many stretches were unreadable.
fn read(dead: &Dead, commit: &Commit) -> (Vec<u64>, u64) {
    let mut ring = dead.ring(0, commit).expect("memory").expect("a ring");
    let mut ticks = Vec::new();
    while let Some(next) = ring.peek(dead.arena()).expect("memory") {
        ticks.push(next);
        ring.take(dead.arena()).expect("memory").expect("the record that was seen");
    }
    (ticks, ring.unreadable)
}

fn owner(dead: &Dead, moved: Option<u64>) -> Option<(u64, Option<Vec<u8>>)> {
    let moved = moved.map(|position| (0, position << 16)).into_iter().collect();
    let ring = dead.ring(0, &Commit { moved, ..Commit::default() }).expect("memory");
    ring.expect("a ring").owner.map(|owner| (owner.id, owner.name))
}

#[test]
fn the_header_names_the_log_and_how_its_lines_look() {
    let one = OneRing::new();
    let name = one.arena.path().expect("a file").file_name().expect("a name").to_owned();
    assert!(name.to_str().expect("text").starts_with("app@7."), "{name:?}");
    let dead = one.dead();
    let Header { name, base, state, format, colour, .. } = dead.header();
    assert_eq!((name.as_str(), base.as_str(), *format, *colour), ("app", "app@7", 1, 0));
    assert_eq!(*state, Some(crate::arena::layout::EngineState::Live));
    assert!(dead.header().is_of_this_boot());
    one.arena.set_drained();
    let state = one.dead().header().state;
    assert_eq!(state, Some(crate::arena::layout::EngineState::Drained));
}

#[test]
fn records_are_those_of_the_owner_up_to_where_the_ring_is_released() {
    let one = OneRing::new();
    let ring = Ring::new(Mapped::new(Arc::clone(&one.region)), CAPACITY as usize, 512);
    assert_eq!(owner(&one.dead(), None), None);
    ring.set_owner(10 << 16, 7, Some(b"first"));
    one.release(15);
    ring.set_owner(20 << 16, 8, None);
    let first = Some((7, Some(b"first".to_vec())));
    assert_eq!(owner(&one.dead(), None), first, "no slot has moved the ring yet");
    assert_eq!(owner(&one.dead(), Some(20)), Some((8, None)));
    ring.set_owner(30 << 16, 9, Some(b""));
    assert_eq!(owner(&one.dead(), Some(25)), Some((8, None)));
    assert_eq!(owner(&one.dead(), Some(30)), Some((9, Some(Vec::new()))));
    ring.set_owner(40 << 16, 10, Some(&[b'x'; 99]));
    assert_eq!(owner(&one.dead(), Some(40)), Some((10, Some(vec![b'x'; 64]))));
}

#[test]
fn records_are_read_from_where_the_newest_slot_has_moved_the_ring() {
    let one = OneRing::new();
    // Over the end, where records run on into the overhang.
    let start = CAPACITY - 10;
    one.release(start);
    let all: Vec<u64> = (0..9).map(|n| start + n * 3).collect();
    all.iter().for_each(|position| one.put(*position));
    let dead = one.dead();
    assert_eq!(read(&dead, &Commit::default()), (all.clone(), 0));
    for moved in [start + 6, start + 27] {
        let commit = Commit { moved: vec![(0, moved << 16), (1, 0)], ..Commit::default() };
        let rest = all.iter().copied().filter(|position| *position >= moved).collect();
        assert_eq!(read(&dead, &commit), (rest, 0));
    }
    // A slot that is older than what the ring says itself.
    let commit = Commit { moved: vec![(0, 0)], ..Commit::default() };
    assert_eq!(read(&dead, &commit), (all, 0));
}

#[test]
fn a_damaged_commit_word_costs_one_record() {
    let mut checked = 0;
    for bad in 0..9_u64 {
        for word in [u64::MAX, 7, (bad * 3 + 1) << 16, (bad * 3 + 1) << 16 | 0x1003] {
            let one = OneRing::new();
            (0..9).for_each(|n| one.put(n * 3));
            one.set_word(bad * 3, word);
            let rest: Vec<u64> = (0..9).filter(|n| *n != bad).map(|n| n * 3).collect();
            assert_eq!(read(&one.dead(), &Commit::default()), (rest, 1), "{bad} {word:x}");
            checked += 1;
        }
    }
    assert_eq!(checked, 36);
}

#[test]
fn of_a_ring_of_another_kind_nothing_is_read() {
    let one = OneRing::new();
    one.put(0);
    one.region.word(crate::ring::KIND_AT).store(1, Ordering::Relaxed);
    assert_eq!(read(&one.dead(), &Commit::default()), (Vec::new(), 1));
}

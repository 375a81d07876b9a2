//! Tests of looking from outside: what is there is seen as it is, and whatever else is there gets
//! an answer.

use super::*;
use crate::arena::{Arena, Identity, Lines, Shape, layout, orphans};
use crate::level::Level;
use crate::primitive::Ordering;
use crate::ring::{Mapped, RING_HEADER_BYTES, Ring};
use crate::stats::{Counters, DropReason};
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::OsIo;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 4 << 10, rings_max: 16 };

/// An arena with some counts, and a ring that holds a record and a control envelope.
fn arena(dir: &Path, log: &Path) -> Arena {
    let lines = Lines::JSON;
    let identity =
        Identity { name: "app", base: "app", file_name: "app.jsonl", directory: log, lines };
    let arena = Arena::create(Arc::new(OsIo), dir, identity, SHAPE, SigbusGuard::Install)
        .expect("an arena");
    let counters = Counters::new(Arc::clone(arena.fixed()), COUNTERS_AT);
    counters.set(Counter::Written, 40);
    counters.set(Counter::Rings, 1);
    counters.set(Counter::CalmNs, 1_500_000_000);
    counters.drop_record(DropReason::Full, Level::Warn);
    let memory = arena.map_ring().expect("a ring");
    Ring::new(Mapped::new(Arc::clone(&memory.region)), 2048, 512).set_owner(
        1 << 16,
        7,
        Some(b"worker"),
    );
    memory.region.word(0).store(1 << 16, Ordering::Relaxed);
    for (granule, word) in [(1, 2 << 16 | 3), (4, 5 << 16 | 4), (6, 8 << 48)] {
        memory.region.word(RING_HEADER_BYTES + granule * 8).store(word, Ordering::Relaxed);
    }
    arena
}

#[test]
fn every_format_has_its_name() {
    let names = ["unknown", "json", "text", "logfmt", "binary", "unknown"];
    for (number, name) in (0..).zip(names) {
        let mut image = IMAGE.clone();
        image[layout::header::FORMAT..][..8].copy_from_slice(&u64::to_le_bytes(number));
        assert_eq!(any_answer(&image).expect("an arena").format, name);
    }
}

/// The bytes of such a file.
static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = TempDir::new().expect("a directory");
    let arena = arena(dir.path(), Path::new("/logs"));
    fs::read(arena.path().expect("a file")).expect("read")
});

fn check_image(snapshot: &Snapshot) {
    assert_eq!((snapshot.name.as_str(), snapshot.format, snapshot.output), ("app", "json", "file"));
    assert_eq!(snapshot.stats.log_path(), Some(Path::new("/logs/app.jsonl")));
    assert_eq!(snapshot.uptime, Duration::from_millis(1_500));
    let stats = &snapshot.stats;
    let counts = [stats.submitted(), stats.written(), stats.dropped(), stats.pending()];
    assert_eq!(counts, [42, 40, 1, 1]);
    assert_eq!(stats.losses().count(DropReason::Full, Level::Warn), 1);
    let thread = Some(RingThread { id: 7, name: "worker".to_owned() });
    assert_eq!(snapshot.rings, [RingState { used_bytes: 56, records: 1, thread }]);
}

#[test]
fn an_arena_is_seen_as_it_is() {
    let dir = TempDir::new().unwrap();
    let logs = dir.path().canonicalize().unwrap();
    fs::create_dir(logs.join(PRIVATE_DIR)).unwrap();
    let arena = arena(&logs.join(PRIVATE_DIR), Path::new("/logs"));
    let found = look(&logs).unwrap();
    assert!(matches!(found[..], [Found { what: Inspected::Own, .. }]), "{found:?}");
    // Now as a crash leaves it; this process's lock does not count.
    orphans::forget_own(arena.path().unwrap());
    for dir in [&logs, &logs.join(PRIVATE_DIR)] {
        let found = look(dir).unwrap();
        let [Found { what: Inspected::Arena(snapshot), path }] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(path, arena.path().unwrap());
        check_image(snapshot);
        // The process lives, but does not hold the lock, for all that can be seen from here.
        assert_eq!(snapshot.holder, Holder::Lives);
    }
    assert_eq!(look(Path::new("/no/such")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_is_no_arena_is_said_to_be_none() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.arena"), "").unwrap();
    fs::write(dir.path().join("b.arena"), vec![0; 100_000]).unwrap();
    fs::write(dir.path().join("c.arena"), vec![b'x'; 100_000]).unwrap();
    fs::create_dir(dir.path().join("d.arena")).unwrap();
    std::os::unix::fs::symlink("a.arena", dir.path().join("e.arena")).unwrap();
    fs::write(dir.path().join("f.other"), "").unwrap();
    let found = look(dir.path()).unwrap();
    let said = found.iter().map(|found| match &found.what {
        Inspected::Damaged(why) => why.clone(),
        Inspected::Unreadable(error) => error.to_string(),
        other => panic!("{other:?}"),
    });
    let said: Vec<_> = said.collect();
    assert_eq!(said.len(), 5, "{said:?}");
    let words = ["never completed", "never completed", "does not begin", "directory", "link"];
    for (said, words) in said.iter().zip(words) {
        assert!(said.contains(words), "{said}, not {words}");
    }
}

/// Reads, and looks at everything that was read.
fn any_answer(bytes: &Vec<u8>) -> Option<Snapshot> {
    let snapshot = read(bytes).expect("memory can be read").ok()?;
    assert!(snapshot.rings.len() <= 4096 && snapshot.name.len() <= 3 * layout::NAME_BYTES_MAX);
    let within = |ring: &RingState| ring.used_bytes <= snapshot.ring_bytes;
    assert!(snapshot.rings.iter().all(within));
    let stats = &snapshot.stats;
    let _ = (format!("{stats}"), stats.losses().to_string(), stats.pending(), snapshot.uptime);
    Some(snapshot)
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..20_000)) {
        prop_assert!(any_answer(&bytes).is_none());
        let mut bytes = bytes;
        if bytes.len() >= 16 {
            bytes[..16].copy_from_slice(&IMAGE[..16]);
            any_answer(&bytes);
        }
    }

    #[test]
    fn any_cut_gets_an_answer(len in 0..=IMAGE.len(), is_early in any::<bool>()) {
        let len = if is_early { len % FIXED_BYTES } else { len };
        let bytes = IMAGE[..len].to_vec();
        prop_assert_eq!(any_answer(&bytes).is_some(), len >= FIXED_BYTES);
    }

    #[test]
    fn any_damage_gets_an_answer(
        words in prop::collection::vec((0..FIXED_BYTES / 8, special()), 0..4),
        ring_words in prop::collection::vec((0_usize..1024, special()), 0..8),
        flips in prop::collection::vec((0..IMAGE.len(), any::<u8>()), 0..20),
    ) {
        let mut bytes = IMAGE.clone();
        check_image(&any_answer(&bytes).expect("an arena"));
        let ring_words =
            ring_words.into_iter().map(|(word, value)| (layout::RINGS_AT / 8 + word, value));
        for (word, value) in words.into_iter().chain(ring_words) {
            bytes[word * 8..][..8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in flips {
            bytes[at] = value;
        }
        any_answer(&bytes);
    }
}

/// Words that a reader may stumble over.
fn special() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(u64::MAX),
        Just(1 << 63),
        0_u64..1 << 20,
        (0_u32..64).prop_map(|shift| 1 << shift),
    ]
}

//! Tests of arenas in files.

use super::*;
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::OsIo;
use std::os::fd::BorrowedFd;
use tempfile::TempDir;

const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 4 << 10, rings_max: 16 };

fn identity(directory: &Path) -> Identity<'_> {
    let lines = Lines { details: 5, output: 3, colour: 1, ..Lines::JSON };
    Identity { name: "app", base: "app", file_name: "app.jsonl", directory, lines }
}

fn create(io: impl Io + 'static, dir: &Path) -> Arena {
    let identity = identity(Path::new("/var/log/app"));
    Arena::create(Arc::new(io), dir, identity, SHAPE, SigbusGuard::Install).expect("an arena")
}

#[test]
fn what_failed_or_was_left_is_no_longer_own() {
    #[derive(Debug)]
    struct Refuses;
    impl Io for Refuses {
        fn fallocate(&self, _: BorrowedFd<'_>, _: Reserve, _: u64, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let dir = TempDir::new().unwrap();
    let refuses: Arc<dyn Io> = Arc::new(Refuses);
    let identity = identity(Path::new(""));
    let made = Arena::create(refuses, dir.path(), identity, SHAPE, SigbusGuard::Install);
    assert!(made.is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(!orphans::is_own_in(dir.path()));
    let arena = create(OsIo, dir.path());
    assert!(orphans::is_own_in(dir.path()));
    // As a crash leaves it: this process's own lock does not count.
    orphans::forget_own(arena.path().unwrap());
    assert!(!is_own(arena.path().unwrap()));
}

#[test]
fn rings_can_be_mapped_whatever_the_page_size() {
    const LARGEST_PAGE: usize = 64 << 10;
    let mut checked = 0;
    for ring in [4 << 10, 16 << 10, 256 << 10, 1 << 20] {
        for record in [1 << 10, 4 << 10, 16 << 10, 64 << 10] {
            let stride = layout::ring_stride(ring, record);
            assert!(stride >= layout::ring_len(ring, record));
            assert_eq!((RINGS_AT % LARGEST_PAGE, stride % LARGEST_PAGE), (0, 0), "{ring} {record}");
            checked += 1;
        }
    }
    assert_eq!(checked, 16);
    let dir = TempDir::new().unwrap();
    let arena = create(OsIo, dir.path());
    let rings: Vec<_> = (0..SHAPE.rings_max).map(|_| arena.map_ring().unwrap()).collect();
    assert!(arena.is_crash_safe());
    // Each has its own bytes.
    rings.iter().zip(1..).for_each(|(ring, n)| ring.region.word(0).store(n, Ordering::Relaxed));
    let numbers = rings.iter().map(|ring| ring.region.word(0).load(Ordering::Relaxed));
    assert!(numbers.eq(1..=SHAPE.rings_max as u64));
}

#[test]
fn the_header_says_how_the_lines_look_and_where_they_go() {
    let dir = TempDir::new().unwrap();
    let arena = create(OsIo, dir.path());
    let word = |offset| arena.fixed().word(offset).load(Ordering::Relaxed);
    let offsets =
        [header::FORMAT, header::DETAILS, header::OUTPUT, header::COLOUR, header::MESSAGE_MAX];
    assert_eq!(offsets.map(word), [1, 5, 3, 1, 4 << 10]);
    let mut directory = [0; 12];
    arena.fixed().read_bytes(header::DIRECTORY + 8, &mut directory);
    assert_eq!((word(header::DIRECTORY), &directory), (12, b"/var/log/app"));
    arena.unlink().unwrap();
}

/// Notes what is removed.
#[derive(Debug, Default)]
struct Removals(Arc<Mutex<Vec<String>>>);

impl Io for Removals {
    fn unlink(&self, path: &Path) -> io::Result<()> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        self.0.lock().unwrap().push(ending.to_owned());
        OsIo.unlink(path)
    }
}

#[test]
fn an_arena_goes_last_of_its_files() {
    let dir = TempDir::new().unwrap();
    let removed = Arc::<Mutex<Vec<String>>>::default();
    let arena = create(Removals(Arc::clone(&removed)), dir.path());
    let entry = [1; 4096];
    let room = layout::DICTIONARY_BYTES / entry.len();
    (0..room).for_each(|_| arena.list_site(&entry));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    assert!(arena.is_crash_safe());
    arena.unlink().unwrap();
    assert_eq!(*removed.lock().unwrap(), ["segments", "sites", "arena"]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_arena_that_cannot_list_a_callsite_is_not_crash_safe() {
    #[derive(Debug)]
    struct Refuses;
    impl Io for Refuses {
        fn pwrite(&self, _: BorrowedFd<'_>, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let dir = TempDir::new().unwrap();
    let arena = create(Refuses, dir.path());
    let entry = [1; 4096];
    (0..layout::DICTIONARY_BYTES / entry.len() - 1).for_each(|_| arena.list_site(&entry));
    assert!(arena.is_crash_safe());
    arena.list_site(&entry);
    assert!(!arena.is_crash_safe());
    arena.unlink().unwrap();
}

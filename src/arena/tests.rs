//! Tests of arenas in files: who finds whose.

use super::*;
use crate::sys::io::OsIo;
use std::os::fd::BorrowedFd;
use tempfile::TempDir;

const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 4 << 10, rings_max: 16 };

fn create(io: impl Io + 'static, dir: &Path) -> Arena {
    let identity = Identity { name: "app", file_name: "app.jsonl" };
    Arena::create(Arc::new(io), dir, identity, SHAPE).expect("an arena")
}

fn orphans(io: &dyn Io, dir: &Path) -> u64 {
    count_orphans(io, dir, "app").expect("the directory is read")
}

/// Looks for orphans whenever an arena under construction grows.
#[derive(Debug)]
struct LooksMeanwhile {
    dir: PathBuf,
    found: Arc<Mutex<Vec<u64>>>,
}

impl Io for LooksMeanwhile {
    fn fallocate(&self, fd: BorrowedFd<'_>, how: Reserve, at: u64, len: u64) -> io::Result<()> {
        self.found.lock().unwrap().push(orphans(&OsIo, &self.dir));
        OsIo.fallocate(fd, how, at, len)
    }
}

#[test]
fn an_arena_under_construction_is_nobodys_orphan() {
    let dir = TempDir::new().unwrap();
    let found = Arc::new(Mutex::new(Vec::new()));
    let io = LooksMeanwhile { dir: dir.path().to_owned(), found: Arc::clone(&found) };
    let arena = create(io, dir.path());
    assert_eq!(*found.lock().unwrap(), [0]);
    arena.unlink().unwrap();
}

/// Starts an engine's arena just before the directory is listed.
#[derive(Debug, Default)]
struct StartsMeanwhile {
    made: Mutex<Vec<Arena>>,
}

impl Io for StartsMeanwhile {
    fn read_dir_names(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.made.lock().unwrap().push(create(OsIo, path));
        OsIo.read_dir_names(path)
    }
}

#[test]
fn an_arena_made_while_another_start_looks_is_not_opened() {
    let dir = TempDir::new().unwrap();
    let io = StartsMeanwhile::default();
    assert_eq!(orphans(&io, dir.path()), 0);
    assert_eq!(orphans(&io, dir.path()), 0);
    assert_eq!(io.made.lock().unwrap().len(), 2);
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
    let identity = Identity { name: "app", file_name: "" };
    assert!(Arena::create(Arc::new(Refuses), dir.path(), identity, SHAPE).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(!orphans::is_own_in(dir.path()));
    let arena = create(OsIo, dir.path());
    assert!(orphans::is_own_in(dir.path()));
    // As a crash leaves it: this process's own lock does not count.
    orphans::forget_own(arena.path().unwrap());
    assert_eq!(orphans(&OsIo, dir.path()), 1);
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

//! Tests of arenas in files: who finds whose.

use super::*;
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::OsIo;
use std::os::fd::BorrowedFd;
use tempfile::TempDir;

const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 4 << 10, rings_max: 16 };

fn identity(directory: &Path) -> Identity<'_> {
    let lines = Lines { format: 1, details: 5, output: 3, colour: 1, message_max: 4 << 10 };
    Identity { name: "app", base: "app", file_name: "app.jsonl", directory, lines }
}

fn create(io: impl Io + 'static, dir: &Path) -> Arena {
    create_for(Path::new("/var/log/app"), io, dir)
}

fn create_for(directory: &Path, io: impl Io + 'static, dir: &Path) -> Arena {
    let identity = identity(directory);
    Arena::create(Arc::new(io), dir, identity, SHAPE, SigbusGuard::Install).expect("an arena")
}

fn orphans(io: &dyn Io, dir: &Path) -> u64 {
    find_orphans(io, dir, "app", SameLog::ByPlace).expect("the directory is read").len() as u64
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

#[test]
fn an_arena_of_another_directorys_log_is_no_orphan_of_this_one() {
    let dir = TempDir::new().unwrap();
    let long = PathBuf::from(format!("/{}", "x/".repeat(layout::DIRECTORY_BYTES_MAX)));
    let logs = [Path::new("/var/log/a"), Path::new("/var/log/b"), Path::new(""), &long];
    for log in logs {
        // As a crash leaves it.
        orphans::forget_own(create_for(log, OsIo, dir.path()).path().unwrap());
    }
    std::fs::write(dir.path().join("app.1-0.arena"), "cut").unwrap();
    let count = |log| find_orphans(&OsIo, dir.path(), "app", log).unwrap().len() as u64;
    for log in logs {
        assert_eq!(count(SameLog::In(log)), 1, "{log:?}");
    }
    assert_eq!(count(SameLog::In(Path::new("/var/log/"))), 0);
    assert_eq!(count(SameLog::In(Path::new("/var/log/ab"))), 0);
    assert_eq!(count(SameLog::ByPlace), logs.len() as u64 + 1);
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

/// A start that opened it would wait for somebody who writes to it.
#[test]
fn a_pipe_that_is_called_like_an_arena_is_passed_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("app.1-0f.arena")).status();
    assert!(made.expect("mkfifo is there").success());
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("app.2-0f.arena")).expect("a link");
    assert_eq!(orphans(&OsIo, dir.path()), 0);
}

/// Removes what is there by the time it is opened, and sees whether others may go on meanwhile.
#[derive(Debug)]
struct OpensLast {
    dir: PathBuf,
}

impl Io for OpensLast {
    fn open_existing(&self, path: &Path) -> io::Result<std::fs::File> {
        let (told, heard) = std::sync::mpsc::channel();
        let dir = self.dir.clone();
        std::thread::spawn(move || told.send(orphans::is_own_in(&dir)));
        assert_eq!(heard.recv_timeout(std::time::Duration::from_secs(60)), Ok(false), "held up");
        let file = OsIo.open_existing(path)?;
        OsIo.unlink(path)?;
        Ok(file)
    }
}

#[test]
fn who_removes_an_orphan_holds_nobody_up_and_may_be_late() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("app.1-00ff.arena"), "").unwrap();
    let found = find_orphans(&OsIo, dir.path(), "app", SameLog::ByPlace).unwrap();
    assert_eq!(found.len(), 1);
    let io = OpensLast { dir: dir.path().to_owned() };
    assert!(!found[0].remove(&io).unwrap(), "another was faster");
    assert!(!found[0].remove(&OsIo).unwrap());
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

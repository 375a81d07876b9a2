//! Tests of finding and judging: whose arenas are taken, and whose are left alone. What comes out
//! of them is `tests/recovery.rs`'s.

use super::*;
use crate::arena::layout::DIRECTORY_BYTES_MAX;
use crate::arena::{self, Arena, Identity, Lines, Shape};
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::{OsIo, Reserve};
use crate::sys::process;
use std::fs;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 4 << 10, rings_max: 16 };
const LOG: &str = "/var/log/app";

struct Free;

impl Names for Free {
    fn while_free(&self, _: &str, work: &mut dyn FnMut()) -> bool {
        work();
        true
    }
}

/// An arena of the base `app`, whose engine has no output.
fn create(io: impl Io + 'static, directory: &Path, dir: &Path) -> Arena {
    let lines = Lines { output: 4, ..Lines::JSON };
    let file_name = "app.jsonl";
    let identity = Identity { name: "app", base: "app", file_name, directory, lines };
    Arena::create(Arc::new(io), dir, identity, SHAPE, SigbusGuard::Install).expect("an arena")
}

/// One whose process has executed another program since.
fn leave(directory: &Path, dir: &Path) -> PathBuf {
    let arena = create(OsIo, directory, dir);
    let path = arena.path().expect("a file").to_owned();
    arena::forget_own(&path);
    path
}

fn run(io: &dyn Io, dir: &Path, whose: Whose, log: &Path) -> Report {
    let spots = [Spot { dir: dir.to_owned(), whose }];
    let log = Some(Beside { dir: log, private_dir: dir, modes: Modes::default() });
    let site = Site { io, names: &Free, log, spots: &spots, purpose: Purpose::Recover };
    site.run(|base| base == "app", &mut |_| None)
}

/// How many were recovered, stay, and live.
fn counts(report: &Report) -> [u64; 3] {
    [report.recovered.len() as u64, report.kept.len() as u64, report.living]
}

fn look(io: &dyn Io, dir: &Path) -> [u64; 3] {
    counts(&run(io, dir, Whose::OneLogs, Path::new(LOG)))
}

/// Looks whenever an arena under construction grows.
#[derive(Debug)]
struct LooksMeanwhile {
    dir: PathBuf,
    found: Arc<Mutex<Vec<[u64; 3]>>>,
}

impl Io for LooksMeanwhile {
    fn fallocate(&self, fd: BorrowedFd<'_>, how: Reserve, at: u64, len: u64) -> io::Result<()> {
        self.found.lock().unwrap().push(look(&OsIo, &self.dir));
        OsIo.fallocate(fd, how, at, len)
    }
}

#[test]
fn an_arena_under_construction_lives() {
    let dir = TempDir::new().unwrap();
    let found = Arc::new(Mutex::new(Vec::new()));
    let io = LooksMeanwhile { dir: dir.path().to_owned(), found: Arc::clone(&found) };
    let arena = create(io, Path::new(LOG), dir.path());
    assert_eq!(*found.lock().unwrap(), [[0, 0, 1]]);
    arena.unlink().unwrap();
}

/// Starts an engine's arena just before the directory is listed.
#[derive(Debug, Default)]
struct StartsMeanwhile {
    made: Mutex<Vec<Arena>>,
}

impl Io for StartsMeanwhile {
    fn read_dir_names(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.made.lock().unwrap().push(create(OsIo, Path::new(LOG), path));
        OsIo.read_dir_names(path)
    }
}

#[test]
fn an_arena_made_while_another_start_looks_is_not_opened() {
    let dir = TempDir::new().unwrap();
    let io = StartsMeanwhile::default();
    look(&io, dir.path());
    look(&io, dir.path());
    let made = io.made.lock().unwrap();
    assert!(made.len() >= 2 && made.iter().all(|arena| arena.path().unwrap().exists()));
}

#[test]
fn what_a_process_left_before_it_executed_its_program_is_dead() {
    let dir = TempDir::new().unwrap();
    let paths = [leave(Path::new(LOG), dir.path()), leave(Path::new(LOG), dir.path())];
    assert_eq!(look(&OsIo, dir.path()), [2, 0, 0]);
    assert!(paths.iter().all(|path| !path.exists()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn in_a_place_that_logs_share_each_takes_its_own() {
    let dir = TempDir::new().unwrap();
    let long = PathBuf::from(format!("/{}", "x/".repeat(DIRECTORY_BYTES_MAX)));
    let logs = [Path::new("/var/log/a"), Path::new("/var/log/b"), Path::new(""), &long];
    for log in logs {
        leave(log, dir.path());
    }
    fs::write(dir.path().join("app.4194305-0.arena"), "cut").unwrap();
    let count = |log| counts(&run(&OsIo, dir.path(), Whose::ManyLogs, log));
    for other in ["/var/log/ab", "/var/log"] {
        assert_eq!(count(Path::new(other)), [0, 0, 0]);
    }
    for log in &logs[..3] {
        assert_eq!((count(log), count(log)), ([1, 0, 0], [0, 0, 0]), "{log:?}");
    }
    // Beside a log all is its own: also what a directory was that does not fit a header.
    assert_eq!(counts(&run(&OsIo, dir.path(), Whose::OneLogs, logs[0])), [1, 1, 0]);
}

/// A start that opened it would wait for somebody who writes to it.
#[test]
fn what_is_only_called_like_an_arena_stays_and_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let made = std::process::Command::new("mkfifo").arg(at("app.4194305-0f.arena")).status();
    assert!(made.expect("mkfifo is there").success());
    std::os::unix::fs::symlink("/dev/zero", at("app.4194306-0f.arena")).expect("a link");
    fs::create_dir(at("app.4194307-0f.arena")).expect("a directory");
    let report = run(&OsIo, dir.path(), Whose::OneLogs, Path::new(LOG));
    assert_eq!(counts(&report), [0, 3, 0]);
    assert!(report.kept.iter().all(|kept| kept.why.contains("nobody can tell")), "{report:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn files_without_an_arena_go_when_their_process_is_dead() {
    let dir = TempDir::new().unwrap();
    let mut other = std::process::Command::new("sleep").arg("1000").spawn().expect("it starts");
    let at = |pid: u32, end: &str| dir.path().join(format!("app.{pid}-0f.{end}"));
    // No process has a number above 2^22.
    let (dead, own) = (4_194_305, process::pid());
    let gone = [
        at(dead, "segments"),
        at(dead, "sites"),
        at(dead, "staging"),
        // Never completed: no record was in it.
        at(dead + 1, "arena"),
        at(dead + 1, "segments"),
        at(own, "segments"),
    ];
    let stays = [at(other.id(), "segments"), at(other.id(), "arena"), at(dead, "other")];
    gone.iter().chain(&stays).for_each(|path| fs::write(path, vec![0; 1 << 16]).unwrap());
    assert_eq!(look(&OsIo, dir.path()), [0, 0, 1]);
    assert!(gone.iter().all(|path| !path.exists()) && stays.iter().all(|path| path.exists()));
    other.kill().expect("ours");
    other.wait().expect("ours");
    assert_eq!(look(&OsIo, dir.path()), [0, 0, 0]);
    assert!(!stays[0].exists() && !stays[1].exists() && stays[2].exists());
}

#[test]
fn damaged_ones_and_those_of_another_version_stay() {
    let dir = TempDir::new().unwrap();
    let whole = fs::read(leave(Path::new(LOG), dir.path())).unwrap();
    assert_eq!(look(&OsIo, dir.path()), [1, 0, 0]);
    let mut version = whole.clone();
    version[8] = 0;
    let bytes = [&whole[..100], b"something else altogether", &version, &whole[..]];
    for (n, bytes) in (1..).zip(bytes) {
        fs::write(dir.path().join(format!("app.{}-0f.arena", 4_194_304 + n)), bytes).unwrap();
    }
    let report = run(&OsIo, dir.path(), Whose::OneLogs, Path::new(LOG));
    // What the name says counts for nothing where the header is whole.
    assert_eq!(counts(&report), [1, 3, 0]);
    let said: Vec<&str> = report.kept.iter().map(|kept| &*kept.why).collect();
    for words in ["ends after 100 bytes", "does not begin", "version is 0"] {
        assert!(said.iter().any(|said| said.contains(words)), "{said:?}");
    }
    assert!(report.kept.iter().all(|kept| kept.bytes > 0 && kept.path.exists()));
}

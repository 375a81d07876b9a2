//! Promise [P3], for the carrying of what a dead arena owes: killed before and within each step,
//! and run again; with logs that others have changed meanwhile.

use super::*;
use crate::config::Modes;
use crate::recover::target::Target;
use crate::sys::io::OsIo;
use std::fs::{self, File};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const LOG: &str = "{\"n\":0}\n{\"n\":1}\n";
const CUT: &str = "{\"n\":2}\n{\"n\":3}\n";
const REST: &str = "{\"n\":4}\n{\"n\":5}\n{\"n\":6}\n";

/// Dies at a step, in the middle of it where it writes: nothing succeeds from then on.
#[derive(Debug)]
pub(in crate::recover) struct Dying {
    left: AtomicU64,
}

impl Dying {
    pub(in crate::recover) fn at(step: u64) -> Dying {
        Dying { left: AtomicU64::new(step) }
    }

    fn step<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.is_dead() {
            return Err(io::Error::other("dead"));
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        if self.is_dead() { Err(io::Error::other("dead")) } else { work() }
    }

    pub(in crate::recover) fn is_dead(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// The last write is cut short.
    fn write(&self, bytes: &[u8], write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        let was_dead = self.is_dead();
        let done = self.step(|| write(bytes));
        if done.is_err() && !was_dead {
            write(&bytes[..bytes.len() / 2])?;
        }
        done
    }
}

impl Io for Dying {
    fn open_fresh(&self, path: &Path) -> io::Result<File> {
        self.step(|| OsIo.open_fresh(path))
    }
    fn create_log(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.step(|| OsIo.create_log(path, mode))
    }
    fn create_private(&self, path: &Path) -> io::Result<File> {
        self.step(|| OsIo.create_private(path))
    }
    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write(bytes, |bytes| OsIo.pwrite(fd, bytes, offset))
    }
    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write(bytes, |bytes| OsIo.append(fd, bytes, offset))
    }
    // A kill loses nothing that was not synced, and the disk takes its time.
    fn fdatasync(&self, _: BorrowedFd<'_>) -> io::Result<()> {
        self.step(|| Ok(()))
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.step(|| Ok(()))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|| OsIo.rename(from, to))
    }
    fn set_modified(&self, fd: BorrowedFd<'_>, at: SystemTime) -> io::Result<()> {
        self.step(|| OsIo.set_modified(fd, at))
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step(|| OsIo.unlink(path))
    }
}

/// A log, an arena's files, and where they are.
struct Scene {
    dir: TempDir,
    stem: Stem,
    arena: [PathBuf; 2],
    /// The file that was the log's, and where its last append was to stand.
    cut: (FileId, u64),
}

impl Scene {
    /// The log has the first `there` bytes of the append.
    fn new(there: usize) -> Scene {
        let dir = tempfile::tempdir().expect("a directory");
        let stem = Stem { base: "app".to_owned(), pid: 47, id: "00ff".to_owned() };
        let arena = ["segments", "arena"].map(|end| dir.path().join(format!("{stem}.{end}")));
        arena.iter().for_each(|path| fs::write(path, "of it").expect("a file"));
        fs::write(dir.path().join("app.jsonl"), [LOG, &CUT[..there]].concat()).expect("a log");
        let mut scene = Scene { dir, stem, arena, cut: (FileId::default(), LOG.len() as u64) };
        scene.cut.0 = scene.files(&OsIo).live().expect("the log").id;
        scene
    }

    fn files<'a>(&'a self, io: &'a dyn Io) -> LogFiles<'a> {
        let dir = self.dir.path();
        LogFiles { io, dir, base: "app", unit: Unit::Lines, modes: Modes::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a start does.
    fn recover(&self, io: &dyn Io) -> io::Result<()> {
        let (dir, stem) = (self.dir.path(), &self.stem);
        let cargo = Cargo { stem, private_dir: dir, files: self.files(io), arena: &self.arena };
        if stage::paths(dir, stem).1.exists() {
            return cargo.resume().map(|tally| assert!(tally.is_some(), "it is whole"));
        }
        if !self.arena[1].exists() {
            return Ok(());
        }
        let (FileId { dev, ino, birth_ns }, offset) = self.cut;
        let carried = cargo.carry(&mut |rest| {
            rest.write_all(REST.as_bytes())?;
            let bytes = CUT.as_bytes().to_vec();
            let append = Some(Cut { dev, ino, birth_ns, offset, bytes, is_done: false });
            Ok(Owed { append, tally: Tally { records: 3, ..Tally::default() } })
        });
        carried.map(|tally| assert_eq!(tally.records, 3))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("app.jsonl")).expect("UTF-8")
    }

    /// Nothing is left but the log.
    fn is_clear(&self) -> bool {
        fs::read_dir(self.dir.path())
            .expect("a directory")
            .all(|entry| entry.expect("an entry").file_name().to_string_lossy().ends_with(".jsonl"))
    }
}

// [P3]
#[test]
fn however_often_it_is_killed_each_line_comes_once() {
    let mut kills = 0;
    for there in [0, 3, 8, 11, CUT.len()] {
        for first in 1.. {
            // The second time it dies as well, anywhere.
            let mut is_over = false;
            for second in [1, 2, 3, 5, 8, 13, u64::MAX] {
                let scene = Scene::new(there);
                is_over = scene.recover(&Dying::at(first)).is_ok();
                kills += u64::from(!is_over);
                kills += u64::from(scene.recover(&Dying::at(second)).is_err());
                scene.recover(&OsIo).expect("nothing fails");
                assert_eq!(scene.log(), [LOG, CUT, REST].concat(), "{there} {first} {second}");
                assert!(scene.is_clear(), "{there} {first} {second}");
                scene.recover(&OsIo).expect("nothing to do");
                assert_eq!(scene.log(), [LOG, CUT, REST].concat());
            }
            if is_over {
                break;
            }
        }
    }
    assert!(kills > 500, "{kills}");
}

#[test]
fn what_others_have_written_behind_half_an_append_stays_and_its_line_comes_whole() {
    for (there, kept) in [(0, ""), (3, ""), (8, "{\"n\":2}\n"), (11, "{\"n\":2}\n")] {
        let scene = Scene::new(there);
        let before = scene.log() + "\n{\"by\":\"somebody\"}\n";
        fs::write(scene.path("app.jsonl"), &before).expect("written");
        scene.recover(&OsIo).expect("nothing fails");
        let rest = CUT.strip_prefix(kept).expect("whole lines");
        assert_eq!(scene.log(), [&before, rest, REST].concat(), "{there}");
        assert!(scene.is_clear());
    }
}

#[test]
fn a_log_that_others_cut_moved_or_left_open_is_gone_on_with() {
    let scene = Scene::new(5);
    fs::write(scene.path("app.jsonl"), "{}\n").expect("cut");
    scene.recover(&OsIo).expect("nothing fails");
    assert_eq!(scene.log(), ["{}\n", CUT, REST].concat());
    // Removed: nobody knows how much was there.
    let scene = Scene::new(5);
    fs::remove_file(scene.path("app.jsonl")).expect("removed");
    scene.recover(&OsIo).expect("nothing fails");
    assert_eq!(scene.log(), [CUT, REST].concat());
    // Rotated: the append is completed where it began.
    let scene = Scene::new(5);
    let rotated = scene.path("app-20261120T213300Z-000001.jsonl");
    fs::rename(scene.path("app.jsonl"), &rotated).expect("renamed");
    fs::write(scene.path("app.jsonl"), "half of a li").expect("another");
    scene.recover(&OsIo).expect("nothing fails");
    assert_eq!(fs::read_to_string(rotated).expect("UTF-8"), [LOG, CUT].concat());
    assert_eq!(scene.log(), ["half of a li\n", REST].concat());
}

#[test]
fn a_disk_that_is_full_in_the_middle_costs_no_line() {
    /// Takes so many bytes for the log.
    #[derive(Debug)]
    struct Full(AtomicU64);
    impl Io for Full {
        fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
            let room = self.0.load(Ordering::Relaxed).min(bytes.len() as u64);
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.fetch_sub(room, Ordering::Relaxed);
            OsIo.append(fd, &bytes[..room as usize], offset)
        }
    }
    for room in 0..(CUT.len() + REST.len()) as u64 {
        let scene = Scene::new(0);
        scene.recover(&Full(AtomicU64::new(room))).expect_err("it is full");
        // The engine starts all the same, ends the open line, and logs.
        let before = scene.log();
        let end = if before.ends_with('\n') { "" } else { "\n" };
        fs::write(scene.path("app.jsonl"), [&before, end, "{\"by\":1}\n"].concat()).expect("room");
        scene.recover(&OsIo).expect("there is room");
        let log = scene.log();
        let lines = |text: &str| -> Vec<String> {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.retain(|line| line.ends_with('}'));
            lines.sort_unstable();
            lines
        };
        let wanted = lines(&[LOG, CUT, REST, "{\"by\":1}\n"].concat());
        assert_eq!(lines(&log), wanted, "{room}");
        assert!(scene.is_clear());
    }
}

#[test]
fn a_damaged_stage_is_none_and_one_head_of_two_is_enough() {
    let scene = Scene::new(5);
    // It dies when the stage is complete: before the arena goes.
    let (mut step, complete) = (1, stage::paths(scene.dir.path(), &scene.stem).1);
    while !complete.exists() {
        scene.recover(&Dying::at(step)).expect_err("it dies");
        step += 1;
    }
    let whole = fs::read(&complete).expect("a stage");
    let open = || Stage::open(&OsIo, &complete).expect("it is there");
    let head = open().expect("whole").head;
    for at in [0, 9, 100, 4096 + 8, 4096 + 40, 4096 + 200] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&complete, bytes).expect("written");
        // The first head is in the second page.
        assert_eq!(open().map(|stage| stage.head), (at < 4096).then(|| head.clone()), "{at}");
    }
    for len in [0, 100, 4096, 8000, whole.len() - 1] {
        fs::write(&complete, &whole[..len]).expect("written");
        assert!(open().is_none(), "{len}");
    }
    fs::write(&complete, &whole).expect("written");
    let mut stage = open().expect("whole");
    stage.head.is_done = true;
    stage.store(&OsIo).expect("stored");
    assert!(open().expect("whole").head.is_done);
}

#[test]
fn what_comes_back_is_no_younger_than_the_file() {
    let scene = Scene::new(5);
    let log = File::options().write(true).open(scene.path("app.jsonl")).expect("the log");
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    log.set_modified(yesterday).expect("set");
    scene.recover(&OsIo).expect("nothing fails");
    let modified = log.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    assert!(modified < yesterday + Duration::from_secs(1));
}

#[test]
fn a_file_of_another_birth_is_another() {
    let id = FileId { dev: 1, ino: 2, birth_ns: 3 };
    assert!(id.is_same(&id) && id.is_same(&FileId { birth_ns: 0, ..id }));
    assert!(!id.is_same(&FileId { birth_ns: 4, ..id }) && !id.is_same(&FileId { ino: 3, ..id }));
    let scene = Scene::new(0);
    let Target { id, .. } = scene.files(&OsIo).live().expect("the log");
    let find = |id| scene.files(&OsIo).find(&id).expect("readable").is_some();
    assert!(find(id) && !find(FileId { birth_ns: id.birth_ns ^ 1, ..id }));
}

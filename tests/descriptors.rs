//! Promise [P5]: a descriptor that somebody else closes, and whose number he uses again, costs no
//! line, no byte of his file, and no lie about what is on the device.
#![allow(unsafe_code)]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{all_lines, config, drain};
use fastlog::{Engine, Io, OsIo, Reserve, fastlog};

const LINES: u64 = 100;

/// The descriptors of this process that lead to `path`.
fn numbers_of(path: &Path) -> Vec<i32> {
    let wanted = fs::metadata(path).map(|found| (found.dev(), found.ino())).expect("a file");
    let entries = fs::read_dir("/proc/self/fd").expect("the kernel tells");
    let numbers = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let found = fs::metadata(entry.path()).ok()?;
        let is_wanted = (found.dev(), found.ino()) == wanted;
        entry.file_name().to_str()?.parse().ok().filter(|_| is_wanted)
    });
    numbers.collect()
}

/// What the host does with a number that it takes for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    /// Nothing: it stays closed.
    Not,
    /// A file of its own.
    File,
    /// One end of a socket.
    Socket,
    /// The log's own file, to read it.
    LogToRead,
}

/// Closes the engine's descriptors of `path` and uses their numbers.
fn take_over(path: &Path, reuse: Reuse, precious: &Path) -> usize {
    let numbers = numbers_of(path);
    for number in &numbers {
        let number = *number;
        let put = |by: i32| {
            // SAFETY: what the number led to is closed, as by a host that closes all it finds; the
            // engine is what is tried here.
            assert!(unsafe { libc::dup2(by, number) } >= 0);
        };
        match reuse {
            // SAFETY: as above.
            Reuse::Not => assert_eq!(unsafe { libc::close(number) }, 0),
            Reuse::File => {
                let file = OpenOptions::new().read(true).write(true).open(precious);
                put(file.expect("the host's file").as_raw_fd());
            }
            Reuse::Socket => {
                let (one, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
                put(one.as_raw_fd());
            }
            Reuse::LogToRead => put(File::open(path).expect("the log").as_raw_fd()),
        }
    }
    numbers.len()
}

#[test]
fn not_a_byte_goes_to_anothers_file_and_no_line_is_lost() {
    // The numbers are those of the whole process: one after the other.
    for reuse in [Reuse::Not, Reuse::File, Reuse::Socket, Reuse::LogToRead] {
        let dir = tempfile::tempdir().expect("a directory");
        let precious = dir.path().join("user.db");
        fs::write(&precious, "precious").expect("a file");
        let engine = Engine::detached(config(&dir.path().join("logs"))).expect("it starts");
        let logger = engine.logger();
        fastlog!(logger: logger, INFO, "before");
        engine.sync().expect("on the device");
        let stats = engine.stats();
        let path = stats.log_path().expect("a file");
        assert!(take_over(path, reuse, &precious) > 0, "{reuse:?}");
        for n in 0..LINES {
            fastlog!(logger: logger, INFO, "after", n);
        }
        engine.sync().expect("through a descriptor of the engine's own");
        let stats = engine.stats();
        assert_eq!((stats.reopens(), stats.lost_descriptors()), (1, 1), "{reuse:?}: {stats}");
        let failure = stats.last_failure().expect("it is told");
        assert!(failure.contains("somebody closed its descriptor"), "{failure}");
        let report = drain(&engine);
        let lines = all_lines(report.log_path().expect("a file"));
        let kept = lines.iter().filter(|line| line["message"] == "after").count();
        assert_eq!(kept as u64, LINES, "{reuse:?}");
        let is_told = |line: &serde_json::Value| {
            line["target"] == "fastlog"
                && line["message"].as_str().is_some_and(|text| text.contains("was lost"))
        };
        assert_eq!(lines.iter().filter(|line| is_told(line)).count(), 1, "{reuse:?}");
        assert_eq!(fs::read(&precious).expect("the host's"), b"precious", "{reuse:?}");
        // What the numbers lead to now was not closed either.
        let left = numbers_of(if reuse == Reuse::File { &precious } else { path });
        assert_eq!(left.len(), usize::from(matches!(reuse, Reuse::File | Reuse::LogToRead)));
        for number in left {
            // SAFETY: the host closes what it opened.
            assert_eq!(unsafe { libc::close(number) }, 0);
        }
    }
}

/// Notes which files are changed, synced or allocated for.
#[derive(Debug, Default)]
struct Noted {
    touched: Mutex<Vec<u64>>,
    syncs: AtomicU64,
}

impl Noted {
    fn note(&self, fd: BorrowedFd<'_>) {
        let ino = OsIo.fstat(fd).map_or(0, |status| status.ino);
        self.touched.lock().expect("a list").push(ino);
    }
}

impl Io for Noted {
    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.note(fd);
        OsIo.append(fd, bytes, offset)
    }

    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.note(fd);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        OsIo.fdatasync(fd)
    }

    fn fallocate(&self, fd: BorrowedFd<'_>, how: Reserve, at: u64, len: u64) -> io::Result<()> {
        self.note(fd);
        OsIo.fallocate(fd, how, at, len)
    }

    fn ftruncate(&self, fd: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        self.note(fd);
        OsIo.ftruncate(fd, len)
    }
}

/// Neither a sync that would tell of another file, nor blocks or a cut.
#[test]
fn the_keeper_leaves_anothers_file_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let precious = dir.path().join("user.db");
    fs::write(&precious, "precious").expect("a file");
    let io = Arc::new(Noted::default());
    let config = config(&dir.path().join("logs")).io(io.clone());
    let engine = Engine::detached(config).expect("it starts");
    let logger = engine.logger();
    let path: PathBuf = engine.stats().log_path().expect("a file").to_owned();
    // A reserve, where the file system can: the keeper sees it when it has synced.
    let file = File::options().write(true).open(&path).expect("the log");
    let _ = OsIo.fallocate(file.as_fd(), Reserve::KeepSize, 0, 8 << 20);
    drop(file);
    for _ in 0..2 {
        fastlog!(logger: logger, INFO, "synced");
        engine.sync().expect("on the device");
    }
    fastlog!(logger: logger, INFO, "published, not synced");
    engine.flush().expect("published");
    assert!(take_over(&path, Reuse::File, &precious) > 0);
    let before = io.syncs.load(Ordering::Relaxed);
    // Nothing is published meanwhile: the keeper meets the number before the publisher does.
    engine.sync().expect("through the file's name");
    assert!(io.syncs.load(Ordering::Relaxed) > before, "it was synced");
    drain(&engine);
    assert_eq!(engine.stats().keeper_failures(), 0, "the reserve is the next engine's to free");
    let foreign = fs::metadata(&precious).expect("the host's").ino();
    let touched = io.touched.lock().expect("a list");
    assert!(!touched.is_empty() && !touched.contains(&foreign));
    assert_eq!(fs::read(&precious).expect("the host's"), b"precious");
    drop(touched);
    for number in numbers_of(&precious) {
        // SAFETY: the host closes what it opened.
        assert_eq!(unsafe { libc::close(number) }, 0);
    }
}

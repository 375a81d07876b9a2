//! Promise: rotated files are compressed without loss, one copy at a time, and never at the cost of a
//! sync; by a thread of the lowest priority, which is there only meanwhile and whose failures are
//! told. A process that died in between leaves nothing that the next start does not put right.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use common::child::is_root;
use common::disk::{Disk, ENOSPC, Faults};
use common::{drain, wait_until};
use fastlog::{Compression, Config, Engine, Io, OsIo, fastlog};

const LINES: u64 = 30_000;

fn config(dir: &Path, compression: Compression) -> Config {
    common::config(dir).rotate_bytes(256 << 10).compress(compression)
}

/// All names in the directory but the private one, the numbers of rotated files in order.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<_> = names.filter(|name| name != ".fastlog").collect();
    let number = |name: &String| name.split(['-', '.']).nth(2).and_then(|n| n.parse::<u64>().ok());
    // The live file has no number and comes last.
    names.sort_by_key(|name| number(name).unwrap_or(u64::MAX));
    names
}

/// A file's text, unpacked by its name.
fn text(path: &Path) -> String {
    let file = File::open(path).expect("a file");
    let mut text = String::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => zstd::Decoder::new(file).and_then(|mut file| file.read_to_string(&mut text)),
        Some("gz") => flate2::read::GzDecoder::new(file).read_to_string(&mut text),
        _ => { file }.read_to_string(&mut text),
    }
    .expect("whole and UTF-8");
    text
}

/// The program's numbers in all files.
fn numbers(dir: &Path) -> Vec<u64> {
    let texts: Vec<_> = names(dir).iter().map(|name| text(&dir.join(name))).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    lines.filter_map(|line| line["n"].as_u64()).collect()
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    numbers.for_each(|n| fastlog!(logger: logger, INFO, "a line that packs well", n));
}

// [S2]
#[test]
fn every_line_is_there_once_in_what_is_packed() {
    for (compression, suffix) in [(Compression::Zstd, ".zst"), (Compression::Gzip, ".gz")] {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config(dir.path(), compression)).expect("it starts");
        log(&engine, 0..LINES);
        engine.sync().expect("a sync comes first");
        let rotations = engine.stats().rotations();
        assert!(rotations > 5, "{rotations}");
        wait_until("the keeper", || engine.stats().compressed_files() == rotations);
        drain(&engine);
        let names = names(dir.path());
        let packed = names.iter().filter(|name| name.ends_with(suffix)).count() as u64;
        assert_eq!((packed, names.len() as u64), (rotations, rotations + 1), "{names:?}");
        assert!(numbers(dir.path()).into_iter().eq(0..LINES));
        let len = fs::metadata(dir.path().join(&names[0])).expect("a file").len();
        assert!(len < 64 << 10, "{len} bytes");
    }
}

/// A start ends what is no line at the end of files that wait for their sync. Packed bytes are none.
#[test]
fn later_starts_leave_packed_files_as_they_are() {
    for compression in [Compression::Zstd, Compression::Gzip] {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config(dir.path(), compression)).expect("it starts");
        log(&engine, 0..LINES);
        engine.sync().expect("a sync comes first");
        let rotations = engine.stats().rotations();
        wait_until("the keeper", || engine.stats().compressed_files() == rotations);
        drain(&engine);
        let packed: Vec<_> = names(dir.path()).into_iter().filter(|n| n != "test.jsonl").collect();
        let bytes = || packed.iter().map(|name| fs::read(dir.path().join(name)).expect("there"));
        let before: Vec<Vec<u8>> = bytes().collect();
        for _ in 0..2 {
            drain(&Engine::detached(config(dir.path(), compression)).expect("it starts"));
        }
        assert!(bytes().eq(before), "not a byte has changed");
        assert!(packed.len() > 5 && numbers(dir.path()).into_iter().eq(0..LINES));
        let live = text(&dir.path().join("test.jsonl"));
        assert!(!live.contains("no line"), "{live}");
    }
}

/// Age, rights and owner of a file decide who may read it and how long it is kept.
#[test]
fn what_is_packed_has_time_mode_and_owner_of_what_it_takes_the_place_of() {
    const OWNER: (u32, u32) = (1, 4);
    const AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    for compression in [Compression::Zstd, Compression::Gzip] {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config(dir.path(), Compression::None)).expect("it starts");
        log(&engine, 0..LINES);
        drain(&engine);
        let plain = names(dir.path());
        let rotated = &plain[..plain.len() - 1];
        let attributes = |path: &Path| {
            let found = fs::symlink_metadata(path).expect("it is there");
            (found.mode() & 0o7777, found.uid(), found.gid(), found.modified().expect("a time"))
        };
        let expected = rotated.iter().enumerate().map(|(n, name)| {
            let path = dir.path().join(name);
            let file = File::options().write(true).open(&path).expect("ours");
            // Each its own, to the nanosecond.
            let at = SystemTime::now() - AGE + Duration::from_nanos(1_000_000_007 * n as u64);
            file.set_modified(at).expect("ours");
            if is_root() {
                chown(&path, Some(OWNER.0), Some(OWNER.1)).expect("root may");
            }
            let mode = [0o600, 0o640, 0o664, 0o444][n % 4];
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
            attributes(&path)
        });
        let expected: Vec<_> = expected.collect();
        let engine = Engine::detached(config(dir.path(), compression)).expect("it starts");
        let count = rotated.len() as u64;
        wait_until("the keeper", || engine.stats().compressed_files() == count);
        drain(&engine);
        let packed = names(dir.path());
        for ((name, before), expected) in packed.iter().zip(rotated).zip(&expected) {
            assert!(name.starts_with(&**before) && name != before, "{name} {before}");
            assert_eq!(attributes(&dir.path().join(name)), *expected, "{name}");
        }
        assert!(count > 5 && numbers(dir.path()).into_iter().eq(0..LINES));
    }
}

#[test]
fn what_was_left_half_done_is_put_right() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path(), Compression::None)).expect("it starts");
    log(&engine, 0..LINES);
    drain(&engine);
    let plain = names(dir.path());
    assert!(plain.len() > 5);
    // Died after the packed file had its name, before the original went.
    let first = dir.path().join(&plain[0]);
    let packed = zstd::encode_all(&*fs::read(&first).expect("a file"), 3).expect("packed");
    fs::write(dir.path().join(format!("{}.zst", plain[0])), packed).expect("a file");
    // Of another's making, and less than there is.
    for (n, end) in [(1, "zst"), (2, "gz")] {
        fs::write(dir.path().join(format!("{}.{end}", plain[n])), b"half").expect("a file");
    }
    // Died while it packed.
    fs::write(dir.path().join(".fastlog/test.packing"), b"half").expect("a file");
    let engine = Engine::detached(config(dir.path(), Compression::Zstd)).expect("it starts");
    let expected = plain.len() as u64 - 1;
    log(&engine, LINES..LINES + 1);
    wait_until("the keeper", || engine.stats().compressed_files() >= expected);
    drain(&engine);
    assert!(!first.exists());
    assert!(numbers(dir.path()).into_iter().eq(0..LINES + 1));
    assert!(!dir.path().join(".fastlog/test.packing").exists());
}

#[test]
fn packed_files_are_kept_and_removed_like_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), Compression::Zstd).retain_files(3);
    let engine = Engine::detached(config).expect("it starts");
    log(&engine, 0..LINES);
    engine.sync().expect("synced");
    let files = || names(dir.path());
    wait_until("the keeper", || {
        files().len() == 4 && files().iter().filter(|name| name.ends_with(".zst")).count() == 3
    });
    drain(&engine);
    let left = numbers(dir.path());
    assert!(left.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert_eq!(left.last(), Some(&(LINES - 1)));
}

/// Sees which threads write to streams, as files are compressed, and which sync.
#[derive(Debug, Default)]
struct Watch {
    writers: Mutex<BTreeSet<Caller>>,
    syncers: Mutex<BTreeSet<Caller>>,
    panics: AtomicBool,
}

/// A thread: number, name, nice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Caller {
    tid: u32,
    name: String,
    nice: i32,
}

impl Caller {
    /// Of a line of `/proc/*/task/*/stat`.
    fn parse(stat: &str) -> Option<Caller> {
        let (tid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let nice = rest.split(' ').nth(16)?.parse().ok()?;
        Some(Caller { tid: tid.parse().ok()?, name: name.to_owned(), nice })
    }

    fn current() -> Option<Caller> {
        Caller::parse(&fs::read_to_string("/proc/thread-self/stat").ok()?)
    }

    fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", self.tid));
        stat.ok().and_then(|stat| Caller::parse(&stat)).is_some_and(|now| now == *self)
    }
}

impl Io for Watch {
    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        self.writers.lock().expect("no panic").extend(Caller::current());
        assert!(!self.panics.load(Ordering::Relaxed), "a test's panic");
        OsIo.write(fd, bytes)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.syncers.lock().expect("no panic").extend(Caller::current());
        OsIo.sync_dir(path)
    }
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn only_the_packer_has_the_lowest_priority_and_it_ends_with_its_work() {
    let dir = tempfile::tempdir().expect("a directory");
    let watch = Arc::new(Watch::default());
    let config = config(dir.path(), Compression::Zstd).io(Arc::clone(&watch) as Arc<dyn Io>);
    let engine = Engine::detached(config).expect("it starts");
    log(&engine, 0..LINES);
    engine.sync().expect("synced");
    let rotations = engine.stats().rotations();
    wait_until("the packer", || engine.stats().compressed_files() == rotations);
    let seen = |callers: &Mutex<BTreeSet<Caller>>| callers.lock().expect("no panic").clone();
    let packers = seen(&watch.writers);
    wait_until("its end", || !packers.iter().any(Caller::is_alive));
    drain(&engine);
    let own = Caller::current().expect("the kernel tells").nice;
    let is_packer = |caller: &Caller| (&*caller.name, caller.nice) == ("fastlog-packer", 19);
    assert!(!packers.is_empty() && packers.iter().all(is_packer), "{packers:?}");
    // After it has started the packer, and taken what that did.
    let keepers = seen(&watch.syncers);
    let is_keeper = |caller: &Caller| (&*caller.name, caller.nice) == ("fastlog-keeper", own);
    assert!(!keepers.is_empty() && keepers.iter().all(is_keeper), "{keepers:?} beside {own}");
}

#[test]
fn a_packer_that_panics_is_told() {
    for compression in [Compression::Zstd, Compression::Gzip] {
        let dir = tempfile::tempdir().expect("a directory");
        let watch = Arc::new(Watch::default());
        watch.panics.store(true, Ordering::Relaxed);
        let config = config(dir.path(), compression).io(Arc::clone(&watch) as Arc<dyn Io>);
        let engine = Engine::detached(config).expect("it starts");
        log(&engine, 0..LINES / 2);
        wait_until("the failure", || engine.stats().last_failure().is_some());
        let stats = engine.stats();
        let told = stats.last_failure().expect("a sentence");
        assert!(told.starts_with("cannot compress a file of the log in "), "{told}");
        assert!(told.ends_with("the packer panicked: a test's panic"), "{told}");
        assert!(stats.keeper_failures() > 0 && stats.compressed_files() == 0);
        watch.panics.store(false, Ordering::Relaxed);
        log(&engine, LINES / 2..LINES);
        engine.sync().expect("the keeper is as before");
        let rotations = engine.stats().rotations();
        wait_until("the packer", || engine.stats().compressed_files() == rotations);
        drain(&engine);
        assert!(numbers(dir.path()).into_iter().eq(0..LINES));
    }
}

/// Longer than a sync that waits for nothing takes on a slow machine.
const SYNC_MAX: Duration = Duration::from_secs(60);

#[test]
fn a_packer_that_hangs_or_fails_leaves_the_original_and_holds_up_no_sync() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    disk.set(Faults { streams_blocked: true, ..Faults::default() });
    let config = config(dir.path(), Compression::Zstd).io(Arc::clone(&disk) as Arc<dyn Io>);
    let engine = Engine::detached(config).expect("it starts");
    log(&engine, 0..LINES / 2);
    wait_until("the packer", || disk.is_holding_stream());
    for n in LINES / 2..LINES / 2 + 3 {
        log(&engine, n..n + 1);
        let syncs = engine.stats().syncs();
        engine.sync_timeout(SYNC_MAX).expect("it does not wait for the packer");
        assert!(engine.stats().syncs() > syncs && disk.is_holding_stream());
    }
    let stats = engine.stats();
    assert_eq!((stats.keeper_failures(), stats.compressed_files()), (0, 0));
    disk.set(Faults { stream_error: Some(ENOSPC), ..Faults::default() });
    wait_until("the failure", || engine.stats().last_failure().is_some());
    let stats = engine.stats();
    let told = stats.last_failure().expect("a sentence");
    assert!(told.starts_with("cannot compress a file of the log in "), "{told}");
    log(&engine, LINES / 2 + 3..LINES / 2 + 4);
    engine.sync_timeout(SYNC_MAX).expect("a sync");
    assert!(!dir.path().join(".fastlog/test.packing").exists());
    let stats = engine.stats();
    let names_now = names(dir.path());
    assert!(stats.keeper_failures() > 0 && stats.compressed_files() == 0);
    assert_eq!(names_now.len() as u64, stats.rotations() + 1, "{names_now:?}");
    assert!(names_now.iter().all(|name| name.ends_with(".jsonl")), "{names_now:?}");
    disk.heal();
    log(&engine, LINES / 2 + 4..LINES);
    engine.sync().expect("synced");
    let rotations = engine.stats().rotations();
    wait_until("the packer", || engine.stats().compressed_files() == rotations);
    drain(&engine);
    assert!(numbers(dir.path()).into_iter().eq(0..LINES));
}

#[test]
fn a_drain_stops_the_packer_in_the_middle_of_a_file() {
    /// Each piece of the file is written in one call, and takes so long.
    const DELAY: Duration = Duration::from_millis(500);
    const PIECES: u32 = 80;
    const PIECE_BYTES: usize = 128 << 10;
    let dir = tempfile::tempdir().expect("a directory");
    let original = dir.path().join("test-20260101T000000Z-000001.jsonl");
    let line = "{\"n\":7,\"message\":\"a line of an older engine\"}\n";
    let whole = line.repeat(PIECES as usize * PIECE_BYTES / line.len() + 1);
    fs::write(&original, &whole).expect("a file");
    let disk = Disk::new();
    disk.set(Faults { stream_delay: DELAY, ..Faults::default() });
    let config = config(dir.path(), Compression::Zstd).io(Arc::clone(&disk) as Arc<dyn Io>);
    let engine = Engine::detached(config.clone()).expect("it starts");
    wait_until("the packer", || disk.stream_writes() > 2);
    let scratch = dir.path().join(".fastlog/test.packing");
    assert!(scratch.exists());
    let start = Instant::now();
    drain(&engine);
    let (took, writes) = (start.elapsed(), disk.stream_writes());
    assert!(took < DELAY * PIECES / 3, "{took:?}");
    assert!(writes < u64::from(PIECES) / 2, "{writes} pieces");
    assert_eq!(engine.stats().compressed_files(), 0);
    assert_eq!(names(dir.path()), ["test-20260101T000000Z-000001.jsonl", "test.jsonl"]);
    assert!(!scratch.exists() && text(&original) == whole);
    disk.heal();
    let engine = Engine::detached(config).expect("it starts");
    wait_until("the packer", || engine.stats().compressed_files() == 1);
    drain(&engine);
    assert!(!original.exists() && !scratch.exists());
    assert!(text(&original.with_extension("jsonl.zst")) == whole);
}

#[test]
fn a_drain_waits_for_no_packer_that_hangs() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    disk.set(Faults { streams_blocked: true, ..Faults::default() });
    let config = config(dir.path(), Compression::Gzip).io(Arc::clone(&disk) as Arc<dyn Io>);
    let engine = Engine::detached(config.clone()).expect("it starts");
    log(&engine, 0..LINES / 2);
    wait_until("the packer", || disk.is_holding_stream());
    assert_eq!(drain(&engine).written(), LINES / 2);
    assert!(disk.is_holding_stream(), "it hangs still");
    let (scratch, before) = (dir.path().join(".fastlog/test.packing"), names(dir.path()));
    assert!(!scratch.exists() && before.iter().all(|name| name.ends_with(".jsonl")), "{before:?}");
    // The next engine of the name has a packer of its own, beside which the old one wakes.
    let engine = Engine::detached(config).expect("the name is free");
    log(&engine, LINES / 2..LINES);
    disk.heal();
    engine.flush().expect("published");
    let rotations = before.len() as u64 - 1 + engine.stats().rotations();
    wait_until("the packer", || engine.stats().compressed_files() == rotations);
    drain(&engine);
    assert!(!scratch.exists() && numbers(dir.path()).into_iter().eq(0..LINES));
}

/// A writer that has the file open when it is rotated goes on with it for a while.
#[test]
fn what_others_append_to_a_rotated_file_is_not_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let original = dir.path().join("test-20260101T000000Z-000001.jsonl");
    fs::write(&original, "{\"n\":0}\n".repeat(100_000)).expect("a file");
    let disk = Disk::new();
    disk.set(Faults { streams_blocked: true, ..Faults::default() });
    let config = config(dir.path(), Compression::Zstd).io(Arc::clone(&disk) as Arc<dyn Io>);
    let engine = Engine::detached(config.clone()).expect("it starts");
    wait_until("the packer", || disk.is_holding_stream());
    let mut other = File::options().append(true).open(&original).expect("a file");
    io::Write::write_all(&mut other, b"{\"n\":1}\n").expect("written");
    disk.heal();
    let is_told = || engine.stats().last_failure().is_some_and(|told| told.contains("writes to"));
    // Where the packer has read the line as well, it is told all the same.
    wait_until("a word", is_told);
    drain(&engine);
    let whole = text(&original);
    assert!(whole.ends_with("{\"n\":1}\n") && engine.stats().compressed_files() == 0);
    drop(other);
    let engine = Engine::detached(config).expect("it starts");
    wait_until("the packer", || engine.stats().compressed_files() == 1);
    drain(&engine);
    assert!(!original.exists() && text(&original.with_extension("jsonl.zst")) == whole);
}

//! Promise: what others do to the log's files costs no line that they do not take with them, and
//! leaves no hole: renames, deletions, cuts, a directory that vanishes, all under load.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::disk::inode;
use common::{all_lines, drain, give_way, wait_until};
use fastlog::{Config, DrainReport, Engine, fastlog};

const DISTURBANCES: usize = 30;
/// What a thread logs at its best for each of them, and then at its leisure: else the logs were as
/// long as the machine is slow to disturb them.
const RECORDS_EACH: u64 = 5_000;
/// Records after which a thread lets others run, so that it is still logging when they disturb it.
const RECORDS_AT_ONCE: u64 = 16;
const LEISURE: Duration = Duration::from_millis(1);

/// Ends the threads, also when a disturbance panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Logs from two threads while `disturb` does something to the log some thirty times; gives how many
/// lines each thread logged.
fn under_load(config: Config, mut disturb: impl FnMut(&Engine, usize)) -> (DrainReport, [u64; 2]) {
    let engine = Engine::detached(config).expect("the engine starts");
    let (is_over, round) = (AtomicBool::new(false), AtomicU64::new(0));
    let counts = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for (who, count) in counts.iter().enumerate() {
            let (logger, is_over, round) = (engine.logger(), &is_over, &round);
            scope.spawn(move || {
                let (mut present, mut hurry) = (u64::MAX, 0);
                while !is_over.load(Ordering::Relaxed) {
                    let n = count.load(Ordering::Relaxed);
                    fastlog!(logger: logger, INFO, "somebody is at the files", who, n);
                    count.store(n + 1, Ordering::Relaxed);
                    if round.load(Ordering::Relaxed) != present {
                        (present, hurry) = (round.load(Ordering::Relaxed), n + RECORDS_EACH);
                    }
                    if n % RECORDS_AT_ONCE == 0 {
                        if n < hurry { give_way() } else { std::thread::sleep(LEISURE) }
                    }
                }
            });
        }
        let over = Over(&is_over);
        for disturbance in 0..DISTURBANCES {
            round.store(disturbance as u64, Ordering::Relaxed);
            let published = engine.stats().published_bytes();
            wait_until("lines to be published", || {
                engine.stats().published_bytes() > published + 20_000
            });
            disturb(&engine, disturbance);
        }
        drop(over);
    });
    (drain(&engine), counts.map(AtomicU64::into_inner))
}

/// Each thread's numbers, in the order of the texts.
fn numbers(texts: &[String]) -> [Vec<u64>; 2] {
    let mut numbers = [Vec::new(), Vec::new()];
    for line in texts.iter().flat_map(|text| text.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        if let (Some(thread), Some(n)) = (line["who"].as_u64(), line["n"].as_u64()) {
            numbers[thread as usize].push(n);
        }
    }
    numbers
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the log is UTF-8")
}

// [S33]
#[test]
fn renames_cost_no_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    let moved = |round: usize| dir.path().join(format!("moved-{round:03}"));
    let (report, counts) = under_load(common::config(dir.path()), |engine, round| {
        fs::rename(&live, moved(round)).expect("renamed");
        let reopens = engine.stats().reopens();
        wait_until("a new file", || engine.stats().reopens() > reopens || live.exists());
    });
    let mut texts: Vec<_> = (0..DISTURBANCES).map(|round| read(&moved(round))).collect();
    texts.push(read(&live));
    for (numbers, count) in numbers(&texts).iter().zip(counts) {
        assert!(numbers.iter().copied().eq(0..count), "{} of {count}", numbers.len());
    }
    assert_eq!(report.written(), counts.iter().sum::<u64>());
}

#[test]
fn a_deleted_file_takes_only_its_own_lines() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    let mut deleted = Vec::new();
    let (_, counts) = under_load(common::config(dir.path()), |_, _| {
        deleted.push(File::open(&live).expect("the log"));
        fs::remove_file(&live).expect("removed");
        wait_until("a new file", || live.exists());
    });
    // Whoever has them open still reads them to their ends.
    let texts = deleted.iter_mut().map(|file| {
        let mut text = String::new();
        file.read_to_string(&mut text).expect("UTF-8");
        text
    });
    let texts: Vec<_> = texts.chain([read(&live)]).collect();
    for (numbers, count) in numbers(&texts).iter().zip(counts) {
        assert!(numbers.iter().copied().eq(0..count), "{} of {count}", numbers.len());
    }
}

// [S13] [S35]
#[test]
fn a_file_that_is_copied_and_cut_has_no_hole() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    let mut copies = Vec::new();
    let (_, counts) = under_load(common::config(dir.path()), |_, _| {
        copies.push(fs::read(&live).expect("the log"));
        File::options().write(true).open(&live).and_then(|file| file.set_len(0)).expect("cut");
    });
    copies.push(fs::read(&live).expect("the log"));
    // What came between copy and cut is gone, and a line may be torn there: that is copytruncate.
    let mut last = [None, None];
    let mut seen = 0_u64;
    for copy in &copies {
        assert!(!copy.contains(&0), "a hole");
        let text = std::str::from_utf8(copy).expect("UTF-8");
        for line in text.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok()) {
            let (Some(thread), Some(n)) = (line["who"].as_u64(), line["n"].as_u64()) else {
                continue;
            };
            assert!(last[thread as usize] < Some(n), "{n} after {last:?}");
            last[thread as usize] = Some(n);
            seen += 1;
        }
    }
    assert!(seen > 1000 && seen <= counts.iter().sum::<u64>(), "{seen} of {counts:?}");
}

#[test]
fn a_directory_that_vanished_is_made_again_and_rotates() {
    let parent = tempfile::tempdir().expect("a directory");
    let (dir, gone) = (parent.path().join("logs"), parent.path().join("gone"));
    let live = dir.join("test.jsonl");
    let config = common::config(&dir).rotate_bytes(64 << 10);
    let (report, counts) = under_load(config, |engine, round| {
        if round == DISTURBANCES / 2 {
            fs::rename(&dir, &gone).expect("moved away");
            wait_until("a new directory", || live.exists());
            let rotations = engine.stats().rotations();
            wait_until("a rotation", || engine.stats().rotations() > rotations);
        }
    });
    let files = |dir: &Path| {
        let entries = fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").path());
        let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
        // The live file comes last: `.` is after `-`.
        files.sort();
        files
    };
    // A directory that moves between a rotation's link and its rename keeps both names of one file.
    let mut seen = BTreeSet::new();
    let texts = [&gone, &dir].into_iter().flat_map(|dir| files(dir));
    let texts: Vec<_> = texts.filter(|path| seen.insert(inode(path))).collect();
    let is_live = |path: &PathBuf| path.file_name() == live.file_name();
    texts.iter().for_each(|path| assert!(!all_lines(path).is_empty() || is_live(path)));
    let texts: Vec<_> = texts.iter().map(|path| read(path)).collect();
    for (mut numbers, count) in numbers(&texts).into_iter().zip(counts) {
        // Rotated files of one second sort by number within it, so that the order holds as well.
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..count), "{} of {count}", numbers.len());
    }
    assert_eq!(report.written(), counts.iter().sum::<u64>());
}

/// What has the log's name by now is no file, or leads to another's: nothing of it is followed,
/// waited for or changed.
#[test]
fn what_is_planted_at_the_name_is_left_alone_and_costs_no_line() {
    const PLANTS: usize = 8;
    let dir = tempfile::tempdir().expect("a directory");
    let (logs, precious) = (dir.path().join("logs"), dir.path().join("precious"));
    fs::write(&precious, "precious").expect("a file");
    let live = logs.join("test.jsonl");
    let plant = |path: &Path, round: usize| match round % 4 {
        0 => std::os::unix::fs::symlink(&precious, path).expect("a link"),
        1 => std::os::unix::fs::symlink(dir.path().join("nowhere"), path).expect("a link"),
        2 => {
            let mode = rustix::fs::Mode::RWXU;
            rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).expect("a pipe");
        }
        _ => fs::create_dir(path).expect("a directory"),
    };
    let (report, counts) = under_load(common::config(&logs), |engine, round| {
        // Each takes a second: the name is tried again after that.
        if round >= PLANTS {
            return;
        }
        fs::rename(&live, logs.join(format!("moved-{round:03}"))).expect("renamed");
        // The engine is faster now and then: what it made is one more that was moved.
        let mut moved = 0;
        let planted = logs.join("planted");
        plant(&planted, round);
        while fs::symlink_metadata(&live).is_ok_and(|there| there.is_file()) {
            moved += 1;
            fs::rename(&live, logs.join(format!("moved-{round:03}-{moved}"))).expect("renamed");
        }
        if fs::rename(&planted, &live).is_ok() {
            let published = engine.stats().published_bytes();
            wait_until("lines to be published all the same", || {
                engine.stats().published_bytes() > published + 20_000
            });
        }
        let _ = fs::remove_file(&live).or_else(|_| fs::remove_dir(&live));
        let _ = fs::remove_file(&planted).or_else(|_| fs::remove_dir(&planted));
        wait_until("the log's own file again", || {
            fs::symlink_metadata(&live).is_ok_and(|there| there.is_file())
        });
    });
    assert_eq!(fs::read(&precious).expect("a file"), b"precious");
    assert!(!dir.path().join("nowhere").exists());
    let entries = fs::read_dir(&logs).expect("a directory").map(|e| e.expect("an entry").path());
    let mut paths: Vec<_> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    let texts: Vec<_> = paths.iter().map(|path| read(path)).collect();
    for (mut numbers, count) in numbers(&texts).into_iter().zip(counts) {
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..count), "{} of {count}", numbers.len());
    }
    assert_eq!(report.written(), counts.iter().sum::<u64>());
}

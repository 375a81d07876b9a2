//! Promise: `fastlog cat --follow` prints every line of a log once, in order and when it is whole,
//! while its files are rotated, packed, cut and replaced, and ends when it is told to.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{drain, wait_until};
use fastlog::cli_support::BinaryReader;
use fastlog::{Compression, Config, Engine, Format, fastlog};
use serde_json::Value;

/// A running `fastlog cat --follow`, and what it has printed.
struct Follower {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Follower {
    fn start(arguments: &[&str], paths: &[&Path]) -> Follower {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
        command.args(["cat", "--follow"]).args(arguments).args(paths);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let printed = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                printed.lock().expect("no panic").push(line.expect("UTF-8"));
            }
        });
        Follower { child, lines, reader }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// The `n`s of what was printed.
    fn numbers(&self) -> Vec<u64> {
        let number = |line: &String| {
            serde_json::from_str::<Value>(line).ok().and_then(|line| line["n"].as_u64())
        };
        self.lines().iter().filter_map(number).collect()
    }

    #[track_caller]
    fn wait_for(&self, lines: usize) -> Vec<String> {
        wait_until(&format!("{lines} lines"), || {
            self.lines.lock().expect("no panic").len() >= lines
        });
        self.lines()
    }

    #[track_caller]
    fn wait_for_number(&self, wanted: u64) {
        let end = format!(",\"n\":{wanted}}}");
        wait_until(&end, || {
            self.lines.lock().expect("no panic").last().is_some_and(|line| line.ends_with(&end))
        });
    }

    /// Presses Ctrl-C; gives all lines, and what it said.
    fn interrupt(mut self) -> (Vec<String>, String) {
        let kill = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill is there").success());
        assert_eq!(self.child.wait().expect("it ends").code(), Some(130));
        self.reader.join().expect("no panic");
        let mut said = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
        let lines = self.lines.lock().expect("no panic").clone();
        (lines, said)
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

fn rotated_files(dir: &Path) -> usize {
    let names = fs::read_dir(dir).expect("a directory");
    names.filter(|entry| entry.as_ref().expect("an entry").file_name().len() > 20).count()
}

#[test]
fn every_line_comes_once_and_in_order_over_rotations() {
    for compression in [Compression::None, Compression::Zstd] {
        let dir = tempfile::tempdir().expect("a directory");
        // Before there is any log.
        let follower = Follower::start(&["--raw", "--target", "shop"], &[dir.path()]);
        let config = common::config(dir.path()).rotate_bytes(64 << 10).compress(compression);
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        let mut n = 0;
        // A file holds about 600: in steps that the follower sees each of, and then in one go.
        for step in [250; 60].into_iter().chain([6_000]) {
            for _ in 0..step {
                fastlog!(logger: logger, INFO, target: "shop", "order {n}", n);
                fastlog!(logger: logger, INFO, target: "other", "not asked for");
                n += 1;
            }
            engine.flush().expect("published");
            follower.wait_for_number(n - 1);
        }
        assert!(follower.numbers().into_iter().eq(0..n), "{compression:?}");
        drain(&engine);
        let files = rotated_files(dir.path());
        assert!(files >= 20, "{files} rotations");
        // One that comes later reads the same.
        let late = Follower::start(&["--raw", "--target", "shop"], &[dir.path()]);
        late.wait_for_number(n - 1);
        assert!(late.numbers().into_iter().eq(0..n), "{compression:?}");
        late.interrupt();
        let (lines, said) = follower.interrupt();
        assert_eq!((lines.len() as u64, &*said), (n, ""));
    }
}

/// A binary log whose segments are to be seen soon.
fn binary(dir: &Path) -> Config {
    common::config(dir).format(Format::Binary).segment_age(Duration::from_millis(10))
}

#[test]
fn a_binary_log_is_followed_as_well() {
    for compression in [Compression::None, Compression::Zstd] {
        let dir = tempfile::tempdir().expect("a directory");
        // Before there is any log; of a kind that is not the first that is thought of.
        let follower = Follower::start(&["--raw", "--target", "shop"], &[dir.path()]);
        let config = binary(dir.path()).rotate_bytes(64 << 10).compress(compression);
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        let mut n = 0;
        for step in [250; 10].into_iter().chain([2_000; 20]).chain([60_000]) {
            for _ in 0..step {
                fastlog!(logger: logger, INFO, target: "shop", "order {n}", n);
                n += 1;
            }
            engine.flush().expect("published");
            follower.wait_for_number(n - 1);
        }
        assert!(follower.numbers().into_iter().eq(0..n), "{compression:?}");
        drain(&engine);
        let named = dir.path().join("test.flog");
        let late = Follower::start(&["--raw", "--target", "shop"], &[&named]);
        late.wait_for_number(n - 1);
        let numbers = late.numbers();
        assert!(numbers.iter().copied().eq(numbers[0]..n), "the last file's");
        let (lines, said) = follower.interrupt();
        assert_eq!((lines.len() as u64, &*said), (n, ""));
        assert_eq!(late.interrupt().1, "");
        let files = rotated_files(dir.path());
        assert!(files >= 10, "{files} rotations");
    }
}

/// How many records are whole in the first bytes of a binary log.
fn whole_records(bytes: &[u8]) -> usize {
    let mut reader = BinaryReader::growing(bytes);
    std::iter::from_fn(|| reader.next_line().expect("memory").map(|_| ())).count()
}

// [S36]
#[test]
fn a_binary_file_is_followed_in_the_middle_of_a_block_and_when_others_are_at_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = fs::read("tests/golden/version-1.flog").expect("a golden file");
    let lines = fs::read_to_string("tests/golden/version-1.jsonl").expect("a golden file");
    let lines: Vec<&str> = lines.lines().collect();
    let path = dir.path().join("other.flog");
    fs::write(&path, "").expect("written");
    let follower = Follower::start(&["--raw"], &[&path]);
    let append = |path: &Path, bytes: &[u8]| {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("opened");
        file.write_all(bytes).expect("written");
    };
    let mut len = 0;
    for piece in whole.chunks(whole.len() / 7) {
        append(&path, piece);
        len += piece.len();
        let expected = &lines[..whole_records(&whole[..len])];
        assert_eq!(follower.wait_for(expected.len()), expected, "of {len} bytes");
    }
    // Cut, to what is shorter: its first segment.
    let begins = |at: &usize| whole[*at..].starts_with(b"FASTLOGB");
    let (first, second) = whole.split_at((8..whole.len()).find(begins).expect("two segments"));
    let (first_lines, second_lines) = lines.split_at(whole_records(first));
    File::create(&path).expect("cut").write_all(first).expect("written");
    let mut expected = [&lines[..], first_lines].concat();
    assert_eq!(follower.wait_for(expected.len()), expected);
    // Renamed, written on under the new name, and then replaced.
    let renamed = dir.path().join("renamed");
    fs::rename(&path, &renamed).expect("renamed");
    append(&renamed, second);
    expected.extend(second_lines);
    assert_eq!(follower.wait_for(expected.len()), expected);
    append(&renamed, first);
    append(&path, &whole);
    expected.extend(first_lines);
    expected.extend(&lines);
    assert_eq!(follower.wait_for(expected.len()), expected);
    let (_, said) = follower.interrupt();
    assert_eq!(said, "");
}

#[test]
fn a_named_file_is_followed_over_rotations_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = common::config(dir.path()).rotate_bytes(64 << 10);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    let log = |numbers: std::ops::Range<u64>| {
        numbers.for_each(|n| fastlog!(logger: logger, INFO, "order {n}", n));
        engine.flush().expect("published");
    };
    log(0..5_000);
    wait_until("a rotation", || rotated_files(dir.path()) > 0);
    let follower = Follower::start(&["--raw"], &[&dir.path().join("test.jsonl")]);
    follower.wait_for_number(4_999);
    let first = follower.numbers()[0];
    assert!(first > 0, "rotated files are not asked for");
    for step in 5..25 {
        log(step * 1_000..(step + 1) * 1_000);
    }
    follower.wait_for_number(24_999);
    assert!(follower.numbers().into_iter().eq(first..25_000));
    follower.interrupt();
    drain(&engine);
}

// [S14]
#[test]
fn a_line_is_printed_when_it_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, other) = (dir.path().join("app.jsonl"), dir.path().join("other.jsonl"));
    append(&path, "one\ntw");
    let follower = Follower::start(&["--raw"], &[dir.path()]);
    follower.wait_for(1);
    // A log that appears later is another source: what it has is printed after a look at the first.
    append(&other, "other\n");
    assert_eq!(follower.wait_for(2), ["one", "other"]);
    append(&path, "o\nth");
    assert_eq!(follower.wait_for(3)[2..], ["two"]);
    append(&path, "ree\n\n");
    assert_eq!(follower.wait_for(5)[3..], ["three", ""]);
    let (lines, said) = follower.interrupt();
    assert_eq!(lines.len(), 5);
    assert_eq!(said, "fastlog: 5 lines are no records\n");
}

#[test]
fn files_that_are_cut_removed_or_renamed_are_followed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.jsonl");
    append(&path, "a long first line\nsecond\ntorn");
    let follower = Follower::start(&["--raw"], &[&path]);
    follower.wait_for(2);
    // Cut, as by copytruncate, which leaves a shorter file.
    File::create(&path).expect("cut").write_all(b"third\n").expect("written");
    assert_eq!(follower.wait_for(3)[2..], ["third"]);
    // Removed and made again, the torn line being the last of the removed one.
    append(&path, "fourth\ntorn");
    follower.wait_for(4);
    fs::remove_file(&path).expect("removed");
    append(&path, "sixth\n");
    assert_eq!(follower.wait_for(6)[3..], ["fourth", "torn", "sixth"]);
    // Renamed, written under the new name, and then replaced.
    let renamed = dir.path().join("app.1");
    fs::rename(&path, &renamed).expect("renamed");
    append(&renamed, "seventh\n");
    append(&path, "eighth\n");
    assert_eq!(follower.wait_for(8)[6..], ["seventh", "eighth"]);
    let (lines, _) = follower.interrupt();
    assert_eq!(lines.len(), 8);
}

#[test]
fn logs_are_merged_filtered_and_made_harmless() {
    let dir = tempfile::tempdir().expect("a directory");
    let record = |second: u8, level: &str, message: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-20T10:00:{second:02}Z\",\"level\":\"{level}\",\
             \"target\":\"t\",\"message\":\"{message}\"}}\n"
        )
    };
    let (one, two) = (dir.path().join("one.jsonl"), dir.path().join("two.jsonl"));
    append(&one, &(record(1, "WARN", "1") + &record(4, "WARN", "4")));
    append(&two, &(record(2, "INFO", "no") + &record(3, "ERROR", "3\\u001b[2J")));
    let follower = Follower::start(&["--pretty", "--level", "warn"], &[dir.path()]);
    let shown = follower.wait_for(3);
    let messages: Vec<_> = shown.iter().map(|line| line.split(" t ").nth(1)).collect();
    assert_eq!(messages, [Some("1"), Some("3\\u{1b}[2J"), Some("4")]);
    append(&one, &record(5, "DEBUG", "no"));
    append(&two, &record(6, "CRITICAL", "6"));
    assert!(follower.wait_for(4)[3].ends_with(" t 6"));
    let (lines, _) = follower.interrupt();
    assert_eq!(lines.len(), 4);
}

#[test]
fn it_ends_when_nobody_reads_or_nothing_can_come() {
    let dir = tempfile::tempdir().expect("a directory");
    append(&dir.path().join("app.jsonl"), "line\n");
    let follow = |path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
        command.args(["cat", "--follow", "--raw"]).arg(path).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    let mut child = follow(dir.path());
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("UTF-8");
    assert_eq!(line, "line\n");
    // Nothing more is written to the pipe: it has to be noticed without.
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    // What is followed here can never grow.
    let rotated = dir.path().join("app-20261120T213300Z-000007.jsonl");
    append(&rotated, "rotated\n");
    for (path, expected) in [(&*rotated, "rotated\n"), (Path::new("-"), "")] {
        let output = follow(path).wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
    let output = follow(Path::new("/no/such/file")).wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
}

//! Promise: whatever has the name of a log's file, `fastlog cat` prints all that can be read, names
//! on the standard error what cannot, and ends with 1; nothing makes it hang. A directory may hold
//! thousands of logs, more than a process may have files open.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn fastlog(arguments: &[&str], paths: &[PathBuf]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.args(arguments).args(paths).env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn cat(paths: &[PathBuf]) -> Output {
    fastlog(&["cat"], paths).output().expect("the binary starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A record of this second.
fn line(second: u64) -> String {
    let (minute, of_minute) = (second / 60, second % 60);
    format!(
        "{{\"timestamp\":\"2026-11-20T10:{minute:02}:{of_minute:02}.000000000Z\",\
         \"level\":\"INFO\",\"target\":\"a\",\"message\":\"m\",\"n\":{second}}}\n"
    )
}

/// The `n`s that were printed.
fn numbers(text: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter_map(|line: serde_json::Value| line["n"].as_u64()).collect()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo is there").success());
}

/// A directory of logs with good files, the `n`s of which are 1 to 9, between bad ones; gives those.
fn fill(dir: &Path) -> Vec<PathBuf> {
    let path = |name: &str| dir.join(name);
    let rotated = |number: u64| format!("app-20261120T100000Z-{number:06}.jsonl");
    let packed = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("packed");
    fs::write(path(&rotated(1)), line(1)).expect("written");
    // Cut in the middle, before the frame's end; what comes before is read.
    let text: String = (0..20_000).map(|n| format!("no record {n}\n")).collect();
    let whole = packed(&format!("{}{text}", line(2)));
    let cut = path(&(rotated(2) + ".zst"));
    fs::write(&cut, &whole[..whole.len() - 100]).expect("written");
    let fifo = path(&rotated(3));
    make_fifo(&fifo);
    let dangling = path(&rotated(4));
    symlink(dir.join("nowhere"), &dangling).expect("linked");
    let directory = path(&rotated(5));
    fs::create_dir(&directory).expect("made");
    let (foreign, foreign_gzip) = (path(&(rotated(6) + ".zst")), path(&(rotated(7) + ".gz")));
    fs::write(&foreign, line(77)).expect("written");
    fs::write(&foreign_gzip, line(77)).expect("written");
    let empty = path(&(rotated(8) + ".zst"));
    fs::write(&empty, "").expect("written");
    let round = path(&rotated(9));
    symlink(&round, &round).expect("linked");
    fs::write(path(&(rotated(10) + ".zst")), packed(&line(3))).expect("written");
    let socket = path(&rotated(11));
    drop(UnixListener::bind(&socket).expect("bound"));
    fs::write(path(&rotated(12)), line(4)).expect("written");
    fs::write(path("app.jsonl"), line(5)).expect("written");
    // Logs of their own.
    let (other, third) = (path("other.jsonl"), path("third.jsonl"));
    make_fifo(&other);
    fs::create_dir(&third).expect("made");
    symlink(dir.join("nowhere"), path("fourth.jsonl")).expect("linked");
    let version = path("binary.flog");
    let mut bytes = fs::read(golden("version-1.flog")).expect("a golden file");
    bytes[8] = 77;
    bytes.truncate(112);
    fs::write(&version, bytes).expect("written");
    fs::write(path("linked-to"), line(6)).expect("written");
    symlink(dir.join("linked-to"), path("fifth.jsonl")).expect("linked");
    fs::write(path("last.jsonl"), [line(7), line(8), line(9)].concat()).expect("written");
    vec![
        cut,
        fifo,
        dangling,
        directory,
        foreign,
        foreign_gzip,
        empty,
        round,
        socket,
        other,
        third,
        path("fourth.jsonl"),
        version,
    ]
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn assert_named(bad: &[PathBuf], said: &str) {
    for path in bad {
        let name = format!("fastlog: {}: ", path.display());
        assert_eq!(said.matches(&name).count(), 1, "{name} {said}");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    let bad = fill(dir.path());
    let output = cat(&[dir.path().to_owned()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_named(&bad, &said(&output));
    assert_eq!(numbers(&output.stdout), [1, 2, 3, 4, 5, 6, 7, 8, 9], "{}", said(&output));
    // The same files by their names, and one that is none, which comes first.
    let entries = fs::read_dir(dir.path()).expect("a directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // It is read through the link. Directories are read as such, and there is nothing in these.
    paths.retain(|path| !path.ends_with("linked-to"));
    paths.sort();
    let missing = dir.path().join("missing.jsonl");
    paths.insert(0, missing.clone());
    let output = cat(&paths);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_named(&[bad, vec![missing]].concat(), &said(&output));
    let mut printed = numbers(&output.stdout);
    printed.sort_unstable();
    assert_eq!(printed, [1, 2, 3, 4, 5, 6, 7, 8, 9], "{}", said(&output));
}

#[test]
fn what_is_followed_goes_on_behind_what_cannot_be_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let bad = fill(dir.path());
    let mut command = fastlog(&["cat", "--follow", "--raw"], &[dir.path().to_owned()]);
    let mut child = command.spawn().expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut take = |count: usize| {
        let mut taken = Vec::new();
        while taken.len() < count {
            let line = lines.next().expect("it runs").expect("UTF-8");
            taken.extend(numbers(line.as_bytes()));
        }
        taken.sort_unstable();
        taken
    };
    assert_eq!(take(9), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let live = fs::OpenOptions::new().append(true).open(dir.path().join("app.jsonl"));
    live.expect("opened").write_all(line(10).as_bytes()).expect("written");
    assert_eq!(take(1), [10]);
    // What was a pipe becomes a file.
    fs::remove_file(dir.path().join("other.jsonl")).expect("removed");
    fs::write(dir.path().join("other.jsonl"), line(11)).expect("written");
    assert_eq!(take(1), [11]);
    let kill = Command::new("kill").arg("-INT").arg(child.id().to_string()).status();
    assert!(kill.expect("kill is there").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert_named(&bad, &said(&output));
}

#[test]
fn more_logs_than_files_may_be_open_are_merged_by_time() {
    const LOGS: u64 = 1_500;
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..LOGS {
        // In no order of the names; each overlaps with the next.
        let (log, rest) = (n * 7_919 % LOGS, [line(n), line(n + 1)].concat());
        fs::write(dir.path().join(format!("log{log}.jsonl")), rest).expect("written");
    }
    let program = env!("CARGO_BIN_EXE_fastlog");
    let script = format!("ulimit -n 100; exec {program} cat --raw '{}'", dir.path().display());
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh is there");
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    let printed = numbers(&output.stdout);
    let mut expected: Vec<_> = (0..LOGS).flat_map(|n| [n, n + 1]).collect();
    expected.sort_unstable();
    assert!(printed == expected, "{} lines", printed.len());
}

#[test]
fn an_output_that_takes_nothing_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("app.jsonl"), line(1)).expect("written");
    let dirs = [dir.path().to_owned()];
    let commands = [(&["cat"][..], &dirs[..]), (&["man"], &[]), (&["completions", "bash"], &[])];
    for (arguments, paths) in commands {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        let output = fastlog(arguments, paths).stdout(full).output().expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("standard output takes nothing"), "{}", said(&output));
        // Nobody is there to read: that is no failure.
        let mut command = fastlog(arguments, paths);
        let (reader, writer) = std::os::unix::net::UnixStream::pair().expect("a pair");
        drop(reader);
        let output = command.stdout(std::os::fd::OwnedFd::from(writer)).output();
        let output = output.expect("it starts");
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    }
    let never = ["cat", "--since", "2026-11-20T10:00:00Z", "--until", "2026-11-19"];
    let output = fastlog(&never, &dirs).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--since is not before --until"), "{}", said(&output));
}

/// What a power cut leaves, and what the next start writes behind it.
#[test]
fn what_is_no_record_is_counted_and_the_records_behind_it_are_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.jsonl");
    let broken: [&[u8]; 3] = [&[0; 5000], b"{\"timestamp\":\"20", b"\xff\xfe\0"];
    let lines = broken
        .iter()
        .enumerate()
        .flat_map(|(n, broken)| [line(n as u64).as_bytes(), broken, b"\n"].concat());
    fs::write(&path, lines.chain(line(3).bytes()).collect::<Vec<_>>()).expect("written");
    let output = cat(&[path]);
    assert_eq!(numbers(&output.stdout), [0, 1, 2, 3]);
    assert!(said(&output).contains("3 lines are no records"), "{}", said(&output));
}

//! Promise: `fastlog pipe` puts every line of its input into the log once and in order, whatever bytes
//! it holds and however it ends, and says with its exit code how it went.

#![allow(unsafe_code)] // To get signals' default actions back.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use common::{all_lines, wait_until};
use serde_json::Value;
use tempfile::TempDir;

fn pipe(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.arg("pipe").arg("--dir").arg(dir).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(dir: &Path, arguments: &[&str]) -> Child {
    pipe(dir, arguments).spawn().expect("the binary starts")
}

/// Runs it over `input`.
fn run(arguments: &[&str], input: &[u8]) -> (Output, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = start(dir.path(), arguments);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    // One that refuses its arguments reads nothing.
    let _ = writer.join().expect("no panic");
    (output, dir)
}

/// The program's records of all files of the log, in order.
fn records(dir: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    let number = |path: &PathBuf| {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        stem.rsplit_once('-').and_then(|(_, n)| n.parse::<u64>().ok()).unwrap_or(u64::MAX)
    };
    files.sort_by_key(number);
    let lines = files.iter().flat_map(|path| all_lines(path));
    lines.filter(|line| line["target"] == "pipe").collect()
}

fn messages(dir: &Path) -> Vec<String> {
    let message = |record: Value| record["message"].as_str().expect("a text").to_owned();
    records(dir).into_iter().map(message).collect()
}

#[test]
fn every_line_of_a_large_file_is_there_once_and_in_order() {
    let lines = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let line = |n: u64| format!("{n} GET /orders/{} took {} us", n % 977, n % 31);
    let input: String = (0..lines).map(|n| line(n) + "\n").collect();
    let (output, dir) = run(&["--rotate-bytes", "1MiB"], input.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let messages = messages(dir.path());
    assert!(messages.iter().cloned().eq((0..lines).map(line)), "{} lines", messages.len());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with(&format!("fastlog: {lines} lines; drained in")), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn lines_are_what_stands_between_newlines() {
    let input = b"first\r\n\n  spaces  \n\ttab \x1b[31mred \0 nul\nno \xff utf-8\n{\"a\":1}\nlast";
    let (output, dir) = run(&["--level", "warn", "--quiet"], input);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let expected =
        ["first", "", "  spaces  ", "\ttab \u{1b}[31mred \0 nul", "no \u{fffd} utf-8", "{\"a\":1}"];
    assert_eq!(messages(dir.path()), [&expected[..], &["last"]].concat());
    for record in records(dir.path()) {
        assert_eq!(record["level"], "WARN");
        let keys: Vec<_> = record.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
    }
    let (output, dir) = run(&[], b"");
    assert_eq!((output.status.code(), records(dir.path()).len()), (Some(0), 0));
}

#[test]
fn long_lines_are_numbered_parts_and_lose_nothing() {
    for (len, byte) in [(5_000, b'a'), (5_001, b'b'), (5_002, b'c'), (1 << 20, b'\\'), (70_000, 1)]
    {
        let mut input = vec![byte; len];
        input.extend_from_slice(b"\nnext\n");
        let (output, dir) = run(&[], &input);
        assert_eq!(output.status.code(), Some(0), "{len}: {output:?}");
        let records = records(dir.path());
        let (next, parts) = records.split_last().expect("records");
        assert_eq!(next["message"], "next");
        let texts = parts.iter().map(|part| part["message"].as_str().expect("a text"));
        let whole: String = texts.collect();
        assert!(whole.as_bytes() == vec![byte; len], "{len}: {} bytes", whole.len());
        for (number, part) in parts.iter().enumerate() {
            assert!(part.get("truncated").is_none(), "{len}");
            let is_numbered = parts.len() > 1;
            assert_eq!(
                part.get("part").and_then(Value::as_u64),
                is_numbered.then_some(number as u64)
            );
            let more = number + 1 < parts.len();
            assert_eq!(part.get("more").and_then(Value::as_bool), more.then_some(true));
        }
    }
}

#[test]
fn a_long_line_is_parted_between_characters() {
    let line: String =
        (0..9_000).map(|n| ['a', '\u{e9}', '\u{20ac}', '\u{1f600}'][n % 4]).collect();
    let (output, dir) = run(&[], line.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(messages(dir.path()).concat(), line);
    assert!(messages(dir.path()).iter().all(|part| part.len() <= 5_000));
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status();
    assert!(kill.expect("kill is there").success());
}

/// Starts it, with what it has read already; its input stays open.
fn start_over(dir: &Path, input: &str) -> (Child, ChildStdin) {
    let mut command = pipe(dir, &[]);
    let by_default = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: no handler of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: sets actions of signals and nothing else. A test run in the background ignores some.
    unsafe { command.pre_exec(by_default) };
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    let path = dir.join("pipe.jsonl");
    wait_until("the lines", || {
        fs::read_to_string(&path).is_ok_and(|text| text.contains("\"two\""))
    });
    (child, stdin)
}

#[test]
fn what_was_read_is_in_the_log_when_it_is_told_to_end() {
    for (signal, code) in [("TERM", 15), ("HUP", 1), ("QUIT", 3), ("INT", 2)] {
        let dir = tempfile::tempdir().expect("a directory");
        // The beginning of a line was read as well.
        let (mut child, stdin) = start_over(dir.path(), "one\ntwo\npart");
        if signal == "INT" {
            // The first is left to the program before the pipe.
            send(signal, &child);
            let mut said = [0; 8];
            child.stderr.as_mut().expect("a pipe").read_exact(&mut said).expect("it says so");
        }
        send(signal, &child);
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(128 + code), "{signal}");
        drop(stdin);
        assert_eq!(messages(dir.path()), ["one", "two", "part"], "{signal}");
        let left: Vec<_> = fs::read_dir(dir.path().join(".fastlog"))
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, ["pipe.lock"], "drained");
    }
}

#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("sh");
    let script = format!(
        "trap '' HUP; exec {} pipe --quiet --dir '{}'",
        env!("CARGO_BIN_EXE_fastlog"),
        dir.path().display()
    );
    command.args(["-c", &script]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("sh is there");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"one\n").expect("it reads");
    let path = dir.path().join("pipe.jsonl");
    wait_until("the line", || fs::read_to_string(&path).is_ok_and(|text| text.contains("one")));
    send("HUP", &child);
    stdin.write_all(b"two\n").expect("it reads on");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(messages(dir.path()), ["one", "two"]);
}

#[test]
fn a_standard_error_that_nobody_reads_costs_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut child, mut stdin) = start_over(dir.path(), "one\ntwo\n");
    drop(child.stderr.take());
    // It would say so.
    send("INT", &child);
    stdin.write_all(b"three\n").expect("it reads on");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(messages(dir.path()), ["one", "two", "three"]);
}

#[test]
fn wrong_arguments_and_places_are_told_apart() {
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    for arguments in [
        &["--rotate-bytes", "much"][..],
        &["--retain-age", "soon"],
        &["--level", "loud"],
        &["--rotate", "weekly"],
        &["--no-such"],
        &["file.txt"],
    ] {
        let (output, _dir) = run(arguments, b"a\n");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(arguments[arguments.len() - 1]), "{}", said(&output));
    }
    let (output, _dir) = run(&["--rotate-bytes", "1k"], b"a\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("rotate_bytes") && said(&output).contains("64 KiB"));
    let (output, _dir) = run(&["--name", "../x"], b"a\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`name`"), "{}", said(&output));
    let missing = Path::new("/no/such/parent/logs");
    let output = pipe(missing, &[]).stdin(Stdio::null()).output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("/no/such/parent"), "{}", said(&output));
    for (zone, code) in [("No/Where", 1), ("UTC", 0)] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = pipe(dir.path(), &["--local-time"]);
        let output = command.env("TZ", zone).stdin(Stdio::null()).output().expect("it ends");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert_eq!(said(&output).contains("`rotate_in` cannot be `Local`"), code == 1);
    }
    let help = Command::new(env!("CARGO_BIN_EXE_fastlog")).args(["pipe", "--help"]).output();
    let help = String::from_utf8(help.expect("it ends").stdout).expect("UTF-8");
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
}

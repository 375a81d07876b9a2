//! Promise: whoever follows the log by its name sees every line once, in order, and never a NUL,
//! through rotations at full speed. Followed by the real `tail -F` and, where it is installed, by
//! rsyslog with the configuration that `docs/agents.md` gives.
//!
//! A follower by name sees a file only if it looks while the name leads to it. So the engine logs a
//! file's worth at full speed, and goes on when the follower has come that far.

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use common::{drain, wait_until};
use fastlog::{Config, Engine, Logger, fastlog};

const ROTATE_BYTES: u64 = 1 << 20;
/// Lines of about 180 bytes: a little more than a file's worth.
const CHUNK: u64 = 6_000;
const ROTATIONS: u64 = 55;

/// Ends the process that it holds.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(dir: &Path) -> Config {
    common::config(dir).rotate_bytes(ROTATE_BYTES).retain_files(8)
}

fn log(logger: &Logger, numbers: std::ops::Range<u64>) {
    for n in numbers {
        fastlog!(logger: logger, INFO, "a line of some length that somebody follows", n);
    }
}

/// Logs chunk by chunk, each when the follower has seen the one before; gives the number of lines.
fn log_followed(engine: &Engine, seen: &AtomicU64) -> u64 {
    let logger = engine.logger();
    let mut n = 0;
    while engine.stats().rotations() < ROTATIONS {
        log(&logger, n..n + CHUNK);
        n += CHUNK;
        engine.flush().expect("published");
        wait_until("the follower", || seen.load(Ordering::Relaxed) == n);
    }
    n
}

/// Reads a follower's output: the program's lines must be numbered from 0 on without a gap.
fn check(output: impl Read + Send + 'static, seen: &Arc<AtomicU64>) -> JoinHandle<()> {
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.expect("the follower's output");
            assert!(!line.contains(&0), "a NUL");
            let line: serde_json::Value = serde_json::from_slice(&line).expect("a whole line");
            if line["target"] != "fastlog" {
                assert_eq!(line["n"].as_u64(), Some(seen.load(Ordering::Relaxed)), "{line}");
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
}

// [S11] [S13]
#[test]
fn tail_sees_every_line_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    let mut tail = Command::new("tail")
        .args(["-n", "+1", "-F"])
        .arg(dir.path().join("test.jsonl"))
        .stdout(Stdio::piped())
        .stderr(File::create(dir.path().join("tail.err")).expect("a file"))
        .spawn()
        .map(Follower)
        .expect("tail is there");
    let seen = Arc::new(AtomicU64::new(0));
    let reader = check(tail.0.stdout.take().expect("a pipe"), &seen);
    let lines = log_followed(&engine, &seen);
    let report = drain(&engine);
    assert_eq!(report.written(), lines);
    drop(tail);
    reader.join().expect("all lines were good");
    assert_eq!(seen.load(Ordering::Relaxed), lines);
    // It says when the name leads elsewhere; never that a file was cut.
    let said = fs::read_to_string(dir.path().join("tail.err")).expect("UTF-8");
    assert!(!said.contains("truncated"), "{said}");
    assert!(said.matches("has been replaced").count() as u64 >= ROTATIONS, "{said}");
}

/// The rsyslog configuration of `docs/agents.md`, for this log and output.
fn rsyslog_configuration(dir: &Path, output: &Path) -> String {
    let document = fs::read_to_string("docs/agents.md").expect("the document");
    let snippet = document.split("```rsyslog\n").nth(1).and_then(|rest| rest.split("```").next());
    let snippet = snippet.expect("the document has a snippet");
    let dir = dir.to_str().expect("UTF-8");
    for place in ["/var/log/shop/shop.jsonl", "/var/spool/rsyslog", "/var/log/collected.jsonl"] {
        assert!(snippet.contains(place), "{place}");
    }
    snippet
        .replace("/var/log/shop/shop.jsonl", &format!("{dir}/test.jsonl"))
        .replace("/var/spool/rsyslog", dir)
        .replace("/var/log/collected.jsonl", output.to_str().expect("UTF-8"))
}

#[test]
fn rsyslog_sees_every_line_once() {
    let is_there = Command::new("rsyslogd").arg("-v").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        println!("skipped: rsyslogd is not installed");
        return;
    }
    let (dir, out) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let output = out.path().join("collected.jsonl");
    let configuration = out.path().join("rsyslog.conf");
    fs::write(&configuration, rsyslog_configuration(dir.path(), &output)).expect("a file");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    let _rsyslog = Command::new("rsyslogd")
        .arg("-n")
        .arg("-f")
        .arg(&configuration)
        .arg("-i")
        .arg(out.path().join("pid"))
        .stderr(Stdio::null())
        .spawn()
        .map(Follower)
        .expect("rsyslogd starts");
    wait_until("rsyslog", || output.exists());
    let seen = Arc::new(AtomicU64::new(0));
    let mut tail = Command::new("tail")
        .args(["-n", "+1", "-f"])
        .arg(&output)
        .stdout(Stdio::piped())
        .spawn()
        .map(Follower)
        .expect("tail is there");
    let reader = check(tail.0.stdout.take().expect("a pipe"), &seen);
    let lines = log_followed(&engine, &seen);
    drain(&engine);
    drop(tail);
    reader.join().expect("all lines were good");
    assert_eq!(seen.load(Ordering::Relaxed), lines);
    // Each line is one record.
    let collected = BufReader::new(File::open(&output).expect("the output")).lines();
    let own = collected.map(|line| line.expect("UTF-8")).filter(|line| line.contains("fastlog"));
    assert!(own.count() >= 1);
}

//! Promise: what stands at a log's end and is no line, as a power cut or another writer leaves it,
//! is told once, in a record that says where and how much of it there is; it stays as it is, and
//! what is logged next begins on a line of its own.
//!
//! Attacked with zeros, halves of lines and random bytes, of one byte to more than is looked at, at
//! the end of the file that is written and of those that were rotated last.

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use common::random::Random;
use common::{config, drain};
use fastlog::{Config, Engine, fastlog};
use serde_json::Value;

/// How far back is looked.
const LOOK_BYTES: usize = 64 << 10;
const RECORDS: u64 = 10;

/// A life of the log in `dir`: the engine's own records.
fn live(dir: &Path, config: Config) -> Vec<Value> {
    let path = dir.join("test.jsonl");
    let before = fs::metadata(&path).map_or(0, |log| log.len()) as usize;
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    (0..RECORDS).for_each(|n| fastlog!(logger: logger, INFO, "a record", n));
    drop(logger);
    drain(&engine);
    let bytes = fs::read(&path).expect("the log");
    let text = std::str::from_utf8(&bytes[before..]).expect("UTF-8");
    // The first may be the end of what stood there before.
    let lines = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str::<Value>(line).expect(line));
    let (own, others): (Vec<_>, Vec<_>) = lines.partition(|line| line["target"] == "fastlog");
    assert_eq!(others.len() as u64, RECORDS, "every record is a line of its own");
    own
}

/// What was told of broken ends.
fn told(own: &[Value]) -> Vec<&str> {
    let messages = own.iter().map(|line| line["message"].as_str().expect("a message"));
    messages.filter(|message| message.contains("is no line")).collect()
}

fn plant(path: &Path, bytes: &[u8]) {
    let file = File::options().append(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).expect("written");
}

/// Ends of which no byte is a line's.
fn broken_ends() -> Vec<Vec<u8>> {
    let mut random = Random::new(7);
    let noise = |random: &mut Random, len| -> Vec<u8> {
        // No newline: only that ends what stands before.
        (0..len).map(|_| random.within(11..=255) as u8).collect()
    };
    let mut ends: Vec<Vec<u8>> = vec![
        vec![0],
        vec![0; 4096],
        b"{".to_vec(),
        br#"{"timestamp":"2026-11-20T21:33:00.123456789Z","level":"INFO","message":"hal"#.to_vec(),
        b"\xff\n\0\0\n\xff\xfe\n".to_vec(),
        b"\0\n".to_vec(),
    ];
    ends.extend([1, 100, 10_000].map(|len| noise(&mut random, len)));
    ends.push([noise(&mut random, 50), vec![0; 5000], noise(&mut random, 50)].concat());
    ends
}

// [S15] [S38] [D6]
#[test]
fn a_broken_end_is_told_once_and_nothing_is_glued_to_it() {
    let ends = broken_ends();
    for end in &ends {
        let dir = tempfile::tempdir().expect("a directory");
        live(dir.path(), config(dir.path()));
        let path = dir.path().join("test.jsonl");
        plant(&path, end);
        let before = fs::read(&path).expect("the log");
        let own = live(dir.path(), config(dir.path()));
        let after = fs::read(&path).expect("the log");
        assert!(after.starts_with(&before), "earlier bytes stay as they are");
        assert!(end.ends_with(b"\n") || after[before.len()] == b'\n', "the end is ended");
        let (broken, zeros) = (end.len(), end.iter().filter(|byte| **byte == 0).count());
        let at = before.len() - broken;
        let expected = format!("{broken} bytes from byte {at} on, {zeros} of them zeros");
        assert!(told(&own).iter().any(|text| text.contains(&expected)), "{expected}: {own:?}");
        assert_eq!(told(&own).len(), 1, "{own:?}");
        assert_eq!(
            told(&live(dir.path(), config(dir.path()))),
            [""; 0],
            "told by the start before"
        );
    }
    println!("{} broken ends", ends.len());
}

#[test]
fn an_end_that_is_longer_than_is_looked_at_is_told_as_at_least_so_long() {
    let dir = tempfile::tempdir().expect("a directory");
    live(dir.path(), config(dir.path()));
    plant(&dir.path().join("test.jsonl"), &vec![0; 3 * LOOK_BYTES]);
    let own = live(dir.path(), config(dir.path()));
    let expected = format!("at least {LOOK_BYTES} bytes from byte");
    assert!(told(&own).len() == 1 && told(&own)[0].contains(&expected), "{own:?}");
}

#[test]
fn lines_of_others_are_lines() {
    let dir = tempfile::tempdir().expect("a directory");
    live(dir.path(), config(dir.path()));
    let path = dir.path().join("test.jsonl");
    plant(&path, "another writer's, with an umlaut: \u{fc}\tand a tab\n\n".as_bytes());
    assert_eq!(told(&live(dir.path(), config(dir.path()))), [""; 0]);
}

/// Rotated files, the oldest first.
fn rotated(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("one").path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().contains("Z-0")).collect();
    files.sort();
    files
}

/// A cut may leave files open that were rotated but not synced.
#[test]
fn the_ends_of_files_that_were_rotated_last_are_told_too() {
    let small = |dir: &Path| config(dir).rotate_bytes(64 << 10).keep_free_bytes(0);
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(small(dir.path())).expect("the engine starts");
    let (logger, pad) = (engine.logger(), "x".repeat(1_000));
    (0..200).for_each(|n| fastlog!(logger: logger, INFO, "fills files", n, pad));
    drop(logger);
    drain(&engine);
    let files = rotated(dir.path());
    assert!(files.len() >= 3, "{files:?}");
    for path in &files[1..3] {
        plant(path, br#"{"timestamp":"20"#);
    }
    let own = live(dir.path(), small(dir.path()));
    assert_eq!(told(&own).len(), 2, "{own:?}");
    for path in &files[1..3] {
        assert!(fs::read(path).expect("a file").ends_with(b"{\"timestamp\":\"20\n"));
        let name = path.to_str().expect("UTF-8");
        assert!(told(&own).iter().any(|text| text.contains(name)), "{own:?}");
    }
    assert_eq!(told(&live(dir.path(), small(dir.path()))), [""; 0], "told by the start before");
}

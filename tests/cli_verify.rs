//! Promise: `fastlog verify` finds on a user's own directory every line that is not whole, every file
//! that is missing, and everything that waits for a recovery; and nothing where all is well.
#![cfg(all(target_os = "linux", not(fastlog_portable)))]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{child, drain};
use fastlog::{Engine, Format, fastlog};
use serde_json::Value;

const RECORDS: u64 = 2_000;

/// Logs and dies.
#[test]
fn dies() {
    if child::case().as_deref() == Some("dies") {
        let _engine = Engine::start(common::config(&child::dir())).expect("it starts");
        (0..RECORDS).for_each(|n| fastlog!(INFO, "record {n}", n));
        std::process::abort();
    }
}

fn verify(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.arg("verify").arg(dir).args(arguments).output().expect("the binary starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it says as JSON, with this exit code.
fn said(dir: &Path, code: i32) -> Value {
    let output = verify(dir, &["--json"]);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_str(&text(&output)).expect("JSON")
}

/// A log of some files that were rotated.
fn log(dir: &Path, format: Format) {
    let config = common::config(dir).format(format).rotate_bytes(64 << 10);
    let engine = Engine::detached(config).expect("it starts");
    let logger = engine.logger();
    for n in 0..RECORDS {
        fastlog!(logger: logger, INFO, "a record that is long enough to fill some files: {n}", n);
    }
    drain(&engine);
}

fn rotated(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    names.retain(|name| name.starts_with("test-"));
    names.sort_unstable();
    names
}

#[test]
fn whole_logs_are_whole_whatever_their_format() {
    for format in [Format::Json, Format::Text, Format::Logfmt, Format::Binary] {
        let dir = tempfile::tempdir().expect("a directory");
        log(dir.path(), format);
        let said = said(dir.path(), 0);
        assert_eq!(said["is_whole"], true, "{said}");
        let log = &said["logs"][0];
        assert_eq!((&log["broken"], &log["missing_files"]), (&0.into(), &0.into()), "{said}");
        let own = u64::from(!matches!(format, Format::Json | Format::Binary));
        assert_eq!(log["records"].as_u64(), Some(RECORDS + own), "{said}");
    }
    let empty = tempfile::tempdir().expect("a directory");
    assert_eq!(said(empty.path(), 0)["logs"], Value::Array(Vec::new()));
}

#[test]
fn broken_lines_and_missing_files_are_found() {
    let dir = tempfile::tempdir().expect("a directory");
    log(dir.path(), Format::Json);
    let files = rotated(dir.path());
    assert!(files.len() > 2, "{files:?}");
    let path = dir.path().join(&files[0]);
    let whole = fs::read(&path).expect("a log");
    let mut zeros = whole.clone();
    zeros[100..110].fill(0);
    for broken in [&whole[..whole.len() - 10], &zeros, &[&whole[..], b"half of a li"].concat()] {
        fs::write(&path, broken).expect("written");
        let said = said(dir.path(), 3);
        assert_eq!(said["logs"][0]["broken"], 1, "{said}");
        let output = verify(dir.path(), &[]);
        assert!(text(&output).contains(&format!("broken: {}, line ", files[0])), "{output:?}");
    }
    fs::write(&path, whole).expect("written");
    said(dir.path(), 0);
    // Retention takes the oldest, and no other.
    fs::remove_file(&path).expect("removed");
    said(dir.path(), 0);
    fs::remove_file(dir.path().join(&files[2])).expect("removed");
    assert_eq!(said(dir.path(), 3)["logs"][0]["missing_files"], 1);
}

#[test]
fn what_waits_for_a_recovery_is_found_and_what_came_back_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let status = child::command("dies", dir.path()).status().expect("it starts");
    assert!(!status.success());
    let output = verify(dir.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let first: Value = serde_json::from_str(&text(&output)).expect("JSON");
    assert_eq!(first["waiting"].as_array().map(Vec::len), Some(1), "{first}");
    let live = Engine::detached(common::config(dir.path())).expect("it starts");
    live.flush().expect("published");
    let second = said(dir.path(), 0);
    let log = &second["logs"][0];
    assert_eq!(log["records"].as_u64(), Some(RECORDS), "{second}");
    let waited = &first["waiting"][0];
    let count = |key: &str| waited[key].as_u64().expect("a count");
    assert_eq!(log["recovered"].as_u64(), Some(count("records") + count("lines")), "{second}");
    let engine = &second["live"][0];
    assert_eq!((&engine["name"], &engine["submitted"]), (&"test".into(), &0.into()), "{second}");
    drain(&live);
    assert_eq!(verify(&dir.path().join("no-such"), &[]).status.code(), Some(1));
    assert_eq!(verify(dir.path(), &["--no-such"]).status.code(), Some(2));
}

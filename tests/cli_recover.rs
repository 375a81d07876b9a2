//! Promise: `fastlog recover` does for the logs of a directory what the next start of each would do,
//! and says what; a dry run changes nothing; live engines are left alone.
#![cfg(all(target_os = "linux", not(fastlog_portable)))]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{child, drain};
use fastlog::{Arena, Engine, fastlog};
use serde_json::Value;

const RECORDS: u64 = 1_000;

/// Names the log of a child.
const NAME: &str = "FASTLOG_TEST_NAME";

/// The name of the log whose arena lies where all logs of this user may have theirs.
const SHARED: &str = "in-shared-memory";

/// Logs and dies, whatever the log is called.
#[test]
fn dies() {
    let Ok(name) = std::env::var(NAME) else { return };
    let config = common::config(&child::dir());
    let config = if name == SHARED { config.arena(Arena::SharedMemory) } else { config };
    let engine = Engine::start(config.name(name));
    let _engine = engine.expect("the engine starts");
    (0..RECORDS).for_each(|n| fastlog!(INFO, "record {n}", n));
    std::process::abort();
}

fn kill(name: &str, dir: &Path) {
    let mut command = child::command("dies", dir);
    let status = command.env(NAME, name).status().expect("it starts");
    assert!(!status.success());
}

fn recover(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.arg("recover").arg(dir).args(arguments).output().expect("the binary starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for dir in [dir.to_owned(), dir.join(".fastlog")] {
        let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
        let plain = entries.filter(|entry| entry.path().is_file());
        files.extend(plain.map(|entry| {
            let bytes = fs::read(entry.path()).expect("a file");
            (entry.file_name().into_string().expect("UTF-8"), bytes)
        }));
    }
    files.retain(|(name, _)| !name.ends_with(".lock"));
    files.sort_unstable();
    files
}

fn assert_whole(log: &Path) {
    let lines = common::all_lines(log);
    let numbers = lines.iter().filter_map(|line| line["n"].as_u64());
    assert!(numbers.eq(0..RECORDS), "{}", log.display());
}

#[test]
fn logs_get_what_they_lack_and_a_dry_run_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    kill("one", dir);
    kill("two", dir);
    let live = Engine::detached(common::config(dir).name("live")).expect("it starts");
    live.flush().expect("published");
    let dead = |dir: &Path| {
        let mut files = files(dir);
        files.retain(|(name, _)| !name.starts_with("live"));
        files
    };
    let before = dead(dir);
    let output = recover(dir, &["--dry-run"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(text(&output).matches("would recover").count(), 2, "{output:?}");
    assert!(dead(dir) == before, "a dry run");
    let output = recover(dir, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Value = serde_json::from_str(&text(&output)).expect("JSON");
    assert_eq!((&said["living"], &said["dry_run"]), (&1.into(), &false.into()), "{said}");
    let bases: Vec<_> = said["recovered"].as_array().expect("a list").iter().collect();
    assert_eq!(bases.iter().map(|one| &one["base"]).collect::<Vec<_>>(), ["one", "two"], "{said}");
    for name in ["one", "two"] {
        let log = dir.join(format!("{name}.jsonl"));
        assert!(bases.iter().any(|one| one["to"] == log.canonicalize().unwrap().to_str().unwrap()));
        assert_whole(&log);
    }
    let output = recover(dir, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output), "nothing to recover\n1 arena of live processes left alone\n");
    drain(&live);
}

#[test]
fn with_unclean_all_goes_into_files_of_their_own() {
    let dir = tempfile::tempdir().expect("a directory");
    kill("one", dir.path());
    let log = dir.path().join("one.jsonl");
    let before = fs::read(&log).expect("a log");
    let output = recover(dir.path(), &["--unclean"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(&log).expect("a log"), before);
    let aside = files(dir.path()).into_iter().find(|(name, _)| name.contains(".unclean-"));
    let (name, bytes) = aside.expect("a file");
    assert!(text(&output).contains(&name), "{output:?}");
    let all = [before, bytes].concat();
    let all = String::from_utf8(all).expect("UTF-8");
    let numbers = all.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut numbers: Vec<u64> = numbers.filter_map(|line| line["n"].as_u64()).collect();
    numbers.dedup();
    assert!(numbers.into_iter().eq(0..RECORDS));
}

#[test]
fn what_cannot_be_recovered_is_named_and_what_is_no_log_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = recover(dir.path(), &[]);
    assert_eq!((output.status.code(), &*text(&output)), (Some(0), "nothing to recover\n"));
    kill("one", dir.path());
    let private = dir.path().join(".fastlog");
    let arena = fs::read_dir(&private).expect("a directory").find_map(|entry| {
        let path = entry.expect("an entry").path();
        path.extension().is_some_and(|end| end == "arena").then_some(path)
    });
    let arena = arena.expect("an arena");
    let mut bytes = fs::read(&arena).expect("an arena");
    bytes[8] = 200;
    fs::write(&arena, bytes).expect("written");
    for arguments in [&["--dry-run"][..], &[], &["--unclean"]] {
        let output = recover(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = text(&output);
        assert!(said.contains("stays: its version is 200"), "{said}");
        assert!(said.contains(arena.file_name().unwrap().to_str().unwrap()), "{said}");
    }
    let output = recover(&dir.path().join("no-such"), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such"), "{output:?}");
    assert_eq!(recover(dir.path(), &["--dry-run", "--unclean"]).status.code(), Some(2));
}

#[test]
fn arenas_of_other_directories_leave_no_trace_here() {
    let (here, there) = [(), ()].map(|()| tempfile::tempdir().expect("a directory")).into();
    kill("app", here.path());
    kill(SHARED, there.path());
    for arguments in [&["--dry-run"][..], &[]] {
        let said = text(&recover(here.path(), arguments));
        assert!(said.contains("app") && !said.contains(SHARED), "{said}");
    }
    let names = fs::read_dir(here.path().join(".fastlog")).expect("a directory");
    let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["app.lock"]);
    let said = text(&recover(there.path(), &[]));
    assert!(said.contains(SHARED), "{said}");
    assert_whole(&there.path().join(format!("{SHARED}.jsonl")));
}

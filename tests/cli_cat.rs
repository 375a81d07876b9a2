//! Promise: `fastlog cat` prints the records of a log in their order, each once, whatever is asked for;
//! rotated, packed and second logs included. Torn and foreign lines are shown and counted.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::drain;
use fastlog::{Compression, Config, Engine, fastlog};
use serde_json::Value;

fn cat(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.arg("cat").args(arguments).args(paths).stdin(Stdio::null()).env_remove("NO_COLOR");
    command.output().expect("the binary starts")
}

fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The `n`s of the records that were printed as they are.
fn numbers(output: &Output) -> Vec<u64> {
    let text = text(output);
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter_map(|line| line["n"].as_u64()).collect()
}

fn log(config: Config, numbers: std::ops::Range<u64>) {
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    numbers.for_each(|n| fastlog!(logger: logger, INFO, target: "shop", "order {n}", n));
    drain(&engine);
}

#[test]
fn rotated_and_packed_files_come_in_their_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let config =
        |compression| common::config(dir.path()).rotate_bytes(64 << 10).compress(compression);
    for (round, compression) in
        [Compression::Zstd, Compression::Gzip, Compression::None].into_iter().enumerate()
    {
        let start = round as u64 * 3_000;
        let engine = Engine::detached(config(compression)).expect("the engine starts");
        let logger = engine.logger();
        for n in start..start + 3_000 {
            fastlog!(logger: logger, INFO, target: "shop", "order {n}", n);
        }
        engine.sync().expect("synced");
        if compression != Compression::None {
            common::wait_until("the keeper", || engine.stats().compressed_files() > 2);
        }
        drain(&engine);
    }
    let names: Vec<_> = fs::read_dir(dir.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    for end in [".zst", ".gz", "test.jsonl"] {
        assert!(names.iter().any(|name| name.ends_with(end)), "{end}: {names:?}");
    }
    let output = cat(&[], &[dir.path()]);
    assert!(numbers(&output).into_iter().eq(0..9_000));
    assert!(said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn logs_of_one_directory_are_merged_by_time_or_chosen_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..6 {
        let name = ["test", "other"][n as usize % 2];
        log(common::config(dir.path()).name(name), n..n + 1);
    }
    assert_eq!(numbers(&cat(&[], &[dir.path()])), [0, 1, 2, 3, 4, 5]);
    assert_eq!(numbers(&cat(&["--name", "other"], &[dir.path()])), [1, 3, 5]);
    let output = cat(&["--name", "none"], &[dir.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no log of the name `none`"), "{}", said(&output));
}

const LINES: &str = r#"{"timestamp":"2026-11-20T10:00:00.000000001Z","level":"INFO","target":"a","message":"one","n":1,"user":"ann"}
{"timestamp":"2026-11-20T11:00:00.5Z","level":"WARN","target":"a::b","message":"two","n":2,"user":"bob","x":1.50}
{"timestamp":"2026-11-20T12:00:00Z","level":"ERROR","target":"ab","message":"three","n":3,"big":340282366920938463463374607431768211455}
no record
{"timestamp":"2026-11-20T13:00:00Z","level":"CRITICAL","target":"c","message":"fo"#;

fn lines_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(LINES.as_bytes()).expect("written");
    file
}

#[test]
fn filters_choose() {
    let file = lines_file();
    let cases: [(&[&str], &[u64]); 12] = [
        (&["--level", "warn"], &[2, 3]),
        (&["--target", "a"], &[1, 2]),
        (&["--target", "a::b"], &[2]),
        (&["--since", "2026-11-20T11:00:00Z"], &[2, 3]),
        (&["--until", "2026-11-20T11:00:00Z"], &[1]),
        (&["--since", "2026-11-21"], &[]),
        (&["--since", "100000d"], &[1, 2, 3]),
        (&["--field", "user=bob"], &[2]),
        (&["--field", "n=3", "--level", "trace"], &[3]),
        (&["--field", "x=1.50"], &[2]),
        (&["--field", "user=bob", "--field", "n=1"], &[]),
        (&["--grep", "t(wo|hree)", "--level", "info"], &[2, 3]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(numbers(&cat(arguments, &[file.path()])), expected, "{arguments:?}");
    }
}

#[test]
fn foreign_and_torn_lines_are_shown_and_counted() {
    let file = lines_file();
    let output = cat(&["--raw"], &[file.path()]);
    assert_eq!(text(&output), format!("{LINES}\n"), "as it is");
    assert_eq!(said(&output), "fastlog: 2 lines are no records\n");
    let output = cat(&["--grep", "no record"], &[file.path()]);
    assert_eq!(text(&output), "no record\n");
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend_from_slice(b"\n\n{}\n[1]\n{\"timestamp\":7}\n");
    fs::write(file.path(), &bytes).expect("written");
    let output = cat(&["--pretty"], &[file.path()]);
    let shown = text(&output);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{shown:?}");
}

#[test]
fn pretty_is_for_people() {
    let file = lines_file();
    let shown = text(&cat(&["--pretty", "--level", "info"], &[file.path()]));
    assert_eq!(
        shown,
        "2026-11-20 10:00:00.000 INFO  a one  n=1 user=ann\n\
         2026-11-20 11:00:00.5 WARN  a::b two  n=2 user=bob x=1.50\n\
         2026-11-20 12:00:00 ERROR ab three  n=3 big=340282366920938463463374607431768211455\n"
    );
    let coloured = text(&cat(&["--pretty", "--color", "always", "--field", "n=2"], &[file.path()]));
    assert!(coloured.contains("\x1b[33mWARN\x1b[0m"), "{coloured:?}");
}

#[test]
fn it_ends_well_when_nobody_reads_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    log(common::config(dir.path()), 0..50_000);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    let output = common::child::unread(command.arg("cat").arg(dir.path()));
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    for (arguments, code, words) in [
        (&["--grep", "("][..], 1, "unclosed group"),
        (&["--since", "soon"], 2, "`soon` is no time"),
        (&["--field", "x"], 2, "`x` is no field"),
        (&["--raw", "--pretty"], 2, "cannot be used with"),
    ] {
        let output = cat(arguments, &[dir.path()]);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    let output = cat(&[], &[Path::new("/no/such/file")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("/no/such/file"), "{}", said(&output));
    let packed = dir.path().join("broken.zst");
    fs::write(&packed, b"no zstd").expect("written");
    let output = cat(&[], &[&packed]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

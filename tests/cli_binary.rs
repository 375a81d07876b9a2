//! Promise: `fastlog cat` prints the records of binary logs as lines of JSON, each once and in
//! order, beside other logs and through the same filters; packed or from a pipe; what is damaged is
//! told with its place, and the rest is printed.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::drain;
use fastlog::{Compression, Config, Engine, Format, fastlog};
use serde_json::Value;

fn cat(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.arg("cat").args(arguments).args(paths).stdin(Stdio::null()).env_remove("NO_COLOR");
    command.output().expect("the binary starts")
}

/// As `cat` of one file, in a process with little room for memory.
fn cat_in_little_memory(path: &Path) -> Output {
    const KIB_MAX: u32 = 64 * 1024;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -v {KIB_MAX} && exec \"$0\" cat \"$1\""));
    shell.arg(env!("CARGO_BIN_EXE_fastlog")).arg(path).stdin(Stdio::null());
    shell.output().expect("a shell")
}

fn cat_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.args(["cat", "-"]).args(arguments).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let (mut stdin, input) = (child.stdin.take().expect("a pipe"), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all of it is read");
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    lines_of(output)
}

fn lines_of(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The `n`s of the records.
fn numbers(output: &Output) -> Vec<u64> {
    lines(output).iter().filter_map(|line| line["n"].as_u64()).collect()
}

fn binary(dir: &Path) -> Config {
    common::config(dir).format(Format::Binary)
}

fn log(config: Config, numbers: std::ops::Range<u64>) {
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger().with("request", "r-17");
    for n in numbers {
        fastlog!(logger: logger, INFO, target: "shop", "order {n} of {ms:.2}", n, ms = 0.125);
        if n % 100 == 0 {
            fastlog!(logger: logger, WARN, target: "shop::db", "slow \u{1b} {}", query = n * 7);
        }
    }
    drain(&engine);
}

fn golden(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/golden").join(name)).expect("a golden file")
}

// [F1]
#[test]
fn the_golden_log_is_printed_byte_for_byte() {
    let output = cat(&[], &[Path::new("tests/golden/version-1.flog")]);
    assert!(output.status.success() && output.stdout == golden("version-1.jsonl"), "{output:?}");
    assert_eq!(said(&output), "");
    // The other way, on which each line is looked at.
    let output = cat(&["--grep", "."], &[Path::new("tests/golden/version-1.flog")]);
    assert!(output.stdout == golden("version-1.jsonl"), "{output:?}");
    let output = cat_input(&[], &golden("version-1.flog"));
    assert!(output.stdout == golden("version-1.jsonl"), "{output:?}");
}

#[test]
fn rotated_and_packed_files_come_in_their_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = |compression| binary(dir.path()).rotate_bytes(64 << 10).compress(compression);
    for (round, compression) in (0..).zip([Compression::Zstd, Compression::None]) {
        let engine = Engine::detached(config(compression)).expect("the engine starts");
        let logger = engine.logger();
        for n in round * 60_000..(round + 1) * 60_000 {
            fastlog!(logger: logger, INFO, target: "shop", "order {n}", n, filler = "01234567");
        }
        engine.sync().expect("synced");
        if compression != Compression::None {
            common::wait_until("the keeper", || engine.stats().compressed_files() > 0);
        }
        drain(&engine);
    }
    let output = cat(&[], &[dir.path()]);
    assert!(numbers(&output).into_iter().eq(0..120_000), "{}", said(&output));
    assert_eq!(said(&output), "");
}

#[test]
fn binary_and_other_logs_are_merged_and_filtered_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    log(binary(dir.path()).name("one"), 0..1_000);
    log(common::config(dir.path()).name("two"), 1_000..2_000);
    log(binary(dir.path()).name("three"), 2_000..3_000);
    let all = cat(&[], &[dir.path()]);
    assert!(numbers(&all).into_iter().eq(0..3_000));
    let times: Vec<_> = lines(&all).iter().map(|line| line["timestamp"].to_string()).collect();
    assert!(times.is_sorted());
    assert!(numbers(&cat(&["--name", "three"], &[dir.path()])).into_iter().eq(2_000..3_000));
    let slow = lines(&cat(&["--level", "warn", "--target", "shop"], &[dir.path()]));
    let queries: Vec<_> = slow.iter().filter_map(|line| line["query"].as_u64()).collect();
    assert!(queries.into_iter().eq((0..30).map(|n| n * 700)));
    assert_eq!(slow[3]["message"], "slow \u{1b} 2100");
    assert_eq!(slow[3]["request"], "r-17");
    assert_eq!(numbers(&cat(&["--field", "n=2500"], &[dir.path()])), [2_500]);
    let pretty = cat(&["--pretty", "--field", "n=2500"], &[dir.path()]);
    let pretty = String::from_utf8(pretty.stdout).expect("UTF-8");
    assert!(pretty.contains("INFO  shop order 2500 of 0.12"), "{pretty}");
}

#[test]
fn a_log_whose_format_was_changed_is_printed_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    log(common::config(dir.path()).rotate_bytes(64 << 10), 0..1_000);
    log(binary(dir.path()), 1_000..2_000);
    assert!(dir.path().join("test.jsonl").exists() && dir.path().join("test.flog").exists());
    let output = cat(&[], &[dir.path()]);
    assert!(numbers(&output).into_iter().eq(0..2_000), "{}", said(&output));
    assert_eq!(said(&output), "");
}

#[test]
fn what_is_damaged_is_told_and_the_rest_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    log(binary(dir.path()), 0..100);
    let live = dir.path().join("test.flog");
    let whole = fs::read(&live).expect("the log");
    let expected = cat(&[], &[&live]).stdout;
    // Cut off: all but the last record.
    fs::write(&live, &whole[..whole.len() - 5]).expect("written");
    for arguments in [&[][..], &["--grep", "."]] {
        let output = cat(arguments, &[&live]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let numbers = lines_of(&output).into_iter().filter_map(|line| line["n"].as_u64());
        assert!(numbers.eq(0..99));
        let place = format!("{}: at byte ", live.display());
        assert!(said(&output).contains(&place), "{}", said(&output));
        assert!(said(&output).contains("1 place is damaged"), "{}", said(&output));
    }
    // Something else between two segments, and before the first.
    let junk = b"what somebody else wrote\n";
    fs::write(&live, [&junk[..], &whole, junk, &whole].concat()).expect("written");
    let output = cat(&[], &[&live]);
    assert!(output.stdout == [&expected[..], &expected].concat());
    assert!(said(&output).contains("at byte 0: no segment begins here"), "{}", said(&output));
    assert!(said(&output).contains("2 places are damaged"), "{}", said(&output));
    // A version of later.
    let mut later = whole.clone();
    later[8] = 9;
    fs::write(&live, later).expect("written");
    let output = cat(&[], &[&live]);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty());
    assert!(said(&output).contains("has version 9 of the binary format"), "{}", said(&output));
}

/// Each block that says how much follows says the most that it can, in a process that may have no
/// more memory than it needs for an ordinary file.
// [F9]
#[test]
fn a_length_that_lies_costs_no_memory() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("test.flog");
    let golden = golden("version-1.flog");
    fs::write(&path, &golden).expect("written");
    assert_eq!(cat_in_little_memory(&path).status.code(), Some(0), "enough for what is sound");
    let mut tried = 0;
    for (nth, at) in (112..golden.len() - 8).step_by(24).enumerate() {
        let mut bytes = golden.clone();
        bytes[at..at + [2, 4, 8][nth % 3]].fill(0xff);
        fs::write(&path, &bytes).expect("written");
        let output = cat_in_little_memory(&path);
        assert!(matches!(output.status.code(), Some(0 | 1)), "at {at}: {output:?}");
        tried += 1;
    }
    assert!(tried > 100, "{tried} lengths");
}

#[test]
fn hostile_files_are_read_to_their_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("test.flog");
    let golden = golden("version-1.flog");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for round in 0..40 {
        let mut bytes = golden.repeat(3);
        for _ in 0..=random() % 20 {
            let at = random() % bytes.len();
            bytes[at] ^= 1 << (random() % 8);
        }
        if round % 4 == 0 {
            bytes = (0..10_000).map(|_| random() as u8).collect();
        }
        fs::write(&path, &bytes).expect("written");
        let output = cat(if round % 2 == 0 { &[] } else { &["--grep", "."] }, &[&path]);
        // A flipped bit may as well be a wrong value.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        lines_of(&output);
        assert!(!said(&output).contains("panicked"), "{}", said(&output));
    }
}

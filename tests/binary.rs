//! Promise: a binary log holds every record once and in order, in files that each decode on their
//! own with nothing but `docs/format.md` at hand; whatever happens to files between two appends. In
//! 40 bytes for the record of the README. The bytes are read by `common::flog`, which is written
//! from that page.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use common::flog::{self, Content, MAGIC, Record};
use common::{config, drain, patient, wait_until};
use fastlog::{Config, Detail, Engine, Format, Output, Preset, fastlog};
use serde_json::Value;

fn binary(dir: &Path) -> Config {
    config(dir).format(Format::Binary)
}

fn start(config: Config) -> Engine {
    Engine::detached(config).expect("the engine starts")
}

/// The files of the log in their order, all of them binary.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| !path.ends_with(".fastlog")).collect();
    assert!(files.iter().all(|path| path.extension().is_some_and(|e| e == "flog")), "{files:?}");
    // `test-<start>-<number>.flog` before `test.flog`.
    files.sort();
    files
}

fn content(path: &Path) -> Content {
    let content = flog::read(&fs::read(path).expect("the file"));
    assert_eq!(content.segments.first().map(|first| first.0), Some(0), "{}", path.display());
    content
}

/// The program's records of all files, none of which ends in the middle of a block.
fn records(dir: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    for path in files(dir) {
        let content = content(&path);
        assert_eq!(content.cut, 0, "{}", path.display());
        records.extend(content.records);
    }
    records.retain(|record| record.target != "fastlog");
    records
}

fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.field("n").as_u64().expect("a number")).collect()
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    for n in numbers {
        fastlog!(logger: logger, INFO, "a record of a binary log", n, filler = "0123456789");
    }
}

/// One record of each of several kinds; they count on in `n`.
fn log_kinds(logger: &fastlog::Logger, n: u64, long: &str) {
    match n % 8 {
        0 => fastlog!(logger: logger, INFO, "order {n} took {ms:.2} ms", n, ms = n as f64 / 7.0),
        1 => fastlog!(logger: logger, WARN, "maybe", n, none = None::<u32>, some = Some("thing")),
        2 => fastlog!(logger: logger, ERROR, "urgent", n, wide = i128::MIN, small = -1_i8),
        3 => fastlog!(logger: logger, INFO, "lists", n, texts = ["a", "b"], numbers = [1_i32, -2]),
        4 => {
            let maybe = (n % 16 == 4).then_some(n);
            fastlog!(logger: logger, INFO, "maybe", maybe, n);
        }
        5 => fastlog!(
            logger: logger, INFO, "nine", n, a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8
        ),
        6 if n % 64 == 6 => fastlog!(logger: logger, INFO, "cut", n, long),
        _ => fastlog!(logger: logger, INFO, "in {seconds}", n, seconds = Duration::from_micros(n)),
    }
}

fn assert_kinds(records: &[Record], by: u64, count: u64) {
    let of_it: Vec<_> = records.iter().filter(|record| record.field("by") == by).cloned().collect();
    assert!(numbers(&of_it).into_iter().eq(0..count), "{by}");
    for (record, n) in of_it.iter().zip(0_u64..) {
        match n % 8 {
            0 => assert_eq!(record.field("ms").as_f64(), Some(n as f64 / 7.0)),
            1 => assert_eq!(
                (record.field("none"), record.field("some")),
                (&Value::Null, &"thing".into())
            ),
            2 => assert_eq!((record.level, record.field("small")), (4, &(-1).into())),
            3 => {
                assert_eq!(record.field("texts"), &serde_json::json!(["a", "b"]));
                assert_eq!(record.field("numbers"), &serde_json::json!([1, -2]));
            }
            4 => assert_eq!(record.field("maybe").as_u64(), (n % 16 == 4).then_some(n)),
            5 => assert_eq!((record.field("h"), record.fields.len()), (&8.into(), 9)),
            _ => assert_eq!(record.is_truncated, n % 64 == 6, "{n}"),
        }
        let name = Some(format!("worker {by}"));
        assert_eq!(record.thread.as_ref().map(|thread| &thread.1), Some(&name));
    }
    assert!(of_it.is_sorted_by_key(|record| record.utc_ns));
}

/// Several threads log every kind of record; every one is there once, each thread's in order.
fn assert_all_kinds(config: Config, dir: &Path) -> Vec<PathBuf> {
    const THREADS: u64 = 4;
    const RECORDS: u64 = 10_000;
    let engine = start(config.include(Detail::Thread));
    thread::scope(|scope| {
        for by in 0..THREADS {
            let logger = engine.logger().with("by", by);
            let named = thread::Builder::new().name(format!("worker {by}"));
            named
                .spawn_scoped(scope, move || {
                    let long = "long \u{1f980}".repeat(4_000);
                    (0..RECORDS).for_each(|n| log_kinds(&logger, n, &long));
                })
                .expect("a thread");
        }
    });
    let report = drain(&engine);
    assert_eq!(report.written(), THREADS * RECORDS);
    let records = records(dir);
    assert_eq!(records.len() as u64, THREADS * RECORDS);
    (0..THREADS).for_each(|by| assert_kinds(&records, by, RECORDS));
    files(dir)
}

// [F3]
#[test]
fn rotated_files_hold_whole_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = assert_all_kinds(binary(dir.path()).rotate_bytes(64 << 10), dir.path());
    assert!(files.len() >= 10, "{} files", files.len());
    let mut last = 0;
    for path in files {
        for (_, segment) in content(&path).segments {
            assert_eq!(segment, last + 1, "{}", path.display());
            last = segment;
        }
    }
}

#[test]
fn the_record_of_the_readme_takes_forty_bytes() {
    const RECORDS: u64 = 10_000;
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(binary(dir.path()));
    let logger = engine.logger();
    for n in 0..RECORDS {
        let price = n as f64 * 0.25;
        fastlog!(logger: logger, INFO, "order accepted", user_id = n, price, symbol = "ACME.NYS");
    }
    drain(&engine);
    let [path] = &files(dir.path())[..] else { panic!("one file") };
    let bytes = fs::metadata(path).expect("a file").len();
    // The start record, the dictionary, times after pauses and new pieces of the clock come once
    // or seldom.
    assert!(bytes <= RECORDS * 40 + 4_096, "{bytes} bytes");
}

// [F2] [S37]
#[test]
fn a_file_that_was_moved_away_is_followed_by_one_that_decodes_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(binary(dir.path()));
    let live = dir.path().join("test.flog");
    let moved = |n: u64| dir.path().join(format!("moved-{n}.flog"));
    for n in 0..3 {
        log(&engine, n * 100..(n + 1) * 100);
        engine.flush().expect("it is published");
        fs::rename(&live, moved(n)).expect("it is there");
    }
    log(&engine, 300..400);
    drain(&engine);
    let program = |path: &Path| {
        let mut records = content(path).records;
        records.retain(|record| record.target != "fastlog");
        numbers(&records)
    };
    for n in 0..3 {
        // The segment's beginning comes with what is new.
        assert!(program(&moved(n)).into_iter().eq(0..(n + 1) * 100));
    }
    assert!(program(&live).into_iter().eq(0..400));
}

// [S37]
#[test]
fn a_file_that_was_cut_from_outside_goes_on_with_a_segment_that_decodes() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(binary(dir.path()));
    let live = dir.path().join("test.flog");
    log(&engine, 0..100);
    engine.flush().expect("it is published");
    // As `copytruncate` does it; and to a length that no block ends at.
    for (len, upto) in [(0, 200), (1_001, 300)] {
        let file = fs::OpenOptions::new().write(true).open(&live).expect("the log");
        file.set_len(len).expect("cut");
        log(&engine, upto - 100..upto);
        engine.flush().expect("it is published");
    }
    drain(&engine);
    let bytes = fs::read(&live).expect("the log");
    let begins: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(MAGIC)).collect();
    assert_eq!(begins, [0, 1_001], "a segment begins where the cut was");
    let mut records = flog::read(&bytes[1_001..]).records;
    records.retain(|record| record.target != "fastlog");
    assert!(numbers(&records).into_iter().eq(0..300));
}

#[test]
fn an_engine_never_appends_to_what_another_has_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.flog");
    for n in 0..3_u64 {
        let engine = start(binary(dir.path()));
        log(&engine, n * 10..(n + 1) * 10);
        drain(&engine);
        let file = fs::OpenOptions::new().write(true).open(&live).expect("the log");
        // As if the process had died in the middle of an append.
        file.set_len(fs::metadata(&live).expect("the log").len() - 3).expect("cut");
    }
    let files = files(dir.path());
    assert_eq!(files.len(), 3, "{files:?}");
    for (path, n) in files.iter().zip(0_u64..) {
        let content = content(path);
        assert_eq!((content.segments.len(), content.cut), (1, 29), "{}", path.display());
        let records: Vec<_> =
            content.records.into_iter().filter(|record| record.target != "fastlog").collect();
        assert!(numbers(&records).into_iter().eq(n * 10..n * 10 + 9));
    }
}

#[test]
fn old_segments_end_so_that_files_can_be_rotated() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(binary(dir.path()).segment_age(Duration::from_millis(20)));
    let live = dir.path().join("test.flog");
    let mut n = 0;
    wait_until("a fifth segment", || {
        log(&engine, n..n + 1);
        n += 1;
        engine.flush().expect("it is published");
        content(&live).segments.len() >= 5
    });
    drain(&engine);
    assert!(numbers(&records(dir.path())).into_iter().eq(0..n));
}

#[test]
fn new_pieces_of_the_clock_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(binary(dir.path()));
    let live = dir.path().join("test.flog");
    let mut n = 0;
    wait_until("the clock", || {
        log(&engine, n..n + 1);
        n += 1;
        engine.flush().expect("it is published");
        content(&live).blocks.get(&7).is_some_and(|clocks| *clocks >= 2)
    });
    drain(&engine);
    let records = records(dir.path());
    assert!(records.is_sorted_by_key(|record| record.utc_ns));
    assert!(numbers(&records).into_iter().eq(0..n));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ns = now.expect("after 1970").as_nanos() as i64;
    let ago = now_ns - records.last().expect("records").utc_ns;
    assert!((0..60_000_000_000).contains(&ago), "{ago} ns ago");
}

fn archive(dir: &Path) -> Config {
    patient(Config::preset(Preset::Archive)).dir(dir).name("test").ignore_env()
}

#[test]
fn the_preset_archive_appends_binary_segments_to_one_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = start(archive(dir.path()));
    let live = dir.path().canonicalize().expect("it is there").join("test.flog");
    assert_eq!(engine.stats().log_path(), Some(&*live));
    for n in 0..3 {
        log(&engine, n * 1_000..(n + 1) * 1_000);
        // Nothing has to be complete for it: what is flushed is to be seen.
        if n % 2 == 0 { engine.flush() } else { engine.sync() }.expect("it is published");
        assert!(numbers(&records(dir.path())).into_iter().eq(0..(n + 1) * 1_000));
    }
    let report = drain(&engine);
    assert_eq!((report.written(), report.log_path()), (3_000, Some(&*live)));
    assert_eq!(files(dir.path()), [dir.path().join("test.flog")]);
    assert!(numbers(&records(dir.path())).into_iter().eq(0..3_000));
}

#[test]
fn an_archive_goes_on_behind_the_files_of_the_last_run_and_removes_the_oldest() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..5_u64 {
        let engine = start(archive(dir.path()).retain_files(2));
        log(&engine, n * 100..(n + 1) * 100);
        if n > 2 {
            wait_until("the removal", || engine.stats().removed_files() == 1);
        }
        drain(&engine);
    }
    let names: Vec<_> = files(dir.path())
        .iter()
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    let [first, second, live] = &names[..] else { panic!("{names:?}") };
    assert!(first.ends_with("-000003") && second.ends_with("-000004"), "{names:?}");
    assert_eq!(live, "test");
    assert!(numbers(&records(dir.path())).into_iter().eq(200..500));
}

#[test]
fn a_console_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let cases = [
        (
            binary(dir.path()).output(Output::Stdout),
            "the option `format` cannot be `Binary` while `output` is `Stdout`",
        ),
        (
            binary(dir.path()).also(Output::stderr().format(Format::Binary)),
            "the option `format` cannot be `Binary` while `also` is `Stderr`",
        ),
    ];
    for (config, sentence) in cases {
        let error = Engine::detached(config).expect_err(sentence).to_string();
        assert!(error.starts_with(sentence), "{error}");
    }
    // For measuring.
    let engine = start(binary(dir.path()).output(Output::Null));
    log(&engine, 0..10_000);
    assert_eq!(drain(&engine).written(), 10_000);
    assert!(files(dir.path()).is_empty());
}

/// Field by field, what this reader finds is what the lines say that the engine's own would print.
#[test]
fn the_golden_log_says_what_its_lines_say() {
    let content = content(Path::new("tests/golden/version-1.flog"));
    let lines = common::all_lines(Path::new("tests/golden/version-1.jsonl"));
    assert_eq!((content.records.len(), content.segments.len()), (lines.len(), 2));
    let mut checked = 0;
    for (record, line) in content.records.iter().zip(&lines) {
        assert_eq!(line["target"], *record.target);
        for (name, value) in record.fields.iter().filter(|(_, value)| !value.is_string()) {
            let key = if name == "level" { "fields.level" } else { name };
            if line[key].as_f64() == value.as_f64() {
                checked += 1;
            }
        }
        assert_eq!(line.get("truncated").is_some(), record.is_truncated, "{line}");
    }
    assert!(checked > 60, "{checked} numbers");
    assert!([1, 2, 3, 5, 6, 7].iter().all(|kind| content.blocks.contains_key(kind)));
}

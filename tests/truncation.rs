//! Promise [P6]: what is cut says so, whatever path the record took: through the default engine's
//! hot path, a logger, or with a callsite that the arena's dictionary has no room for: of which
//! another process finds the entry all the same.

mod common;

use fastlog::{Engine, Level, fastlog};

#[test]
fn a_rendering_longer_than_the_scratch_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::start(common::config(dir.path())).expect("the engine starts");
    let long = "x".repeat(20_000);
    fastlog!(INFO, "the thread's first record takes the cold path");
    for _ in 0..10 {
        fastlog!(INFO, "rendered", text = %long, after = 1);
        fastlog!(INFO, "copied", text = long, after = 1);
    }
    let report = common::drain(&engine);
    assert_eq!(report.truncated(), 20);
    let lines = common::lines(&report);
    for line in lines.iter().filter(|line| line["after"] == 1) {
        let text = line["text"].as_str().expect("a text");
        assert!(text.len() > 10_000 && long.starts_with(text), "{}", text.len());
        assert_eq!(line["truncated"], true);
    }
}

/// 128 bytes for each literal, which makes the texts differ.
macro_rules! text {
    ($($part:literal)*) => {
        concat!($(
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", $part
        ),*)
    };
}

/// Six callsites of some 3 KiB each.
macro_rules! fill {
    ($($key:literal)*) => {$(
        for level in Level::ALL {
            fastlog!(level: level, text!(
                1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4
            ), key = $key);
        }
    )*};
}

/// How often the text stands in the arena, and in the file of callsites beside it.
fn needles(dir: &std::path::Path) -> [usize; 2] {
    let files = std::fs::read_dir(dir.join(".fastlog")).expect("the directory");
    let paths: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    ["arena", "sites"].map(|ending| {
        let path = paths.iter().find(|path| path.extension().is_some_and(|end| end == ending));
        let bytes = std::fs::read(path.expect(ending)).expect("readable");
        bytes.windows(6).filter(|window| window == b"NEEDLE").count()
    })
}

/// With the dictionary full, another process finds callsites in a file beside it, written before
/// their first records; in the log nothing shows of it.
#[test]
fn a_full_dictionary_goes_on_in_a_file_beside_it() {
    const RECORDS: usize = 5;
    let (engine, dir) = {
        let dir = tempfile::tempdir().expect("a directory");
        let config = common::config(dir.path()).level(Level::TRACE);
        (Engine::detached(config).expect("the engine starts"), dir)
    };
    let logger = engine.logger();
    macro_rules! fill_logger {
        ($($key:literal)*) => {$(
            for level in Level::ALL {
                fastlog!(logger: logger, level: level, text!(
                    1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4
                ), key = $key);
            }
        )*};
    }
    fill_logger!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30);
    // What is left of the dictionary is too small for this one.
    for _ in 0..RECORDS {
        fastlog!(logger: logger, INFO, text!(
            1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 "NEEDLE"
        ), key = 1);
    }
    engine.flush().expect("published");
    assert_eq!(needles(dir.path()), [0, 1]);
    assert!(engine.stats().crash_safe());
    drop(logger);
    let report = common::drain(&engine);
    let lines = common::lines(&report);
    let found = lines
        .iter()
        .filter(|line| line["message"].as_str().is_some_and(|message| message.ends_with("NEEDLE")));
    assert_eq!(found.count(), RECORDS);
    assert_eq!(report.truncated(), 0);
}

/// The same through the default engine, whose hot path such records take.
#[test]
fn a_full_dictionary_is_seen_by_the_hot_path() {
    const RECORDS: usize = 5;
    if std::env::var_os("FASTLOG_TRUNCATION_CHILD").is_none() {
        let status = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "a_full_dictionary_is_seen_by_the_hot_path"])
            .env("FASTLOG_TRUNCATION_CHILD", "1")
            .status()
            .expect("it runs");
        assert!(status.success());
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let config = common::config(dir.path()).level(Level::TRACE);
    let engine = Engine::start(config).expect("the engine starts");
    fill!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30);
    for _ in 0..RECORDS {
        fastlog!(
            INFO,
            text!(
                1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 "NEEDLE"
            ),
            key = 1
        );
    }
    engine.flush().expect("published");
    assert_eq!(needles(dir.path()), [0, 1]);
    let report = common::drain(&engine);
    assert_eq!(common::lines(&report).len(), 30 * 6 + RECORDS);
}

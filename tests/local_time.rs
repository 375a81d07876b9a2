//! Promise: with `RotateZone::Local` the log goes on in a new file at the midnight of this machine's
//! time zone and not at that of UTC, and where the zone cannot be found out the start says so.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{child, drain};
use fastlog::{Engine, Rotate, RotateZone, fastlog};

const DAY: i64 = 86_400;

/// How many rotated files there are after a line, in a log whose last line is that old.
fn rotated(dir: &Path, zone: RotateZone, age: Duration) -> usize {
    fs::create_dir_all(dir).expect("a directory");
    fs::write(dir.join("test.jsonl"), b"{\"old\":1}\n").expect("a log");
    let file = fs::File::options().write(true).open(dir.join("test.jsonl")).expect("a file");
    file.set_modified(SystemTime::now() - age).expect("an old file");
    let config = common::config(dir).rotate(Rotate::Daily).rotate_in(zone);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    fastlog!(logger: logger, INFO, "a line");
    drain(&engine);
    let names = fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().starts_with("test-")).count()
}

/// `TZ` for clocks that show this time of the day now.
fn clocks_at(second_of_day: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    // In POSIX's sense: what is to be added to the clock for UTC. Between -12 h and 12 h.
    let west = (now - second_of_day + DAY / 2).rem_euclid(DAY) - DAY / 2;
    let sign = if west < 0 { "-" } else { "" };
    let west = west.abs();
    format!("XXX{sign}{}:{:02}:{:02}", west / 3_600, west / 60 % 60, west % 60)
}

#[test]
fn a_new_day_begins_at_local_midnight() {
    // For the children it is noon, and ten minutes past midnight.
    for (second_of_day, expected) in [(DAY / 2, 0), (600, 1)] {
        let case = "a_new_day_begins_at_local_midnight";
        let set = |command: &mut Command| {
            command.env("TZ", clocks_at(second_of_day)).env("EXPECTED", expected.to_string());
        };
        let ended = child::run_with(case, set, |dir| {
            let expected: usize = std::env::var("EXPECTED").unwrap().parse().unwrap();
            let twenty_minutes = Duration::from_secs(1_200);
            assert_eq!(rotated(&dir.join("local"), RotateZone::Local, twenty_minutes), expected);
            // A day ago is another day everywhere.
            let a_day = Duration::from_secs(DAY as u64);
            assert_eq!(rotated(&dir.join("old"), RotateZone::Local, a_day), 1);
            assert_eq!(rotated(&dir.join("utc"), RotateZone::Utc, a_day), 1);
        });
        if ended.is_none() {
            return;
        }
    }
}

#[test]
fn a_zone_that_is_none_is_an_error_that_names_the_option() {
    let case = "a_zone_that_is_none_is_an_error_that_names_the_option";
    let set = |command: &mut Command| {
        command.env("TZ", "No/Where");
    };
    child::run_with(case, set, |dir| {
        let logs = dir.join("logs");
        let config = || common::config(&logs).rotate_in(RotateZone::Local);
        let error = Engine::detached(config().rotate(Rotate::Daily)).expect_err("no zone");
        let text = error.to_string();
        for words in ["`rotate_in` cannot be `Local`", "use `RotateZone::Utc`", "TZ"] {
            assert!(text.contains(words), "{text}");
        }
        assert!(!logs.exists(), "nothing was touched");
        // Without a period there is nothing that a zone is needed for.
        drain(&Engine::detached(config().rotate(Rotate::Never)).expect("the engine starts"));
        drain(&Engine::detached(config().output(fastlog::Output::Null)).expect("it starts"));
    });
}

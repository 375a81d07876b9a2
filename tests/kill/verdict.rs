//! What is there in the end, against what was acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::common::flog;
use crate::common::life::{self, Lived};
use crate::plan::{Kind, Plan, arena_dir, console_path, log_dir};
use crate::victim::Texts;

/// A record of the child.
struct Found {
    life: u64,
    worker: u64,
    n: u64,
    text: String,
    is_cut: bool,
    thread: String,
    /// Sorts as the times do.
    time: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Account {
    /// The record that is to come next, by life and thread.
    next: HashMap<(u64, u64), (u64, String)>,
    /// How many were there more than once.
    pub repeated: u64,
    /// How many came back, as the engine's own records say.
    pub recovered: u64,
    pub files: usize,
}

/// Reads everything, and compares it with what was acknowledged.
pub fn check(plan: &Plan, lives: &[Lived], dir: &Path) -> Account {
    let (mut account, texts) = (Account::default(), Texts::new());
    for files in files_by_base(plan, dir) {
        account.files += files.len();
        for path in files {
            read(plan, &path, &mut |found| match found {
                Ok(found) => account.add(plan, lives, &texts, &path, found),
                Err(own) => account.add_own(&own),
            });
        }
    }
    for (life, lived) in (0..).zip(lives) {
        for (worker, &acked) in (0..).zip(&lived.counts) {
            let there = account.next.get(&(life, worker)).map_or(0, |(next, _)| *next);
            // One more was perhaps on its way.
            assert!(
                there == acked || there == acked + 1,
                "of thread {worker} of life {life} {there} are there, and {acked} were acknowledged"
            );
        }
    }
    check_leftovers(plan, dir);
    account
}

impl Account {
    /// What came back is told, and nothing was dropped or could not be read.
    fn add_own(&mut self, own: &Value) {
        let message = own["message"].as_str().expect("a message");
        if message.starts_with("recovered what process") {
            let [records, lines, dropped, unreadable] =
                ["records", "lines", "dropped", "unreadable"].map(|key| own[key].as_u64());
            assert_eq!((dropped, unreadable), (Some(0), Some(0)), "{own}");
            self.recovered += records.expect("a number") + lines.expect("a number");
        }
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.next.values().map(|(next, _)| next).sum()
    }

    fn add(&mut self, plan: &Plan, lives: &[Lived], texts: &Texts, path: &Path, found: Found) {
        let Found { life, worker, n, text, is_cut, thread, time } = found;
        let what = || format!("record {n} of thread {worker} of life {life} in {}", path.display());
        let times = lives[life as usize].times;
        assert!(shown(times.0) <= time && time <= shown(times.1), "the time of {}: {time}", what());
        assert_eq!(thread, format!("w{worker}"), "the thread of {}", what());
        let expected = texts.of(plan, worker, n);
        let is_as_logged = if is_cut { expected.starts_with(&text) } else { expected == text };
        assert!(is_as_logged, "the text of {}: {text:?} instead of {expected:?}", what());
        let next = self.next.entry((life, worker)).or_default();
        if plan.kind == Kind::Console && n < next.0 {
            // At least once.
            self.repeated += 1;
            return;
        }
        assert_eq!(n, next.0, "{}, and not the next", what());
        assert!(time >= next.1, "{} is of {time}, and the one before of {}", what(), next.1);
        *next = (n + 1, time);
    }
}

/// A time as lines have it.
fn shown(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).expect("a time of today");
    time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

/// The files of each base name, in the order in which they were written.
fn files_by_base(plan: &Plan, dir: &Path) -> Vec<Vec<PathBuf>> {
    if plan.kind == Kind::Console {
        return vec![vec![console_path(dir)]];
    }
    let extension = if plan.kind.is_lines() { ".jsonl" } else { ".flog" };
    let mut bases: BTreeMap<String, BTreeMap<u64, PathBuf>> = BTreeMap::new();
    let mut inodes = Vec::new();
    for entry in fs::read_dir(log_dir(dir)).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        if entry.file_type().expect("a type").is_dir() {
            continue;
        }
        inodes.push(entry.metadata().expect("a file").ino());
        let stem = name.strip_suffix(extension).unwrap_or_else(|| panic!("what is {name}?"));
        assert!(stem.starts_with(&plan.name()), "what is {name}?");
        let number = |text: &str| text.rsplit_once('-')?.1.parse::<u64>().ok();
        let (base, number) = match number(stem).filter(|_| stem.matches('-').count() >= 2) {
            Some(number) => (stem.rsplitn(3, '-').last().expect("a base"), number),
            None => (stem, u64::MAX),
        };
        let before = bases.entry(base.to_owned()).or_default().insert(number, entry.path());
        assert_eq!(before, None, "two files of one number");
    }
    let files = inodes.len();
    inodes.sort_unstable();
    inodes.dedup();
    assert_eq!(inodes.len(), files, "a file has two names: {bases:?}");
    bases.into_values().map(|files| files.into_values().collect()).collect()
}

/// Gives the records of a file one by one, in its order.
fn read(plan: &Plan, path: &Path, found: &mut impl FnMut(Result<Found, Value>)) {
    let bytes = fs::read(path).expect("the log");
    if !plan.kind.is_lines() {
        let content = flog::read(&bytes);
        assert_eq!(content.cut, 0, "{} ends in half a block", path.display());
        content.records.into_iter().for_each(|record| found(of_record(record)));
        return;
    }
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends in half a line", path.display());
    for line in text.lines() {
        let value: Value = match serde_json::from_str(line) {
            // Of a console nobody can tell whether a killed process left a line open.
            Err(error) if plan.kind == Kind::Console && error.is_eof() => continue,
            parsed => parsed.unwrap_or_else(|error| panic!("{error}, {}: {line}", path.display())),
        };
        found(if value["target"] == "fastlog" { Err(value) } else { Ok(of_line(&value)) });
    }
}

fn of_line(line: &Value) -> Found {
    let number = |key: &str| line[key].as_u64().unwrap_or_else(|| panic!("{key} in {line}"));
    let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("{key} in {line}"));
    let (worker, n) = (number("worker"), number("n"));
    let message = match n % 64 {
        63 => format!("urgent {n}"),
        0..16 => format!("record {n}"),
        _ => "record".to_owned(),
    };
    assert!(text("message").starts_with(&message), "{line}");
    Found {
        life: number("life"),
        worker,
        n,
        text: text("text").to_owned(),
        is_cut: line["truncated"] == true,
        thread: text("thread").to_owned(),
        time: text("timestamp").to_owned(),
    }
}

fn of_record(record: flog::Record) -> Result<Found, Value> {
    if record.target == "fastlog" {
        let message = ("message".to_owned(), record.template.into());
        return Err(record.fields.into_iter().chain([message]).collect());
    }
    let number = |key: &str| record.field(key).as_u64().expect("a number");
    let text = record.field("text").as_str().expect("a text");
    Ok(Found {
        life: number("life"),
        worker: number("worker"),
        n: number("n"),
        text: text.to_owned(),
        is_cut: record.is_truncated,
        thread: record.thread.as_ref().and_then(|(_, name)| name.clone()).unwrap_or_default(),
        time: shown(SystemTime::UNIX_EPOCH + Duration::from_nanos(record.utc_ns as u64)),
    })
}

/// No arena is left, nor a part of one: beside the log stay locks, and where else arenas may lie.
fn check_leftovers(plan: &Plan, dir: &Path) {
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.into_string().expect("UTF-8")).collect::<Vec<_>>()
    };
    let mut left = names(&log_dir(dir).join(".fastlog"));
    left.retain(|name| !name.ends_with(".lock") && !name.ends_with(".places"));
    left.extend(names(&arena_dir(dir)));
    let shared = life::in_shared_memory(&plan.name());
    left.extend(shared.iter().map(|path| path.display().to_string()));
    assert_eq!(left, Vec::<String>::new(), "what is left beside the log");
}

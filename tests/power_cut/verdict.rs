//! What is on the device after a cut, and what the next start makes of it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::logger::{Plan, confirmed, text};

/// Whether a record may be there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    Never,
    /// Where the arena was as old as it happened to be, and nothing told that it was.
    OfUnconfirmed,
}

/// What the files of a log hold.
#[derive(Debug, Default)]
pub struct Content {
    /// Paths and bytes by inode.
    files: HashMap<u64, (PathBuf, Vec<u8>)>,
    /// Numbers of the records of each thread of each life, in the order of the files.
    records: BTreeMap<(u64, u64), Vec<u64>>,
    /// Lines that are none.
    pub bad: Vec<Vec<u8>>,
    /// Messages of the engine's own records.
    pub own: Vec<String>,
    /// Lines beside the log, which arenas of other boots held.
    pub unclean: u64,
    /// The time of the newest record of each life.
    newest: HashMap<u64, jiff::Timestamp>,
}

/// How many lines a file has, each of which must be JSON.
fn lines_of(path: &Path) -> u64 {
    let text = fs::read_to_string(path).expect("UTF-8");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.count() as u64
}

impl Content {
    /// Reads all files of the log.
    pub fn read(plan: &Plan, disk: &Path) -> Content {
        let (mut files, mut content) = (BTreeMap::new(), Content::default());
        let entries = fs::read_dir(plan.log_dir(disk)).into_iter().flatten();
        for entry in entries.map(|entry| entry.expect("an entry")) {
            let name = entry.file_name().into_string().expect("UTF-8");
            let Some(stem) = name.strip_suffix(".jsonl") else { continue };
            // What an arena of another boot held: it does not count, but is lines.
            if stem.contains(".unclean") {
                content.unclean += lines_of(&entry.path());
                continue;
            }
            let number = stem.rsplit_once('-').and_then(|(_, number)| number.parse::<u64>().ok());
            files.insert(number.unwrap_or(u64::MAX), entry.path());
        }
        for path in files.into_values() {
            let bytes = fs::read(&path).expect("the log");
            let inode = fs::metadata(&path).expect("the log").ino();
            if content.files.contains_key(&inode) {
                // A rotation was cut off between its two steps.
                continue;
            }
            bytes.split_inclusive(|byte| *byte == b'\n').for_each(|line| content.add(line));
            content.files.insert(inode, (path, bytes));
        }
        content
    }

    fn add(&mut self, line: &[u8]) {
        let value = serde_json::from_slice::<Value>(line).ok().filter(|_| line.ends_with(b"\n"));
        let Some(value) = value else {
            if line != b"\n" {
                self.bad.push(line.to_owned());
            }
            return;
        };
        if value["target"] == "fastlog" {
            self.own.push(value["message"].as_str().expect("a message").to_owned());
            return;
        }
        let number = |key: &str| value[key].as_u64().unwrap_or_else(|| panic!("{key} in {value}"));
        let (life, worker, n) = (number("life"), number("worker"), number("n"));
        assert_eq!(value["text"], text(life, worker, n), "{value}");
        self.records.entry((life, worker)).or_default().push(n);
        let time = value["timestamp"].as_str().and_then(|time| time.parse().ok());
        let time: jiff::Timestamp = time.expect("a time");
        let newest = self.newest.entry(life).or_insert(time);
        *newest = time.max(*newest);
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.records.values().map(|records| records.len() as u64).sum()
    }

    /// For how long before the cut there is nothing of this life.
    pub fn missing(&self, life: u64, (start, cut): (SystemTime, SystemTime)) -> Duration {
        let newest = self.newest.get(&life).map_or(start, |time| SystemTime::from(*time));
        cut.duration_since(newest).unwrap_or_default()
    }

    /// All that was confirmed is there, each thread's in order.
    pub fn check(&self, lives: &[Vec<u64>], repeats: Repeats) {
        for (life, counts) in (0..).zip(lives) {
            for worker in 0..crate::logger::WORKERS_MAX {
                let none = Vec::new();
                let there = self.records.get(&(life, worker)).unwrap_or(&none);
                let confirmed = confirmed(counts, worker);
                let what = format!("thread {worker} of life {life}, {confirmed} confirmed");
                let first = &there[..there.len().min(confirmed as usize)];
                assert!(first.iter().copied().eq(0..confirmed), "{what}: {} there", there.len());
                let is_in_order = there.is_sorted_by(|one, next| one < next);
                assert!(is_in_order || repeats == Repeats::OfUnconfirmed, "{what}: {there:?}");
            }
        }
    }

    /// The bytes that were there before are there still, each file's at its beginning.
    pub fn check_kept(&self, before: &Content) {
        for (inode, (path, bytes)) in &before.files {
            let now = self.files.get(inode).map(|(_, bytes)| bytes);
            let is_kept = now.is_some_and(|now| now.starts_with(bytes));
            assert!(is_kept, "{}: earlier bytes are others now", path.display());
        }
    }

    /// The files whose last lines are none.
    pub fn open_ends(&self) -> Vec<&Path> {
        let files = self.files.values();
        let open = files.filter(|(_, bytes)| !bytes.is_empty() && !bytes.ends_with(b"\n"));
        open.map(|(path, _)| path.as_path()).collect()
    }
}

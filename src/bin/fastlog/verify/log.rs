//! What the files of one log hold.

use std::io;
use std::path::Path;

use fastlog::cli_support::to_read_through_links;
use serde_json::Value;

use crate::cat::{lines_in, read_on};

/// The first broken lines of a log are named, as many.
const NAMED_MAX: usize = 5;

/// A log, file by file.
#[derive(Debug, Default)]
pub struct Log {
    pub base: String,
    pub files: u64,
    /// Numbers of rotated files that are missing between those that are there.
    pub missing_files: u64,
    pub lines: u64,
    /// Lines of the program.
    pub records: u64,
    /// Lines that are not whole.
    pub broken: u64,
    /// Where the first of them are.
    pub broken_at: Vec<String>,
    /// Records that were dropped, by what the log says.
    pub dropped: u64,
    /// Records that killed processes had in memory, by what the log says.
    pub recovered: u64,
    /// What of those could not be read.
    pub unreadable: u64,
}

/// Whether a file's engine may be writing its last line just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    Lives,
    Gone,
}

impl Log {
    /// Reads one of its files.
    ///
    /// # Errors
    /// It cannot be opened or read.
    pub fn read(&mut self, path: &Path, writer: Writer) -> io::Result<()> {
        self.files += 1;
        let mut reader = lines_in(to_read_through_links(path)?, path)?;
        let (mut line, mut number) = (Vec::new(), 0_u64);
        loop {
            line.clear();
            let is_ended = read_on(&mut reader, &mut line)?;
            if line.is_empty() && !is_ended {
                return Ok(());
            }
            number += 1;
            if !is_ended && writer == Writer::Lives {
                return Ok(());
            }
            self.lines += 1;
            let why = if is_ended { self.look(&line) } else { Some("it does not end") };
            if let Some(why) = why {
                self.broken += 1;
                if self.broken_at.len() < NAMED_MAX {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    self.broken_at.push(format!("{name}, line {number}: {why}"));
                }
            }
        }
    }

    /// Counts a line; says what is wrong with it.
    fn look(&mut self, line: &[u8]) -> Option<&'static str> {
        if line.contains(&0) {
            return Some("it holds zeros");
        }
        if line.first() != Some(&b'{') {
            // Text, or pairs.
            self.records += 1;
            return std::str::from_utf8(line).is_err().then_some("it is no UTF-8");
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(line) else {
            return Some("it is no JSON");
        };
        if object.get("target").and_then(Value::as_str) != Some("fastlog") {
            self.records += 1;
            return None;
        }
        let count = |key: &str| object.get(key).and_then(Value::as_u64);
        let is_recovery = count("records").is_some() && count("unreadable").is_some();
        self.dropped += count("dropped").unwrap_or(0);
        if is_recovery {
            self.recovered += count("records").unwrap_or(0) + count("lines").unwrap_or(0);
            self.unreadable += count("unreadable").unwrap_or(0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_judged_and_counted() {
        let mut log = Log::default();
        let own = r#"{"target":"fastlog","records":5,"lines":2,"dropped":3,"unreadable":1}"#;
        let gap = r#"{"target":"fastlog","message":"7 records were dropped here","dropped":7}"#;
        for whole in [own, gap, r#"{"target":"app","dropped":100}"#, "plain text", "a=1 b=2"] {
            assert_eq!(log.look(whole.as_bytes()), None, "{whole}");
        }
        assert_eq!((log.records, log.recovered, log.dropped, log.unreadable), (3, 7, 10, 1));
        for broken in [&b"{\"a\":1"[..], b"{}{}", b"\0\0", b"\xff", b"{\"a\":\"\0\"}"] {
            assert!(log.look(broken).is_some(), "{broken:?}");
        }
    }
}

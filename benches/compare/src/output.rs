//! What a peer left in its directory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::order::MESSAGE;

const READ_BYTES: usize = 1 << 20;
const QUIET: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Every file below the directory: most peers write one, some choose its name, some rotate.
/// What begins with a dot is a logger's own affair, and no log.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the directory is readable").flatten() {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Neither follows links: some peers keep one to their newest file.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&path)),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

pub fn bytes(dir: &Path) -> u64 {
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    files(dir).iter().map(size).sum()
}

/// Calls `look` with each line, without its end.
pub fn each_line(dir: &Path, mut look: impl FnMut(&[u8])) {
    for path in files(dir) {
        let file = File::open(path).expect("a log can be read");
        let mut reader = BufReader::with_capacity(READ_BYTES, file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).expect("a log can be read") > 0 {
            look(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
    }
}

/// Lines that are a record of the workload: what a logger says of itself is none.
pub fn records(dir: &Path) -> u64 {
    let message = memmem::Finder::new(MESSAGE);
    let mut records = 0;
    each_line(dir, |line| records += u64::from(message.find(line).is_some()));
    records
}

/// Waits until the output has not grown for 300 ms; when it last grew.
pub fn settle(dir: &Path) -> Instant {
    let mut size = bytes(dir);
    let mut grew = Instant::now();
    while grew.elapsed() < QUIET {
        std::thread::sleep(LOOK_EVERY);
        let now = bytes(dir);
        if now != size {
            size = now;
            grew = Instant::now();
        }
    }
    grew
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_workloads_lines_in_visible_files_count() {
        let dir = tempfile::tempdir().expect("a directory");
        for hidden in [".fastlog", "below"] {
            fs::create_dir(dir.path().join(hidden)).expect("a directory");
        }
        let line = format!("{MESSAGE} user_id=1\n");
        fs::write(dir.path().join("a.log"), format!("started\n{line}{line}")).expect("a file");
        fs::write(dir.path().join("below/b.log"), &line).expect("a file");
        fs::write(dir.path().join(".fastlog/segment"), &line).expect("a file");
        assert_eq!(records(dir.path()), 3);
        assert_eq!(bytes(dir.path()), 8 + 3 * line.len() as u64);
    }
}

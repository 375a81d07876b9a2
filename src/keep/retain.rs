//! Which rotated files stay. Runs on the keeper, after each rotation and once a minute.
//!
//! Removes the oldest first: beyond the configured number, bytes and age, and while less of the
//! disk is free than is to be. The files that are written now are never removed, nor is anything
//! whose name is not exactly that of a rotated file of this log.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::reserve::free_bytes;
use crate::config::{Retention, file_names};
use crate::sys::io::Io;

/// A rotated file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rotated {
    /// First, so that sorting goes by age.
    start: String,
    number: u64,
    name: String,
    bytes: u64,
    age: Duration,
}

/// The files of a log, as far as retention sees them.
#[derive(Debug, Default)]
struct Files {
    /// The oldest first.
    rotated: Vec<Rotated>,
    live_bytes: u64,
}

/// A file that is gone.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) reason: &'static str,
}

/// What was removed, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) removed: Vec<Removed>,
    pub(super) failed: Option<(PathBuf, io::Error)>,
}

/// Removes what is not to stay of the log `name`.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn retain(
    io: &dyn Io,
    dir: &Path,
    name: &str,
    retention: &Retention,
) -> io::Result<Outcome> {
    let files = look(io, dir, name)?;
    let mut outcome = Outcome::default();
    let doomed = doomed(&files, retention);
    for (index, file) in files.rotated.iter().enumerate() {
        if index >= doomed && !lacks_room(io, dir, retention) {
            break;
        }
        let path = dir.join(&file.name);
        match io.unlink(&path) {
            Ok(()) => outcome.removed.push(Removed {
                name: file.name.clone(),
                bytes: file.bytes,
                reason: if index < doomed { "retention" } else { "room on the disk" },
            }),
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => outcome.failed = Some((path, error)),
        }
    }
    Ok(outcome)
}

/// Whether the disk has less free than is to stay free; where that is not known, it has not.
fn lacks_room(io: &dyn Io, dir: &Path, retention: &Retention) -> bool {
    io.statvfs(dir).is_ok_and(|space| space.free_bytes < free_bytes(retention.free_bytes, space))
}

fn look(io: &dyn Io, dir: &Path, name: &str) -> io::Result<Files> {
    let mut files = Files::default();
    let now = SystemTime::now();
    for file in io.read_dir_names(dir)? {
        let Some(file) = file.to_str() else { continue };
        let base = file_names::parse(file).map(|rotated| rotated.base);
        let base = base.or_else(|| file_names::base_of_live(file));
        if !base.is_some_and(|base| file_names::is_of(base, name)) {
            continue;
        }
        // Gone meanwhile, or no file.
        let Ok(status) = io.stat(&dir.join(file)) else { continue };
        match file_names::parse(file) {
            Some(rotated) => files.rotated.push(Rotated {
                start: rotated.start.to_owned(),
                number: rotated.number,
                name: file.to_owned(),
                bytes: status.len,
                age: now.duration_since(status.modified).unwrap_or_default(),
            }),
            None => files.live_bytes += status.len,
        }
    }
    files.rotated.sort();
    Ok(files)
}

/// How many of the oldest files go, room on the disk apart.
fn doomed(files: &Files, retention: &Retention) -> usize {
    let mut bytes = files.live_bytes;
    let mut stay = 0;
    for file in files.rotated.iter().rev() {
        bytes = bytes.saturating_add(file.bytes);
        if stay == retention.files || bytes > retention.bytes || file.age > retention.age {
            break;
        }
        stay += 1;
    }
    files.rotated.len() - stay
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file_names::Unit;
    use crate::sys::io::{OsIo, Space};
    use std::collections::BTreeSet;
    use std::fs;

    const KEEP_ALL: Retention =
        Retention { files: 100, bytes: u64::MAX, age: Duration::MAX, free_bytes: 0 };

    fn file(hour: u32, number: u64, bytes: u64, age: Duration) -> Rotated {
        let start = format!("20261120T{hour:02}0000Z");
        Rotated { start, number, name: String::new(), bytes, age }
    }

    fn four() -> Files {
        let hour = Duration::from_secs(3600);
        let rotated = (0..4).map(|n| file(n, 1, 10, hour * (4 - n))).collect();
        Files { rotated, live_bytes: 5 }
    }

    #[test]
    fn each_limit_removes_the_oldest() {
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        let cases = [
            (KEEP_ALL, 0),
            (Retention { files: 3, ..KEEP_ALL }, 1),
            (Retention { files: 0, ..KEEP_ALL }, 4),
            (Retention { bytes: 45, ..KEEP_ALL }, 0),
            (Retention { bytes: 44, ..KEEP_ALL }, 1),
            (Retention { bytes: 14, ..KEEP_ALL }, 4),
            (Retention { age: hours(4), ..KEEP_ALL }, 0),
            (Retention { age: hours(2), ..KEEP_ALL }, 2),
            (Retention { age: hours(2), files: 1, ..KEEP_ALL }, 3),
        ];
        for (retention, expected) in cases {
            assert_eq!(doomed(&four(), &retention), expected, "{retention:?}");
        }
    }

    fn names(dir: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(dir).expect("a directory");
        entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    }

    #[test]
    fn only_rotated_files_of_the_name_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let own = [
            "app-20261120T210000Z-000001.jsonl",
            "app-20261120T220000Z-000002.jsonl.zst",
            "app.77-20261120T230000Z-000001.jsonl",
        ];
        let others = [
            "app.jsonl",
            "app.77.jsonl",
            "app-2.jsonl",
            "app-2-20261120T210000Z-000001.jsonl",
            "apps-20261120T210000Z-000001.jsonl",
            "app-20261120T210000Z-000001.jsonl.tmp",
            "app-20261120T210000Z-1.jsonl",
            "app-notes.jsonl",
        ];
        for name in own.iter().chain(&others) {
            fs::write(dir.path().join(name), b"{}\n").expect("a file");
        }
        let none = Retention { files: 0, ..KEEP_ALL };
        let outcome = retain(&OsIo, dir.path(), "app", &none).expect("a readable directory");
        assert_eq!((outcome.removed.len(), outcome.failed.is_none()), (3, true));
        assert_eq!(names(dir.path()), others.iter().map(|name| (*name).to_owned()).collect());
    }

    /// A disk with too little room until two files are gone.
    #[derive(Debug)]
    struct Small;

    impl Io for Small {
        fn statvfs(&self, path: &Path) -> io::Result<Space> {
            let free_bytes = 100 - 10 * names(path).len() as u64;
            Ok(Space { free_bytes, total_bytes: 2000 })
        }
    }

    #[test]
    fn the_oldest_make_room_on_the_disk() {
        let dir = tempfile::tempdir().expect("a directory");
        for hour in 0..6 {
            let start_ns = i64::from(hour) * 3_600_000_000_000;
            let name = file_names::rotated("app", Unit::Lines, start_ns, 1);
            fs::write(dir.path().join(name), b"{}\n").expect("a file");
        }
        let retention = Retention { free_bytes: 60, ..KEEP_ALL };
        let outcome = retain(&Small, dir.path(), "app", &retention).expect("a directory");
        assert_eq!(outcome.removed.len(), 2);
        let is_old = |name: &String| name.contains("T000000") || name.contains("T010000");
        assert!(!names(dir.path()).iter().any(is_old));
    }
}

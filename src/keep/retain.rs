//! Which old files go. Pure; runs on the keeper.
//!
//! The oldest go first: beyond the configured number, bytes and age, and while less of the disk is
//! free than is to be. Never the file that is written now, nor what was there before the log's
//! first engine, nor the newest of the rotated files (unless none is to stay): a limit that is too
//! low for one file, or a disk that others fill, must not cost all of the history.

use std::time::SystemTime;

use crate::config::Retention;
use crate::config::file_names::NUMBER_OF_FORMER;
use crate::config::listing::File;
use crate::sys::io::Space;

/// Where the disk is full, half of `retain_bytes`, or of the disk, stays: who fills it would take
/// what is freed as well.
const SHARE: u64 = 2;

/// Why a file goes: the option that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Files,
    Bytes,
    Age,
    Room,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Reason::Files => "retain_files",
            Reason::Bytes => "retain_bytes",
            Reason::Age => "retain_age",
            Reason::Room => "keep_free_bytes",
        }
    }
}

/// The complete files of a log, and what it takes besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Complete<'a> {
    /// In their order, the oldest first.
    pub(super) files: &'a [File],
    /// The log's name: that of its first engine's files.
    pub(super) name: &'a str,
    /// Bytes of the disk that the files take which are written now.
    pub(super) live_bytes: u64,
}

/// Whether it was there before the log's first engine. Not ours to remove, nor does it count.
pub(super) fn is_former(file: &File) -> bool {
    file.named.place.as_ref().is_some_and(|place| place.number == NUMBER_OF_FORMER)
}

impl Complete<'_> {
    /// The file that stays whatever the limits are: of the log itself, the newest.
    fn floor(&self) -> Option<usize> {
        let is_own = |file: &File| !is_former(file) && file.named.base == self.name;
        let newest = |is_wanted: &dyn Fn(&File) -> bool| self.files.iter().rposition(is_wanted);
        newest(&is_own).or_else(|| newest(&|file| !is_former(file)))
    }

    /// For each file, why it goes, if it does; room on the disk apart.
    pub(super) fn doomed(&self, retention: &Retention, now: SystemTime) -> Vec<Option<Reason>> {
        let floor = self.floor().filter(|_| retention.files > 0);
        let (mut stay, mut bytes) = (usize::from(floor.is_some()), self.live_bytes);
        bytes = bytes.saturating_add(floor.map_or(0, |floor| self.files[floor].status.disk_bytes));
        let mut doomed = vec![None; self.files.len()];
        // Once one goes, all that are older go as well.
        let mut reason = None;
        for (index, file) in self.files.iter().enumerate().rev() {
            if Some(index) == floor || is_former(file) {
                continue;
            }
            bytes = bytes.saturating_add(file.status.disk_bytes);
            let age = now.duration_since(file.ended).unwrap_or_default();
            reason = reason.or(if stay >= retention.files {
                Some(Reason::Files)
            } else if bytes > retention.bytes {
                Some(Reason::Bytes)
            } else {
                (age > retention.age).then_some(Reason::Age)
            });
            stay += 1;
            doomed[index] = reason;
        }
        doomed
    }

    /// Those that may go to make room on a disk, in the order in which they do: as many as leave
    /// the log its share.
    pub(super) fn spare(&self, retention: &Retention, space: Space) -> Vec<usize> {
        let floor = self.floor();
        let counted = self.files.iter().filter(|file| !is_former(file));
        let mut left: u64 = counted.map(|file| file.status.disk_bytes).sum();
        let share = retention.bytes.min(space.total_bytes) / SHARE;
        let mut spare = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            if Some(index) == floor || is_former(file) {
                continue;
            }
            left -= file.status.disk_bytes;
            if left < share {
                break;
            }
            spare.push(index);
        }
        spare
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::listing::Named;
    use crate::sys::io::{Io, OsIo};
    use std::path::Path;
    use std::time::Duration;

    const KEEP_ALL: Retention =
        Retention { files: 100, bytes: u64::MAX, age: Duration::MAX, free_bytes: 0 };
    const HOUR: Duration = Duration::from_secs(3600);

    fn file(name: &str, disk_bytes: u64, ended: SystemTime) -> File {
        let any = OsIo.stat(Path::new("/")).expect("a directory");
        let status = crate::sys::io::FileStatus { disk_bytes, ..any };
        File { named: Named::of(name).expect("a log's file"), status, ended }
    }

    /// Four of 10 bytes, the oldest of which ended four hours ago.
    fn four(now: SystemTime) -> Vec<File> {
        let name = |n| format!("app-20261120T000000Z-00000{n}.jsonl");
        (1..5).map(|n| file(&name(n), 10, now - HOUR * (5 - n))).collect()
    }

    fn reasons(files: &[File], retention: &Retention, now: SystemTime) -> Vec<Option<Reason>> {
        Complete { files, name: "app", live_bytes: 5 }.doomed(retention, now)
    }

    #[test]
    fn each_limit_removes_the_oldest_and_the_newest_stays() {
        let now = SystemTime::now();
        let cases = [
            (KEEP_ALL, 0, None),
            (Retention { files: 3, ..KEEP_ALL }, 1, Some(Reason::Files)),
            (Retention { files: 1, ..KEEP_ALL }, 3, Some(Reason::Files)),
            // Nobody else says that none is to stay.
            (Retention { files: 0, ..KEEP_ALL }, 4, Some(Reason::Files)),
            (Retention { bytes: 45, ..KEEP_ALL }, 0, None),
            (Retention { bytes: 44, ..KEEP_ALL }, 1, Some(Reason::Bytes)),
            (Retention { bytes: 0, ..KEEP_ALL }, 3, Some(Reason::Bytes)),
            (Retention { age: HOUR * 4, ..KEEP_ALL }, 0, None),
            (Retention { age: HOUR * 2, ..KEEP_ALL }, 2, Some(Reason::Age)),
            (Retention { age: Duration::from_secs(1), ..KEEP_ALL }, 3, Some(Reason::Age)),
            (Retention { age: HOUR * 2, files: 1, ..KEEP_ALL }, 3, Some(Reason::Files)),
        ];
        for (retention, count, reason) in cases {
            let doomed = reasons(&four(now), &retention, now);
            let (gone, left) = doomed.split_at(count);
            assert!(left.iter().all(Option::is_none), "{retention:?}: {doomed:?}");
            assert!(gone.iter().all(|gone| *gone == reason && gone.is_some()), "{doomed:?}");
        }
    }

    #[test]
    fn what_was_there_before_neither_goes_nor_counts() {
        let now = SystemTime::now();
        let mut files = four(now);
        files.insert(0, file("app-20200101T000000Z-000000.jsonl", 1 << 40, now - HOUR * 9999));
        let strict = Retention { bytes: 45, files: 4, age: HOUR * 24, free_bytes: 0 };
        assert!(reasons(&files, &strict, now).iter().all(Option::is_none));
        let none = reasons(&files, &Retention { files: 0, ..KEEP_ALL }, now);
        assert!(none[0].is_none() && none[1..].iter().all(Option::is_some), "{none:?}");
    }

    #[test]
    fn short_lived_second_engines_do_not_push_out_the_log_itself() {
        let now = SystemTime::now();
        let mut files = four(now);
        files.extend((1..13).map(|pid| file(&format!("app@{pid}.jsonl"), 10, now)));
        let doomed = reasons(&files, &Retention { files: 3, ..KEEP_ALL }, now);
        let left: Vec<_> = (0..files.len()).filter(|at| doomed[*at].is_none()).collect();
        assert_eq!(left, [3, 14, 15], "the log's newest, and the newest of the others");
    }

    #[test]
    fn a_disk_that_others_fill_leaves_the_log_its_share() {
        let now = SystemTime::now();
        let files = four(now);
        let complete = Complete { files: &files, name: "app", live_bytes: 0 };
        let spare = |retain_bytes, total_bytes| {
            let retention = Retention { bytes: retain_bytes, ..KEEP_ALL };
            complete.spare(&retention, Space { free_bytes: 0, total_bytes })
        };
        assert_eq!(spare(u64::MAX, 20), [0, 1, 2], "the newest stays");
        assert_eq!(spare(u64::MAX, 40), [0, 1]);
        assert_eq!(spare(40, u64::MAX), [0, 1]);
        assert_eq!(spare(80, u64::MAX), [0; 0]);
        assert_eq!(spare(0, u64::MAX), [0, 1, 2], "the newest stays");
    }
}

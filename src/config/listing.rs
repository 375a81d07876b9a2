//! The files of a log as they are in its directory, in their one order: what retention,
//! compression, the numbers of new files and the command line go by. Runs on whichever thread asks;
//! one look reads the directory once and asks for the state of each file once.
//!
//! Within a base the numbers are the order, whatever the clock said when a file began: a machine
//! may start in 1970, or have spent a day in 2099. Bases meet by the time of their last lines, as
//! far as that can be: a time that was not yet, or long before this engine, tells nothing, and a
//! file is taken to be no older than those before it.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file_names::{self, Packed};
use crate::sys::io::{FileKind, FileStatus, Io};

/// No file of this engine is older: 2020-01-01. A clock that was never set says 1970, or the year
/// in which its machine was made.
const PLAUSIBLE_FROM: Duration = Duration::from_secs(1_577_836_800);

/// By how much a clock may have been set back since a line was written. Also the grain of times:
/// some file systems know whole seconds only.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// A rotated file's place among those of its base. Of two files with one number, as a clock that
/// was set or a restored copy leaves them, the start decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) number: u64,
    /// `20261120T213300Z`: sorts as the times do.
    pub(crate) start: String,
}

/// A name that is a file's of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// `app`, or `app@4711`.
    pub(crate) base: String,
    /// None for a file that is written now, or was by an engine that has ended.
    pub(crate) place: Option<Place>,
    pub(crate) packed: Packed,
}

impl Named {
    /// What the name says; none if it is not one of a log's file.
    pub(crate) fn of(name: &str) -> Option<Named> {
        let (base, place, packed) = match file_names::parse(name) {
            Some(file_names::Rotated { base, start, number, packed }) => {
                (base, Some(Place { number, start: start.to_owned() }), packed)
            }
            None => (file_names::base_of_live(name)?, None, Packed::Plain),
        };
        Some(Named { name: name.to_owned(), base: base.to_owned(), place, packed })
    }

    /// Sorts the files of a base: rotated ones by their numbers, what is written now behind them,
    /// a plain file before what it was packed to.
    fn key(&self) -> (bool, Option<&Place>, u8, &str) {
        (self.place.is_none(), self.place.as_ref(), self.packed as u8, &self.name)
    }
}

/// The rotated files of one base, in their order. Reads names alone: what they belong to may be
/// anything.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn rotated(io: &dyn Io, dir: &Path, base: &str) -> io::Result<Vec<Named>> {
    let mut files = named(io, dir, |named| named.base == base && named.place.is_some())?;
    files.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    Ok(files)
}

/// The rotated files of all bases, each base's in their order.
///
/// # Errors
/// The directory cannot be read.
#[cfg(feature = "cli")]
pub(crate) fn all_rotated(io: &dyn Io, dir: &Path) -> io::Result<Vec<Named>> {
    let mut files = named(io, dir, |named| named.place.is_some())?;
    files.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    Ok(files)
}

fn named(io: &dyn Io, dir: &Path, is_wanted: impl Fn(&Named) -> bool) -> io::Result<Vec<Named>> {
    let names = io.read_dir_names(dir)?;
    let named = names.iter().filter_map(|name| Named::of(name.to_str()?));
    Ok(named.filter(is_wanted).collect())
}

/// A file of a log, and how it is.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) named: Named,
    pub(crate) status: FileStatus,
    /// When its last line was written, as far as that can be told; set by [`in_order`].
    pub(crate) ended: SystemTime,
}

/// The states of files, by name, as an earlier look found them.
pub(crate) type Known = HashMap<String, FileStatus>;

/// All files of the log `name`, those of second engines too, in no order. What is no regular file
/// is no file of it. A rotated file that is known is not asked for its state again.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn look(io: &dyn Io, dir: &Path, name: &str, known: &Known) -> io::Result<Vec<File>> {
    let named = named(io, dir, |named| file_names::is_of(&named.base, name))?;
    let files = named.into_iter().filter_map(|named| {
        let before = known.get(&named.name).filter(|_| named.place.is_some());
        // Gone meanwhile.
        let status = before.copied().or_else(|| io.stat(&dir.join(&named.name)).ok())?;
        let is_file = status.kind == FileKind::Regular;
        is_file.then_some(File { named, status, ended: status.modified })
    });
    Ok(files.collect())
}

/// Brings them into the order of the log, the oldest first, and settles when each ended.
pub(crate) fn in_order(files: &mut [File], now: SystemTime) {
    files.sort_unstable_by(|one, other| {
        one.named.base.cmp(&other.named.base).then_with(|| one.named.key().cmp(&other.named.key()))
    });
    for base in files.chunk_by_mut(|one, other| one.named.base == other.named.base) {
        settle_times(base, now);
    }
    // Stable: within a base times only grow, and equal ones stay as they are.
    files.sort_by_key(|file| file.ended);
}

/// For the files of one base, in their order.
fn settle_times(files: &mut [File], now: SystemTime) {
    let plausible = (UNIX_EPOCH + PLAUSIBLE_FROM)..=(now + CLOCK_SLACK);
    let known = |file: &File| plausible.contains(&file.status.modified);
    // Before the first that is known: no later than that one. Where none is: as if just written,
    // so that nothing goes for its age that nobody knows.
    let first = files.iter().find(|file| known(file)).map(|file| file.status.modified);
    let mut latest = first.unwrap_or(now);
    for file in files {
        if known(file) {
            latest = latest.max(file.status.modified);
        }
        file.ended = latest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::io::OsIo;
    use std::os::unix::fs::symlink;

    const DAY: u64 = 86_400;

    fn day(n: u64) -> SystemTime {
        UNIX_EPOCH + PLAUSIBLE_FROM + Duration::from_secs(n * DAY)
    }

    /// A regular file of that name and time.
    fn file(name: &str, modified: SystemTime) -> File {
        let named = Named::of(name).expect("a log's file");
        let any = OsIo.stat(Path::new("/")).expect("a directory");
        let status = FileStatus { modified, kind: FileKind::Regular, ..any };
        File { named, status, ended: modified }
    }

    fn ordered(mut files: Vec<File>, now: SystemTime) -> Vec<(String, SystemTime)> {
        in_order(&mut files, now);
        files.into_iter().map(|file| (file.named.name, file.ended)).collect()
    }

    #[test]
    fn numbers_are_the_order_and_a_clock_that_was_wrong_changes_nothing() {
        let names = [
            "app-20991231T000000Z-000001.jsonl",
            "app-20261120T000000Z-000002.jsonl",
            "app-19700101T000000Z-000003.jsonl",
            "app-20261121T000000Z-000004.jsonl.zst",
            "app-20991231T000000Z-1000000.jsonl",
            "app.jsonl",
        ];
        let (early, late) = (UNIX_EPOCH + Duration::from_secs(60), day(40_000));
        let times = [late, day(10), early, day(12), late, day(14)];
        let files = names.iter().zip(times).map(|(name, time)| file(name, time));
        let mut files: Vec<_> = files.collect();
        files.reverse();
        let ordered = ordered(files, day(20));
        let expected = [day(10), day(10), day(10), day(12), day(12), day(14)];
        assert!(ordered.iter().map(|(name, _)| name).eq(names.iter()), "{ordered:?}");
        assert!(ordered.iter().map(|(_, ended)| *ended).eq(expected), "{ordered:?}");
    }

    #[test]
    fn bases_meet_by_the_times_of_their_last_lines() {
        let files = vec![
            file("app@7.jsonl", day(3)),
            file("app-20200103T000000Z-000001.jsonl", day(2)),
            file("app-20200101T000000Z-000002.jsonl", day(5)),
            file("app@7-20200102T000000Z-000001.jsonl", day(1)),
        ];
        let ordered = ordered(files, day(6));
        let ends: Vec<_> = ordered.iter().map(|(_, ended)| *ended).collect();
        assert_eq!(ends, [1, 2, 3, 5].map(day));
        assert!(ordered[0].0.starts_with("app@7-") && ordered[2].0 == "app@7.jsonl");
    }

    #[test]
    fn a_machine_whose_clock_was_never_set_keeps_its_files() {
        let early = |s| UNIX_EPOCH + Duration::from_secs(s);
        let files = (1..4).map(|n| file(&format!("app-19700101T000000Z-00000{n}.jsonl"), early(n)));
        for now in [early(5), day(7)] {
            let ordered = ordered(files.clone().collect(), now);
            assert!(ordered.iter().all(|(_, ended)| *ended == now), "{ordered:?}");
        }
    }

    #[test]
    fn only_regular_files_of_the_name_are_the_logs() {
        let dir = tempfile::tempdir().expect("a directory");
        let own = [
            "app-20261120T210000Z-000001.jsonl",
            "app-20261120T220000Z-000002.jsonl.zst",
            "app.jsonl",
            "app@77-20261120T230000Z-000001.flog",
            "app@77.jsonl",
        ];
        let others = [
            "app.2.jsonl",
            "app.77-20261120T230000Z-000001.jsonl",
            "app-2.jsonl",
            "app-2-20261120T210000Z-000001.jsonl",
            "apps-20261120T210000Z-000001.jsonl",
            "app-20261120T210000Z-000001.jsonl.tmp",
            "app-20261120T210000Z-1.jsonl",
            "app-20261120T210000Z-18446744073709551615.jsonl",
            "app@0-20261120T210000Z-000001.jsonl.gz.1",
        ];
        for name in own.iter().chain(&others) {
            std::fs::write(dir.path().join(name), b"{}\n").expect("a file");
        }
        std::fs::create_dir(dir.path().join("app-20261120T210000Z-000003.jsonl")).expect("made");
        let link = dir.path().join("app-20261120T210000Z-000004.jsonl");
        symlink("app.jsonl", link).expect("a link");
        let files = look(&OsIo, dir.path(), "app", &Known::new()).expect("a readable directory");
        let mut names: Vec<_> = files.iter().map(|file| &*file.named.name).collect();
        names.sort_unstable();
        assert_eq!(names, own);
        let known = |file: &File| FileStatus { len: 1000, ..file.status };
        let known = files.iter().map(|file| (file.named.name.clone(), known(file))).collect();
        let files = look(&OsIo, dir.path(), "app", &known).expect("a readable directory");
        for file in files {
            let is_rotated = file.named.place.is_some();
            assert_eq!(file.status.len == 1000, is_rotated, "{file:?} may have grown");
        }
        let rotated = rotated(&OsIo, dir.path(), "app").expect("a readable directory");
        let numbers: Vec<_> = rotated.iter().filter_map(|file| file.place.as_ref()).collect();
        assert_eq!(numbers.iter().map(|place| place.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}

//! How many arenas of crashed processes stay beside a log, and what its owner hears of them. Runs
//! on the owner, at start.

use crate::arena::Orphan;
use crate::sys::io::Io;

/// The records in them cannot be read back yet: a service that crashes again and again must not
/// fill its disk with them. Beyond as many, or as many bytes, the oldest go; the newest stays.
const ORPHANS_MAX: usize = 32;
const ORPHAN_BYTES_MAX: u64 = 1 << 30;

/// What became of those that were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orphans {
    /// How many are there still.
    pub(super) kept: u64,
    pub(super) removed: u64,
}

/// Removes the oldest of too many, and tells of all.
pub(super) fn bound(io: &dyn Io, mut found: Vec<Orphan>, warnings: &mut Vec<String>) -> Orphans {
    found.sort_by_key(|orphan| std::cmp::Reverse(orphan.modified));
    let (mut kept, mut kept_bytes) = (0, 0_u64);
    let (mut removed, mut removed_bytes) = (0, 0_u64);
    for orphan in &found {
        let bytes = kept_bytes.saturating_add(orphan.bytes);
        let is_over = kept == ORPHANS_MAX || kept > 0 && bytes > ORPHAN_BYTES_MAX;
        match is_over.then(|| orphan.remove(io)) {
            Some(Ok(true)) => {
                removed += 1;
                removed_bytes += orphan.bytes;
            }
            Some(Ok(false)) => {}
            Some(Err(error)) => warnings.push(format!(
                "cannot remove the arena of a process that is gone from {}: {error}",
                orphan.dir().display()
            )),
            None => (kept, kept_bytes) = (kept + 1, bytes),
        }
    }
    if let (Some(newest), true) = (found.first(), kept > 0) {
        let dir = newest.dir().display();
        warnings.push(format!(
            "arenas of processes that ended without a drain are in {dir}: {kept}, of {kept_bytes} \
             bytes; records that did not come into the log may be in them, which this version does \
             not read back; `fastlog stat` tells of them; remove those that nobody needs"
        ));
    }
    if removed > 0 {
        warnings.push(format!(
            "older arenas were removed: {removed}, of {removed_bytes} bytes; {ORPHANS_MAX} stay at \
             most, and {ORPHAN_BYTES_MAX} bytes"
        ));
    }
    Orphans { kept: kept as u64, removed }
}

#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests {
    use super::*;
    use crate::arena::{SameLog, find_orphans};
    use crate::sys::io::OsIo;
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    fn plant(dir: &Path, n: u64, bytes: u64) {
        let path = dir.join(format!("app.{}-00ff.arena", n + 1));
        fs::write(path.with_extension("segments"), "of it").expect("a file");
        let file = File::create(path).expect("a file");
        if bytes > 0 {
            OsIo.fallocate(file.as_fd(), crate::sys::io::Reserve::Extend, 0, bytes).expect("room");
        }
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n)).expect("a time");
    }

    fn look(dir: &Path) -> (Orphans, Vec<String>) {
        let found = find_orphans(&OsIo, dir, "app", SameLog::ByPlace).expect("a directory");
        let mut warnings = Vec::new();
        (bound(&OsIo, found, &mut warnings), warnings)
    }

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir).expect("a directory").count()
    }

    #[test]
    fn the_oldest_of_too_many_go_and_others_files_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(look(dir.path()), (Orphans::default(), Vec::new()));
        (0..ORPHANS_MAX as u64 + 5).for_each(|n| plant(dir.path(), n, 0));
        let others = ["app.2.3-00ff.arena", "app.x-00ff.arena", "app.3-.arena", "apps.1-00.arena"];
        others.iter().for_each(|name| fs::write(dir.path().join(name), "").expect("a file"));
        let (orphans, warnings) = look(dir.path());
        assert_eq!(orphans, Orphans { kept: ORPHANS_MAX as u64, removed: 5 });
        assert!(warnings[0].contains(": 32, of ") && warnings[1].contains("removed: 5, of "));
        assert_eq!(names(dir.path()), 2 * ORPHANS_MAX + others.len());
        assert!(!dir.path().join("app.5-00ff.arena").exists());
        assert!(dir.path().join("app.6-00ff.arena").exists());
        let (orphans, warnings) = look(dir.path());
        assert_eq!((orphans.kept, orphans.removed, warnings.len()), (32, 0, 1));
    }

    #[test]
    fn the_newest_stays_however_large() {
        let huge = |n, bytes| {
            let dir = tempfile::tempdir().expect("a directory");
            plant(dir.path(), n, 0);
            let mut found =
                find_orphans(&OsIo, dir.path(), "app", SameLog::ByPlace).expect("a directory");
            found[0].bytes = bytes;
            (dir, found.remove(0))
        };
        let (old, new) = (huge(1, 1), huge(2, ORPHAN_BYTES_MAX + 1));
        let orphans = bound(&OsIo, vec![old.1, new.1], &mut Vec::new());
        assert_eq!(orphans, Orphans { kept: 1, removed: 1 });
        assert_eq!((names(old.0.path()), names(new.0.path())), (0, 2));
    }
}

//! How many arenas that cannot be recovered stay beside a log, and what its owner hears of them.
//! Runs on the owner, at start.

use crate::recover::Kept;
use crate::sys::io::Io;

/// A later version, or a disk with room, may read them: a service that crashes again and again must
/// not fill its disk with them. Beyond as many, or as many bytes, the oldest go; the newest stays.
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
pub(super) fn bound(io: &dyn Io, mut found: Vec<Kept>, warnings: &mut Vec<String>) -> Orphans {
    found.sort_by_key(|orphan| std::cmp::Reverse(orphan.modified));
    let (mut kept, mut kept_bytes) = (0, 0_u64);
    let (mut removed, mut removed_bytes) = (0, 0_u64);
    for orphan in &found {
        let bytes = kept_bytes.saturating_add(orphan.bytes);
        let is_over = kept == ORPHANS_MAX || kept > 0 && bytes > ORPHAN_BYTES_MAX;
        match (is_over && !orphan.files.is_empty()).then(|| orphan.remove(io)) {
            Some(Ok(())) => {
                removed += 1;
                removed_bytes += orphan.bytes;
            }
            Some(Err(error)) => warnings.push(error.to_string()),
            None => (kept, kept_bytes) = (kept + 1, bytes),
        }
    }
    if let (Some(newest), true) = (found.first(), kept > 0) {
        let (path, why) = (newest.path.display(), &newest.why);
        warnings.push(format!(
            "{path}, of a process that ended without a drain, is not recovered: {why}; {kept} such \
             files of {kept_bytes} bytes wait for another start, `fastlog recover` tells of them; \
             remove those that nobody needs"
        ));
    }
    if removed > 0 {
        warnings.push(format!(
            "older arenas that could not be recovered were removed: {removed}, of {removed_bytes} \
             bytes; {ORPHANS_MAX} stay at most, and {ORPHAN_BYTES_MAX} bytes"
        ));
    }
    Orphans { kept: kept as u64, removed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::io::OsIo;
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    fn plant(dir: &Path, n: u64, bytes: u64) -> Kept {
        let path = dir.join(format!("app.{}-00ff.arena", n + 1));
        let files = vec![path.with_extension("segments"), path.clone()];
        files.iter().for_each(|file| fs::write(file, "of it").expect("a file"));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(n);
        Kept { path, why: "it is damaged".to_owned(), bytes, modified, files }
    }

    #[test]
    fn the_oldest_of_too_many_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut warnings = Vec::new();
        assert_eq!(bound(&OsIo, Vec::new(), &mut warnings), Orphans::default());
        assert!(warnings.is_empty());
        let found = (0..ORPHANS_MAX as u64 + 5).map(|n| plant(dir.path(), n, 1)).collect();
        let orphans = bound(&OsIo, found, &mut warnings);
        assert_eq!(orphans, Orphans { kept: ORPHANS_MAX as u64, removed: 5 });
        assert!(warnings[0].contains("it is damaged; 32 such files of 32 bytes"), "{warnings:?}");
        assert!(warnings[1].contains("removed: 5, of "), "{warnings:?}");
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 2 * ORPHANS_MAX);
        assert!(!dir.path().join("app.5-00ff.arena").exists());
        assert!(dir.path().join("app.6-00ff.arena").exists());
    }

    #[test]
    fn the_newest_stays_however_large_and_so_does_what_nobody_may_touch() {
        let dir = tempfile::tempdir().expect("a directory");
        let untouched = Kept { files: Vec::new(), ..plant(dir.path(), 0, 1) };
        let found = [plant(dir.path(), 1, 1), plant(dir.path(), 2, ORPHAN_BYTES_MAX + 1)];
        let found = found.into_iter().chain([untouched]).collect();
        let orphans = bound(&OsIo, found, &mut Vec::new());
        assert_eq!(orphans, Orphans { kept: 2, removed: 1 });
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 4);
    }
}

//! The rotated files of all logs in a directory, read once for as long as nothing changes there: a
//! directory may hold the logs of thousands of processes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fastlog::cli_support::{LogFile, all_rotated};

/// Within this time of a change there may be another that does not show in the directory's time:
/// the clock of files goes in ticks of up to 10 ms.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// Rotated files in the order of their log, with their names.
type Files = Vec<(LogFile, String)>;

/// A directory as it was last read.
pub struct Listing {
    dir: PathBuf,
    /// When the directory had changed last, if that was long enough before it was read.
    settled: Option<SystemTime>,
    files: BTreeMap<String, Files>,
}

impl Listing {
    /// Of a directory that was not read yet.
    pub fn of(dir: &Path) -> Listing {
        Listing { dir: dir.to_owned(), settled: None, files: BTreeMap::new() }
    }

    /// The files of a base.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn rotated(&mut self, base: &str) -> io::Result<Files> {
        let changed = fs::metadata(&self.dir)?.modified()?;
        if self.settled != Some(changed) {
            self.files = all_rotated(&self.dir)?;
            let age = SystemTime::now().duration_since(changed).unwrap_or_default();
            self.settled = (age >= SETTLED_AFTER).then_some(changed);
        }
        Ok(self.files.get(base).cloned().unwrap_or_default())
    }

    /// It is to be read again, whatever its time says.
    pub fn forget(&mut self) {
        self.settled = None;
    }
}

//! What the command line needs of the inside and nobody else does: a door of its own, so that the
//! public interface stays what programs use. May change at any time.

mod binary;
mod object;
mod recovery;

pub use crate::arena::inspect::{
    Found, Holder, Inspected, RingState, RingThread, Snapshot, look as look_at_arenas,
};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::config::file_names;
use crate::config::listing::{self, Named};
use crate::sys::io::OsIo;

pub use crate::sys::gone::is_gone;
pub use crate::sys::open::to_read_through_links;
pub use crate::sys::reader::{is_gone_within, is_ignored, is_readable_before, raise_open_files};
pub use binary::{BinaryReader, Next, is_binary};
pub use object::with_fields;
pub use recovery::{KeptArena, RecoveredArena, Recovery, RecoveryReport, recover};

/// A file of a log, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFile {
    /// `app`, or `app@4711`.
    pub base: String,
    /// Its number since the log began; the highest for the file that is written now.
    pub number: u64,
    /// When it began, as text that sorts.
    pub start: String,
}

impl From<Named> for LogFile {
    fn from(Named { base, place, .. }: Named) -> LogFile {
        match place {
            Some(place) => LogFile { base, number: place.number, start: place.start },
            None => LogFile { base, number: u64::MAX, start: String::new() },
        }
    }
}

/// What a file name says; none if it is not one of a log.
pub fn log_file(name: &str) -> Option<LogFile> {
    Named::of(name).map(LogFile::from)
}

/// The rotated files of all bases, by base, with their names, in the order of their log; of one
/// that is being packed both, the plain one first.
///
/// # Errors
/// The directory cannot be read.
pub fn all_rotated(dir: &Path) -> io::Result<BTreeMap<String, Vec<(LogFile, String)>>> {
    let mut logs = BTreeMap::<_, Vec<_>>::new();
    for file in listing::all_rotated(&OsIo, dir)? {
        let name = file.name.clone();
        logs.entry(file.base.clone()).or_default().push((LogFile::from(file), name));
    }
    Ok(logs)
}

/// Whether files of this base belong to the log `name`.
pub fn is_of(base: &str, name: &str) -> bool {
    file_names::is_of(base, name)
}

//! What the command line needs of the inside and nobody else does: a door of its own, so that the
//! public interface stays what programs use. May change at any time.

mod binary;
mod object;

pub use crate::arena::inspect::{
    Found, Holder, Inspected, RingState, RingThread, Snapshot, look as look_at_arenas,
};
use crate::config::file_names;

pub use crate::sys::reader::is_gone_within;
pub use binary::{BinaryReader, Next, is_binary};
pub use object::with_fields;

/// A file of a log, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFile {
    /// `app`, or `app.4711`.
    pub base: String,
    /// Its number since the log began; the highest for the file that is written now.
    pub number: u64,
    /// When it began, as text that sorts.
    pub start: String,
}

/// What a file name says; none if it is not one of a log.
pub fn log_file(name: &str) -> Option<LogFile> {
    if let Some(rotated) = file_names::parse(name) {
        let (base, start) = (rotated.base.to_owned(), rotated.start.to_owned());
        return Some(LogFile { base, number: rotated.number, start });
    }
    let base = file_names::base_of_live(name)?.to_owned();
    Some(LogFile { base, number: u64::MAX, start: String::new() })
}

/// Whether files of this base belong to the log `name`.
pub fn is_of(base: &str, name: &str) -> bool {
    file_names::is_of(base, name)
}

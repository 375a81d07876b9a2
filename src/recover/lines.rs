//! What a dead arena still owes its output, as bytes: what was announced, what was written and
//! never announced, and the rings' records as the dead engine would have formatted them. Runs on
//! the owner at start, and in the command line; does no I/O but to read the arena.

use std::io;

use crate::arena::read::Dead;
use crate::format::{Details, Format};

/// What a dead arena still owes its output, besides what [`owed`] hands to `rest`.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// None where nothing was ever announced, and where the output is no file.
    pub(crate) append: Option<Cut>,
    pub(crate) tally: Tally,
}

/// The newest append that was announced: which file, where, and the bytes that must stand there in
/// full. All that was announced before it is in the log.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The file's identity.
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    /// In nanoseconds since 1970; 0 where the file system does not tell.
    pub(crate) birth_ns: u64,
    /// Where in the file.
    pub(crate) offset: u64,
    /// Up to the end of a line; from the middle of one on where an earlier append was cut short.
    /// One segment at most.
    pub(crate) bytes: Vec<u8>,
    /// Whether the append was completed, so that a file that is gone has lost nothing.
    pub(crate) is_done: bool,
}

/// What came back, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The process whose arena it was, in its own namespace.
    pub(crate) pid: u64,
    /// Records formatted from the rings.
    pub(crate) records: u64,
    /// Lines that were written but never announced, and their bytes; of binary segments the bytes
    /// alone. On a console, also those of an append that was begun.
    pub(crate) lines: u64,
    pub(crate) lines_bytes: u64,
    /// Records that were dropped and counted, but of which no gap record tells.
    pub(crate) untold_drops: u64,
    /// Records, and stretches of damaged files, that could not be read.
    pub(crate) unreadable: u64,
    /// Bytes that `rest` was handed, the engine's own record among them.
    pub(crate) rest_bytes: u64,
}

/// Reads what `dead` owes. `rest` receives, in this order, the whole lines (or binary segments)
/// that were written but never announced, then those formatted from the rings in tick order with
/// the arena's own format, then, if anything came back or was lost, one record of the engine's own
/// that says how many. They belong behind the bytes of [`Cut`], and end with a whole line.
///
/// Called twice on the same files it hands out the same bytes.
///
/// # Errors
/// The system's, of reading the arena's files, and those of `rest`. A damaged arena is none: what
/// cannot be read is counted.
pub(crate) fn owed(dead: &Dead, rest: &mut dyn io::Write) -> io::Result<Owed> {
    let header = dead.header();
    let mut tally = Tally { pid: header.pid, ..Tally::default() };
    if Format::from_number(header.format).is_none() || Details::from_bits(header.details).is_none()
    {
        tally.unreadable += 1;
    }
    rest.flush()?;
    Ok(Owed { append: None, tally })
}

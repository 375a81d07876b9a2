//! Reads an arena of another process, dead or alive: its header, what was written and announced,
//! its callsites, rings and segments. Runs on the owner at start, and in the command line.
//!
//! Everything is read with `pread` into memory of this process, never mapped, and nothing is
//! trusted: whatever bytes the files hold, there is an answer, and what is allocated for it is
//! bounded.

mod header;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::orphans::SEGMENTS_EXTENSION;
#[cfg(feature = "cli")]
pub(crate) use header::word;
pub(crate) use header::{FIXED_BYTES, Header};

/// What the parts of an arena are read from.
pub(crate) trait Bytes {
    /// Fills `to` from `offset` on, as far as there is something.
    fn read_some(&self, to: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Bytes for File {
    fn read_some(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < to.len() {
            match self.read_at(&mut to[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// Why an arena is not read. `Display` is a sentence without its subject: "it ...".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its header was never completed: its process died while it made it, or makes it just now.
    /// No record was ever in it.
    Unused,
    /// It is of another version.
    Version(u64),
    /// It is no arena, or its header is damaged.
    Damaged(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Unused => f.write_str("its header was never completed"),
            Unfit::Version(version) => {
                let known = super::layout::VERSION;
                write!(f, "its version is {version}, and {known} is what is known here")
            }
            Unfit::Damaged(why) => f.write_str(why),
        }
    }
}

/// The files of an arena that nobody writes any more. They stay open as long as this lives, so that
/// a lock on the arena's file that this process has taken stays taken.
pub(crate) struct Dead {
    header: Header,
    arena: Box<dyn Bytes>,
    segments: Option<Box<dyn Bytes>>,
}

impl fmt::Debug for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dead").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Dead {
    /// Reads the header of the arena in `file`, which is at `path`: the other files lie beside it.
    ///
    /// # Errors
    /// The system's. A side file that is missing is none.
    pub(crate) fn open(file: File, path: &Path) -> io::Result<Result<Dead, Unfit>> {
        let beside = |extension| match crate::sys::open::to_read(&path.with_extension(extension)) {
            Ok(file) => Ok(Some(Box::new(file) as Box<dyn Bytes>)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let segments = beside(SEGMENTS_EXTENSION)?;
        Dead::of(Box::new(file), segments)
    }

    /// The same, of bytes wherever they are.
    ///
    /// # Errors
    /// Those of `arena`.
    pub(crate) fn of(
        arena: Box<dyn Bytes>,
        segments: Option<Box<dyn Bytes>>,
    ) -> io::Result<Result<Dead, Unfit>> {
        let mut fixed = vec![0; FIXED_BYTES];
        let len = arena.read_some(&mut fixed, 0)?;
        Ok(Header::parse(&fixed[..len]).map(|header| Dead { header, arena, segments }))
    }

    /// Whose it was, and how its lines look.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }
}

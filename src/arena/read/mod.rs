//! Reads an arena of another process, dead or alive: its header, what was written and announced,
//! its callsites, rings and segments. Runs on the owner at start, and in the command line.
//!
//! Everything is read with `pread` into memory of this process, never mapped, and nothing is
//! trusted: whatever bytes the files hold, there is an answer, and what is allocated for it is
//! bounded.

mod header;
mod rings;
mod segments;
mod sites;
mod slots;
// Elsewhere there are no arenas in files.
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::intent::Intent;
use super::layout::COUNTERS_AT;
use super::orphans::{SEGMENTS_EXTENSION, SITES_EXTENSION};
use crate::clock::Piece;
use crate::envelope::{META, Meta};
use crate::stats::Figures;
pub(crate) use header::{FIXED_BYTES, Header, word};
pub(crate) use rings::{OnDamage, Owner, RingReader};
pub(crate) use segments::Found;
pub(crate) use sites::Sites;
pub(crate) use slots::Commit;

/// What no counter of a real engine reaches (in nanoseconds nine years), so that sums of what
/// damaged files hold do not overflow.
pub(crate) const COUNT_MAX: u64 = 1 << 58;

/// What all windows into rings may take together, but for a record's in each.
const WINDOWS_BYTES: usize = 32 << 20;
const WINDOW_BYTES: usize = 64 << 10;

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

/// Of files that were read before, or never were any.
#[cfg(any(test, feature = "bench-internals"))]
impl Bytes for Vec<u8> {
    fn read_some(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = self.get(offset.min(self.len() as u64) as usize..).unwrap_or_default();
        let len = from.len().min(to.len());
        to[..len].copy_from_slice(&from[..len]);
        Ok(len)
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

/// The meta word of an envelope; of what is none, zeros.
pub(crate) fn record_meta(envelope: &[u8]) -> Meta {
    Meta::from_word(word(envelope, META * 8))
}

/// The files of an arena that nobody writes any more. They stay open as long as this lives, so that
/// a lock on the arena's file that this process has taken stays taken.
pub(crate) struct Dead {
    header: Header,
    arena: Box<dyn Bytes>,
    segments: Option<Box<dyn Bytes>>,
    sites: Option<Box<dyn Bytes>>,
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
        let (segments, sites) = (beside(SEGMENTS_EXTENSION)?, beside(SITES_EXTENSION)?);
        Dead::of(Box::new(file), segments, sites)
    }

    /// The same, of bytes wherever they are.
    ///
    /// # Errors
    /// Those of `arena`.
    pub(crate) fn of(
        arena: Box<dyn Bytes>,
        segments: Option<Box<dyn Bytes>>,
        sites: Option<Box<dyn Bytes>>,
    ) -> io::Result<Result<Dead, Unfit>> {
        let mut fixed = vec![0; FIXED_BYTES];
        let len = arena.read_some(&mut fixed, 0)?;
        Ok(Header::parse(&fixed[..len]).map(|header| Dead { header, arena, segments, sites }))
    }

    /// Whose it was, and how its lines look.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The arena's file.
    pub(crate) fn arena(&self) -> &dyn Bytes {
        &*self.arena
    }

    /// The segments' file.
    pub(crate) fn segments(&self) -> Option<&dyn Bytes> {
        self.segments.as_deref()
    }

    /// The engine's counters, as it showed them last.
    ///
    /// # Errors
    /// The system's, as of all that follow.
    pub(crate) fn figures(&self) -> io::Result<Figures> {
        let mut counters = vec![0; super::layout::PAGE];
        self.arena.read_some(&mut counters, COUNTERS_AT as u64)?;
        Ok(Figures::read(|index| word(&counters, index * 8).min(COUNT_MAX)))
    }

    /// What was written; none where nothing was.
    pub(crate) fn commit(&self) -> io::Result<Option<Commit>> {
        slots::commit(self.arena())
    }

    /// The newest append that was announced, and whether it was completed.
    pub(crate) fn intent(&self) -> io::Result<Option<(Intent, bool)>> {
        slots::intent(self.arena())
    }

    /// How ticks become UTC.
    pub(crate) fn clock(&self) -> io::Result<Option<[Piece; 2]>> {
        slots::clock(self.arena())
    }

    /// The callsites.
    pub(crate) fn sites(&self) -> io::Result<Sites> {
        Sites::read(self.arena(), self.sites.as_deref(), self.header.id)
    }

    /// The segments, by their numbers.
    pub(crate) fn find_segments(&self) -> io::Result<Vec<Found>> {
        self.segments().map_or(Ok(Vec::new()), |bytes| segments::find(bytes, self.header.id))
    }

    /// The ring with this number, from where `commit` has moved it to; none where the file ends
    /// before.
    pub(crate) fn ring(&self, number: u64, commit: &Commit) -> io::Result<Option<RingReader>> {
        let moved = commit.moved.iter().find(|(ring, _)| *ring == number);
        let window = (WINDOWS_BYTES / self.header.rings.max(1) as usize).min(WINDOW_BYTES);
        let place = (number, moved.map(|(_, position)| *position));
        RingReader::open(self.arena(), &self.header, place, (OnDamage::Skip, window))
    }
}

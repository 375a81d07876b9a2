//! What a dead arena still owes its output, as bytes: what was announced, what was written and
//! never announced, and the rings' records as the dead engine would have formatted them. Runs on
//! the owner at start, and in the command line; does no I/O but to read the arena.

// Elsewhere there are no arenas in files.
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;

use std::io;

use super::pen::Pen;
use super::rings::Records;
use super::written::{Output, Written};
use crate::arena::layout::EngineState;
use crate::arena::read::{Commit, Dead};
use crate::clock::Piece;
use crate::envelope::encode;
use crate::envelope::site::Site;
use crate::level::Level;

/// What the record of the engine's own says.
const RECOVERED: Site<'static> = Site {
    id: 0,
    level: Level::Info,
    target: "fastlog",
    template: "recovered what process {pid} left: {records} records from its rings, {lines} lines \
        that were not in the log",
    file: file!(),
    line: line!(),
    names: &["pid", "records", "lines", "lines_bytes", "dropped", "unreadable"],
};

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

impl Tally {
    /// Whether nothing came back and nothing is missing.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Tally { pid: self.pid, rest_bytes: self.rest_bytes, ..Tally::default() }
    }
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
    let mut tally = Tally { pid: dead.header().pid, ..Tally::default() };
    let output = Output::of(dead);
    if dead.header().state == Some(EngineState::Drained) || output == Output::Null {
        return Ok(Owed { append: None, tally });
    }
    let mut rest = Counted { out: rest, bytes: 0 };
    let commit = dead.commit()?.unwrap_or_default();
    tally.untold_drops = dead.figures()?.dropped.total().saturating_sub(commit.told);
    let written = Written::open(dead)?;
    let append = if output == Output::File { written.cut(&mut tally)? } else { None };
    written.rest((output, &commit), &mut tally, &mut rest)?;
    put_records(dead, &commit, &mut tally, &mut rest)?;
    tally.rest_bytes = rest.bytes;
    Ok(Owed { append, tally })
}

/// Writes what the rings hold, and how much came back.
fn put_records(
    dead: &Dead,
    commit: &Commit,
    tally: &mut Tally,
    rest: &mut dyn io::Write,
) -> io::Result<()> {
    let sites = dead.sites()?;
    let pieces = dead.clock()?;
    tally.unreadable += sites.unreadable;
    let has_clock = pieces.is_some();
    let pieces = pieces.unwrap_or([Piece::NONE; 2]);
    let segment = commit.written.segment.wrapping_add(1);
    let mut pen = Pen::new(dead.header(), (&sites, pieces, segment));
    let mut records = Records::open(dead, commit)?;
    let mut newest = None;
    while let Some((envelope, thread)) = records.next()? {
        match pen.put(rest, envelope, thread)? {
            Some(ticks) => {
                tally.records += 1;
                newest = newest.max(Some((pen.utc_ns(ticks), ticks)));
            }
            None => tally.unreadable += 1,
        }
    }
    tally.unreadable += records.unreadable();
    // It is stored before the first record is: where there are none, nothing is missing.
    tally.unreadable += u64::from(tally.records > 0 && !has_clock);
    if !tally.is_nothing() {
        // Without a record of its time, the time at which the clock was looked at last.
        let ticks = newest.map_or(pieces[1].base_ticks, |(_, ticks)| ticks);
        put_own(&mut pen, tally, ticks, rest)?;
    }
    pen.finish(rest)
}

/// Writes the record that says how much came back.
fn put_own(
    pen: &mut Pen<'_>,
    tally: &Tally,
    ticks: u64,
    rest: &mut dyn io::Write,
) -> io::Result<()> {
    let Tally { pid, records, lines, lines_bytes, untold_drops, unreadable, .. } = tally;
    let is_whole = *untold_drops == 0 && *unreadable == 0;
    let site = Site { level: if is_whole { Level::Info } else { Level::Warn }, ..RECOVERED };
    let losses = (untold_drops, (unreadable, ()));
    let fields = (pid, (records, (lines, (lines_bytes, losses))));
    pen.put_own(rest, &site, &encode::own(site.level, ticks, &fields))
}

/// Counts what goes out.
struct Counted<'a> {
    out: &'a mut dyn io::Write,
    bytes: u64,
}

impl io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

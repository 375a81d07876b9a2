//! What a dead engine had written into its segments: the newest append that it announced, and what
//! was never announced.

use std::io;

use super::lines::{Cut, Tally};
use crate::arena::intent::Intent;
use crate::arena::read::{Commit, Dead, Found};
use crate::format::{Format, is_line};

/// The segments of a dead engine, and how far they were announced.
pub(super) struct Written<'d> {
    dead: &'d Dead,
    segments: Vec<Found>,
    intent: Option<(Intent, bool)>,
}

/// Where a dead engine's lines went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// It tells what it has.
    File,
    /// Nobody knows what it has.
    Console,
    /// Nowhere.
    Null,
}

impl Output {
    pub(super) fn of(dead: &Dead) -> Output {
        match dead.header().output {
            1 => Output::File,
            2 | 3 => Output::Console,
            _ => Output::Null,
        }
    }
}

impl<'d> Written<'d> {
    /// Reads the heads of the segments.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(dead: &'d Dead) -> io::Result<Written<'d>> {
        Ok(Written { dead, segments: dead.find_segments()?, intent: dead.intent()? })
    }

    fn read(&self, segment: &Found, from: u64, to: u64) -> io::Result<Option<Vec<u8>>> {
        self.dead.segments().map_or(Ok(None), |bytes| segment.read(bytes, from, to))
    }

    /// The newest append to a file that was announced.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn cut(&self, tally: &mut Tally) -> io::Result<Option<Cut>> {
        let Some((intent, is_done)) = self.intent else { return Ok(None) };
        let found = self.segments.iter().find(|found| found.seq == intent.segment);
        let bytes = match found {
            Some(found) => self.read(found, intent.from, intent.to)?,
            None => None,
        };
        let Some(bytes) = bytes else {
            tally.unreadable += 1;
            return Ok(None);
        };
        let Intent { dev, ino, birth_ns, offset, .. } = intent;
        Ok(Some(Cut { dev, ino, birth_ns, offset, bytes, is_done }))
    }

    /// From where on nothing was announced: segment and byte.
    fn announced(&self, output: Output) -> (u64, u64) {
        match self.intent {
            // What was begun on a console may be there or not: at least once, and whole lines.
            Some((intent, false)) if output == Output::Console => (intent.segment, intent.from),
            Some((intent, _)) => (intent.segment, intent.to),
            None => (1, 0),
        }
    }

    /// Hands out what `commit` says is written, and was not announced.
    ///
    /// # Errors
    /// The system's, and those of `out`.
    pub(super) fn rest(
        &self,
        (output, commit): (Output, &Commit),
        tally: &mut Tally,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let (first, mut from) = self.announced(output);
        let newest = commit.written.segment;
        let mut expected = first;
        for found in self.segments.iter().filter(|found| (first..=newest).contains(&found.seq)) {
            tally.unreadable += u64::from(found.seq != expected);
            from = match output {
                _ if found.seq != first => 0,
                Output::Console => self.line_start(found, from)?,
                Output::File | Output::Null => from,
            };
            expected = found.seq.saturating_add(1);
            let len = if found.seq == newest { commit.written.len } else { found.sealed };
            match self.read(found, from, len)? {
                Some(bytes) => self.put(&bytes, tally, out)?,
                None => tally.unreadable += 1,
            }
        }
        // Those behind the last that was found.
        tally.unreadable += u64::from(expected <= newest && newest != 0);
        Ok(())
    }

    /// Where the line begins that goes on at the byte `at`, after an append that was cut short.
    fn line_start(&self, segment: &Found, at: u64) -> io::Result<u64> {
        let before = self.read(segment, 0, at)?.unwrap_or_default();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        Ok(start as u64)
    }

    /// Hands out the whole lines, or the part of a binary segment.
    fn put(&self, bytes: &[u8], tally: &mut Tally, out: &mut dyn io::Write) -> io::Result<()> {
        let format = Format::from_number(self.dead.header().format).unwrap_or_default();
        if format == Format::Binary {
            tally.lines_bytes += bytes.len() as u64;
            return out.write_all(bytes);
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !is_line(format, line) {
                tally.unreadable += 1;
                continue;
            }
            tally.lines += 1;
            tally.lines_bytes += line.len() as u64;
            out.write_all(line)?;
        }
        Ok(())
    }
}

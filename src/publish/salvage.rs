//! What is left of a segment whose file has lost something: whole lines, and how many records are
//! among them. The others are given up, and counted as damaged. Runs on the publisher.

use std::io;
use std::ops::Range;

use super::read_back::Checked;
use super::{Lines, Publisher, Target, append};
use crate::config::file_names::Unit;
use crate::segment::Segment;

/// Lines that are left, on their way to the output.
#[derive(Debug)]
pub(super) struct Salvage {
    lines: Vec<u8>,
    /// As many bytes of a line that the output has, and of which the rest is lost.
    torn: usize,
    /// Records of the program among them.
    records: u64,
    /// How many of the bytes the output has.
    done: usize,
    /// How far in the segment they reach.
    end: usize,
    /// Records written by the engine up to there.
    total: u64,
}

/// What stands before the part of a segment that is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Before {
    /// Whole lines, or nothing.
    #[default]
    Whole,
    /// As many bytes of a line, which the output has.
    Begun(usize),
    /// The beginning of a line that is lost.
    Lost,
}

impl Salvage {
    fn of(segment: &Segment, part: Range<usize>, before: Before, total: u64) -> Salvage {
        let copy = segment.copy_lines(part.clone());
        let own = segment.own();
        let (lines, records) = whole_lines(&copy, before, |at| is_own(&own, part.start + at));
        let is_torn = copy.split_inclusive(|byte| *byte == b'\n').next().is_some_and(is_bad);
        let torn = match before {
            Before::Begun(bytes) if is_torn => bytes,
            _ => 0,
        };
        Salvage { lines, torn, records, done: 0, end: part.end, total }
    }

    /// Nothing is of use: of a binary segment only the whole.
    fn nothing(end: usize, total: u64) -> Salvage {
        Salvage { lines: Vec::new(), torn: 0, records: 0, done: 0, end, total }
    }
}

/// Whether a line has lost something: none that is whole has a zero byte.
pub(super) fn is_bad(line: &[u8]) -> bool {
    line.contains(&0)
}

/// Whether a record of the engine's own lies at the byte `at`.
fn is_own(own: &[Range<usize>], at: usize) -> bool {
    own.iter().any(|lines| lines.contains(&at))
}

/// The lines that are whole, and how many are the program's; `is_own` of where one begins.
fn whole_lines(bytes: &[u8], before: Before, is_own: impl Fn(usize) -> bool) -> (Vec<u8>, u64) {
    let (mut lines, mut records, mut at) = (Vec::new(), 0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_rest_of_lost = at == 0 && before == Before::Lost;
        if line.ends_with(b"\n") && !is_bad(line) && !is_rest_of_lost {
            lines.extend_from_slice(line);
            records += u64::from(!is_own(at));
        }
        at += line.len();
    }
    (lines, records)
}

impl Publisher {
    /// Whether the output is to have what can be read of the segment, and no more.
    pub(super) fn is_to_be_salvaged(&self, segment: &Segment) -> bool {
        let is_lost = || !matches!(self.parts.target, Target::Null) && !segment.is_intact();
        self.salvage.is_some() || is_lost()
    }

    /// Publishes what is left of the segment up to `end`, by when the engine had written `total`
    /// records, and gives up the rest.
    ///
    /// # Errors
    /// The output's: what is left is kept for the next time.
    pub(super) fn publish_rest(
        &mut self,
        segment: &Segment,
        end: usize,
        total: u64,
    ) -> io::Result<()> {
        let from = self.from as usize;
        let mut salvage = self.salvage.take().unwrap_or_else(|| match self.unit() {
            Unit::Lines => Salvage::of(segment, from..end, self.before, total),
            Unit::Segments => Salvage::nothing(end, total),
        });
        if std::mem::take(&mut salvage.torn) > 0 && !self.blank_beginning() {
            // What follows is not to be glued to it.
            salvage.lines.insert(0, b'\n');
        }
        if salvage.done < salvage.lines.len() {
            let bytes = &salvage.lines[..];
            let lines =
                Lines { segment: self.segment, start: self.published, from: salvage.done, bytes };
            let appended = append(&mut self.parts, lines);
            salvage.done = appended.to;
            if let Err(error) = appended.result {
                self.salvage = Some(salvage);
                return Err(error);
            }
        }
        self.published += (salvage.end - from) as u64;
        self.from = salvage.end as u64;
        self.give_up(salvage.total, salvage.records);
        Ok(())
    }

    /// All is done with up to where the engine had written `total` records; the output has got
    /// `records` more than were counted so far.
    pub(super) fn give_up(&mut self, total: u64, records: u64) {
        let lost = (total - self.records).saturating_sub(records);
        self.parts.shared.counters.take_back_written(lost);
        self.parts.shared.counters.drop_damaged(lost);
        (self.records, self.before) = (total, Before::Whole);
    }

    /// Takes note of what the output has got of the segment, from the byte `from` on, where an
    /// append failed or the segment has lost something.
    pub(super) fn note_part(&mut self, segment: &Segment, from: usize) {
        let to = self.from as usize;
        if self.unit() == Unit::Segments {
            return;
        }
        let part = match &self.parts.target {
            Target::File(file) if !segment.is_intact() => file.read_back(to, self.before).ok(),
            _ => None,
        };
        // Of what went to files before the last, and to consoles, the segment is the only witness.
        let (start, bytes) = part.unwrap_or_else(|| (to, Vec::new()));
        let earlier = segment.copy_lines(from.min(start)..start);
        let own = segment.own();
        for (at, part) in [(from.min(start), earlier), (start, bytes)] {
            let checked = Checked::of(&part, self.before, |byte| is_own(&own, at + byte));
            (self.records, self.before) = (self.records + checked.records, checked.before);
        }
    }

    /// Blanks the beginning of a line whose rest is lost, where the output can.
    fn blank_beginning(&self) -> bool {
        match (&self.parts.target, self.before) {
            (Target::File(file), Before::Begun(bytes)) => file.blank_end(bytes as u64).is_ok(),
            _ => false,
        }
    }

    fn unit(&self) -> Unit {
        match &self.parts.target {
            Target::File(file) => file.unit(),
            Target::Console(_) | Target::Null => Unit::Lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_kept_and_counted() {
        let left = |bytes: &[u8], before| whole_lines(bytes, before, |at| at == 4);
        let (whole, begun) = (Before::Whole, Before::Begun(7));
        assert_eq!(left(b"one\ntwo\nthree\n", whole), (b"one\ntwo\nthree\n".to_vec(), 2));
        assert_eq!(left(b"one\nt\0o\n\0\0\0", whole), (b"one\n".to_vec(), 1));
        assert_eq!(left(b"\0\0\0\0", begun), (Vec::new(), 0));
        assert_eq!(left(b"ne\ntwo\n", begun), (b"ne\ntwo\n".to_vec(), 2));
        assert_eq!(left(b"\0e\ntwo\n", begun), (b"two\n".to_vec(), 1));
        assert_eq!(left(b"ne\ntwo\n", Before::Lost), (b"two\n".to_vec(), 1));
    }
}

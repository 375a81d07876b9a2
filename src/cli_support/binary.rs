//! A binary log as lines of JSON, read from anything that can be read: holds one block, one line
//! and the dictionary of one segment, however long the input. Runs in the command line.

use std::io::{self, Read};

use crate::envelope::RECORD_BYTES_MAX;
use crate::format::LineBuffer;
use crate::format::binary::damage::{Damage, DecodeError};
use crate::format::binary::lines::find_begin;
use crate::format::binary::read::{Decoder, Record};
use crate::format::binary::{BLOCK_BYTES_MAX, MAGIC};

/// Bytes that are read at a time, at most; several blocks.
const BUFFER_BYTES: usize = 256 << 10;
const _: () = assert!(BUFFER_BYTES >= 2 * BLOCK_BYTES_MAX);

/// The longest line: as long as the longest that the collector makes room for.
const LINE_BYTES_MAX: usize = 16 * RECORD_BYTES_MAX;

/// Whether bytes begin as a binary log does, as far as they go.
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes.len() >= MAGIC.len() && bytes.starts_with(&MAGIC)
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A record's line, its newline included.
    Line(&'a [u8]),
    /// Something that cannot be read: where, and why, as a sentence. What follows can be asked for.
    Damaged(String),
}

/// Reads a binary log.
pub struct BinaryReader<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What is read and not used, within the buffer.
    start: usize,
    end: usize,
    /// Of the buffer's first byte in the input.
    offset: u64,
    is_over: bool,
    /// Whether the input may have more later, whatever its end looks like now.
    is_growing: bool,
    /// Whether the next segment is sought.
    is_lost: bool,
    decoder: Decoder,
    line: Box<[u8]>,
}

impl<R: Read> BinaryReader<R> {
    /// A reader of all that `input` gives.
    pub fn new(input: R) -> BinaryReader<R> {
        BinaryReader { is_growing: false, ..BinaryReader::growing(input) }
    }

    /// A reader of what `input` gives and will give: at the end of what there is, be it in the
    /// middle of a block, there is no next line, and later there may be one.
    pub fn growing(input: R) -> BinaryReader<R> {
        BinaryReader {
            input,
            buffer: vec![0; BUFFER_BYTES].into(),
            start: 0,
            end: 0,
            offset: 0,
            is_over: false,
            is_growing: true,
            is_lost: false,
            decoder: Decoder::new(),
            line: vec![0; LINE_BYTES_MAX].into(),
        }
    }

    /// What is read.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// How much of the input was read.
    pub fn position(&self) -> u64 {
        self.offset + self.end as u64
    }

    /// Whether the last bytes that were read are a part of a block.
    pub fn has_part(&self) -> bool {
        !self.is_lost && self.start < self.end
    }

    /// The input does not grow any more: what is not whole at its end, when it is read on to that,
    /// is damaged.
    pub fn finish(&mut self) {
        (self.is_growing, self.is_over) = (false, false);
    }

    /// The next line, or the next damage; none at the end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn next_line(&mut self) -> io::Result<Option<Next<'_>>> {
        if self.is_growing {
            self.is_over = false;
        }
        loop {
            if self.is_lost && !self.find()? {
                return Ok(None);
            }
            let (at, bytes) = (self.start, &self.buffer[self.start..self.end]);
            match self.decoder.block(bytes) {
                Ok(block) => {
                    self.start += block.len;
                    let Some(record) = block.record else { continue };
                    return Ok(Some(self.line(at, &record)));
                }
                Err(Damage::Cut { .. }) if !self.is_over => self.fill()?,
                Err(Damage::Cut { .. }) if bytes.is_empty() || self.is_growing => return Ok(None),
                Err(damage) => {
                    // Behind the byte at which one was sought already.
                    self.start += 1;
                    self.is_lost = true;
                    self.decoder.reset();
                    return Ok(Some(self.damaged(at, damage)));
                }
            }
        }
    }

    /// The line of a record whose block begins at `at`.
    fn line(&mut self, at: usize, record: &Record) -> Next<'_> {
        let mut out = LineBuffer::new(&mut self.line);
        match self.decoder.line(&self.buffer[at..self.end], record, &mut out) {
            Ok(()) => {
                let len = out.len();
                Next::Line(&self.line[..len])
            }
            Err(damage) => self.damaged(at, damage),
        }
    }

    fn damaged(&self, at: usize, damage: Damage) -> Next<'static> {
        let offset = self.offset + at as u64;
        Next::Damaged(DecodeError { offset, damage }.to_string())
    }

    /// Goes on to the next segment's begin; false: there is none.
    fn find(&mut self) -> io::Result<bool> {
        loop {
            let bytes = &self.buffer[self.start..self.end];
            if let Some(begin) = find_begin(bytes) {
                self.start += begin;
                self.is_lost = false;
                return Ok(true);
            }
            if self.is_over {
                return Ok(false);
            }
            // The last bytes may be the first of a begin.
            self.start += bytes.len().saturating_sub(MAGIC.len() - 1);
            self.fill()?;
        }
    }

    /// Reads on behind what is not used yet.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.offset += self.start as u64;
        (self.start, self.end) = (0, self.end - self.start);
        // Never empty: less than a block waits when this is asked for.
        let count = loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += count;
        self.is_over = count == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(to.len());
            to[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn golden(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        std::fs::read(folder.join(name)).expect("a golden file")
    }

    fn read(bytes: &[u8], at_a_time: usize) -> (Vec<u8>, Vec<String>) {
        let mut reader = BinaryReader::new(Trickle(bytes, at_a_time));
        let (mut lines, mut damages) = (Vec::new(), Vec::new());
        while let Some(next) = reader.next_line().expect("memory") {
            match next {
                Next::Line(line) => lines.extend_from_slice(line),
                Next::Damaged(sentence) => damages.push(sentence),
            }
        }
        (lines, damages)
    }

    #[test]
    fn a_log_is_read_however_little_comes_at_a_time() {
        let (bytes, lines) = (golden("version-1.flog"), golden("version-1.jsonl"));
        assert!(is_binary(&bytes) && !is_binary(&lines) && !is_binary(&bytes[..7]));
        for at_a_time in [1, 7, 8, 100, 1 << 20] {
            assert_eq!(read(&bytes, at_a_time), (lines.clone(), vec![]), "{at_a_time}");
        }
    }

    /// Bytes of which so many were appended so far.
    struct Growing<'a> {
        bytes: &'a [u8],
        len: &'a std::cell::Cell<usize>,
        read: usize,
    }

    impl Read for Growing<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = (&self.bytes[self.read..self.len.get()]).read(to)?;
            self.read += count;
            Ok(count)
        }
    }

    /// Appends to `lines` what comes until there is nothing more for now.
    fn read_on(reader: &mut BinaryReader<Growing<'_>>, lines: &mut Vec<u8>) {
        while let Some(next) = reader.next_line().expect("memory") {
            let Next::Line(line) = next else { panic!("{next:?}") };
            lines.extend_from_slice(line);
        }
    }

    #[test]
    fn what_grows_is_damaged_only_where_it_ends() {
        let (bytes, expected) = (golden("version-1.flog"), golden("version-1.jsonl"));
        let len = std::cell::Cell::new(0);
        let input = Growing { bytes: &bytes, len: &len, read: 0 };
        let (mut reader, mut lines) = (BinaryReader::growing(input), Vec::new());
        while len.get() < bytes.len() - 3 {
            len.set((len.get() + 37).min(bytes.len() - 3));
            read_on(&mut reader, &mut lines);
            assert_eq!(reader.position(), len.get() as u64);
        }
        assert!(expected.starts_with(&lines) && lines.len() < expected.len());
        assert!(reader.has_part());
        reader.finish();
        let next = reader.next_line().expect("memory");
        assert!(matches!(next, Some(Next::Damaged(_))), "{next:?}");
        assert!(reader.next_line().expect("memory").is_none());
    }

    #[test]
    fn what_came_before_the_finish_is_read_after_it() {
        let (bytes, expected) = (golden("version-1.flog"), golden("version-1.jsonl"));
        for end in [bytes.len() - 3, bytes.len() / 2, 5, 0] {
            let len = std::cell::Cell::new(end);
            let input = Growing { bytes: &bytes, len: &len, read: 0 };
            let (mut reader, mut lines) = (BinaryReader::growing(input), Vec::new());
            read_on(&mut reader, &mut lines);
            len.set(bytes.len());
            reader.finish();
            read_on(&mut reader, &mut lines);
            assert!(lines == expected, "{end}");
        }
    }

    #[test]
    fn what_is_damaged_is_told_with_its_place() {
        let (mut bytes, lines) = (golden("version-1.flog"), golden("version-1.jsonl"));
        bytes[112 + 7] = 0xf0;
        let segment = 8 + find_begin(&bytes[8..]).expect("a second segment");
        let (rest, _) = read(&bytes[segment..], 100);
        assert!(lines.ends_with(&rest) && !rest.is_empty());
        // However far the next segment is, and if none comes at all.
        for between in [0, 1, 100, BUFFER_BYTES, 3 * BUFFER_BYTES + 5] {
            let junk = vec![b'F'; between];
            let bytes = [&bytes[..segment], &junk, &bytes[segment..segment + 1_000], &junk];
            let (found, damages) = read(&bytes.concat(), 4_096);
            assert!(rest.starts_with(&found) && !found.is_empty(), "{between}");
            assert_eq!(damages.len(), 2, "{damages:?}");
            assert_eq!(damages[0], "at byte 112: no block has kind 15");
        }
    }
}

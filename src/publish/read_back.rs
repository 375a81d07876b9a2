//! What the log has got of a segment whose file was cut at the same moment: zeros instead of lines,
//! perhaps. They are found by reading the log back, counted, and blanked. Runs on the publisher.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use super::file::FileOutput;
use super::salvage::{Before, is_bad};

/// What stands in a stretch of lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// Records of the program that end in it and are whole.
    pub(super) records: u64,
    /// What follows it.
    pub(super) before: Before,
    /// Lines that hold zeros.
    bad: Vec<Range<usize>>,
}

impl Checked {
    /// Looks at `bytes`, which follow on `before`; `is_own` of where a line begins.
    pub(super) fn of(bytes: &[u8], before: Before, is_own: impl Fn(usize) -> bool) -> Checked {
        let mut checked = Checked { before, ..Checked::default() };
        let mut at = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (is_ended, is_bad) = (line.ends_with(b"\n"), is_bad(line));
            if is_bad {
                checked.bad.push(at..at + line.len());
            }
            let is_lost = is_bad || (at == 0 && before == Before::Lost);
            checked.records += u64::from(is_ended && !is_lost && !is_own(at));
            checked.before = match (is_ended, is_lost) {
                (true, _) => Before::Whole,
                (false, true) => Before::Lost,
                (false, false) => match before {
                    Before::Begun(bytes) if at == 0 => Before::Begun(bytes + line.len()),
                    _ => Before::Begun(line.len()),
                },
            };
            at += line.len();
        }
        checked
    }
}

impl FileOutput {
    /// The last part that was appended, up to the byte `to` of the segment, as the log has it; and
    /// the byte of the segment where it begins. Lines that hold zeros become spaces in the log,
    /// before the next line: in JSON they mean nothing.
    ///
    /// # Errors
    /// The system's: the log cannot be read, or is another by now.
    pub(super) fn read_back(&self, to: usize, before: Before) -> io::Result<(usize, Vec<u8>)> {
        let (offset, from) = self.part;
        let mut bytes = vec![0; to.saturating_sub(from)];
        let file = self.io.open_to_read(self.path())?;
        let status = self.io.fstat(file.as_fd())?;
        if status.identity() != self.current.identity() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut done = 0;
        while done < bytes.len() {
            match self.io.pread(file.as_fd(), &mut bytes[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        for bad in Checked::of(&bytes, before, |_| false).bad {
            // With its beginning, which stands before it.
            let begun = match before {
                Before::Begun(bytes) if bad.start == 0 => (bytes as u64).min(offset),
                _ => 0,
            };
            // What cannot be blanked stays; it is counted all the same.
            let _ = self.blank(offset + bad.start as u64 - begun, bad.len() as u64 + begun);
        }
        Ok((from, bytes))
    }

    /// Blanks the last bytes of the log.
    ///
    /// # Errors
    /// The system's, also where somebody else has written since.
    pub(super) fn blank_end(&self, bytes: u64) -> io::Result<()> {
        let len = self.current.status(&*self.io)?.len;
        if len != self.end || bytes > len {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.blank(len - bytes, bytes)
    }

    fn blank(&self, at: u64, bytes: u64) -> io::Result<()> {
        if self.current.file.is_append_only() {
            // The system would put them at the end, whatever place they were for.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let spaces = vec![b' '; bytes as usize];
        let mut done = 0;
        while done < spaces.len() {
            let fd = self.current.file.checked()?.as_fd();
            match self.io.pwrite(fd, &spaces[done..], at + done as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => done += count,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_zeros_are_found_and_the_others_counted() {
        let check = |bytes: &[u8], before| {
            let Checked { records, before, bad } = Checked::of(bytes, before, |at| at == 4);
            (records, before, bad.iter().map(|bad| (bad.start, bad.end)).collect::<Vec<_>>())
        };
        let (whole, begun, lost) = (Before::Whole, Before::Begun(2), Before::Lost);
        assert_eq!(check(b"", begun), (0, begun, vec![]));
        assert_eq!(check(b"n", begun), (0, Before::Begun(3), vec![]));
        assert_eq!(check(b"one\ntwo\nthree\n", whole), (2, whole, vec![]));
        assert_eq!(check(b"one\n\0wo\nthree\nfo", whole), (2, begun, vec![(4, 8)]));
        assert_eq!(check(b"one\ntwo\n\0\0", whole), (1, lost, vec![(8, 10)]));
        assert_eq!(check(b"ne\ntwo\n", lost), (1, whole, vec![]));
    }
}

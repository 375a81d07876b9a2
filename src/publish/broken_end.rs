//! What stands at the end of a file of the log and is no line, as a power cut, a full disk or
//! another writer leaves it: it is told, before it is ended so that it spoils nothing behind it.
//! Runs on the owner, at start; on the publisher where the log is opened again.

use std::fmt;
use std::io;
use std::path::Path;

use super::live;
use super::names::Places;
use crate::config::file_names::{NUMBER_OF_FORMER, Packed, Unit};
use crate::config::listing;
use crate::flush::files::{LogFile, OPEN_MAX};
use crate::sys::io::{FileStatus, Io};
use crate::sys::own_file::OwnFile;

/// How far back is looked: a broken end that is longer is told as at least so long.
const LOOK_BYTES: u64 = 64 << 10;

/// Bytes that are no line.
#[derive(Debug, PartialEq, Eq)]
struct BrokenEnd {
    len: usize,
    zeros: usize,
    /// Whether there is nothing else as far as was looked.
    is_all: bool,
}

impl BrokenEnd {
    /// All behind the last line that is whole.
    fn of(bytes: &[u8]) -> Option<BrokenEnd> {
        let mut good = (0, 0);
        let ends = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| (line.len(), line));
        for (len, line) in ends {
            good.1 += len;
            if is_line(line) {
                good.0 = good.1;
            }
        }
        let broken = &bytes[good.0..];
        let zeros = broken.iter().filter(|byte| **byte == 0).count();
        let is_all = good.0 == 0;
        (!broken.is_empty()).then_some(BrokenEnd { len: broken.len(), zeros, is_all })
    }
}

/// What the log's formats and other writers may well have written.
fn is_line(line: &[u8]) -> bool {
    line.ends_with(b"\n") && !line.contains(&0) && std::str::from_utf8(line).is_ok()
}

/// A broken end, for the log's reader.
struct Told<'a> {
    path: &'a Path,
    at: u64,
    end: BrokenEnd,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { path, at, end: BrokenEnd { len, zeros, is_all } } = self;
        let path = path.display();
        let at_least = if *is_all && *at > 0 { "at least " } else { "" };
        write!(f, "what stands at the end of {path} is no line: {at_least}{len} bytes from byte ")?;
        write!(
            f,
            "{at} on, {zeros} of them zeros, as a power cut or another writer leaves them; "
        )?;
        write!(f, "they stay, and what follows begins on a line of its own")
    }
}

/// What stands at the end of the file that is no line, and is to be ended; none where the file
/// cannot be read.
pub(super) fn told(io: &dyn Io, file: &LogFile, unit: Unit) -> Option<String> {
    let status = file.status(io).ok().filter(|_| unit == Unit::Lines)?;
    let end = BrokenEnd::of(&last_bytes(io, file, &status)?)?;
    let (path, at) = (&file.path, status.len - end.len as u64);
    Some(Told { path, at, end }.to_string())
}

/// Ends the files that were complete last, as many as may have waited for the device when the power
/// was cut; says what stands there. What cannot be opened or ended is left alone: nothing comes
/// behind it.
pub(super) fn end_complete(io: &dyn Io, places: &Places) -> Vec<String> {
    let complete = listing::rotated(io, &places.dir, &places.base).unwrap_or_default();
    // What is packed has its own end.
    let is_ours = |place: &listing::Place| place.number != NUMBER_OF_FORMER;
    let plain = complete
        .into_iter()
        .rev()
        .filter(|file| file.packed == Packed::Plain && file.place.as_ref().is_some_and(is_ours));
    let paths = plain.take(OPEN_MAX).map(|file| places.dir.join(file.name));
    paths.filter_map(|path| end_one_complete(io, places.unit, &path).ok()?).collect()
}

fn end_one_complete(io: &dyn Io, unit: Unit, path: &Path) -> io::Result<Option<String>> {
    let reader = OwnFile::new(io.open_to_read(path)?)?;
    let len = reader.status(io)?.len;
    let mut last = [b'\n'];
    io.pread(reader.seen(), &mut last, len.saturating_sub(1))?;
    if last == [b'\n'] {
        return Ok(None);
    }
    let file = live::log_file(io, io.open_existing(path)?, path, 0)?;
    let told = told(io, &file, unit);
    live::end_last_line(io, &file, unit)?;
    Ok(told)
}

/// The last bytes of a file; none where it may be written but not read.
fn last_bytes(io: &dyn Io, file: &LogFile, status: &FileStatus) -> Option<Vec<u8>> {
    let reader = OwnFile::new(io.open_to_read(&file.path).ok()?).ok()?;
    if reader.identity() != file.file.identity() {
        return None;
    }
    let start = status.len.saturating_sub(LOOK_BYTES);
    let mut bytes = vec![0; (status.len - start) as usize];
    let mut done = 0;
    while done < bytes.len() {
        match io.pread(reader.seen(), &mut bytes[done..], start + done as u64).ok()? {
            0 => return None,
            count => done += count,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_line_is_found_behind_the_last_that_is_one() {
        let of = |bytes: &[u8]| BrokenEnd::of(bytes).map(|end| (end.len, end.zeros, end.is_all));
        assert_eq!(of(b""), None);
        assert_eq!(of(b"{}\n"), None);
        assert_eq!(of(b"\n"), None, "what an earlier start has ended");
        assert_eq!(of(b"{}\n{\"a"), Some((3, 0, false)));
        assert_eq!(of(b"{\"a"), Some((3, 0, true)));
        assert_eq!(of(b"{}\n\0\0"), Some((2, 2, false)));
        assert_eq!(of(b"{}\n\0\n\xff\n"), Some((4, 1, false)), "also where newlines are in it");
        assert_eq!(of(b"\0\0\n{}\n"), None, "told by an earlier start");
    }
}

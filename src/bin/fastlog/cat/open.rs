//! Files of logs, packed or not, as the lines that they hold.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::binary::lines_of;
use super::trouble::Telling;

/// The longest line that is looked at as one.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Whether a file of this name is compressed.
pub fn is_packed(path: &Path) -> bool {
    matches!(path.extension().and_then(OsStr::to_str), Some("zst" | "gz"))
}

/// The lines that an opened file holds.
pub fn lines_in(file: File, path: &Path) -> io::Result<Box<dyn BufRead>> {
    lines_of(unpack(file, path)?, path)
}

/// The bytes of an opened file before it was packed, as far as it can be unpacked: what is wrong
/// with the rest is told.
pub fn unpack(file: File, path: &Path) -> io::Result<Box<dyn BufRead>> {
    let is_empty = file.metadata()?.len() == 0;
    if is_packed(path) && is_empty {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "nothing is packed in it"));
    }
    Ok(match path.extension().and_then(OsStr::to_str) {
        Some("zst") => telling(zstd::Decoder::new(file)?, path),
        Some("gz") => telling(flate2::read::MultiGzDecoder::new(file), path),
        _ => telling(file, path),
    })
}

fn telling(input: impl Read + 'static, path: &Path) -> Box<dyn BufRead> {
    Box::new(Telling::new(BufReader::new(input), path))
}

/// Appends to a line what there is of it, without the newline. Says whether it is whole.
pub fn read_on(reader: impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    let most = LINE_BYTES_MAX.saturating_sub(line.len()) as u64;
    reader.take(most).read_until(b'\n', line)?;
    let is_end = line.last() == Some(&b'\n');
    if is_end {
        line.pop();
    }
    Ok(is_end || line.len() >= LINE_BYTES_MAX)
}

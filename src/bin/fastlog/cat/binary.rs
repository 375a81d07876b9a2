//! Binary logs as the lines of JSON that they stand for, so that all else sees lines.

use std::io::{self, BufRead, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fastlog::cli_support::{BinaryReader, Next, is_binary};

/// How much of the input tells what it is.
const MAGIC_BYTES: u64 = 8;

/// Lines are made until there are so many bytes of them.
const LINES_BYTES: usize = 64 << 10;

/// Places that could not be read.
static DAMAGED: AtomicU64 = AtomicU64::new(0);

/// Those of a hostile file are counted and not all told.
const TOLD_MAX: u64 = 20;

/// Says how many places could not be read.
pub fn say_damaged() {
    let places = DAMAGED.load(Ordering::Relaxed);
    if places > 0 {
        let what = if places == 1 { "place is" } else { "places are" };
        eprintln!("fastlog: {places} {what} damaged in binary logs");
    }
}

/// Whether the name is one of a binary file, packed or not.
pub fn is_binary_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    [".flog", ".flog.zst", ".flog.gz"].iter().any(|end| name.ends_with(end))
}

/// The lines of an input that is binary by its name or by its first bytes.
///
/// # Errors
/// The system's.
pub fn lines_of(mut input: impl BufRead + 'static, path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut first = Vec::new();
    input.by_ref().take(MAGIC_BYTES).read_to_end(&mut first)?;
    let is_binary = is_binary_name(path) || is_binary(&first);
    let whole = Cursor::new(first).chain(input);
    Ok(if is_binary { Box::new(BinaryLines::new(whole, path)) } else { Box::new(whole) })
}

/// Lines, made as they are read.
struct BinaryLines<R> {
    reader: BinaryReader<R>,
    lines: Vec<u8>,
    /// How much of them was read.
    at: usize,
    name: String,
}

impl<R: Read> BinaryLines<R> {
    fn new(input: R, path: &Path) -> BinaryLines<R> {
        let reader = BinaryReader::new(input);
        let name = path.display().to_string();
        BinaryLines { reader, lines: Vec::with_capacity(2 * LINES_BYTES), at: 0, name }
    }
}

impl<R: Read> BufRead for BinaryLines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.lines.len() {
            self.at = 0;
            self.lines.clear();
            while self.lines.len() < LINES_BYTES {
                match self.reader.next_line()? {
                    Some(Next::Line(line)) => self.lines.extend_from_slice(line),
                    Some(Next::Damaged(sentence)) => {
                        if DAMAGED.fetch_add(1, Ordering::Relaxed) < TOLD_MAX {
                            eprintln!("fastlog: {}: {sentence}", self.name);
                        }
                    }
                    None => break,
                }
            }
        }
        Ok(&self.lines[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl<R: Read> Read for BinaryLines<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(to)?;
        self.consume(count);
        Ok(count)
    }
}

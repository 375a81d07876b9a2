//! Binary logs as the lines of JSON that they stand for, so that all else sees lines.

use std::fs::File;
use std::io::{self, BufRead, Cursor, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastlog::cli_support::{BinaryReader, Next, is_binary};

use super::trouble::tell;
use crate::say;

/// How much of the input tells what it is.
const MAGIC_BYTES: u64 = 8;

/// Lines are made until there are so many bytes of them.
const LINES_BYTES: usize = 64 << 10;

/// How long the rest of a block is waited for at the end of what is there: an append is seen in
/// parts.
const APPEND_MAX: Duration = Duration::from_millis(100);

/// Places that could not be read.
static DAMAGED: AtomicU64 = AtomicU64::new(0);

/// Those of a hostile file are counted and not all told.
const TOLD_MAX: u64 = 20;

/// Says how many places could not be read, and whether there were any.
pub fn say_damaged() -> bool {
    let places = DAMAGED.load(Ordering::Relaxed);
    if places > 0 {
        let what = if places == 1 { "place is" } else { "places are" };
        say!("{places} {what} damaged in binary logs");
    }
    places > 0
}

/// What a log's files are. A program whose format was changed has a log of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Lines,
    Binary,
}

impl Kind {
    /// By the name of a file.
    pub fn of(path: &Path) -> Kind {
        if is_binary_name(path) { Kind::Binary } else { Kind::Lines }
    }

    /// By its name, or by its first bytes if it has any.
    ///
    /// # Errors
    /// The system's.
    pub fn of_file(file: &File, path: &Path) -> io::Result<Kind> {
        let mut first = [0; MAGIC_BYTES as usize];
        let len = file.read_at(&mut first, 0)?;
        Ok(if is_binary(&first[..len]) { Kind::Binary } else { Kind::of(path) })
    }

    /// What the name of the file that is written now ends in.
    pub fn extension(self) -> &'static str {
        match self {
            Kind::Lines => "jsonl",
            Kind::Binary => "flog",
        }
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
    Ok(if is_binary {
        Box::new(BinaryLines::new(whole, path, End::Closing))
    } else {
        Box::new(whole)
    })
}

/// What the end of an input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// No more will come, but what is under way.
    Closing,
    /// No more comes.
    Closed,
}

/// Lines, made as they are read.
pub struct BinaryLines<R> {
    reader: BinaryReader<R>,
    end: End,
    lines: Vec<u8>,
    /// How much of them was read.
    at: usize,
    path: PathBuf,
}

impl<R: Read> BinaryLines<R> {
    fn new(input: R, path: &Path, end: End) -> BinaryLines<R> {
        let (reader, lines) = (BinaryReader::growing(input), Vec::with_capacity(2 * LINES_BYTES));
        BinaryLines { reader, end, lines, at: 0, path: path.to_owned() }
    }

    /// At the end of what is there; says whether it is to be looked at once more.
    fn close(&mut self) -> bool {
        if self.end == End::Closing {
            if self.reader.has_part() {
                thread::sleep(APPEND_MAX);
            }
            self.reader.finish();
            self.end = End::Closed;
            return true;
        }
        false
    }

    /// Makes the next lines, if there are any.
    fn refill(&mut self) {
        self.at = 0;
        self.lines.clear();
        while self.lines.len() < LINES_BYTES {
            let next = match self.reader.next_line() {
                Ok(next) => next,
                Err(error) => {
                    // What cannot be read on ends there.
                    tell(&self.path, &error);
                    break;
                }
            };
            let Some(next) = next else {
                if self.close() {
                    continue;
                }
                break;
            };
            match next {
                Next::Line(line) => self.lines.extend_from_slice(line),
                Next::Damaged(sentence) => {
                    if DAMAGED.fetch_add(1, Ordering::Relaxed) < TOLD_MAX {
                        tell(&self.path, &sentence);
                    }
                }
            }
        }
    }
}

impl BinaryLines<File> {
    /// Those of a file that may grow: at an end that is none there are no lines for now.
    pub fn growing(file: File, path: &Path) -> BinaryLines<File> {
        BinaryLines::new(file, path, End::Open)
    }

    pub fn file(&self) -> &File {
        self.reader.input()
    }

    /// The file does not grow any more.
    pub fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Closing;
        }
    }

    /// Goes back to the beginning of a file that is shorter than what was read of it.
    ///
    /// # Errors
    /// The system's.
    pub fn rewind_if_cut(&mut self) -> io::Result<bool> {
        let is_cut = self.file().metadata()?.len() < self.reader.position();
        if is_cut {
            let mut file = self.file().try_clone()?;
            file.rewind()?;
            self.reader = BinaryReader::growing(file);
            self.lines.clear();
            self.at = 0;
        }
        Ok(is_cut)
    }
}

impl<R: Read> BufRead for BinaryLines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.lines.len() {
            self.refill();
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

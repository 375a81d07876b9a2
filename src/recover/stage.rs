//! A stage: all that is to come into a log from one dead arena, in a file of its own beside the
//! log, so that a recovery that is killed goes on where it was. Runs on the owner, at start, and in
//! the command line.
//!
//! ```text
//! page 0, page 1   a head each: the newer one of those that are whole counts
//!   magic | version | number | check | done | unit | tally | pieces | piece x pieces
//!   piece: dev | inode | birth ns | offset in that file | offset here | length
//! page 2..         a newline, then the bytes
//! ```
//! A u64 each, little endian. The head is written anew when bytes have to go elsewhere than was
//! thought; the bytes stay.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::lines::Tally;
use super::target::FileId;
use crate::config::file_names::Unit;
use crate::sys::io::{Io, needs_no_sync};

/// `FASTLOGR` in reading order.
const MAGIC: u64 = u64::from_le_bytes(*b"FASTLOGR");
const VERSION: u64 = 1;

const PAGE: u64 = 4096;
/// Where a newline stands, for a file that ends in the middle of a line.
pub(super) const NEWLINE_AT: u64 = 2 * PAGE;

/// An append that was announced and what comes behind it, each behind a newline where the file ends
/// within a line.
const PIECES_MAX: usize = 4;
const PIECE_WORDS: usize = 6;
const FIXED_WORDS: usize = 6 + Tally::WORDS + 1;
const HEAD_WORDS: usize = FIXED_WORDS + PIECES_MAX * PIECE_WORDS;
const NUMBER: usize = 2;
const CHECK: usize = 3;
const _: () = assert!(HEAD_WORDS * 8 <= PAGE as usize);

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Bytes of the stage, and where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: FileId,
    /// In that file.
    pub(super) offset: u64,
    /// In the stage.
    pub(super) at: u64,
    pub(super) len: u64,
}

/// What a stage says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) unit: Unit,
    pub(super) tally: Tally,
    /// In the order in which they are appended.
    pub(super) pieces: Vec<Piece>,
    /// Whether all of them are where they belong.
    pub(super) is_done: bool,
}

/// A sum over the words that tells a head that was written in half.
fn check(words: &[u64]) -> u64 {
    // FNV-1a, over words.
    const PRIME: u64 = 0x0100_0000_01b3;
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let others = words.iter().enumerate().filter(|(index, _)| *index != CHECK);
    others.fold(BASIS, |sum, (_, word)| (sum ^ word).wrapping_mul(PRIME))
}

impl Head {
    fn to_words(&self, number: u64) -> [u64; HEAD_WORDS] {
        let mut words = [0; HEAD_WORDS];
        let unit = match self.unit {
            Unit::Lines => 1,
            Unit::Segments => 2,
        };
        words[..6].copy_from_slice(&[MAGIC, VERSION, number, 0, self.is_done.into(), unit]);
        words[6..6 + Tally::WORDS].copy_from_slice(&self.tally.to_words());
        words[FIXED_WORDS - 1] = self.pieces.len() as u64;
        for (piece, words) in
            self.pieces.iter().zip(words[FIXED_WORDS..].chunks_exact_mut(PIECE_WORDS))
        {
            let FileId { dev, ino, birth_ns } = piece.id;
            words.copy_from_slice(&[dev, ino, birth_ns, piece.offset, piece.at, piece.len]);
        }
        words[CHECK] = check(&words);
        words
    }

    /// None from what is no whole head of a stage of `file_bytes`.
    fn of_words(words: &[u64; HEAD_WORDS], file_bytes: u64) -> Option<(u64, Head)> {
        let is_whole = words[..2] == [MAGIC, VERSION] && words[CHECK] == check(words);
        let unit = match words[5] {
            1 => Unit::Lines,
            2 => Unit::Segments,
            _ => return None,
        };
        let count = usize::try_from(words[FIXED_WORDS - 1]).ok().filter(|n| *n <= PIECES_MAX)?;
        let pieces = words[FIXED_WORDS..].chunks_exact(PIECE_WORDS).take(count).map(|words| {
            let id = FileId { dev: words[0], ino: words[1], birth_ns: words[2] };
            Piece { id, offset: words[3], at: words[4], len: words[5] }
        });
        let pieces: Vec<Piece> = pieces.collect();
        let fits = |piece: &Piece| {
            piece.at >= NEWLINE_AT
                && piece.at.checked_add(piece.len).is_some_and(|end| end <= file_bytes)
                && piece.offset.checked_add(piece.len).is_some_and(|end| end <= i64::MAX as u64)
        };
        let mut tally = [0; Tally::WORDS];
        tally.copy_from_slice(&words[6..6 + Tally::WORDS]);
        let tally = Tally::of_words(tally);
        let head = Head { unit, tally, pieces, is_done: words[4] != 0 };
        (is_whole && head.pieces.iter().all(fits)).then_some((words[NUMBER], head))
    }
}

/// A stage that is being written.
pub(super) struct Writing<'a> {
    io: &'a dyn Io,
    path: &'a Path,
    file: File,
    buffer: Vec<u8>,
    /// Where the buffer's bytes belong.
    at: u64,
}

impl<'a> Writing<'a> {
    /// # Errors
    /// The system's.
    pub(super) fn begin(io: &'a dyn Io, path: &'a Path) -> io::Result<Writing<'a>> {
        let _ = io.unlink(path);
        let file = io.create_private(path)?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        let mut writing = Writing { io, path, file, buffer, at: NEWLINE_AT };
        writing.write_all(b"\n")?;
        Ok(writing)
    }

    /// Where the next byte comes.
    pub(super) fn position(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Completes it under the name `to`; from then on it counts, whatever dies.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn complete(mut self, head: Head, to: &Path) -> io::Result<Stage> {
        self.flush()?;
        let Writing { io, path, file, .. } = self;
        let mut stage = Stage { file, head, number: 0 };
        stage.store(io)?;
        io.rename(path, to)?;
        sync_dir(io, to)?;
        Ok(stage)
    }
}

impl Write for Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == BUFFER_BYTES {
            self.flush()?;
        }
        let len = bytes.len().min(BUFFER_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        write_at(self.io, &self.file, &self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A complete stage.
#[derive(Debug)]
pub(super) struct Stage {
    file: File,
    pub(super) head: Head,
    /// Of its head.
    number: u64,
}

impl Stage {
    /// Opens the one at `path`; none where it is damaged.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(io: &dyn Io, path: &Path) -> io::Result<Option<Stage>> {
        let file = io.open_existing_private(path)?;
        let file_bytes = io.fstat(file.as_fd())?.len;
        let mut newest = None;
        for slot in 0..2 {
            let mut bytes = [0; HEAD_WORDS * 8];
            read_at(io, &file, &mut bytes, slot * PAGE)?;
            let mut words = [0; HEAD_WORDS];
            for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
            let found = Head::of_words(&words, file_bytes);
            newest = newest.into_iter().chain(found).max_by_key(|(number, _)| *number);
        }
        Ok(newest.map(|(number, head)| Stage { file, head, number }))
    }

    /// Reads its bytes from `at` on; answers how many there are.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn read(&self, io: &dyn Io, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        read_at(io, &self.file, bytes, at)
    }

    /// Stores the head as it is now, in the older one's place.
    ///
    /// # Errors
    /// The system's: the one before stands.
    pub(super) fn store(&mut self, io: &dyn Io) -> io::Result<()> {
        let number = self.number + 1;
        let words = self.head.to_words(number);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        write_at(io, &self.file, &bytes, number % 2 * PAGE)?;
        io.fdatasync(self.file.as_fd())?;
        self.number = number;
        Ok(())
    }
}

/// The files that belong to one stem in the private directory.
pub(super) fn paths(private_dir: &Path, stem: &super::stem::Stem) -> (PathBuf, PathBuf) {
    use super::stem::Kind;
    let path = |kind| private_dir.join(stem.file_name(kind));
    (path(Kind::Staging), path(Kind::Stage))
}

/// Syncs the directory of a file, where there is something to be synced.
pub(super) fn sync_dir(io: &dyn Io, path: &Path) -> io::Result<()> {
    match io.sync_dir(path.parent().unwrap_or(Path::new("."))) {
        Err(error) if !needs_no_sync(&error) => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn write_at(io: &dyn Io, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match io.pwrite(file.as_fd(), &bytes[done..], at + done as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => done += count,
        }
    }
    Ok(())
}

/// Reads as much as there is.
pub(super) fn read_at(io: &dyn Io, file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match io.pread(file.as_fd(), &mut bytes[done..], at + done as u64)? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

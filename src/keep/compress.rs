//! Compresses rotated files, a piece at a time, so that a sync that is due never waits for more
//! than one piece. Runs on the keeper.
//!
//! A file is compressed beside the log, synced, and takes its name with `.zst` or `.gz` behind it;
//! then the original goes. A process that dies before that name leaves the original alone; one that
//! dies after it leaves both, and the next look removes the original.
//!
//! The thread's priority stays as it is: it also syncs, and could not get it back.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Compression, file_names, file_names::Packed};
use crate::sys::io::Io;

/// What is read and compressed at a time: some 5 ms.
const PIECE_BYTES: usize = 1 << 20;
const ZSTD_LEVEL: i32 = 3;

/// Where the files of a base are, and how they are compressed.
#[derive(Debug)]
pub(super) struct Compressor {
    io: Arc<dyn Io>,
    dir: PathBuf,
    base: String,
    /// The compressed file until it is whole.
    scratch: PathBuf,
    compression: Compression,
    job: Option<Job>,
    /// Whether there may be another file to compress.
    has_more: bool,
    /// A file that cannot be compressed is not tried again before the next rotation.
    has_failed: bool,
}

/// A file that is being compressed.
struct Job {
    from: PathBuf,
    to: PathBuf,
    input: File,
    offset: u64,
    output: Encoder,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("from", &self.from).finish_non_exhaustive()
    }
}

enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Output>),
    Gzip(flate2::write::GzEncoder<Output>),
}

/// Writes through the engine's system calls.
struct Output {
    io: Arc<dyn Io>,
    file: File,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io.write(self.file.as_fd(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Output> {
        match self {
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl Compressor {
    /// For the rotated files in `dir` of the log whose next file is `next`, on one file system.
    pub(super) fn new(
        io: Arc<dyn Io>,
        dir: &Path,
        next: &Path,
        compression: Compression,
    ) -> Compressor {
        let scratch = next.with_extension("packing");
        // A base may have dots of its own: only the last part is the extension.
        let base = next.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (dir, job) = (dir.to_owned(), None);
        let (has_more, has_failed) = (true, false);
        Compressor { io, dir, base, scratch, compression, job, has_more, has_failed }
    }

    /// Whether there is a piece to do, or a look due.
    pub(super) fn is_busy(&self) -> bool {
        let is_on = self.compression.suffix().is_some();
        self.job.is_some() || is_on && self.has_more && !self.has_failed
    }

    /// Looks for the next file, if none is being compressed: the oldest.
    ///
    /// # Errors
    /// The system's; the file is left as it is until [`retry`](Compressor::retry).
    pub(super) fn look(&mut self) -> io::Result<()> {
        let Some(suffix) = self.compression.suffix() else { return Ok(()) };
        if self.job.is_some() || self.has_failed {
            return Ok(());
        }
        self.has_more = false;
        let outcome = self.begin_next(suffix);
        self.has_failed = outcome.is_err();
        outcome
    }

    /// There may be a new file to compress.
    pub(super) fn retry(&mut self) {
        (self.has_failed, self.has_more) = (false, true);
    }

    fn begin_next(&mut self, suffix: &str) -> io::Result<()> {
        let names = self.io.read_dir_names(&self.dir)?;
        let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
        let own = names.iter().filter_map(|name| {
            let parsed = file_names::parse(name).filter(|parsed| parsed.base == self.base)?;
            Some((parsed.start, parsed.number, parsed.packed, *name))
        });
        let mut own: Vec<_> = own.collect();
        own.sort_unstable_by_key(|(start, number, packed, _)| (*number, *start, *packed as u8));
        for (start, number, _, name) in own.iter().filter(|file| file.2 == Packed::Plain) {
            let from = self.dir.join(name);
            let is_packed = own
                .iter()
                .any(|other| (other.0, other.1) == (*start, *number) && other.2 != Packed::Plain);
            if is_packed {
                // Whole, or it would not have its name.
                self.io.unlink(&from)?;
                continue;
            }
            self.job = Some(self.begin(from, &format!("{name}{suffix}"))?);
            return Ok(());
        }
        Ok(())
    }

    fn begin(&self, from: PathBuf, to: &str) -> io::Result<Job> {
        let file = self.io.open_fresh(&self.scratch)?;
        let output = Output { io: Arc::clone(&self.io), file };
        let output = match self.compression {
            Compression::Gzip => {
                Encoder::Gzip(flate2::write::GzEncoder::new(output, flate2::Compression::default()))
            }
            _ => Encoder::Zstd(zstd::stream::write::Encoder::new(output, ZSTD_LEVEL)?),
        };
        Ok(Job { input: File::open(&from)?, to: self.dir.join(to), from, offset: 0, output })
    }

    /// Compresses one piece; true when a file has been replaced, so that the directory is to be
    /// synced.
    ///
    /// # Errors
    /// The system's; the original stays.
    pub(super) fn step(&mut self) -> io::Result<bool> {
        let Some(mut job) = self.job.take() else { return Ok(false) };
        let outcome = self.piece(&mut job).and_then(|is_whole| {
            if is_whole {
                self.has_more = true;
                return self.finish(job).map(|()| true);
            }
            self.job = Some(job);
            Ok(false)
        });
        if outcome.is_err() {
            self.has_failed = true;
            // What failed is the error that matters.
            let _ = self.io.unlink(&self.scratch);
        }
        outcome
    }

    /// Whether the file's end is reached.
    fn piece(&self, job: &mut Job) -> io::Result<bool> {
        let mut bytes = vec![0; PIECE_BYTES];
        let count = self.io.pread(job.input.as_fd(), &mut bytes, job.offset)?;
        job.output.write(&bytes[..count])?;
        job.offset += count as u64;
        Ok(count == 0)
    }

    fn finish(&self, job: Job) -> io::Result<()> {
        let output = job.output.finish()?;
        self.io.fdatasync(output.file.as_fd())?;
        self.io.rename(&self.scratch, &job.to)?;
        self.io.unlink(&job.from)
    }

    /// Leaves what is not finished to the next engine.
    pub(super) fn abandon(&mut self) {
        if self.job.take().is_some() {
            // A rest that stays is written over by the next.
            let _ = self.io.unlink(&self.scratch);
        }
    }
}

//! Compresses files at the lowest priority. Runs on the packer, a thread that the keeper starts
//! while there is something to compress, and drives from here.
//!
//! The packer reads one file and writes another, both of which the keeper has opened. It changes
//! no name: a thread that hardly ever runs must not hold the lock of a directory in which the
//! publisher rotates.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use crate::config::Compression;
use crate::flush::signal::{Signal, bit};
use crate::primitive::{AtomicBool, Ordering};
use crate::sys::io::Io;
use crate::sys::own_file::OwnFile;
use crate::sys::thread;

/// What is read and compressed at a time: below a millisecond with zstd, some with gzip.
const PIECE_BYTES: usize = 128 << 10;
const ZSTD_LEVEL: i32 = 3;

/// A file that is to be compressed.
pub(super) struct Job {
    pub(super) io: Arc<dyn Io>,
    pub(super) from: OwnFile,
    /// Empty.
    pub(super) to: Arc<OwnFile>,
    pub(super) compression: Compression,
}

/// The thread, as the keeper has it: told to stop when dropped, and left alone. Nobody waits for
/// it: it runs when nobody else does, and may hang in a disk. What it still writes goes into a file
/// that the keeper has removed.
#[derive(Debug)]
pub(super) struct Packer {
    /// None: it ends by itself once it has done what it was given.
    jobs: Option<Sender<Job>>,
    outcomes: Receiver<io::Result<()>>,
    must_stop: Arc<AtomicBool>,
}

impl Packer {
    /// Starts the thread, which raises [`bit::PACKED`] for each outcome.
    ///
    /// # Errors
    /// As [`thread::spawn`].
    pub(super) fn start(keeper: Arc<Signal>) -> io::Result<Packer> {
        let (jobs, given) = channel();
        let (told, outcomes) = channel();
        let must_stop = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&must_stop);
        thread::spawn("fastlog-packer", move || {
            thread::lower_priority();
            for job in given {
                let outcome = catch_unwind(AssertUnwindSafe(|| pack(job, &stop)));
                let outcome = outcome.unwrap_or_else(|payload| {
                    let words = thread::panic_words(&*payload);
                    Err(io::Error::other(format!("the packer panicked: {words}")))
                });
                // A keeper that has ended wants to know nothing.
                let _ = told.send(outcome);
                keeper.raise(bit::PACKED);
            }
        })?;
        Ok(Packer { jobs: Some(jobs), outcomes, must_stop })
    }

    /// Gives it a file to compress; false when it is about to end.
    pub(super) fn give(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// There is nothing more for it to do.
    pub(super) fn dismiss(&mut self) {
        self.jobs = None;
    }

    pub(super) fn is_dismissed(&self) -> bool {
        self.jobs.is_none()
    }

    /// What has become of the job that it was given last, if that is over: whether all of the file
    /// is compressed and on the device. Of use only to whoever waits for one.
    pub(super) fn outcome(&self) -> Option<io::Result<()>> {
        match self.outcomes.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(io::Error::other("the packer has ended"))),
        }
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        self.must_stop.store(true, Ordering::Relaxed);
    }
}

/// Compresses and syncs.
fn pack(job: Job, must_stop: &Arc<AtomicBool>) -> io::Result<()> {
    let Job { io, from, to, compression } = job;
    let output = Output { io: Arc::clone(&io), file: to, must_stop: Arc::clone(must_stop) };
    let mut encoder = Encoder::new(output, compression)?;
    let mut bytes = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        check(must_stop)?;
        let count = io.pread(from.checked()?.as_fd(), &mut bytes, offset)?;
        if count == 0 {
            break;
        }
        encoder.write(&bytes[..count])?;
        offset += count as u64;
    }
    // Read to its end, and not to that of a file that got its number meanwhile.
    from.checked()?;
    let output = encoder.finish()?;
    check(must_stop)?;
    io.fdatasync(output.file.checked()?.as_fd())
}

/// # Errors
/// Nobody asks for it any more.
fn check(must_stop: &AtomicBool) -> io::Result<()> {
    if must_stop.load(Ordering::Relaxed) {
        // Not `Interrupted`, after which writers try again.
        return Err(io::Error::other("the engine ends"));
    }
    Ok(())
}

enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Output>),
    Gzip(flate2::write::GzEncoder<Output>),
}

impl Encoder {
    fn new(output: Output, compression: Compression) -> io::Result<Encoder> {
        Ok(match compression {
            Compression::Gzip => {
                Encoder::Gzip(flate2::write::GzEncoder::new(output, flate2::Compression::default()))
            }
            _ => Encoder::Zstd(zstd::stream::write::Encoder::new(output, ZSTD_LEVEL)?),
        })
    }

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

/// Writes through the engine's system calls.
struct Output {
    io: Arc<dyn Io>,
    file: Arc<OwnFile>,
    must_stop: Arc<AtomicBool>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::thread::panicking() {
            // The gzip encoder writes when it is dropped: a second panic would end the process.
            return Err(io::ErrorKind::Other.into());
        }
        check(&self.must_stop)?;
        self.io.write(self.file.checked()?.as_fd(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

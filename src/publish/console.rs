//! A console as an output: the standard output or error, whatever it leads to. Runs on the
//! publisher, or on a writer thread for one beside the main output. A stalled reader stalls the
//! output, not the host: before each write `poll` says that it will not wait, and the descriptor's
//! own mode is left alone. A reader that is gone never comes back: what it would have got is
//! counted and discarded.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::arena::intent::{Intent, Intents};
use crate::flush::Progress;
use crate::flush::signal::{Signal, bit};
use crate::stats::{Counter, Counters};
use crate::sys::gone::is_gone;
use crate::sys::io::{FileKind, Io};

use super::Lines;
use super::file::Appended;

/// A writable pipe takes as many bytes without waiting: PIPE_BUF of Linux, pipe(7).
const PIPE_BYTES: usize = 4096;

/// How long one poll lasts, so that the publisher hears of a stop.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    Stdout,
    Stderr,
}

impl Console {
    /// The name, for reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Console::Stdout => "<stdout>",
            Console::Stderr => "<stderr>",
        }
    }

    /// Hands the descriptor to `work`.
    pub(crate) fn with_fd<R>(self, work: impl FnOnce(BorrowedFd<'_>) -> R) -> R {
        match self {
            Console::Stdout => work(io::stdout().as_fd()),
            Console::Stderr => work(io::stderr().as_fd()),
        }
    }
}

/// Writes to a console without waiting for longer than a poll.
#[derive(Debug)]
pub(crate) struct ConsoleWriter {
    io: Arc<dyn Io>,
    console: Console,
    is_file: bool,
}

impl ConsoleWriter {
    pub(crate) fn new(io: Arc<dyn Io>, console: Console) -> ConsoleWriter {
        let kind = console.with_fd(|fd| io.fstat(fd)).map(|status| status.kind);
        let is_file = matches!(kind, Ok(FileKind::Regular));
        ConsoleWriter { io, console, is_file }
    }

    pub(super) fn name(&self) -> &'static str {
        self.console.as_str()
    }

    /// Whether nobody will ever read what is written there.
    pub(super) fn is_final(&self, error: &io::Error) -> bool {
        // What is gone of a disk may come back.
        !self.is_file && is_gone(error)
    }

    /// Says so, for the report; on the standard error as well, if that is another thing and takes
    /// it at once.
    pub(super) fn tell_gone(&self, progress: &Progress, error: &io::Error) {
        let name = self.name();
        let sentence = format!("the reader of {name} is gone, its lines are discarded: {error}");
        if self.console == Console::Stdout {
            self.say_beside(&format!("fastlog: {sentence}\n"));
        }
        progress.report_failure(sentence);
    }

    fn say_beside(&self, line: &str) {
        let place = |console: Console| {
            let status = console.with_fd(|fd| self.io.fstat(fd)).ok()?;
            Some(status.identity())
        };
        let there = place(Console::Stderr);
        if there.is_none() || there == place(Console::Stdout) {
            return;
        }
        Console::Stderr.with_fd(|fd| {
            if self.io.poll_writable(fd, Duration::ZERO).is_ok_and(|is_ready| is_ready) {
                // It may be gone just as well.
                let _ = self.io.write(fd, line.as_bytes());
            }
        });
    }

    /// Writes what can be written without waiting, for a reader that reads; `WouldBlock` after a
    /// while for one that does not.
    pub(super) fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.console.with_fd(|fd| {
            if self.is_file {
                return self.io.write(fd, bytes);
            }
            if !self.io.poll_writable(fd, POLL)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.io.write(fd, chunk(bytes))
        })
    }
}

/// The main output as a console.
#[derive(Debug)]
pub(crate) struct ConsoleOutput {
    writer: ConsoleWriter,
    counters: Counters,
    /// Bytes written over the engine's life.
    offset: u64,
    /// Whether its reader is.
    is_gone: bool,
}

impl ConsoleOutput {
    pub(crate) fn new(io: Arc<dyn Io>, console: Console, counters: Counters) -> ConsoleOutput {
        let writer = ConsoleWriter::new(io, console);
        ConsoleOutput { writer, counters, offset: 0, is_gone: false }
    }

    pub(super) fn name(&self) -> &'static str {
        self.writer.name()
    }

    /// Writes them, announced by an intent; stops early when `signal` says so. For a reader that is
    /// gone all is as good as written: nobody waits for it.
    pub(super) fn append(
        &mut self,
        intents: &mut Intents,
        (progress, signal): (&Progress, &Signal),
        Lines { segment, from, bytes: lines, .. }: Lines<'_>,
    ) -> Appended {
        if self.is_gone {
            return self.discard(lines, from);
        }
        let range = (from as u64, lines.len() as u64);
        let (offset, none) = (self.offset, Intent::default());
        intents.begin(Intent { offset, segment, from: range.0, to: range.1, ..none });
        let mut to = from;
        let mut result = Ok(());
        while to < lines.len() && result.is_ok() {
            match self.writer.write_some(&lines[to..]) {
                Ok(count) => {
                    to += count;
                    progress.moved();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if self.writer.is_final(&error) => {
                    self.is_gone = true;
                    self.counters.add(Counter::WriteFailures, 1);
                    self.writer.tell_gone(progress, &error);
                    self.offset += (to - from) as u64;
                    intents.done();
                    return self.discard(lines, to);
                }
                Err(error) => result = Err(error),
            }
            if signal.is_raised(bit::ABANDON) {
                result = Err(io::ErrorKind::Interrupted.into());
            }
        }
        self.offset += (to - from) as u64;
        if result.is_ok() {
            intents.done();
        }
        Appended { to, result }
    }

    /// Counts the lines that end behind the byte `from`.
    fn discard(&self, lines: &[u8], from: usize) -> Appended {
        let lost = lines[from..].iter().filter(|byte| **byte == b'\n').count();
        self.counters.add(Counter::SideDropped, lost as u64);
        Appended { to: lines.len(), result: Ok(()) }
    }
}

/// What is written at a time: whole lines where one ends within what the pipe takes, so that what
/// the host prints lands between two lines and not inside one.
fn chunk(bytes: &[u8]) -> &[u8] {
    let most = &bytes[..bytes.len().min(PIPE_BYTES)];
    let end = most.iter().rposition(|byte| *byte == b'\n').map_or(most.len(), |at| at + 1);
    &most[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_ends_where_a_line_does() {
        let mut checked = 0;
        for len in [1, 2, 100, 1000, PIPE_BYTES - 1, PIPE_BYTES, PIPE_BYTES + 1, 10_000] {
            let line = [vec![b'x'; len - 1], vec![b'\n']].concat();
            let lines = line.repeat(3 * PIPE_BYTES / len + 2);
            let mut rest = &lines[..];
            while !rest.is_empty() {
                let chunk = chunk(rest);
                assert!(!chunk.is_empty() && chunk.len() <= PIPE_BYTES);
                // Only a line that is longer than a pipe takes is written in parts.
                assert!(chunk.ends_with(b"\n") || len > PIPE_BYTES, "lines of {len}");
                rest = &rest[chunk.len()..];
                checked += 1;
            }
        }
        assert!(checked >= 8 * 3, "{checked}");
    }
}

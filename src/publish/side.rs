//! Writes the lines of a console beside the main output. Runs on a thread of its own, so that a
//! reader that stalls costs its own lines and nothing else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::console::{ConsoleWriter, POLL};
use crate::flush::signal::{Signal, bit};
use crate::segment::{Piece, SideBuffer};
use crate::shared::Shared;
use crate::stats::Counter;

/// How long the writer sleeps while there is nothing to write.
const IDLE: Duration = Duration::from_secs(3600);

/// How long it lets lines gather, so that a burst is not written line by line.
const GATHER: Duration = Duration::from_millis(5);

/// How long a console that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// How long a reader that takes nothing holds up the end of the engine.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// What a writer is made of.
pub(crate) struct SideWriterParts {
    pub(crate) console: ConsoleWriter,
    pub(crate) buffer: Arc<SideBuffer>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) shared: Shared,
}

/// The thread's state.
pub(crate) struct SideWriter {
    parts: SideWriterParts,
    piece: Piece,
    /// How much of it is written.
    at: usize,
    is_last: bool,
    /// For how long the console has taken nothing, of the time in which it was asked.
    quiet: Duration,
    has_failed: bool,
}

/// Why lines of a piece stay unwritten.
enum Stop {
    /// The reader is gone for good.
    Closed,
    /// The engine ends and nobody reads, or it is abandoned.
    Over,
}

impl SideWriter {
    pub(crate) fn new(parts: SideWriterParts) -> SideWriter {
        let (piece, quiet) = (Piece::new(), Duration::ZERO);
        SideWriter { parts, piece, at: 0, is_last: false, quiet, has_failed: false }
    }

    /// Runs until the collector has ended and everything is written, or nobody reads any more.
    pub(crate) fn run(&mut self) {
        loop {
            let awaited = bit::WORK | bit::STOP | bit::ABANDON;
            let bits = self.parts.signal.wait(awaited, IDLE);
            if bits & bit::ABANDON != 0 {
                break;
            }
            self.is_last |= bits & bit::STOP != 0;
            if !self.is_last {
                // Whoever ends the engine ends the gathering.
                self.parts.signal.sleep(bit::STOP | bit::ABANDON, GATHER);
            }
            self.parts.buffer.take(&mut self.piece);
            self.quiet = Duration::ZERO;
            if self.write().is_err() || self.is_last {
                break;
            }
        }
        self.close();
    }

    /// Counts what is not written, also where a panic has ended the writer. Lines that come later
    /// are refused, and counted by who brings them.
    pub(crate) fn close(&mut self) {
        let left = self.piece.count_from(self.at) + self.parts.buffer.close();
        self.parts.shared.counters.add(Counter::SideDropped, left);
        self.clear();
    }

    fn clear(&mut self) {
        self.piece.clear();
        self.at = 0;
    }

    /// Writes the piece; what cannot be written is counted.
    fn write(&mut self) -> Result<(), Stop> {
        let mut outcome = Ok(());
        while self.at < self.piece.lines().len() && outcome.is_ok() {
            match self.parts.console.write_some(&self.piece.lines()[self.at..]) {
                Ok(count) => {
                    self.at += count;
                    self.quiet = Duration::ZERO;
                    self.has_failed = false;
                }
                Err(error) => outcome = self.consider(&error),
            }
        }
        self.parts.shared.counters.add(Counter::SideDropped, self.piece.count_from(self.at));
        self.clear();
        outcome
    }

    /// What a failure means: a reader that is gone never comes back, all else may pass.
    fn consider(&mut self, error: &io::Error) -> Result<(), Stop> {
        let signal = &self.parts.signal;
        self.is_last |= signal.is_raised(bit::STOP);
        if signal.is_raised(bit::ABANDON) || self.is_last && self.quiet >= LAST_WAIT {
            return Err(Stop::Over);
        }
        if error.kind() == io::ErrorKind::WouldBlock {
            // What it has slept for: the clock goes on while the process is stopped.
            self.quiet += POLL;
            return Ok(());
        }
        let SideWriterParts { console, shared, .. } = &self.parts;
        if console.is_final(error) {
            shared.counters.add(Counter::SideFailures, u64::from(!self.has_failed));
            console.tell_gone(&shared.progress, error);
            return Err(Stop::Closed);
        }
        if !self.has_failed {
            self.has_failed = true;
            let sentence = format!("cannot write to {}: {error}", console.name());
            shared.fail(Counter::SideFailures, sentence);
        }
        if self.is_last {
            signal.sleep(bit::ABANDON, POLL);
            self.quiet += POLL;
        } else {
            signal.sleep(bit::STOP | bit::ABANDON, RETRY);
        }
        Ok(())
    }
}

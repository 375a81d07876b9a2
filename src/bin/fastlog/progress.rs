//! How far it is, on the standard error, if that is a terminal.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);
/// Lines between two looks at the clock.
const LOOK_EVERY: u64 = 256;

/// A line that is written over and over.
pub struct Progress {
    start: Instant,
    shown: Option<Instant>,
    is_on: bool,
}

impl Progress {
    pub fn new(is_quiet: bool) -> Progress {
        let is_on = !is_quiet && stderr().is_terminal();
        Progress { start: Instant::now(), shown: None, is_on }
    }

    /// So many lines are read.
    pub fn at(&mut self, lines: u64) {
        if !self.is_on || lines % LOOK_EVERY != 0 && self.shown.is_some() {
            return;
        }
        if self.shown.is_none_or(|at| at.elapsed() >= EVERY) {
            self.shown = Some(Instant::now());
            let rate = lines as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
            // A terminal that is gone is no reason to stop.
            let _ = write!(stderr(), "\r\x1b[Kfastlog: {lines} lines, {rate:.0}/s");
        }
    }

    /// Makes room for what is said last.
    pub fn end(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

//! What becomes of rotated files: they are compressed, and removed in the end. Runs on the keeper,
//! after whatever is due.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "compress")]
use super::compress::Compressor;
use super::{Parts, RETAIN_EVERY, retain};
use crate::config::Retention;
use crate::flush::Progress;
use crate::stats::{Counter, Counters};
use crate::sys::io::Io;

/// The keeper's care for them.
#[derive(Debug)]
pub(super) struct OldFiles {
    io: Arc<dyn Io>,
    dir: PathBuf,
    name: String,
    retention: Retention,
    counters: Counters,
    progress: Arc<Progress>,
    retained_at: Option<Instant>,
    #[cfg(feature = "compress")]
    compressor: Compressor,
}

impl OldFiles {
    pub(super) fn new(parts: &Parts) -> OldFiles {
        let Parts { dir, name, retention, counters, progress, .. } = parts;
        OldFiles {
            io: Arc::clone(&parts.io),
            dir: dir.clone(),
            name: name.clone(),
            retention: *retention,
            counters: counters.clone(),
            progress: Arc::clone(progress),
            retained_at: None,
            #[cfg(feature = "compress")]
            compressor: Compressor::new(Arc::clone(&parts.io), dir, &parts.next, parts.compression),
        }
    }

    /// Removes what is not to stay and looks for what is to be compressed, if it is time to.
    pub(super) fn look(&mut self, is_rotated: bool) {
        let is_due = self.retained_at.is_none_or(|at| at.elapsed() >= RETAIN_EVERY);
        if is_due || is_rotated {
            self.retained_at = Some(Instant::now());
            self.retain();
            #[cfg(feature = "compress")]
            self.compressor.retry();
        }
        #[cfg(feature = "compress")]
        if let Err(error) = self.compressor.look() {
            self.complain("compress a file", &error);
        }
    }

    fn retain(&mut self) {
        match retain::retain(&*self.io, &self.dir, &self.name, &self.retention) {
            Ok(outcome) => {
                self.counters.add(Counter::RemovedFiles, outcome.removed);
                if let Some((path, error)) = outcome.failed {
                    self.complain(&format!("remove {}", path.display()), &error);
                }
            }
            Err(error) => self.complain("list the files", &error),
        }
    }

    /// Whether there is a [`step`](OldFiles::step) to do.
    pub(super) fn is_busy(&self) -> bool {
        #[cfg(feature = "compress")]
        return self.compressor.is_busy();
        #[cfg(not(feature = "compress"))]
        false
    }

    /// Goes on compressing for some milliseconds; true when names in the directory have changed.
    pub(super) fn step(&mut self) -> bool {
        #[cfg(feature = "compress")]
        match self.compressor.step() {
            Ok(is_changed) => {
                self.counters.add(Counter::CompressedFiles, u64::from(is_changed));
                return is_changed;
            }
            Err(error) => self.complain("compress a file", &error),
        }
        false
    }

    /// The engine ends: what is half compressed is left to the next.
    pub(super) fn abandon(&mut self) {
        #[cfg(feature = "compress")]
        self.compressor.abandon();
    }

    fn complain(&self, what: &str, error: &io::Error) {
        self.counters.add(Counter::KeeperFailures, 1);
        let dir = self.dir.display();
        self.progress.report_failure(format!("cannot {what} of the log in {dir}: {error}"));
    }
}

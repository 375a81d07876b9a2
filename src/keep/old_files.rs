//! What becomes of rotated files: they are compressed, and removed in the end. Runs on the keeper.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "compress")]
use super::compress::Compressor;
use super::retain::{self, Removed};
#[cfg(feature = "compress")]
use crate::config::Compression;
use crate::config::Retention;
#[cfg(feature = "compress")]
use crate::flush::signal::Signal;
use crate::flush::{Notice, Progress};
use crate::stats::{Counter, Counters};
use crate::sys::io::Io;

/// How often old files are looked for besides rotations.
pub(super) const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// Whose old files they are, and what is to become of them.
#[derive(Debug)]
pub(crate) struct Care {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) dir: PathBuf,
    /// The log's name, without the suffix that it may have got.
    pub(crate) name: String,
    /// Where the file for the next rotation waits, beside the log.
    #[cfg(feature = "compress")]
    pub(crate) next: PathBuf,
    pub(crate) retention: Retention,
    #[cfg(feature = "compress")]
    pub(crate) compression: Compression,
    /// The keeper's.
    #[cfg(feature = "compress")]
    pub(crate) signal: Arc<Signal>,
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
}

/// The keeper's care for them.
#[derive(Debug)]
pub(super) struct OldFiles {
    care: Care,
    retained_at: Option<Instant>,
    #[cfg(feature = "compress")]
    compressor: Compressor,
}

impl OldFiles {
    pub(super) fn new(care: Care) -> OldFiles {
        OldFiles {
            #[cfg(feature = "compress")]
            compressor: {
                let Care { io, dir, next, compression, signal, .. } = &care;
                Compressor::new(Arc::clone(io), dir, next, *compression, Arc::clone(signal))
            },
            care,
            retained_at: None,
        }
    }

    /// Removes what is not to stay, if it is time to.
    pub(super) fn look(&mut self, is_rotated: bool) {
        let is_due = self.retained_at.is_none_or(|at| at.elapsed() >= RETAIN_EVERY);
        if is_due || is_rotated {
            self.retained_at = Some(Instant::now());
            self.retain();
            #[cfg(feature = "compress")]
            self.compressor.retry();
        }
    }

    fn retain(&mut self) {
        let Care { io, dir, name, retention, .. } = &self.care;
        match retain::retain(&**io, dir, name, retention) {
            Ok(outcome) => {
                self.care.counters.add(Counter::RemovedFiles, outcome.removed.len() as u64);
                for Removed { name, bytes, reason } in outcome.removed {
                    self.care.progress.tell(Notice::Removed { file: name, bytes, reason });
                }
                if let Some((path, error)) = outcome.failed {
                    self.complain(&format!("remove {}", path.display()), &error);
                }
            }
            Err(error) => self.complain("list the files", &error),
        }
    }

    /// Takes what was compressed meanwhile and lets the next file be; true when names in the
    /// directory have changed. Waits for neither.
    pub(super) fn pack(&mut self) -> bool {
        #[cfg(feature = "compress")]
        {
            let is_changed = self.compressor.end_task().unwrap_or_else(|error| {
                self.complain("compress a file", &error);
                false
            });
            self.care.counters.add(Counter::CompressedFiles, u64::from(is_changed));
            if let Err(error) = self.compressor.begin() {
                self.complain("compress a file", &error);
            }
            is_changed
        }
        #[cfg(not(feature = "compress"))]
        false
    }

    /// The engine ends: what is half compressed is left to the next.
    pub(super) fn end(&mut self) {
        #[cfg(feature = "compress")]
        self.compressor.end();
    }

    fn complain(&self, what: &str, error: &io::Error) {
        self.care.counters.add(Counter::KeeperFailures, 1);
        let dir = self.care.dir.display();
        self.care.progress.report_failure(format!("cannot {what} of the log in {dir}: {error}"));
    }
}

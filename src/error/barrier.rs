//! Why a flush, a sync or a drain came back without what it waited for.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A flush, a sync or a drain did not get to the point that it waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarrierError {
    /// The engine has been drained, or belongs to the process that this one was forked from.
    NotRunning,
    /// The output made no progress for as long as the barrier's patience lasts.
    Stalled {
        /// How long nothing moved.
        waited: Duration,
    },
    /// The caller's own time limit passed first.
    Timeout {
        /// How long the call waited.
        waited: Duration,
    },
    /// The call came from a thread of the engine itself.
    EngineThread,
    /// A thread of the engine panicked: it does nothing any more.
    Panicked {
        /// Which: `collector`, `publisher` or `keeper`.
        thread: &'static str,
    },
    /// The device refused a sync of a file that is in use, or of one in which some of the records
    /// lie that no barrier before has answered for.
    Sync {
        /// The file or directory.
        path: PathBuf,
        /// The kind of the system's error.
        kind: io::ErrorKind,
        /// The system's reason.
        text: String,
    },
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BarrierError::NotRunning => f.write_str(
                "the engine is not running here (it was drained, or started before a fork): start \
                 one in this process",
            ),
            BarrierError::Stalled { waited } => write!(
                f,
                "the output made no progress for {waited:?}: see `stats()` for its last error, \
                 clear the disk or the pipe, or raise `barrier_patience`"
            ),
            BarrierError::Timeout { waited } => write!(
                f,
                "the call's time limit passed after {waited:?}: the records are still on their \
                 way; call again, or allow more time"
            ),
            BarrierError::EngineThread => f.write_str(
                "a thread of the engine would wait for itself: call this from a thread of the \
                 program",
            ),
            BarrierError::Panicked { thread } => write!(
                f,
                "the engine's {thread} thread panicked: see `stats()` for its words; drain the \
                 engine and start another, what is not in the log stays in its arena"
            ),
            BarrierError::Sync { path, text, .. } => write!(
                f,
                "{path:?} could not be synced to its device: {text}; a power cut may lose what was \
                 written since the last good sync: check the disk, then replace the file"
            ),
        }
    }
}

impl StdError for BarrierError {}

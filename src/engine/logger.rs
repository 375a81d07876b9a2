//! A logger: an engine and bound fields. Made and cloned on any thread.

use std::fmt;
use std::sync::Arc;

use super::core::Handles;
use crate::envelope::bound::BoundBlock;
use crate::registry::Registry;
use crate::value::{Hidden, Scratch, Value};

/// A handle to log through: names an engine and carries fields for each record. Made by
/// [`Engine::logger`](crate::Engine::logger), cheap to clone, usable from any thread.
///
/// ```
/// use fastlog::{Config, Engine, fastlog};
///
/// # fn main() -> Result<(), fastlog::Error> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let config = Config::default().dir(dir.path()).name("doc").ignore_env();
/// let engine = Engine::detached(config)?;
/// let request = engine.logger().with("request", "r-17").with("attempt", 2);
/// fastlog!(logger: request, INFO, "accepted", user_id = 42);
/// # let report = engine.drain()?;
/// # let text = std::fs::read_to_string(report.log_path().unwrap()).unwrap();
/// # assert!(text.contains(r#""request":"r-17","attempt":2,"user_id":42"#), "{text}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Logger {
    handles: Arc<Handles>,
    bound: Arc<BoundBlock>,
}

impl Logger {
    pub(super) fn new(handles: Arc<Handles>) -> Logger {
        Logger { handles, bound: Arc::default() }
    }

    /// A logger with one more bound field. It is encoded now, once (the one allocation), and copied
    /// into each record. A key bound again replaces the value before; a call's own field of the
    /// same key wins. What would grow the block beyond a quarter of
    /// [`record_bytes`](crate::Config::record_bytes) is left out. Of a key that the engine
    /// [hides](crate::Config::redact) the value is neither encoded nor kept.
    #[must_use = "this logger stays as it is"]
    pub fn with(&self, key: impl AsRef<str>, value: impl Value) -> Logger {
        let max = self.registry().limits.record_granules / 4;
        let mut bound = (*self.bound).clone();
        let key = key.as_ref();
        if self.registry().verdicts.redaction().hides(key) {
            bound.bind(key, &Hidden, max);
        } else {
            bound.bind(key, &value.encode(&Scratch::new()), max);
        }
        Logger { handles: Arc::clone(&self.handles), bound: Arc::new(bound) }
    }

    /// A logger with these bound fields in place of its own.
    #[cfg(feature = "cli")]
    pub(crate) fn with_block(&self, bound: BoundBlock) -> Logger {
        Logger { handles: Arc::clone(&self.handles), bound: Arc::new(bound) }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.handles.core().registry
    }

    pub(crate) fn bound(&self) -> &[u64] {
        self.bound.words()
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger")
            .field("engine", &self.registry().number())
            .field("bound_bytes", &(self.bound.words().len() * 8))
            .finish()
    }
}

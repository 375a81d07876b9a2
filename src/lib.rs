//! An in-process logging engine that neither makes its caller wait nor loses a record in silence.

#![cfg_attr(loom, allow(dead_code, unused_imports))]

pub mod level;
mod primitive;
mod ring;
/// Of the arena, loom models the two slots alone.
#[cfg(loom)]
mod arena {
    mod two_slots;
}

macro_rules! not_loom {
    ($($item:item)*) => { $(#[cfg(not(loom))] $item)* };
}

not_loom! {
    pub mod value;
    mod arena;
    mod callsite;
    mod clock;
    mod collector;
    mod config;
    mod emit;
    mod engine;
    mod envelope;
    mod error;
    mod flush;
    mod format;
    mod keep;
    #[doc(hidden)]
    pub mod macro_support;
    mod macros;
    mod preset;
    mod publish;
    mod registry;
    mod report;
    mod segment;
    mod stats;
    mod sys;
    mod template;

    #[doc(hidden)]
    pub use macro_support as __private;
    pub use clock::Clock;
    pub use config::{
        Arena, Colour, Config, ExitHook, Idle, InUse, OpenFailure, Output, Overflow, Pin,
        SegmentMode, SyncPolicy, UrgentSync,
    };
    pub use engine::{Engine, Logger};
    pub use error::{BarrierError, ConfigError, Error, FilterError};
    pub use format::{Detail, Format};
    pub use level::Level;
    pub use preset::Preset;
    pub use report::{DrainError, DrainReport};
    pub use stats::{DropReason, Dropped, Stats};
    pub use value::{Redacted, Value, chain, debug, display};
    #[doc(hidden)]
    pub use sys::io::{FileKind, FileStatus, Io, OsIo, Reserve, Space};

    /// Calls of this process that no engine heard.
    pub fn unheard() -> u64 {
        registry::process::unheard()
    }
}

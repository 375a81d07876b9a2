//! An in-process logging engine that neither makes its caller wait nor loses a record in silence.

#![cfg_attr(loom, allow(dead_code, unused_imports))]
#![allow(dead_code, unused_imports)]

pub mod level;
#[cfg(not(loom))]
pub mod value;

#[cfg(not(loom))]
mod arena;
/// Of the arena, loom models the two slots alone.
#[cfg(loom)]
mod arena {
    mod two_slots;
}
#[cfg(not(loom))]
mod callsite;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod collector;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod emit;
#[cfg(not(loom))]
mod envelope;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod flush;
#[cfg(not(loom))]
mod format;
#[cfg(not(loom))]
mod preset;
mod primitive;
#[cfg(not(loom))]
mod registry;
mod ring;
#[cfg(not(loom))]
mod segment;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod sys;
mod template;

#[cfg(not(loom))]
pub use clock::Clock;
#[cfg(not(loom))]
pub use config::{
    Arena, Colour, Config, ExitHook, Idle, InUse, OpenFailure, Output, Overflow, Pin, SegmentMode,
    SyncPolicy, UrgentSync,
};
#[cfg(not(loom))]
pub use error::{BarrierError, ConfigError, Error, FilterError};
#[cfg(not(loom))]
pub use format::{Detail, Format};
#[cfg(not(loom))]
pub use level::Level;
#[cfg(not(loom))]
pub use preset::Preset;
#[cfg(not(loom))]
#[doc(hidden)]
pub use sys::io::{FileKind, FileStatus, Io, OsIo, Reserve, Space};
#[cfg(not(loom))]
pub use value::{Redacted, Value, chain, debug, display};

/// Stand-in until the macros are here.
#[macro_export]
macro_rules! fastlog {
    ($($t:tt)*) => {};
}

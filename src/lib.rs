//! An in-process logging engine that neither makes its caller wait nor loses a record in silence.

#![cfg_attr(loom, allow(dead_code, unused_imports))]

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
mod envelope;
mod primitive;
mod ring;
#[cfg(not(loom))]
pub mod sys;

#[cfg(not(loom))]
pub use level::Level;
#[cfg(not(loom))]
pub use value::{Redacted, Value, chain, debug, display};

/// Stand-in until the macros are here.
#[macro_export]
macro_rules! fastlog {
    ($($t:tt)*) => {};
}

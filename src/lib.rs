//! An in-process logging engine that neither makes its caller wait nor loses a record in silence.

pub mod level;

pub use level::Level;

//! From values to bytes, on the collector thread: no I/O and no allocation.

pub(crate) mod timestamp;

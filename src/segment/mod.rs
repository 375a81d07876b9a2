//! Segments: preallocated, faulted-in, memory-mapped stretches into which the collector serialises.
//! Stores bytes, knows nothing of records.
//!
//! ```text
//! | arena id u64 | seq u64 | sealed length u64 | 0 ... to 64 | lines ... |
//! ```
//! A segment's life in its [`Pool`]: taken by the collector (sealed = 0, then seq, then lines) →
//! full or old, sealed (the length is stored before the first commit slot that names the next
//! segment) → published → given back, and taken again. A segment is given back only when the newest
//! completed append ends in a later one.

mod mapped;
mod pool;
mod side;
mod writer;

pub(crate) use mapped::Segment;
pub(crate) use pool::{Pool, Source};
pub(crate) use side::{Piece, SideBuffer};
pub(crate) use writer::SegmentWriter;

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

/// Where in a segment's head what stands, and how long it is.
pub(crate) mod head {
    pub(crate) const ARENA_ID: usize = 0;
    pub(crate) const SEQ: usize = ARENA_ID + 8;
    pub(crate) const SEALED: usize = SEQ + 8;
    /// A cache line, so that sealing does not disturb whoever reads the first lines.
    pub(crate) const BYTES: usize = 64;
    const _: () = assert!(SEALED + 8 <= BYTES);
}
mod mapped;
mod pool;
mod side;
mod writer;

pub(crate) use mapped::Segment;
pub(crate) use pool::{Pool, Source};
pub(crate) use side::{Piece, SideBuffer};
pub(crate) use writer::SegmentWriter;

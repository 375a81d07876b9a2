//! Segments: preallocated, faulted-in, memory-mapped stretches into which the collector serialises.
//! Stores bytes, knows nothing of records.
//!
//! ```text
//! | arena id u64 | seq u64 | sealed length u64 | 0 ... to 64 | lines ... |
//! ```
//! **Life in a [`Pool`]**: taken by the collector (sealed = 0, then seq, then lines) → full, sealed
//! (the length is stored before the first commit slot that names the next segment) → published →
//! given back, and taken again. A segment is given back only when the newest completed append ends
//! in a later one.
//!
//! **Life [ahead](Ahead) of the log**: made by the keeper, a file of lines alone; its head stands
//! in the arena. Taken, filled, and sealed as above; then the publisher cuts the file to its lines
//! and gives it its name in the log's directory. Never used again.

mod ahead;
mod mapped;
mod pool;
mod side;
mod writer;

use std::sync::Arc;

pub(crate) use ahead::{Ahead, Capacity, LogSegment};
pub(crate) use mapped::{HEAD_BYTES, Segment};
pub(crate) use pool::{Pool, Source};
pub(crate) use side::{Piece, SideBuffer};
pub(crate) use writer::SegmentWriter;

/// Where the collector has its segments from.
pub(crate) trait Supply: Send + Sync {
    /// A segment to write next; none while there is none.
    fn take(&self) -> Option<Arc<Segment>>;

    /// Gives one segment's memory back, if more have memory than are needed at present. Called by
    /// whoever takes segments.
    fn trim(&self);
}

//! Where lines go, and the lines. Data; made by the owner and by the publisher.

use super::console::ConsoleOutput;
use super::file::FileOutput;

/// Where the lines go.
#[derive(Debug)]
pub(crate) enum Target {
    File(Box<FileOutput>),
    Console(ConsoleOutput),
    /// Nowhere.
    Null,
}

/// Lines of a segment that are to be appended.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) segment: u64,
    /// Where the segment begins, in bytes of the engine's life.
    pub(super) start: u64,
    /// The first byte of the segment that the output does not have.
    pub(super) from: usize,
    /// All that is written of the segment.
    pub(super) bytes: &'a [u8],
}

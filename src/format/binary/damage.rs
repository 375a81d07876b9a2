//! What can be wrong with binary bytes. Data; where they are [read](super::read).

use std::fmt;

use super::VERSION;

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The input ends inside a block; this many bytes are needed at least.
    Cut { needed: usize },
    /// No segment begins here.
    NoSegment,
    /// A version that this program does not read.
    Version(u16),
    /// The begin block contradicts itself.
    Begin,
    /// No block is of this kind.
    Kind(u8),
    /// A block's length or number is not what its kind asks for.
    Header(&'static str),
    /// A callsite's entry is none.
    Site,
    /// A shape is none, or not its callsite's.
    Shape,
    /// A record's shape has not been told.
    UnknownShape(u16),
    /// A thread's slot has not been told.
    UnknownThread(u16),
    /// A record's values contradict its shape.
    Values,
    /// A record's line is longer than any that is written.
    TooLong,
}

impl Damage {
    /// Whether the block's length is known all the same, so that reading can go on behind it.
    #[cfg(any(test, feature = "bench-internals"))]
    pub(crate) fn is_within_block(self) -> bool {
        matches!(self, Damage::Values | Damage::TooLong)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Cut { .. } => f.write_str("the last block is cut off"),
            Damage::NoSegment => f.write_str("no segment begins here"),
            Damage::Version(version) => write!(
                f,
                "the segment has version {version} of the binary format, this program reads \
                 {VERSION}: use the `fastlog` of the release that wrote it, or a newer one"
            ),
            Damage::Begin => f.write_str("the segment's first block contradicts itself"),
            Damage::Kind(kind) => write!(f, "no block has kind {kind}"),
            Damage::Header(what) => write!(f, "the header of {what} contradicts itself"),
            Damage::Site => f.write_str("a callsite's entry contradicts itself"),
            Damage::Shape => f.write_str("a shape does not match its callsite"),
            Damage::UnknownShape(number) => write!(f, "nothing says what shape {number} is"),
            Damage::UnknownThread(number) => write!(f, "nothing says who thread {number} is"),
            Damage::Values => f.write_str("a record's values do not match its shape"),
            Damage::TooLong => f.write_str("a record's line is longer than a line can be"),
        }
    }
}

/// Where the input cannot be read, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecodeError {
    /// Bytes from the input's start to the block.
    pub(crate) offset: u64,
    pub(crate) damage: Damage,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.damage)
    }
}

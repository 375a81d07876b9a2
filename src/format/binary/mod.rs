//! Records as their raw values, for logs that are kept: [`write`] runs on the collector and
//! neither does I/O nor, once every callsite has its shapes, allocates; [`read`] runs in the
//! command line and in tests, and gives a line or an error for whatever bytes it is handed.
//!
//! `docs/format.md` has it byte by byte. A stretch of blocks is a **segment**: it begins with a
//! begin block and needs nothing that stands before it. All is little endian, in granules of 8
//! bytes; all blocks but the first begin with a header:
//!
//! ```text
//! | low u32 | number u16 | kind : 4, granules behind the header : 12 |
//!
//!  begin    "FASTLOGB" | version u16 details u16 message_max u32 | pid u32 0 u32
//!           | segment u64 | engine u64 | ticks u64 | clock: 8 u64
//!  record   low: ticks since the last record   number: its shape    values as in the envelope
//!  site     low: bytes of the entry            number: its own      the callsite's entry
//!  shape    low: its site                      number: its own      fields u8 level u8 flags u16
//!                                                                   0 u32 | tags
//!  thread   low: bytes of the name, or none    number: its slot     id u64 | name; or nothing
//!  time     0                                  0                    ticks of the next record u64
//!  clock    0                                  0                    8 u64
//! ```

#[cfg(any(test, feature = "cli", feature = "bench-internals"))]
pub(crate) mod damage;
#[cfg(any(test, feature = "cli", feature = "bench-internals"))]
pub(crate) mod lines;
#[cfg(any(test, feature = "cli", feature = "bench-internals"))]
pub(crate) mod read;
mod shapes;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use crate::clock::Piece;
use crate::envelope::RECORD_BYTES_MAX;
use crate::template::TEXT_MAX;

pub(crate) const GRANULE: usize = 8;

/// What every segment begins with.
pub(crate) const MAGIC: [u8; GRANULE] = *b"FASTLOGB";
/// The version that is written, and the only one that is read.
pub(crate) const VERSION: u16 = 1;

// The begin block.
const VERSION_AT: usize = GRANULE;
const DETAILS_AT: usize = VERSION_AT + 2;
const MESSAGE_MAX_AT: usize = DETAILS_AT + 2;
const PID_AT: usize = MESSAGE_MAX_AT + 4;
const ZERO_AT: usize = PID_AT + 4;
const SEGMENT_AT: usize = ZERO_AT + 4;
const ENGINE_AT: usize = SEGMENT_AT + 8;
const TICKS_AT: usize = ENGINE_AT + 8;
const CLOCK_AT: usize = TICKS_AT + 8;
/// The two pieces of the clock, older first: base ticks, base UTC, factor, shift.
const CLOCK_GRANULES: usize = 2 * 4;
/// The whole of it.
pub(crate) const BEGIN_BYTES: usize = CLOCK_AT + CLOCK_GRANULES * GRANULE;
const _: () = assert!(BEGIN_BYTES == 112);

/// The most granules behind a header.
const GRANULES_MAX: usize = (1 << 12) - 1;
// An envelope's values, a callsite's entry (its lengths before its texts) and all tags fit.
const _: () = assert!(RECORD_BYTES_MAX / GRANULE - 3 <= GRANULES_MAX);
const _: () = assert!(16 + 2 * (3 + 255) + TEXT_MAX <= GRANULES_MAX * GRANULE);

/// The longest block, and so the most that [`read`] asks for at a time.
#[cfg(feature = "cli")]
pub(crate) const BLOCK_BYTES_MAX: usize = GRANULE + GRANULES_MAX * GRANULE;

/// Slots for threads; a thread takes the one of its id's low bits.
const THREADS: usize = 256;
/// In place of a name's length: the thread has none.
const NAMELESS: u32 = u32::MAX;

/// What a block is. 0 is none, so that zeros are no block; 4 is what the magic number would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Record = 1,
    Site = 2,
    Shape = 3,
    Thread = 5,
    Time = 6,
    Clock = 7,
}

impl Kind {
    #[cfg(any(test, feature = "cli", feature = "bench-internals"))]
    fn from_number(number: u8) -> Option<Kind> {
        let all = [Kind::Record, Kind::Site, Kind::Shape, Kind::Thread, Kind::Time, Kind::Clock];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The first granule of a block.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: Kind,
    /// See the drawing above.
    low: u32,
    number: u16,
    /// Behind this one; at most [`GRANULES_MAX`].
    granules: usize,
}

impl Header {
    #[inline(always)]
    fn to_bytes(self) -> [u8; GRANULE] {
        debug_assert!(self.granules <= GRANULES_MAX);
        let high = (self.granules as u64) << 48 | (self.kind as u64) << 60;
        (u64::from(self.low) | u64::from(self.number) << 32 | high).to_le_bytes()
    }
}

/// The pieces of a clock as granules.
fn clock_words(pieces: &[Piece; 2]) -> impl Iterator<Item = u64> {
    pieces.iter().flat_map(|piece| piece.to_words())
}

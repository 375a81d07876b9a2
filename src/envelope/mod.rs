//! The envelope: a record as it lies in a ring. Written by the caller, read by the collector, and,
//! after a crash, by another process: it holds no pointers.
//!
//! ```text
//! granule (8 bytes, little endian)
//!    0   commit word: (position + 1) << 16 | granules of the envelope; stored last
//!    1   ticks of the engine's clock
//!    2   callsite id u32 | fields u8 | level u8 | flags u16
//!    3.. tags, a byte a field, eight a granule
//!    ..  values, each padded to a granule
//!    ..  if BOUND: the logger's bound fields, one block
//! ```

pub(crate) mod bound;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod site;

/// Where in an envelope its ticks stand, in granules.
pub(crate) const TICKS: usize = 1;
/// Where its meta word stands.
pub(crate) const META: usize = 2;
/// Granules before the tags.
pub(crate) const HEADER_GRANULES: usize = 3;

/// The longest envelope that any engine allows, in bytes: the limit of `record_bytes`.
pub(crate) const RECORD_BYTES_MAX: usize = 32 * 1024;

// A length must fit the sixteen bits of a commit word.
const _: () = assert!(RECORD_BYTES_MAX / 8 < 1 << 16);

/// What an envelope's flags say.
pub(crate) mod flag {
    /// A value was cut.
    pub(crate) const TRUNCATED: u16 = 1;
    /// A block of bound fields follows the values.
    pub(crate) const BOUND: u16 = 2;
    // 4 is kept for a scope: a granule with its number, behind the bound fields.
    /// Not a record: the id says what it tells, see [`control`](super::control).
    pub(crate) const CONTROL: u16 = 8;
}

/// The kinds of control envelopes, in place of a callsite's id.
pub(crate) mod control {
    /// The ring's next records are those of a thread: its id (u64), its name (text or null).
    pub(crate) const THREAD: u32 = 1;
    /// Bytes of a thread's name, at most; the rest is cut.
    pub(crate) const NAME_BYTES_MAX: usize = 64;
}

/// The third granule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The callsite's id, or the kind of a control envelope.
    pub(crate) id: u32,
    /// How many fields.
    pub(crate) fields: u8,
    /// The level's number.
    pub(crate) level: u8,
    /// See [`flag`].
    pub(crate) flags: u16,
}

impl Meta {
    #[inline(always)]
    pub(crate) const fn to_word(self) -> u64 {
        self.id as u64
            | (self.fields as u64) << 32
            | (self.level as u64) << 40
            | (self.flags as u64) << 48
    }

    /// Whether the envelope is a record rather than a control envelope.
    pub(crate) const fn is_record(self) -> bool {
        self.flags & flag::CONTROL == 0
    }

    pub(crate) const fn from_word(word: u64) -> Meta {
        Meta {
            id: word as u32,
            fields: (word >> 32) as u8,
            level: (word >> 40) as u8,
            flags: (word >> 48) as u16,
        }
    }
}

//! Where what stands in an arena. Version 1.
//!
//! ```text
//! page 0   header: magic, version, identity of the process, sizes, how the lines look and where
//! page 1     they go, clock x 2, names
//! page 2   counters, a u64 each
//! page 3   commit slots x 2, a page each
//! page 5   intents x 2
//! page 6   commands x 2: zeros, kept for what others may ask of a running engine
//! page 7   zeros
//! page 8.. dictionary of callsites
//! then     rings, each at a multiple of 64 KiB: | page: released, owners | granules | overhang |
//! ```
//! All numbers little endian, all offsets from the file's start. Segments lie in a file beside it,
//! so do the callsites for which the dictionary has no room. What is reserved is zero: whoever
//! finds anything else there does not know what it means.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::ring::RING_HEADER_BYTES;

/// A page of the layout: the smallest of a supported system.
pub(crate) const PAGE: usize = 4096;

/// What is mapped by itself begins at a multiple of the largest page of a supported system: a
/// kernel for aarch64 has pages of 4, 16 or 64 KiB.
const MAP_ALIGN: usize = 64 * 1024;

/// `FASTLOGA` in reading order.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"FASTLOGA");

/// What is written, and the only one that is read.
pub(crate) const VERSION: u64 = 1;

/// Offsets in the header, a u64 each unless said.
pub(crate) mod header {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const VERSION: usize = MAGIC + 8;
    /// Random; segments carry it.
    pub(crate) const ARENA_ID: usize = VERSION + 8;
    pub(crate) const PID: usize = ARENA_ID + 8;
    /// Of the process, in clock ticks since boot.
    pub(crate) const START_TIME: usize = PID + 8;
    /// 16 bytes.
    pub(crate) const BOOT_ID: usize = START_TIME + 8;
    /// How its engine ended, see `EngineState`.
    pub(crate) const STATE: usize = BOOT_ID + 16;
    pub(crate) const RING_BYTES: usize = STATE + 8;
    pub(crate) const RECORD_BYTES: usize = RING_BYTES + 8;
    pub(crate) const RING_STRIDE: usize = RECORD_BYTES + 8;
    /// Rings whose blocks are allocated.
    pub(crate) const RINGS: usize = RING_STRIDE + 8;
    pub(crate) const RINGS_AT: usize = RINGS + 8;
    pub(crate) const DICTIONARY_AT: usize = RINGS_AT + 8;
    pub(crate) const DICTIONARY_BYTES: usize = DICTIONARY_AT + 8;
    pub(crate) const SEGMENT_BYTES: usize = DICTIONARY_BYTES + 8;
    /// Two slots of commands.
    pub(crate) const COMMANDS_AT: usize = SEGMENT_BYTES + 8;
    /// 1 JSON, 2 text, 3 logfmt, 4 binary.
    pub(crate) const FORMAT: usize = COMMANDS_AT + 8;
    /// A sum: 1 thread, 2 file, 4 line.
    pub(crate) const DETAILS: usize = FORMAT + 8;
    /// The main output: 1 file, 2 standard output, 3 standard error, 4 none.
    pub(crate) const OUTPUT: usize = DETAILS + 8;
    /// 1 where text is coloured.
    pub(crate) const COLOUR: usize = OUTPUT + 8;
    /// Where a rendered message is cut, in bytes of the line.
    pub(crate) const MESSAGE_MAX: usize = COLOUR + 8;
    /// 1 where passwords in addresses are masked.
    pub(crate) const URL_PASSWORDS: usize = MESSAGE_MAX + 8;
    /// Zeros: what else lines may one day depend on, a time zone and what is escaped, say.
    pub(crate) const LINE_OPTIONS: usize = URL_PASSWORDS + 8;
    /// Two slots of the clock, see `TwoSlots`.
    pub(crate) const CLOCK: usize = LINE_OPTIONS + 7 * 8;
    /// Length u64 and bytes: the engine's name.
    pub(crate) const NAME: usize = CLOCK + 2 * super::CLOCK_SLOT_WORDS * 8;
    /// Length u64 and bytes: the name, or the one with a suffix that is used instead.
    pub(crate) const BASE: usize = NAME + 8 + super::NAME_BYTES_MAX;
    /// Length u64 and bytes: the visible file's name within its directory.
    pub(crate) const FILE_NAME: usize = BASE + 8 + super::NAME_BYTES_MAX;
    /// Length u64 and bytes: the log's directory, absolute; empty for consoles.
    pub(crate) const DIRECTORY: usize = FILE_NAME + 8 + super::NAME_BYTES_MAX;
    const END: usize = DIRECTORY + 8 + super::DIRECTORY_BYTES_MAX;
    const _: () = assert!(END <= super::HEADER_BYTES);
}

/// How an engine stands, by its arena's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum EngineState {
    /// It runs, or was killed, or its drain gave up.
    Live = 0,
    /// A drain has brought everything to the output: nothing is owed.
    Drained = 1,
}

const HEADER_BYTES: usize = 2 * PAGE;

/// Bytes kept of a directory: the longest path that the system takes.
pub(crate) const DIRECTORY_BYTES_MAX: usize = 4096;

/// Where arenas in shared memory lie, those of this user.
pub(crate) fn shared_memory_dir(uid: u32) -> PathBuf {
    PathBuf::from(format!("/dev/shm/fastlog-{uid}"))
}

/// What the header keeps of a directory.
pub(crate) fn directory_bytes(directory: &Path) -> &[u8] {
    let bytes = directory.as_os_str().as_bytes();
    &bytes[..bytes.len().min(DIRECTORY_BYTES_MAX)]
}

/// Bytes kept of a name.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Words of one slot of the clock: number, then two pieces of four.
pub(crate) const CLOCK_SLOT_WORDS: usize = 1 + 2 * 4;

pub(crate) const COUNTERS_AT: usize = HEADER_BYTES;
pub(crate) const COMMITS_AT: usize = COUNTERS_AT + PAGE;
pub(crate) const COMMIT_SLOT_BYTES: usize = PAGE;
pub(crate) const INTENTS_AT: usize = COMMITS_AT + 2 * COMMIT_SLOT_BYTES;
pub(crate) const COMMANDS_AT: usize = INTENTS_AT + PAGE;
/// Two slots of a page's half, and a page for what comes.
const COMMANDS_BYTES: usize = 2 * PAGE;
pub(crate) const DICTIONARY_AT: usize = COMMANDS_AT + COMMANDS_BYTES;

/// Room for some 3,500 callsites of the usual 150 bytes.
pub(crate) const DICTIONARY_BYTES: usize = 512 * 1024;

pub(crate) const RINGS_AT: usize = (DICTIONARY_AT + DICTIONARY_BYTES).next_multiple_of(MAP_ALIGN);

/// Rings whose blocks are allocated together.
pub(crate) const RINGS_PER_CHUNK: usize = 16;

/// A segment: its header and the lines.
pub(crate) const SEGMENT_BYTES: usize = 1 << 20;

const _: () = assert!(SEGMENT_BYTES % MAP_ALIGN == 0);

/// Bytes that a ring takes.
pub(crate) const fn ring_len(ring_bytes: usize, record_bytes: usize) -> usize {
    (RING_HEADER_BYTES + ring_bytes + record_bytes).next_multiple_of(PAGE)
}

/// Bytes from one ring to the next. What a ring leaves of them is never touched.
pub(crate) const fn ring_stride(ring_bytes: usize, record_bytes: usize) -> usize {
    ring_len(ring_bytes, record_bytes).next_multiple_of(MAP_ALIGN)
}
const _: () = assert!(RINGS_AT % MAP_ALIGN == 0 && ring_stride(1 << 18, 1 << 14) % MAP_ALIGN == 0);

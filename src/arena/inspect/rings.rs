//! The rings of an arena: how full each is, and whose. The commit words are walked as the collector
//! does, from the position that it released on.

use std::io;

use crate::arena::layout::{RINGS_AT, ring_stride};
use crate::arena::read::{Bytes, Header, word};
use crate::envelope::{HEADER_GRANULES, META, Meta};
use crate::ring::{
    OWNER_AT, OWNER_NAME_BYTES_MAX, POSITION_SHIFT, RING_HEADER_BYTES, committed_granules,
    distance, granules_between,
};

/// Granules that are read at once.
const WINDOW_GRANULES: usize = 8 * 1024;

/// A ring in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingState {
    /// Bytes of it that are taken.
    pub used_bytes: u64,
    /// Records in it that are not collected yet.
    pub records: u64,
    /// The thread whose records the collector has read last; none where it has read none.
    pub thread: Option<RingThread>,
}

/// A thread that logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingThread {
    /// The system's number.
    pub id: u64,
    /// Its name, cut to 64 bytes; empty if it has none.
    pub name: String,
}

/// Those of the first `made` rings for which there are blocks.
pub(super) fn read(bytes: &impl Bytes, header: &Header, made: u64) -> io::Result<Vec<RingState>> {
    let stride = ring_stride(header.ring_bytes, header.record_bytes) as u64;
    let mut window = Window::new();
    let mut rings = Vec::new();
    for number in 0..made.min(header.rings) {
        match read_ring(bytes, RINGS_AT as u64 + number * stride, header, &mut window)? {
            Some(ring) => rings.push(ring),
            None => break,
        }
    }
    Ok(rings)
}

/// The ring at an offset; none where the file ends before.
fn read_ring<B: Bytes>(
    bytes: &B,
    at: u64,
    header: &Header,
    window: &mut Window,
) -> io::Result<Option<RingState>> {
    let mut head = [0; OWNER_AT + 16 + OWNER_NAME_BYTES_MAX];
    if bytes.read_some(&mut head, at)? < head.len() {
        return Ok(None);
    }
    let released = word(&head, 0);
    let (capacity, record_max) = (header.ring_bytes / 8, header.record_bytes / 8);
    let mask = capacity as u64 - 1;
    let (mut position, mut records) = (released, 0);
    window.begin(at + RING_HEADER_BYTES as u64);
    while granules_between(released, position) < capacity as i64 {
        let index = ((position >> POSITION_SHIFT) & mask) as usize;
        let Some([commit, meta]) = window.words(bytes, index)? else { break };
        let Some(granules) = committed_granules(commit, position, record_max) else { break };
        records += u64::from(Meta::from_word(meta).is_record());
        position = position.wrapping_add(distance(granules));
    }
    let used = granules_between(released, position).clamp(0, capacity as i64) as u64;
    Ok(Some(RingState { used_bytes: used * 8, records, thread: thread(&head) }))
}

/// The owner as it was copied: of a change in between, perhaps with the number or the name of the
/// one before. See `Ring::set_owner`.
fn thread(head: &[u8]) -> Option<RingThread> {
    let (id, len) = (word(head, OWNER_AT), word(head, OWNER_AT + 8));
    let name = &head[OWNER_AT + 16..];
    let name = &name[..name.len().min(usize::try_from(len).unwrap_or(0))];
    (id != 0).then(|| RingThread { id, name: String::from_utf8_lossy(name).into_owned() })
}

/// A part of a ring's granules.
struct Window {
    bytes: Vec<u8>,
    /// Where the granules begin.
    at: u64,
    /// The first granule that is here.
    first: usize,
    len: usize,
}

impl Window {
    fn new() -> Window {
        Window { bytes: vec![0; WINDOW_GRANULES * 8], at: 0, first: 0, len: 0 }
    }

    /// From now on of the ring whose granules are at this offset.
    fn begin(&mut self, at: u64) {
        (self.at, self.first, self.len) = (at, 0, 0);
    }

    /// Commit word and meta word of the envelope at a granule; none where the file ends before.
    fn words(&mut self, bytes: &impl Bytes, granule: usize) -> io::Result<Option<[u64; 2]>> {
        let is_here = granule >= self.first && granule + HEADER_GRANULES <= self.first + self.len;
        if !is_here {
            let offset = self.at + granule as u64 * 8;
            self.first = granule;
            self.len = bytes.read_some(&mut self.bytes, offset)? / 8;
            if self.len < HEADER_GRANULES {
                return Ok(None);
            }
        }
        let at = (granule - self.first) * 8;
        Ok(Some([word(&self.bytes, at), word(&self.bytes, at + META * 8)]))
    }
}

//! The rings of an arena: how full each is, and whose.

use std::io;

use crate::arena::read::{Bytes, Header, OnDamage, RingReader, record_meta};

/// Bytes that are read at once.
const WINDOW_BYTES: usize = 64 * 1024;

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
pub(super) fn read(bytes: &dyn Bytes, header: &Header, made: u64) -> io::Result<Vec<RingState>> {
    let mut rings = Vec::new();
    for number in 0..made.min(header.rings) {
        let how = (OnDamage::Stop, WINDOW_BYTES);
        let Some(mut ring) = RingReader::open(bytes, header, (number, None), how)? else { break };
        // As it was copied: of a change in between, perhaps with the number or the name of the one
        // before, see `Ring::set_owner`.
        let thread = ring.owner.take().map(|owner| RingThread {
            id: owner.id,
            name: String::from_utf8_lossy(&owner.name.unwrap_or_default()).into_owned(),
        });
        let mut records = 0;
        while let Some(envelope) = ring.take(bytes)? {
            records += u64::from(record_meta(envelope).is_record());
        }
        rings.push(RingState { used_bytes: ring.passed() * 8, records, thread });
    }
    Ok(rings)
}

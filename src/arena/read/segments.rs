//! The segments beside an arena, found by their heads and never by their places.

use std::io;

use super::{Bytes, word};
use crate::arena::layout::SEGMENT_BYTES;
use crate::segment::head;

/// Segments that are looked at: four times as many as `Config` allows.
const SEGMENTS_MAX: usize = 4096;

/// A segment of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) seq: u64,
    /// The length for good; 0 where it was not sealed.
    pub(crate) sealed: u64,
    /// Where its lines begin.
    at: u64,
}

impl Found {
    /// Its bytes from `from` to `to`; none where the file, or the segment, ends before.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(
        &self,
        bytes: &dyn Bytes,
        from: u64,
        to: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        let most = (SEGMENT_BYTES - head::BYTES) as u64;
        if from > to || to > most {
            return Ok(None);
        }
        let mut lines = vec![0; (to - from) as usize];
        let len = bytes.read_some(&mut lines, self.at + from)?;
        Ok((len == lines.len()).then_some(lines))
    }
}

/// Those of the arena with this id, by their numbers.
///
/// # Errors
/// The system's.
pub(super) fn find(bytes: &dyn Bytes, arena_id: u64) -> io::Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for index in 0..SEGMENTS_MAX as u64 {
        let at = index * SEGMENT_BYTES as u64;
        let mut copy = [0; head::BYTES];
        if bytes.read_some(&mut copy, at)? < copy.len() {
            break;
        }
        let (seq, sealed) = (word(&copy, head::SEQ), word(&copy, head::SEALED));
        if word(&copy, head::ARENA_ID) == arena_id && seq != 0 {
            found.push(Found { seq, sealed, at: at + head::BYTES as u64 });
        }
    }
    found.sort_by_key(|segment| segment.seq);
    found.dedup_by_key(|segment| segment.seq);
    Ok(found)
}

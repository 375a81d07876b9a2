//! The callsites of an arena: its dictionary, and what had no room there.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::{Bytes, word};
use crate::arena::dictionary::{
    ENTRIES_AT, ENTRIES_BYTES, HEAD_BYTES, SIDE_BYTES_MAX, SIDE_MAGIC, SIDE_USED_AT,
};
use crate::arena::layout::DICTIONARY_AT;
use crate::envelope::site::SiteRef;

/// The entries, by the callsites' ids.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    bytes: Vec<u8>,
    by_id: HashMap<u32, Range<usize>>,
    /// Stretches that could not be read.
    pub(crate) unreadable: u64,
}

impl Sites {
    /// Reads those of the arena with this id.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn read(
        arena: &dyn Bytes,
        side: Option<&dyn Bytes>,
        arena_id: u64,
    ) -> io::Result<Sites> {
        let mut counts = [0; HEAD_BYTES];
        arena.read_some(&mut counts, DICTIONARY_AT as u64)?;
        let side_used = word(&counts, SIDE_USED_AT - DICTIONARY_AT);
        let mut sites = Sites::default();
        sites.add(arena, ENTRIES_AT, (word(&counts, 0), ENTRIES_BYTES))?;
        if side_used > 0 {
            let mut head = [0; HEAD_BYTES];
            let len = side.map_or(Ok(0), |side| side.read_some(&mut head, 0))?;
            let is_its =
                len == HEAD_BYTES && (word(&head, 0), word(&head, 8)) == (SIDE_MAGIC, arena_id);
            match side.filter(|_| is_its) {
                Some(side) => sites.add(side, HEAD_BYTES, (side_used, SIDE_BYTES_MAX))?,
                None => sites.unreadable += 1,
            }
        }
        Ok(sites)
    }

    /// Adds what stands from `at` on, in so many bytes of which there may be `most`.
    fn add(&mut self, from: &dyn Bytes, at: usize, (used, most): (u64, usize)) -> io::Result<()> {
        let used = used.min(most as u64) as usize;
        let start = self.bytes.len();
        // Piece by piece: a planted count is no reason to take the memory.
        const PIECE_BYTES: usize = 256 * 1024;
        while self.bytes.len() - start < used {
            let done = self.bytes.len() - start;
            let piece = PIECE_BYTES.min(used - done);
            self.bytes.resize(start + done + piece, 0);
            let len = from.read_some(&mut self.bytes[start + done..], (at + done) as u64)?;
            self.bytes.truncate(start + done + len);
            if len < piece {
                break;
            }
        }
        let mut next = start;
        while let Some(entry) = SiteRef::parse(&self.bytes[next..]) {
            self.by_id.insert(entry.id(), next..next + entry.len());
            next = (next + entry.len().next_multiple_of(8)).min(self.bytes.len());
        }
        // An entry that is damaged takes those behind it along: nobody knows where they begin.
        self.unreadable += u64::from(next < start + used);
        Ok(())
    }

    /// A callsite's entry.
    pub(crate) fn get(&self, id: u32) -> Option<SiteRef<'_>> {
        SiteRef::parse(&self.bytes[self.by_id.get(&id)?.clone()])
    }
}

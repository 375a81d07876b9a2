//! The rings of an arena, and the records in them that nobody has collected. Commit words are
//! walked as the collector does, from the position that it released on.

use std::io;

use super::{Bytes, Header, word};
use crate::arena::layout::{RINGS_AT, ring_stride};
use crate::envelope::{HEADER_GRANULES, TICKS};
use crate::ring::{
    KIND_AT, OWNER_BYTES, OWNER_ID, OWNER_NAME, OWNER_NAME_BYTES_MAX, OWNERS_AT, POSITION_SHIFT,
    Position, RING_HEADER_BYTES, committed_granules, distance, granules_between,
};

const GRANULE: usize = 8;

/// What is read of a ring's header.
pub(crate) const RING_HEAD_BYTES: usize = OWNERS_AT + 2 * OWNER_BYTES;

/// Whose records stand in a ring from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) position: Position,
    /// The system's number of the thread.
    pub(crate) id: u64,
    /// None: it has no name.
    pub(crate) name: Option<Vec<u8>>,
}

impl Owner {
    /// Those of both slots of a ring's header.
    pub(crate) fn both(head: &[u8]) -> [Option<Owner>; 2] {
        [OWNERS_AT, OWNERS_AT + OWNER_BYTES].map(|at| {
            let (position, id) = (word(head, at), word(head, at + OWNER_ID));
            let len = usize::try_from(word(head, at + OWNER_NAME)).unwrap_or(usize::MAX);
            let name = len.checked_sub(1).map(|len| {
                let name = head.get(at + OWNER_NAME + 8..).unwrap_or_default();
                name[..len.min(OWNER_NAME_BYTES_MAX).min(name.len())].to_vec()
            });
            (position != 0).then_some(Owner { position, id, name })
        })
    }

    /// The owner of the records from `position` on.
    fn at(head: &[u8], position: Position) -> Option<Owner> {
        let [one, other] = Owner::both(head)
            .map(|owner| owner.filter(|owner| granules_between(owner.position, position) >= 0));
        match (one, other) {
            (Some(one), Some(other)) => {
                let is_newer = granules_between(other.position, one.position) > 0;
                Some(if is_newer { one } else { other })
            }
            (one, other) => one.or(other),
        }
    }
}

/// What to do about a word that is no record's and not the end either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDamage {
    /// Nothing more is read: of a ring in use, it was overwritten meanwhile.
    Stop,
    /// It is counted, and what can be found behind it is read.
    Skip,
}

/// Reads the records of one ring, in their order.
pub(crate) struct RingReader {
    /// Whose the first records are.
    pub(crate) owner: Option<Owner>,
    /// Stretches that could not be read.
    pub(crate) unreadable: u64,
    on_damage: OnDamage,
    /// Where in the file its granules begin.
    at: u64,
    capacity: usize,
    record_max: usize,
    start: Position,
    position: Position,
    window: Vec<u8>,
    window_bytes: usize,
    /// The first granule of the window.
    first: usize,
}

impl RingReader {
    /// The ring with this number, from where it is released to or from `moved`, whatever is later;
    /// none where the file ends before. `window_bytes` are read at once, at least a record's.
    pub(crate) fn open(
        bytes: &dyn Bytes,
        header: &Header,
        (number, moved): (u64, Option<Position>),
        (on_damage, window_bytes): (OnDamage, usize),
    ) -> io::Result<Option<RingReader>> {
        let at =
            RINGS_AT as u64 + number * ring_stride(header.ring_bytes, header.record_bytes) as u64;
        let mut head = [0; RING_HEAD_BYTES];
        if bytes.read_some(&mut head, at)? < head.len() {
            return Ok(None);
        }
        let released = word(&head, 0);
        let start =
            moved.filter(|moved| granules_between(released, *moved) > 0).unwrap_or(released);
        let is_known = word(&head, KIND_AT) == 0;
        Ok(Some(RingReader {
            owner: Owner::at(&head, start),
            unreadable: u64::from(!is_known),
            on_damage,
            at: at + RING_HEADER_BYTES as u64,
            // Of a ring of another kind nothing is read.
            capacity: if is_known { header.ring_bytes / GRANULE } else { 0 },
            record_max: header.record_bytes / GRANULE,
            start,
            position: start,
            window: Vec::new(),
            window_bytes: window_bytes.max(header.record_bytes),
            first: 0,
        }))
    }

    /// The next record's granule and length, if there is one: its bytes are in the window then.
    fn find(&mut self, bytes: &dyn Bytes) -> io::Result<Option<(usize, usize)>> {
        while granules_between(self.start, self.position) < self.capacity as i64 {
            let index = self.index();
            if !self.load(bytes, index, 1)? {
                // The file was cut.
                self.unreadable += 1;
                break;
            }
            let commit = self.word_at(index);
            if let Some(granules) = committed_granules(commit, self.position, self.record_max) {
                if self.load(bytes, index, granules)? {
                    return Ok(Some((index, granules)));
                }
                self.unreadable += 1;
                break;
            }
            // Behind the last record stands a 0, which its producer put there.
            if commit == 0 || self.on_damage == OnDamage::Stop || !self.skip(bytes)? {
                break;
            }
        }
        Ok(None)
    }

    /// Goes on at the next word that is a record's; false: there is none. A word names its own
    /// position, so that hardly anything else looks like one.
    fn skip(&mut self, bytes: &dyn Bytes) -> io::Result<bool> {
        self.unreadable += 1;
        loop {
            self.position = self.position.wrapping_add(distance(1));
            let index = self.index();
            if granules_between(self.start, self.position) >= self.capacity as i64
                || !self.load(bytes, index, 1)?
            {
                return Ok(false);
            }
            if committed_granules(self.word_at(index), self.position, self.record_max).is_some() {
                return Ok(true);
            }
        }
    }

    /// The ticks of the next record, if there is one.
    pub(crate) fn peek(&mut self, bytes: &dyn Bytes) -> io::Result<Option<u64>> {
        let found = self.find(bytes)?;
        Ok(found.map(|(index, _)| self.word_at(index + TICKS)))
    }

    /// The next record, commit word included, and goes on behind it.
    pub(crate) fn take(&mut self, bytes: &dyn Bytes) -> io::Result<Option<&[u8]>> {
        let Some((index, granules)) = self.find(bytes)? else { return Ok(None) };
        self.position = self.position.wrapping_add(distance(granules));
        let from = (index - self.first) * GRANULE;
        Ok(Some(&self.window[from..from + granules * GRANULE]))
    }

    /// Granules of the ring up to here that are taken.
    #[cfg(feature = "cli")]
    pub(crate) fn passed(&self) -> u64 {
        granules_between(self.start, self.position).clamp(0, self.capacity as i64) as u64
    }

    /// Where the position lies among the granules.
    fn index(&self) -> usize {
        (self.position >> POSITION_SHIFT) as usize & (self.capacity - 1)
    }

    fn word_at(&self, index: usize) -> u64 {
        word(&self.window, (index - self.first) * GRANULE)
    }

    /// Sees to it that these granules are in the window; false where the file ends before. Records
    /// run over the ring's end into the overhang, so that each is in one piece.
    fn load(&mut self, bytes: &dyn Bytes, index: usize, granules: usize) -> io::Result<bool> {
        let has = |window: &[u8], first: usize| {
            index >= first && (index - first + granules) * GRANULE <= window.len()
        };
        if !has(&self.window, self.first) {
            self.window.resize(self.window_bytes, 0);
            self.first = index;
            let len = bytes.read_some(&mut self.window, self.at + (index * GRANULE) as u64)?;
            self.window.truncate(len);
        }
        Ok(has(&self.window, self.first))
    }
}

const _: () = assert!(TICKS < HEADER_GRANULES);

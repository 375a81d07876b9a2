//! The records that a dead engine never collected, of all its rings in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::arena::read::{Commit, Dead, Owner, RingReader, record_meta};
use crate::envelope::control;
use crate::envelope::decode::Envelope;
use crate::format::{Label, ThreadLabel};

/// A ring that had records.
struct Ring {
    reader: RingReader,
    /// Whose its next record is.
    label: Label,
}

/// The merge.
pub(super) struct Records<'d> {
    dead: &'d Dead,
    rings: Vec<Ring>,
    /// The ticks of each ring's next record; of the same time, the first ring's comes first.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// Of the record that was handed out last.
    copy: Vec<u8>,
    /// Rings, and stretches of them, that could not be read.
    unreadable: u64,
}

impl<'d> Records<'d> {
    /// What stands in the rings behind what `commit` has released.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(dead: &'d Dead, commit: &Commit) -> io::Result<Records<'d>> {
        let (rings, heads, copy) = (Vec::new(), BinaryHeap::new(), Vec::new());
        let mut records = Records { dead, rings, heads, copy, unreadable: 0 };
        for number in 0..dead.header().rings {
            let Some(mut reader) = dead.ring(number, commit)? else {
                // The file was cut: it was as long as all rings once.
                records.unreadable += 1;
                continue;
            };
            match reader.peek(dead.arena())? {
                Some(ticks) => {
                    records.heads.push(Reverse((ticks, records.rings.len())));
                    let label = reader.owner.take().map_or_else(Label::default, label_of);
                    records.rings.push(Ring { reader, label });
                }
                None => records.unreadable += reader.unreadable,
            }
        }
        Ok(records)
    }

    /// The next record and its thread.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn next(&mut self) -> io::Result<Option<(&[u8], ThreadLabel<'_>)>> {
        while let Some(Reverse((_, number))) = self.heads.pop() {
            let ring = &mut self.rings[number];
            let Some(envelope) = ring.reader.take(self.dead.arena())? else { continue };
            self.copy.clear();
            self.copy.extend_from_slice(envelope);
            if let Some(ticks) = ring.reader.peek(self.dead.arena())? {
                self.heads.push(Reverse((ticks, number)));
            }
            let meta = record_meta(&self.copy);
            if meta.is_record() {
                return Ok(Some((&self.copy, self.rings[number].label.get())));
            }
            match Envelope::parse(&self.copy) {
                Ok(control) if meta.id == control::THREAD => ring.label.read(&control),
                _ => self.unreadable += 1,
            }
        }
        Ok(None)
    }

    /// What could not be read, once all was.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable + self.rings.iter().map(|ring| ring.reader.unreadable).sum::<u64>()
    }
}

fn label_of(owner: Owner) -> Label {
    Label::of(owner.id, owner.name.as_deref())
}

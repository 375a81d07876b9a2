//! What stands in two slots each: the newest commit, the newest intent, the clock. The one with the
//! higher number is the newest whole value.

use std::io;

use super::{Bytes, word};
use crate::arena::commit::{self, MOVED_MAX, Written};
use crate::arena::intent::{self, DONE, Intent};
use crate::arena::layout::{CLOCK_SLOT_WORDS, COMMITS_AT, INTENTS_AT, header};
use crate::clock::Piece;
use crate::ring::Position;

/// The newest commit slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) written: Written,
    /// Dropped records of which gap records tell.
    pub(crate) told: u64,
    /// How far rings were released by it.
    pub(crate) moved: Vec<(u64, Position)>,
}

/// Copies two slots of so many words, and gives the fields of the newer one, its number cut off;
/// none where neither was written.
fn newest(bytes: &dyn Bytes, at: usize, slot_words: usize) -> io::Result<Option<Vec<u64>>> {
    let mut copy = vec![0; 2 * slot_words * 8];
    let len = bytes.read_some(&mut copy, at as u64)?;
    copy[len..].fill(0);
    let slot = |number: usize| {
        let words = (0..slot_words).map(|index| word(&copy, (number * slot_words + index) * 8));
        words.collect::<Vec<u64>>()
    };
    let (first, second) = (slot(0), slot(1));
    let mut newer = if second[0] > first[0] { second } else { first };
    Ok((newer.remove(0) > 0).then_some(newer))
}

/// What was written; none where nothing was.
pub(super) fn commit(bytes: &dyn Bytes) -> io::Result<Option<Commit>> {
    let fields = newest(bytes, COMMITS_AT, commit::SLOT_WORDS)?;
    Ok(fields.map(|fields| {
        let [segment, len, bytes, records, told, moved] = [0, 1, 2, 3, 4, 5].map(|at| fields[at]);
        let rings = fields[commit::FIXED_FIELDS..].chunks_exact(2).map(|pair| (pair[0], pair[1]));
        let moved = rings.take(moved.min(MOVED_MAX as u64) as usize).collect();
        Commit { written: Written { segment, len, bytes, records }, told, moved }
    }))
}

/// What was announced, and whether it was completed; none where nothing was.
pub(super) fn intent(bytes: &dyn Bytes) -> io::Result<Option<(Intent, bool)>> {
    let fields = newest(bytes, INTENTS_AT, intent::SLOT_WORDS)?;
    Ok(fields.map(|fields| {
        let [dev, ino, birth_ns, offset] = [0, 1, 2, 3].map(|at| fields[at]);
        let [segment, from, to] = [5, 6, 7].map(|at| fields[at]);
        (Intent { dev, ino, birth_ns, offset, segment, from, to }, fields[DONE - 1] != 0)
    }))
}

/// How ticks become UTC; none where that was never stored.
pub(super) fn clock(bytes: &dyn Bytes) -> io::Result<Option<[Piece; 2]>> {
    let fields = newest(bytes, header::CLOCK, CLOCK_SLOT_WORDS)?;
    Ok(fields
        .map(|fields| [0, 4].map(|at| Piece::of_words([0, 1, 2, 3].map(|word| fields[at + word])))))
}

#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests {
    use super::*;
    use crate::arena::RegionWords;
    use crate::arena::commit::Commits;
    use crate::arena::intent::Intents;
    use crate::arena::layout::DICTIONARY_AT;
    use crate::arena::two_slots::TwoSlots;
    use crate::sys::mmap::Region;
    use std::sync::Arc;

    fn copy(region: &Region) -> Vec<u8> {
        let mut copy = vec![0; DICTIONARY_AT];
        region.read_bytes(0, &mut copy);
        copy
    }

    #[test]
    fn the_newest_of_each_is_read_as_it_was_written() {
        let region = Arc::new(Region::anonymous(DICTIONARY_AT).expect("anonymous memory"));
        assert!(commit(&copy(&region)).expect("memory").is_none());
        let commits = Commits::new(Arc::clone(&region));
        let mut intents = Intents::new(Arc::clone(&region));
        let clock_words = RegionWords::new(Arc::clone(&region), header::CLOCK);
        let pieces = TwoSlots::new(clock_words, CLOCK_SLOT_WORDS);
        let mut checked = 0;
        for n in 1..6_u64 {
            let written = Written { segment: n, len: n + 1, bytes: n + 2, records: n + 3 };
            commits.write(written, n + 4, &[(3, n + 5), (4, n + 6)]);
            let moved = vec![(3, n + 5), (4, n + 6)];
            let expected = Commit { written, told: n + 4, moved };
            assert_eq!(commit(&copy(&region)).expect("memory"), Some(expected));
            let (dev, ino, birth_ns, offset) = (n, n + 1, n + 2, n + 3);
            let announced = Intent { dev, ino, birth_ns, offset, segment: n, from: 5, to: n + 9 };
            intents.begin(announced);
            assert_eq!(intent(&copy(&region)).expect("memory"), Some((announced, false)));
            intents.done();
            assert_eq!(intent(&copy(&region)).expect("memory"), Some((announced, true)));
            pieces.write([n, 2, 3, 4, n + 5, 6, 7, 8]);
            let [older, newer] = clock(&copy(&region)).expect("memory").expect("pieces");
            assert_eq!(
                (older.base_ticks, older.base_utc_ns, older.mult, older.shift),
                (n, 2, 3, 4)
            );
            assert_eq!((newer.base_ticks, newer.shift), (n + 5, 8));
            checked += 1;
        }
        assert_eq!(checked, 5);
    }
}

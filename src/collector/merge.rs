//! Which ring's record comes next: a tournament of the rings' heads by ticks, ties by ring. Runs on
//! the collector; allocates only when there are more rings than before.

/// A ring whose next record is known. In order of ticks, then of rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    pub(super) ticks: u64,
    pub(super) ring: usize,
}

/// Later than any record: so that the difference of two has a sign, half of the numbers are used.
/// No counter reaches it; ticks beyond, of damaged records, are taken for the last of all.
const NEVER_TICKS: u64 = i64::MAX as u64;

impl Head {
    /// Of a ring without a record: comes after all others.
    const NEVER: Head = Head { ticks: NEVER_TICKS, ring: usize::MAX };

    #[inline(always)]
    fn new(ring: usize, ticks: Option<u64>) -> Head {
        match ticks {
            Some(ticks) => Head { ticks: ticks.min(NEVER_TICKS - 1), ring },
            None => Head::NEVER,
        }
    }

    /// The earlier one of both; of two of the same time `self`, unless `is_behind`. Which one it is
    /// is as good as random: written so that it becomes no branch.
    #[inline(always)]
    fn earlier(self, other: Head, is_behind: usize) -> Head {
        let difference = (other.ticks as i64) - (self.ticks as i64) - is_behind as i64;
        let mask = (difference >> 63) as u64;
        Head {
            ticks: self.ticks ^ (self.ticks ^ other.ticks) & mask,
            ring: self.ring ^ (self.ring ^ other.ring) & mask as usize,
        }
    }
}

/// The heads of as many rings as a power of two, in a complete tree. A match is a pair of heads,
/// and its earlier one goes on to the match above: match `i` is side `i & 1` of match `i / 2`.
/// Match 0 has one side only, and who gets there is the first.
#[derive(Debug)]
pub(super) struct Merge {
    matches: Vec<[Head; 2]>,
}

impl Default for Merge {
    fn default() -> Merge {
        Merge { matches: vec![[Head::NEVER; 2]] }
    }
}

impl Merge {
    /// Makes place for so many rings; the new ones have no record.
    pub(super) fn reserve(&mut self, rings: usize) {
        let width = rings.next_power_of_two();
        if self.matches.len() < width {
            // All of it: a ring's place depends on the width. Heads are found anew with each pass.
            self.matches.clear();
            self.matches.resize(width, [Head::NEVER; 2]);
        }
    }

    /// The head of a ring, if it has one; [`play`](Merge::play) makes it count.
    #[inline(always)]
    pub(super) fn enter(&mut self, ring: usize, ticks: Option<u64>) {
        let place = self.matches.len() + ring;
        self.matches[place / 2][place & 1] = Head::new(ring, ticks);
    }

    /// Plays all matches.
    pub(super) fn play(&mut self) {
        for at in (1..self.matches.len()).rev() {
            let [left, right] = self.matches[at];
            self.matches[at / 2][at & 1] = left.earlier(right, 0);
        }
    }

    /// The earliest head.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<Head> {
        let first = self.matches[0][1];
        (first.ticks != NEVER_TICKS).then_some(first)
    }

    /// The earliest head of all rings but this one, which has the first; else one that never comes.
    pub(super) fn second(&self, ring: usize) -> Head {
        let mut place = self.matches.len() + ring;
        let mut second = Head::NEVER;
        while place > 1 {
            second = second.min(self.matches[place / 2][place & 1 ^ 1]);
            place /= 2;
        }
        second
    }

    /// The next record of a ring has these ticks, or it has no more.
    #[inline(always)]
    pub(super) fn replace(&mut self, ring: usize, ticks: Option<u64>) {
        let mut place = self.matches.len() + ring;
        let mut head = Head::new(ring, ticks);
        while place > 1 {
            let side = place & 1;
            place /= 2;
            let pair = &mut self.matches[place];
            pair[side] = head;
            head = head.earlier(pair[side ^ 1], side);
        }
        self.matches[0][1] = head;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All records of the rings in the order of the merge, which looks for the second as a pass
    /// does: when a ring is first twice in a row.
    fn merged(merge: &mut Merge, rings: &[Vec<u64>]) -> Vec<(u64, usize)> {
        merge.reserve(rings.len());
        for (ring, records) in rings.iter().enumerate() {
            merge.enter(ring, records.first().copied());
        }
        merge.play();
        let mut next = vec![0; rings.len()];
        let mut merged = Vec::new();
        while let Some(head) = merge.first() {
            let others = (0..rings.len()).filter(|ring| *ring != head.ring);
            let second = others
                .filter_map(|ring| Some(Head { ticks: *rings[ring].get(next[ring])?, ring }))
                .min()
                .unwrap_or(Head::NEVER);
            assert_eq!(merge.second(head.ring), second);
            merged.push((head.ticks, head.ring));
            next[head.ring] += 1;
            merge.replace(head.ring, rings[head.ring].get(next[head.ring]).copied());
        }
        merged
    }

    fn sorted(rings: &[Vec<u64>]) -> Vec<(u64, usize)> {
        let mut sorted: Vec<_> = rings
            .iter()
            .enumerate()
            .flat_map(|(ring, records)| records.iter().map(move |ticks| (*ticks, ring)))
            .collect();
        sorted.sort_unstable();
        sorted
    }

    fn rings() -> impl Strategy<Value = Vec<Vec<u64>>> {
        let ticks = prop_oneof![4 => 0_u64..50, 1 => Just(NEVER_TICKS - 1)];
        let ring = proptest::collection::vec(ticks, 0..20).prop_map(|mut ring| {
            ring.sort_unstable();
            ring
        });
        proptest::collection::vec(ring, 0..12)
    }

    proptest! {
        /// Twice with one merge: the second time there are other rings, mostly more or fewer.
        #[test]
        fn merging_equals_sorting(before in rings(), mut after in rings()) {
            let mut merge = Merge::default();
            prop_assert_eq!(merged(&mut merge, &before), sorted(&before));
            // Rings do not go.
            after.resize(before.len().max(after.len()), Vec::new());
            prop_assert_eq!(merged(&mut merge, &after), sorted(&after));
        }
    }

    #[test]
    fn what_an_abandoned_pass_left_does_not_come_back() {
        let mut merge = Merge::default();
        merge.reserve(3);
        (0..3).for_each(|ring| merge.enter(ring, Some(ring as u64)));
        merge.play();
        assert_eq!(merge.first(), Some(Head { ticks: 0, ring: 0 }));
        merge.reserve(3);
        (0..3).for_each(|ring| merge.enter(ring, None));
        merge.play();
        assert_eq!(merge.first(), None);
    }
}

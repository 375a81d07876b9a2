//! Which ring's record comes next: a tournament of the rings' heads by ticks, ties by ring. Runs on
//! the collector; allocates only when there are more rings than before.

use std::cmp::Ordering;

/// A ring whose next record is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) ticks: u64,
    pub(super) ring: usize,
}

impl Head {
    /// Of a ring without a record: comes after all others, as no ring has this number.
    const NEVER: Head = Head { ticks: u64::MAX, ring: usize::MAX };

    /// Both in one number, which compares in two instructions and without a branch.
    #[inline(always)]
    fn key(self) -> u128 {
        u128::from(self.ticks) << 64 | self.ring as u128
    }

    #[inline(always)]
    fn earlier(self, other: Head) -> Head {
        if other.key() < self.key() { other } else { self }
    }

    fn known(self) -> Option<Head> {
        (self != Head::NEVER).then_some(self)
    }
}

impl Ord for Head {
    #[inline(always)]
    fn cmp(&self, other: &Head) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Head {
    #[inline(always)]
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The heads of as many rings as a power of two, in a complete tree. A match is a pair of heads,
/// and its earlier one goes on to the match above: match `i` is side `i & 1` of match `i / 2`.
/// Match 0 has one side only, and who gets there is the first.
///
/// A heap moves fewer heads when few of many rings have records; but its branches depend on the
/// heads, while here each step up is the same few instructions.
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
        let (place, side) = self.leaf(ring);
        if let Some(pair) = self.matches.get_mut(place) {
            pair[side] = ticks.map_or(Head::NEVER, |ticks| Head { ticks, ring });
        }
    }

    /// Plays all matches.
    pub(super) fn play(&mut self) {
        for at in (1..self.matches.len()).rev() {
            let [left, right] = self.matches[at];
            self.matches[at / 2][at & 1] = left.earlier(right);
        }
    }

    /// The earliest head.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<Head> {
        self.matches[0][1].known()
    }

    /// The earliest head of all rings but this one, which has the first; else one that never comes.
    pub(super) fn second(&self, ring: usize) -> Head {
        let (mut at, mut side) = self.leaf(ring);
        let mut second = Head::NEVER;
        while let (1.., Some(pair)) = (at, self.matches.get(at)) {
            second = second.earlier(pair[side ^ 1]);
            (at, side) = (at / 2, at & 1);
        }
        second
    }

    /// The next record of a ring has these ticks; or it has no more.
    #[inline(always)]
    pub(super) fn replace(&mut self, ring: usize, ticks: Option<u64>) {
        let (mut at, mut side) = self.leaf(ring);
        let mut head = ticks.map_or(Head::NEVER, |ticks| Head { ticks, ring });
        while let Some(pair) = self.matches.get_mut(at) {
            pair[side] = head;
            if at == 0 {
                break;
            }
            head = head.earlier(pair[side ^ 1]);
            (at, side) = (at / 2, at & 1);
        }
    }

    /// Where a ring comes in.
    #[inline(always)]
    fn leaf(&self, ring: usize) -> (usize, usize) {
        let place = self.matches.len() + ring;
        (place / 2, place & 1)
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
        let ticks = prop_oneof![4 => 0_u64..50, 1 => Just(u64::MAX)];
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

//! Which ring's record comes next: a tournament of the heads of the rings that have records due,
//! by ticks, ties by ring. Runs on the collector; allocates only when there are more rings than
//! before.

/// A ring's next record. In order of ticks, then of entrants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    ticks: u64,
    /// Its ring's number among those that entered.
    entrant: usize,
}

/// Later than any record: so that the difference of two has a sign, half of the numbers are used.
/// No counter reaches it; ticks beyond, of damaged records, are taken for the last of all.
const NEVER_TICKS: u64 = i64::MAX as u64;

impl Head {
    /// Comes after all others.
    const NEVER: Head = Head { ticks: NEVER_TICKS, entrant: usize::MAX };

    #[inline(always)]
    pub(super) fn new(entrant: usize, ticks: u64) -> Head {
        Head { ticks: ticks.min(NEVER_TICKS - 1), entrant }
    }

    /// The earlier one of both, this one being on that side of their match, 0 or 1: of two of the
    /// same time the one on side 0. Which it is is as good as random: written so that it becomes no
    /// branch.
    #[inline(always)]
    fn earlier(self, other: Head, side: usize) -> Head {
        let difference = (other.ticks as i64) - (self.ticks as i64) - side as i64;
        let mask = (difference >> 63) as u64;
        Head {
            ticks: self.ticks ^ (self.ticks ^ other.ticks) & mask,
            entrant: self.entrant ^ (self.entrant ^ other.entrant) & mask as usize,
        }
    }
}

/// The entrants' heads in a complete tree of as many places as a power of two. A match is a pair of
/// heads, and its earlier one goes on to the match above: match `i` is side `i & 1` of match
/// `i / 2`. Match 0 has one side only, and who gets there is the first.
#[derive(Debug)]
pub(super) struct Merge {
    /// The entrants' rings, in ascending order, and their first ticks.
    entrants: Vec<(usize, u64)>,
    /// The first `width` are played.
    matches: Vec<[Head; 2]>,
    width: usize,
}

impl Default for Merge {
    fn default() -> Merge {
        Merge { entrants: Vec::new(), matches: vec![[Head::NEVER; 2]], width: 1 }
    }
}

impl Merge {
    /// Begins anew, with so many rings at most.
    pub(super) fn restart(&mut self, rings: usize) {
        self.entrants.clear();
        self.entrants.reserve(rings);
        let matches = rings.next_power_of_two().max(self.matches.len());
        self.matches.resize(matches, [Head::NEVER; 2]);
    }

    /// Enters a ring, whose next record has these ticks. Rings enter in ascending order.
    pub(super) fn enter(&mut self, ring: usize, ticks: u64) {
        self.entrants.push((ring, ticks));
    }

    /// Plays all matches; false: nobody has entered.
    pub(super) fn play(&mut self) -> bool {
        let width = self.entrants.len().next_power_of_two();
        for entrant in 0..width {
            let place = width + entrant;
            let entered = self.entrants.get(entrant);
            self.matches[place / 2][place & 1] =
                entered.map_or(Head::NEVER, |(_, ticks)| Head::new(entrant, *ticks));
        }
        for at in (1..width).rev() {
            let [left, right] = self.matches[at];
            self.matches[at / 2][at & 1] = left.earlier(right, 0);
        }
        self.width = width;
        !self.entrants.is_empty()
    }

    /// Whose head is the earliest.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<usize> {
        let first = self.matches[0][1];
        (first.ticks != NEVER_TICKS).then_some(first.entrant)
    }

    /// An entrant's ring.
    #[inline(always)]
    pub(super) fn ring(&self, entrant: usize) -> usize {
        self.entrants[entrant].0
    }

    /// The earliest head of all others than the first; else one that never comes.
    pub(super) fn second(&self, first: usize) -> Head {
        let mut place = self.width + first;
        let mut second = Head::NEVER;
        while place > 1 {
            second = second.min(self.matches[place / 2][place & 1 ^ 1]);
            place /= 2;
        }
        second
    }

    /// An entrant has this head now; none: it has no more.
    #[inline(always)]
    pub(super) fn replace(&mut self, entrant: usize, head: Option<Head>) {
        let mut place = self.width + entrant;
        let mut head = head.unwrap_or(Head::NEVER);
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

    /// Records in the order of the merge, which skips it as a pass does: up to the second head the
    /// records of a ring that comes first twice in a row need none.
    fn merged(merge: &mut Merge, rings: &[Vec<u64>]) -> Vec<(u64, usize)> {
        merge.restart(rings.len());
        for (ring, records) in rings.iter().enumerate() {
            if let Some(ticks) = records.first() {
                merge.enter(ring, *ticks);
            }
        }
        let has_any = merge.play();
        assert_eq!(has_any, rings.iter().any(|records| !records.is_empty()));
        let mut next = vec![0; rings.len()];
        let mut merged = Vec::new();
        let mut limit: Option<(usize, Head)> = None;
        while let Some(entrant) = merge.first() {
            let ring = merge.ring(entrant);
            merged.push((rings[ring][next[ring]], ring));
            next[ring] += 1;
            while let Some(head) = rings[ring].get(next[ring]).map(|t| Head::new(entrant, *t)) {
                if !limit.is_some_and(|(of, limit)| of == entrant && head < limit) {
                    break;
                }
                merged.push((rings[ring][next[ring]], ring));
                next[ring] += 1;
            }
            let head = rings[ring].get(next[ring]).map(|ticks| Head::new(entrant, *ticks));
            merge.replace(entrant, head);
            limit = (merge.first() == Some(entrant)).then(|| (entrant, merge.second(entrant)));
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
            // Rings do not go, but they may have nothing.
            after.resize(before.len().max(after.len()), Vec::new());
            prop_assert_eq!(merged(&mut merge, &after), sorted(&after));
        }
    }

    #[test]
    fn damaged_ticks_come_last_and_do_come() {
        let mut merge = Merge::default();
        let rings = [vec![u64::MAX], vec![7, NEVER_TICKS], vec![i64::MIN as u64], vec![9]];
        let rings_in_order: Vec<_> =
            merged(&mut merge, &rings).into_iter().map(|(_, ring)| ring).collect();
        assert_eq!(rings_in_order, [1, 3, 0, 1, 2]);
    }

    #[test]
    fn what_an_abandoned_pass_left_does_not_come_back() {
        let mut merge = Merge::default();
        merge.restart(3);
        (0..3).for_each(|ring| merge.enter(ring, ring as u64));
        assert!(merge.play() && merge.first() == Some(0));
        merge.restart(3);
        assert!(!merge.play() && merge.first().is_none());
    }
}

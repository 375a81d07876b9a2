//! Which ring's record comes next: a binary heap of the rings' heads by ticks, ties by ring. Runs
//! on the collector; allocates only when there are more rings than before.

use std::cmp::Ordering;

/// A ring whose next record is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) ticks: u64,
    pub(super) ring: usize,
}

impl Head {
    /// Both in one number, which compares in two instructions and without a branch.
    #[inline(always)]
    fn key(self) -> u128 {
        u128::from(self.ticks) << 64 | self.ring as u128
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

    #[inline(always)]
    fn lt(&self, other: &Head) -> bool {
        self.key() < other.key()
    }

    #[inline(always)]
    fn gt(&self, other: &Head) -> bool {
        self.key() > other.key()
    }
}

/// The heads, the earliest on top.
#[derive(Debug, Default)]
pub(super) struct Merge {
    heap: Vec<Head>,
}

impl Merge {
    /// Empties the heap, which shall have room for `rings` heads.
    pub(super) fn restart(&mut self, rings: usize) {
        self.heap.clear();
        self.heap.reserve(rings);
    }

    /// Adds a ring's head.
    pub(super) fn push(&mut self, head: Head) {
        self.heap.push(head);
        let mut child = self.heap.len() - 1;
        while child > 0 {
            let parent = (child - 1) / 2;
            if self.heap[parent] <= self.heap[child] {
                break;
            }
            self.heap.swap(parent, child);
            child = parent;
        }
    }

    /// The earliest head.
    pub(super) fn first(&self) -> Option<Head> {
        self.heap.first().copied()
    }

    /// The earliest head but one: up to it, the first ring's records need no comparison.
    pub(super) fn second(&self) -> Option<Head> {
        match self.heap[..] {
            [_, left, right, ..] => Some(if right < left { right } else { left }),
            [_, only] => Some(only),
            _ => None,
        }
    }

    /// The first ring's next record has these ticks.
    pub(super) fn replace_first(&mut self, ticks: u64) {
        if let Some(first) = self.heap.first_mut() {
            first.ticks = ticks;
            self.sink();
        }
    }

    /// The first ring has no more records.
    pub(super) fn pop(&mut self) {
        if !self.heap.is_empty() {
            self.heap.swap_remove(0);
            self.sink();
        }
    }

    fn sink(&mut self) {
        let heap = &mut self.heap[..];
        let Some(&sinking) = heap.first() else { return };
        let mut hole = 0;
        loop {
            let left = 2 * hole + 1;
            let child = match heap.get(left..) {
                // Which of both is as good as random: no branch.
                Some([first, second, ..]) => left + usize::from(*second < *first),
                Some([_]) => left,
                _ => break,
            };
            let candidate = heap[child];
            if sinking < candidate {
                break;
            }
            heap[hole] = candidate;
            hole = child;
        }
        heap[hole] = sinking;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_equals_sorting(rings in proptest::collection::vec(
            proptest::collection::vec(0_u64..50, 0..20), 0..12,
        )) {
            let mut rings = rings;
            rings.iter_mut().for_each(|ring| ring.sort_unstable());
            let mut merge = Merge::default();
            merge.restart(rings.len());
            let mut next = vec![0; rings.len()];
            for (ring, records) in rings.iter().enumerate() {
                if let Some(&ticks) = records.first() {
                    merge.push(Head { ticks, ring });
                }
            }
            let mut merged = Vec::new();
            while let Some(head) = merge.first() {
                if let Some(second) = merge.second() {
                    prop_assert!(head <= second);
                }
                merged.push((head.ticks, head.ring));
                next[head.ring] += 1;
                match rings[head.ring].get(next[head.ring]) {
                    Some(&ticks) => merge.replace_first(ticks),
                    None => merge.pop(),
                }
            }
            let mut sorted: Vec<_> = rings
                .iter()
                .enumerate()
                .flat_map(|(ring, records)| records.iter().map(move |ticks| (*ticks, ring)))
                .collect();
            sorted.sort_unstable();
            prop_assert_eq!(merged, sorted);
        }
    }
}

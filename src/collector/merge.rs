//! Which ring's record comes next: a binary heap of the rings' heads by ticks, ties by ring. Runs
//! on the collector; allocates only when there are more rings than before.

/// A ring whose next record is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Head {
    pub(super) ticks: u64,
    pub(super) ring: usize,
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
        self.heap.get(1..self.heap.len().min(3))?.iter().min().copied()
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
        let mut parent = 0;
        loop {
            let left = 2 * parent + 1;
            if left >= self.heap.len() {
                return;
            }
            let right = left + 1;
            let is_right = right < self.heap.len() && self.heap[right] < self.heap[left];
            let child = if is_right { right } else { left };
            if self.heap[parent] <= self.heap[child] {
                return;
            }
            self.heap.swap(parent, child);
            parent = child;
        }
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

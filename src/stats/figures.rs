//! The counters at one moment, and the functions that show them. Made on the thread that asks.

use std::fmt;

use super::counters::dropped_at;
use super::{Counter, Dropped, Stats};

/// A copy of the counters' page. The words are read one after the other while threads go on.
#[derive(Clone)]
pub(crate) struct Figures {
    counts: [u64; Counter::COUNT],
    pub(crate) dropped: Dropped,
}

impl Figures {
    /// As the page has them, each word of which `word` gives.
    pub(crate) fn read(word: impl Fn(usize) -> u64) -> Figures {
        Figures {
            counts: std::array::from_fn(&word),
            dropped: Dropped::of(|reason, level| word(dropped_at(reason, level))),
        }
    }

    /// A counter's value.
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }

    /// Takes what is known better than the page has it.
    pub(crate) fn set(&mut self, counter: Counter, value: u64) {
        self.counts[counter as usize] = value;
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Stats::FIGURES.iter().map(|(name, counter)| (name, self.get(*counter)));
        f.debug_map().entries(named).entry(&"dropped", &self.dropped).finish()
    }
}

/// A function for each of these counters, of a type with the field `figures`, and a list of them.
macro_rules! figures {
    ($type:ident { $($(#[$doc:meta])+ $name:ident: $counter:ident;)* }) => {
        impl $type {
            /// The counters that are shown, by the names of their functions.
            #[allow(dead_code, reason = "of a report nobody asks for it")]
            pub(crate) const FIGURES: &'static [(&'static str, $crate::stats::Counter)] =
                &[$((stringify!($name), $crate::stats::Counter::$counter)),*];

            $($(#[$doc])+ pub fn $name(&self) -> u64 {
                self.figures.get($crate::stats::Counter::$counter)
            })*
        }
    };
}
pub(crate) use figures;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::level::Level;
    use crate::stats::{DropReason, Flow};

    #[test]
    fn each_function_shows_a_counter_of_its_own() {
        // Each word holds its place.
        let mut figures = Figures::read(|index| index as u64);
        figures.set(Counter::Late, 1_000);
        assert_eq!(figures.dropped.count(DropReason::Full, Level::TRACE), 64);
        let (flow, log_path, last_failure) = (Flow::of(&figures), None, None);
        let (crash_safe, arena_path) = (true, None);
        let stats =
            Stats { figures, submitted: 0, flow, crash_safe, log_path, arena_path, last_failure };
        assert_eq!((stats.own_records(), stats.late()), (Counter::OwnRecords as u64, 1_000));
        assert_eq!(stats.also_dropped(), Counter::SideDropped as u64);
        let values: BTreeSet<u64> = stats.figures().map(|(_, value)| value).collect();
        assert_eq!(values.len(), Stats::FIGURES.len());
        let text = format!("{stats:?}");
        assert!(
            stats.figures().all(|(name, value)| text.contains(&format!("\"{name}\": {value}")))
        );
    }
}

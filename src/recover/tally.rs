//! A tally in the words of a stage. Pure.

use super::lines::Tally;

impl Tally {
    /// How many words a stage has for it.
    pub(super) const WORDS: usize = 7;

    pub(super) fn to_words(self) -> [u64; Tally::WORDS] {
        let Tally { pid, records, lines, lines_bytes, untold_drops, unreadable, rest_bytes } = self;
        [pid, records, lines, lines_bytes, untold_drops, unreadable, rest_bytes]
    }

    pub(super) fn of_words(words: [u64; Tally::WORDS]) -> Tally {
        let [pid, records, lines, lines_bytes, untold_drops, unreadable, rest_bytes] = words;
        Tally { pid, records, lines, lines_bytes, untold_drops, unreadable, rest_bytes }
    }
}

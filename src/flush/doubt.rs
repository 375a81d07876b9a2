//! What failed syncs leave in doubt, and which barriers have to say so. Pure; asked and told
//! through [`Progress`], by keeper, publisher, and the owner's threads.
//!
//! Linux marks the pages clean that it could not write, so that a second `fdatasync` would succeed
//! and lie. There is none: what the first was to cover is in doubt for good. But a log that goes on
//! in a good file must be of use again, so each barrier answers for the records that no barrier has
//! answered for yet. It fails
//!
//! - while the file that refused is in use: whatever it holds is in doubt;
//! - if some of the records that it answers for lie in such a file, replaced or not.
//!
//! ```text
//!          refused           replaced
//! ------------|------ bad file --|--- good file ------------------> bytes of lines
//!             |<--- in doubt --->|
//!  barriers:      1 fails            2 fails: of what came     3 succeeds
//!                                    behind 1 some is in doubt
//! ```
//! A barrier that was asked for before another one failed fails as well: the records that it waits
//! for are the same.
//!
//! [`Progress`]: super::Progress

use super::SyncFailure;

/// When a barrier was asked for: up to where others had answered by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked(u64);

/// All positions in bytes of lines of the engine's life.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    last: Option<SyncFailure>,
    /// Where the file begins to be in doubt that refused and is in use.
    in_use: Option<u64>,
    /// The last of the replaced files that refused.
    start: u64,
    end: u64,
    /// Up to where barriers have failed.
    answered: u64,
    /// Bytes that are in doubt in replaced files.
    bytes: u64,
}

impl Doubt {
    /// A file refused that is in use, and is in doubt from `start` on.
    pub(super) fn refuse(&mut self, failure: SyncFailure, start: u64) {
        self.replace(start);
        self.in_use = Some(start);
        self.last = Some(failure);
    }

    /// A file refused that was replaced before. One that holds nothing of this engine's leaves
    /// nothing in doubt.
    pub(super) fn refuse_replaced(&mut self, failure: SyncFailure, start: u64, end: u64) {
        if start < end {
            self.add(start, end);
            self.last = Some(failure);
        }
    }

    /// From `end` on lines are in another file; of the one in use, if it began before.
    pub(super) fn replace(&mut self, end: u64) {
        if let Some(start) = self.in_use.filter(|start| *start < end) {
            self.in_use = None;
            self.add(start, end);
        }
    }

    fn add(&mut self, start: u64, end: u64) {
        self.bytes += end - start;
        if end > self.end {
            (self.start, self.end) = (start, end);
        }
    }

    /// A barrier is asked for.
    pub(super) fn ask(&self) -> Asked {
        Asked(self.answered)
    }

    /// Why the barrier fails that covers all bytes before `position`, if it does.
    pub(super) fn answer(&mut self, asked: Asked, position: u64) -> Option<SyncFailure> {
        if self.in_use.is_none() && self.end <= asked.0 {
            return None;
        }
        self.answered = self.answered.max(position);
        self.last.clone()
    }

    /// Of the bytes before `position`, how many are in doubt. Right from the start of the last
    /// replaced file on.
    pub(super) fn bytes_before(&self, position: u64) -> u64 {
        let behind = self.end.saturating_sub(position.max(self.start));
        self.bytes - behind + self.in_use.map_or(0, |start| position.saturating_sub(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::PathBuf;

    fn failure(path: &str) -> SyncFailure {
        SyncFailure { path: PathBuf::from(path), kind: io::ErrorKind::Other, text: path.into() }
    }

    /// A barrier that nobody else asks for at the same time.
    fn barrier(doubt: &mut Doubt, position: u64) -> Option<String> {
        let asked = doubt.ask();
        doubt.answer(asked, position).map(|failure| failure.text)
    }

    #[test]
    fn every_barrier_fails_while_the_file_is_in_use() {
        let mut doubt = Doubt::default();
        assert_eq!(barrier(&mut doubt, 10), None);
        doubt.refuse(failure("a"), 10);
        for position in [10, 20, 20, 90] {
            assert_eq!(barrier(&mut doubt, position).as_deref(), Some("a"));
        }
        assert_eq!(doubt.bytes_before(90), 80);
        // All that is in it was answered for, also where the next barrier is asked for before the
        // file is replaced.
        let asked = doubt.ask();
        doubt.replace(90);
        assert_eq!(doubt.answer(asked, 95), None);
        assert_eq!(barrier(&mut doubt, 95), None);
        assert_eq!(doubt.bytes_before(95), 80);
    }

    #[test]
    fn the_first_barrier_over_a_replaced_file_fails_and_the_next_does_not() {
        let mut doubt = Doubt::default();
        doubt.refuse_replaced(failure("a"), 10, 50);
        assert_eq!(barrier(&mut doubt, 60).as_deref(), Some("a"));
        assert_eq!(barrier(&mut doubt, 60), None);
        // One whose failure was told, and that was written on before it was replaced.
        doubt.refuse(failure("b"), 60);
        assert_eq!(barrier(&mut doubt, 70).as_deref(), Some("b"));
        doubt.replace(80);
        assert_eq!(barrier(&mut doubt, 90).as_deref(), Some("b"));
        assert_eq!(barrier(&mut doubt, 90), None);
        assert_eq!(doubt.bytes_before(90), 60);
        // A position that has not come up to the replaced file's end.
        assert_eq!((doubt.bytes_before(70), doubt.bytes_before(60)), (50, 40));
    }

    #[test]
    fn barriers_that_wait_at_the_same_time_fail_together() {
        let mut doubt = Doubt::default();
        let before = doubt.ask();
        doubt.refuse_replaced(failure("a"), 10, 50);
        let between = doubt.ask();
        assert!(doubt.answer(before, 60).is_some() && doubt.answer(between, 55).is_some());
        assert_eq!(barrier(&mut doubt, 60), None);
    }

    #[test]
    fn files_that_refuse_one_after_the_other_are_told_as_one() {
        let mut doubt = Doubt::default();
        doubt.refuse(failure("a"), 10);
        doubt.refuse(failure("b"), 30);
        // Late news of the first.
        doubt.replace(30);
        assert_eq!(barrier(&mut doubt, 35).as_deref(), Some("b"));
        assert_eq!(barrier(&mut doubt, 35).as_deref(), Some("b"), "it is in use");
        doubt.replace(35);
        assert_eq!((barrier(&mut doubt, 40), doubt.bytes_before(40)), (None, 25));
    }

    #[test]
    fn a_file_of_earlier_engines_leaves_nothing_in_doubt() {
        let mut doubt = Doubt::default();
        doubt.refuse_replaced(failure("a"), 0, 0);
        assert_eq!((barrier(&mut doubt, 10), doubt.bytes_before(10)), (None, 0));
    }
}

//! What must be true of a simulated engine's log, whatever has happened. Runs on the test's thread.

use std::collections::BTreeSet;

use super::disk::{State, is_of_log};
use super::engine::Life;
use super::lines::Lines;
use super::weather::Call;
use crate::stats::Counter;

/// What is known of the records.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// In the log, for a reader to see.
    published: BTreeSet<u64>,
    /// On the device, as a barrier has said.
    confirmed: BTreeSet<u64>,
}

impl Account {
    pub(super) fn published(&mut self, numbers: Vec<u64>) {
        self.published.extend(numbers);
    }

    pub(super) fn confirm(&mut self, numbers: impl Iterator<Item = u64>) {
        self.confirmed.extend(numbers);
    }

    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed.len() as u64
    }

    /// Where no power was lost: all that was published is there.
    pub(super) fn check(&mut self, state: &mut State) {
        let present = check_files(state);
        check_presence("published", &self.published, &present, state);
        self.published.extend(present);
    }

    /// All that was confirmed is there. Of the rest, nobody has promised anything.
    pub(super) fn check_after_power_cut(&mut self, state: &mut State) {
        let present = check_files(state);
        check_presence("confirmed", &self.confirmed, &present, state);
        self.published = present;
    }
}

fn check_presence(what: &str, wanted: &BTreeSet<u64>, present: &BTreeSet<u64>, state: &State) {
    let missing = wanted.difference(present).filter(|number| !state.taken_away.contains(number));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "{} {what} records are missing: {missing:?}", missing.len());
}

/// Lines are whole, each is there once, and in order; gives those that are there.
fn check_files(state: &mut State) -> BTreeSet<u64> {
    state.take_removed_away();
    let named = state.names.files().filter(|(path, _)| is_of_log(path));
    let mut files: Vec<usize> = named.map(|(_, file)| file).collect();
    files.sort_by_key(|file| (state.files[*file].first_append, *file));
    files.dedup();
    let mut present = BTreeSet::new();
    let mut last = 0;
    for file in files {
        let inode = &state.files[file];
        let lines = Lines::of(&inode.bytes);
        // The last one may be under way, or have been begun anew in another file.
        let torn_max = inode.torn_max + usize::from(!inode.ends_whole());
        assert!(lines.torn <= torn_max, "{} torn lines in file {file}", lines.torn);
        for number in lines.numbers {
            assert!(number > last, "{number} comes after {last} in file {file}");
            last = number;
            present.insert(number);
        }
    }
    present
}

/// The engine's own figures, after a drain: they balance, and no failure is silent.
pub(super) fn check_life(life: &Life, state: &State) {
    let counters = &life.shared.counters;
    let figures = counters.read();
    let written = figures.get(Counter::Written);
    assert_eq!(life.submitted, written + figures.dropped.total(), "the account is balanced");
    assert_eq!(written, life.written.records);
    assert_eq!(counters.get(Counter::PublishedBytes), life.written.bytes, "nothing is left");
    let failed = |call| state.failed.of(call);
    // That the last line of a file opened anew could not be ended is told alone.
    let told = counters.get(Counter::WriteFailures) + life.own;
    assert!(told >= failed(Call::Append), "each is counted, or told");
    assert_eq!(counters.get(Counter::SyncFailures), failed(Call::Sync), "each is counted");
    assert!(counters.get(Counter::KeeperFailures) >= failed(Call::SyncDir), "each is counted");
    let told = life.shared.progress.last_failure();
    let is_silent = failed(Call::Append) + failed(Call::Sync) + failed(Call::SyncDir) == 0;
    assert!(is_silent || told.is_some(), "a sentence says what failed");
    let refused = state.files.iter().filter(|file| file.refused_in == Some(state.life));
    let (mut count, mut unverified) = (0, 0);
    for file in refused {
        count += 1;
        // What retention or others have removed may as well be lost.
        unverified += if file.is_removed { 0 } else { file.unverified };
    }
    let in_doubt = life.shared.progress.in_doubt_bytes(life.written.bytes);
    // Of a line that was begun in one file and written in the next, the beginning counts once.
    let begun = count * super::lines::BYTES_MAX as u64;
    assert!(in_doubt + begun >= unverified, "{in_doubt} of {unverified} bytes are in doubt");
    assert!(count > 0 || in_doubt == 0, "nothing is in doubt without a reason");
}

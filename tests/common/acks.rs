//! What a child has told so far, in memory that it shares with its parent and that outlives it: a
//! killed child cannot be asked.

#![allow(unsafe_code)] // A mapping has no safe form.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

/// How many numbers there are.
const WORDS: usize = 1 << 13;

/// Numbers in a file, all 0 at first.
pub struct Acks(MmapRaw);

impl Acks {
    /// Makes the file, or opens what is there.
    pub fn open(path: &Path) -> Acks {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.expect("a file");
        file.set_len((WORDS * size_of::<u64>()) as u64).expect("room");
        Acks(MmapRaw::map_raw(&file).expect("a mapping"))
    }

    /// How many threads can have a number of their own.
    pub const fn workers_max() -> u64 {
        (WORDS - 1) as u64
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < WORDS);
        // SAFETY: the mapping is aligned to pages, as long as it says, and lives as long as this;
        // nobody cuts the file, and all access is atomic.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().cast::<u64>().add(index)) }
    }

    /// How far the child has come.
    pub fn stage(&self) -> u64 {
        // Pairs with the Release store in `set_stage`.
        self.word(0).load(Ordering::Acquire)
    }

    /// Says how far this process has come.
    pub fn set_stage(&self, stage: u64) {
        // Pairs with the Acquire load in `stage`.
        self.word(0).store(stage, Ordering::Release);
    }

    /// How many calls of a thread have returned.
    pub fn count(&self, worker: u64) -> u64 {
        // Pairs with the Release store in `set_count`.
        self.word(1 + worker as usize).load(Ordering::Acquire)
    }

    /// Says how many calls of a thread have returned.
    pub fn set_count(&self, worker: u64, count: u64) {
        // Pairs with the Acquire load in `count`.
        self.word(1 + worker as usize).store(count, Ordering::Release);
    }

    /// The counts of all threads that there may have been.
    pub fn counts(&self) -> Vec<u64> {
        (0..Acks::workers_max()).map(|worker| self.count(worker)).collect()
    }
}

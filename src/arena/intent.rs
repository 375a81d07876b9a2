//! Intents: which bytes the publisher is about to append where, so that after a crash the suffix
//! that is missing can be appended and nothing is appended twice. Written by the publisher.
//!
//! ```text
//! number | dev | inode | birth ns | offset | length | segment seq | from | to | done
//! ```
//! `done` is stored into the newest slot once the append is complete.

use super::layout::{INTENTS_AT, PAGE};
use super::two_slots::{TwoSlots, Words};
use super::{RegionWords, SharedRegion};
use crate::primitive::Ordering;

pub(super) const SLOT_WORDS: usize = PAGE / 2 / 8;
pub(super) const DONE: usize = 9;
const _: () = assert!(DONE < SLOT_WORDS);

/// One append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intent {
    /// The file's identity; zero for consoles.
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) birth_ns: u64,
    /// Where in the file.
    pub(crate) offset: u64,
    /// The segment it comes from, and which of its bytes of lines.
    pub(crate) segment: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// The two slots.
#[derive(Clone, Debug)]
pub(crate) struct Intents {
    words: RegionWords,
    slots: TwoSlots<RegionWords>,
    newest: u64,
}

impl Intents {
    pub(crate) fn new(region: SharedRegion) -> Intents {
        let words = RegionWords::new(region, INTENTS_AT);
        Intents { slots: TwoSlots::new(words.clone(), SLOT_WORDS), words, newest: 0 }
    }

    /// Announces an append.
    pub(crate) fn begin(&mut self, intent: Intent) {
        self.newest += 1;
        let length = intent.to - intent.from;
        let Intent { dev, ino, birth_ns, offset, segment, from, to } = intent;
        self.slots.write([dev, ino, birth_ns, offset, length, segment, from, to, 0]);
    }

    /// The announced append is complete.
    pub(crate) fn done(&mut self) {
        let slot = (self.newest % 2) as usize;
        // Pairs with whoever reads the file after a crash: stores become visible in order.
        self.words.word(slot * SLOT_WORDS + DONE).store(1, Ordering::Release);
    }
}

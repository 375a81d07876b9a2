//! Byte ranges as words. Pure.

use std::ops::Range;

use super::WORD_BYTES;

/// A byte range cut at word boundaries.
pub(super) struct Parts {
    at: usize,
    start: usize,
    end: usize,
}

pub(super) struct Part {
    /// Where the word begins in the region.
    pub(super) word: usize,
    /// Which of its bytes are meant.
    pub(super) within: Range<usize>,
    /// Bytes of the range before this part.
    pub(super) done: usize,
}

impl Parts {
    pub(super) fn new(offset: usize, len: usize) -> Parts {
        Parts { at: offset, start: offset, end: offset + len }
    }
}

impl Iterator for Parts {
    type Item = Part;

    #[inline]
    fn next(&mut self) -> Option<Part> {
        if self.at >= self.end {
            return None;
        }
        let word = self.at / WORD_BYTES * WORD_BYTES;
        let within = self.at - word..WORD_BYTES.min(self.end - word);
        let done = self.at - self.start;
        self.at = word + within.end;
        Some(Part { word, within, done })
    }
}

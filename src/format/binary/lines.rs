//! All lines of bytes that are there as a whole, and where reading goes on behind damage. Runs
//! where they are [read](super::read): total, like that.

use super::MAGIC;
#[cfg(any(test, feature = "bench-internals"))]
use super::{damage::DecodeError, read::Decoder};
#[cfg(any(test, feature = "bench-internals"))]
use crate::format::LineBuffer;

/// Where the next segment begins in `bytes`: its offset; none if none does.
pub(crate) fn find_begin(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(first) = bytes[at..].iter().position(|byte| *byte == MAGIC[0]) {
        if bytes[at + first..].starts_with(&MAGIC) {
            return Some(at + first);
        }
        at += first + 1;
    }
    None
}

/// The lines of bytes that are all there: of each record one, in order; of what is damaged an
/// error, behind which it goes on at the next block if that is known, else at the next segment.
#[cfg(any(test, feature = "bench-internals"))]
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    decoder: Decoder,
    bytes: &'a [u8],
    at: usize,
}

#[cfg(any(test, feature = "bench-internals"))]
impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Lines<'a> {
        Lines { decoder: Decoder::new(), bytes, at: 0 }
    }

    /// Appends the next record's line; none at the end.
    pub(crate) fn next(&mut self, out: &mut LineBuffer<'_>) -> Option<Result<(), DecodeError>> {
        while self.at < self.bytes.len() {
            let (start, bytes) = (self.at, &self.bytes[self.at..]);
            let outcome = match self.decoder.block(bytes) {
                Ok(block) => {
                    self.at += block.len;
                    let Some(record) = block.record else { continue };
                    self.decoder.line(bytes, &record, out)
                }
                Err(damage) => Err(damage),
            };
            let Err(damage) = outcome else { return Some(Ok(())) };
            if !damage.is_within_block() {
                self.skip(start);
            }
            return Some(Err(DecodeError { offset: start as u64, damage }));
        }
        None
    }

    /// Goes on with the next segment behind the byte `start`, where one was sought already.
    fn skip(&mut self, start: usize) {
        self.decoder.reset();
        let rest = &self.bytes[start + 1..];
        self.at = find_begin(rest).map_or(self.bytes.len(), |begin| start + 1 + begin);
    }
}

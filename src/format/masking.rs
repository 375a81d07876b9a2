//! Passwords in addresses that a record's values hold, masked in a copy of its envelope, before any
//! output has it. Runs on the collector, and on whoever recovers.

use std::ops::Range;

use super::credentials::{self, FILTER_STEP};
use crate::envelope::HEADER_GRANULES;
use crate::envelope::decode::Envelope;
use crate::envelope::flag;
use crate::value::ValueRef;

/// The header and the granule behind it, which holds tags, or the length of the bound fields: no
/// text begins before.
const TEXTS_AT: usize = (HEADER_GRANULES + 1) * 8;
const _: () = assert!(TEXTS_AT % FILTER_STEP == 0);

/// Where a record's texts stand; kept for its memory.
#[derive(Debug, Default)]
pub(crate) struct Masking {
    texts: Vec<Range<usize>>,
}

impl Masking {
    /// Masks passwords in the copy of an envelope, of so many bytes; what stands behind them is of
    /// an earlier one, and an address there is nobody's.
    #[inline(always)]
    pub(crate) fn mask_copy(&mut self, copy: &mut [u8], len: usize) {
        let end = len.next_multiple_of(FILTER_STEP);
        if copy.get(TEXTS_AT..end).is_some_and(credentials::may_have_address) {
            self.mask(&mut copy[..len]);
        }
    }

    /// Masks what is to be masked of an envelope. One that is malformed stays as it is: nobody
    /// writes it.
    #[cold]
    #[inline(never)]
    fn mask(&mut self, bytes: &mut [u8]) {
        self.texts.clear();
        let Ok(envelope) = Envelope::parse(bytes) else { return };
        let start = bytes.as_ptr() as usize;
        if let Ok(bound) = envelope.fields(|value| self.note(start, value)) {
            bound.iter().for_each(|(_, value)| self.note(start, value));
        }
        let is_cut = envelope.meta.flags & flag::TRUNCATED != 0;
        for text in self.texts.drain(..) {
            credentials::mask(&mut bytes[text], is_cut);
        }
    }

    /// Notes where the value has text, in an envelope that starts at this address.
    fn note(&mut self, start: usize, value: ValueRef<'_>) {
        match value {
            ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::Bytes(text) => {
                let at = text.as_ptr() as usize - start;
                self.texts.push(at..at + text.len());
            }
            ValueRef::List(list) => list.iter().for_each(|element| self.note(start, element)),
            _ => {}
        }
    }
}

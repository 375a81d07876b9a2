//! Values drawn from the bytes of a fuzzer, one behind the other; zeros and empty texts once they
//! are used up.
#![allow(dead_code, reason = "each target uses some of it")]

pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.word(1) as u8
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub fn u64(&mut self) -> u64 {
        self.word(8)
    }

    pub fn u32(&mut self) -> u32 {
        self.word(4) as u32
    }

    /// Bytes, at most 255 of them.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    /// The longest part of such bytes that is a text.
    pub fn text(&mut self) -> &'a str {
        let bytes = self.bytes();
        let len = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        std::str::from_utf8(&bytes[..len]).expect("as far as it is valid")
    }

    fn word(&mut self, len: usize) -> u64 {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

//! A callsite's entry: what the dictionary of an arena, or a binary log, says of a callsite.
//! Written by the caller's cold path and the collector, read after a crash and by the command line.
//!
//! ```text
//! | bytes u32 | id u32 | line u32 | level u8 | names u8 | 0 0 |
//! | lengths u16: target, template, file, then each name | the texts in that order, unpadded |
//! ```

use crate::level::Level;

/// The entry before its lengths.
const FIXED_BYTES: usize = 16;

/// What a callsite says of itself, borrowed from the program or from an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site<'a> {
    pub(crate) id: u32,
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) template: &'a str,
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) names: &'a [&'a str],
}

impl Site<'_> {
    fn texts(&self) -> impl Iterator<Item = &str> {
        [self.target, self.template, self.file].into_iter().chain(self.names.iter().copied())
    }

    /// Bytes of the entry.
    pub(crate) fn entry_bytes(&self) -> usize {
        FIXED_BYTES + self.texts().map(|text| 2 + text.len()).sum::<usize>()
    }

    /// Hands the entry to `put`, piece by piece. The compile-time limit on static text keeps each
    /// length within a u16.
    pub(crate) fn for_each_part(&self, mut put: impl FnMut(&[u8])) {
        put(&(self.entry_bytes() as u32).to_le_bytes());
        put(&self.id.to_le_bytes());
        put(&self.line.to_le_bytes());
        put(&[self.level as u8, self.names.len() as u8, 0, 0]);
        self.texts().for_each(|text| put(&(text.len() as u16).to_le_bytes()));
        self.texts().for_each(|text| put(text.as_bytes()));
    }

    /// The entry.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entry_bytes());
        self.for_each_part(|part| bytes.extend_from_slice(part));
        bytes
    }
}

/// An entry read from an arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteRef<'a> {
    bytes: &'a [u8],
}

impl<'a> SiteRef<'a> {
    /// Checks an entry at the start of `bytes`: its lengths add up and its texts are UTF-8.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<SiteRef<'a>> {
        let len = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
        let entry = SiteRef { bytes: bytes.get(..len)? };
        let fixed = entry.bytes.get(..FIXED_BYTES)?;
        Level::from_index(fixed[12])?;
        let texts = 3 + usize::from(fixed[13]);
        let mut end = FIXED_BYTES + 2 * texts;
        for index in 0..texts {
            let text = entry.bytes.get(end..end + entry.text_len(index)?)?;
            std::str::from_utf8(text).ok()?;
            end += text.len();
        }
        (end == len).then_some(entry)
    }

    /// The entry.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of the entry.
    pub(crate) fn len(self) -> usize {
        self.bytes.len()
    }

    /// The callsite's id.
    pub(crate) fn id(self) -> u32 {
        u32::from_le_bytes([self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]])
    }

    fn text_len(self, index: usize) -> Option<usize> {
        let at = FIXED_BYTES + 2 * index;
        Some(u16::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<2>()?).into())
    }

    /// All texts: target, template, file, names. `parse` has checked every range.
    fn texts(self) -> impl Iterator<Item = &'a str> {
        let texts = 3 + usize::from(self.bytes[13]);
        let mut at = FIXED_BYTES + 2 * texts;
        (0..texts).map_while(move |index| {
            let text = self.bytes.get(at..at + self.text_len(index)?)?;
            at += text.len();
            std::str::from_utf8(text).ok()
        })
    }

    /// Hands the decoded entry to `read`.
    pub(crate) fn with<R>(self, read: impl FnOnce(&Site<'_>) -> R) -> R {
        let texts: Vec<&str> = self.texts().collect();
        let line =
            u32::from_le_bytes([self.bytes[8], self.bytes[9], self.bytes[10], self.bytes[11]]);
        read(&Site {
            id: self.id(),
            level: Level::from_index(self.bytes[12]).unwrap_or(Level::Info),
            target: texts[0],
            template: texts[1],
            file: texts[2],
            line,
            names: &texts[3..],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_reads_back(
            target in any::<String>(),
            template in any::<String>(),
            names in proptest::collection::vec(any::<String>(), 0..9),
            (id, line, level) in (any::<u32>(), any::<u32>(), 0_u8..6),
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let level = Level::from_index(level).expect("below six");
            let site = Site {
                id, level, target: &target, template: &template, file: "src/a.rs", line,
                names: &names,
            };
            let bytes = site.to_bytes();
            let entry = SiteRef::parse(&bytes).expect("what was written");
            entry.with(|read| assert_eq!(*read, site));
            for len in 0..bytes.len() {
                prop_assert!(SiteRef::parse(&bytes[..len]).is_none());
            }
        }

        #[test]
        fn parsing_is_total(mut bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            if let Some(entry) = SiteRef::parse(&bytes) {
                entry.with(|site| assert!(site.names.len() < 256));
            }
            if bytes.len() > 4 {
                let len = bytes.len() as u32;
                bytes[..4].copy_from_slice(&len.to_le_bytes());
                if let Some(entry) = SiteRef::parse(&bytes) {
                    entry.with(|site| assert!(site.names.len() < 256));
                }
            }
        }
    }
}

//! The dictionary of callsites: what another process needs to read the rings. Written on the
//! caller's cold path, under a lock of its own; an entry is committed before the first record that
//! uses it.
//!
//! ```text
//! | used u64 | entry | entry | ...   each padded to 8 bytes; `used` counts committed bytes
//! ```

use super::SharedRegion;
use super::layout::{DICTIONARY_AT, DICTIONARY_BYTES};
use crate::primitive::{AtomicU64, Ordering};

const ENTRIES_AT: usize = DICTIONARY_AT + 8;
const ENTRIES_BYTES: usize = DICTIONARY_BYTES - 8;

/// Appends entries until its room is used up.
#[derive(Debug)]
pub(crate) struct Dictionary {
    region: SharedRegion,
    /// Bytes committed: what stands in the file may be somebody else's by now.
    used: AtomicU64,
}

impl Dictionary {
    pub(crate) fn new(region: SharedRegion) -> Dictionary {
        Dictionary { region, used: AtomicU64::new(0) }
    }

    /// Commits an entry; false when there is no room. One thread at a time.
    pub(crate) fn append(&self, entry: &[u8]) -> bool {
        let used = self.used.load(Ordering::Relaxed) as usize;
        let padded = entry.len().next_multiple_of(8);
        if padded > ENTRIES_BYTES - used {
            return false;
        }
        self.region.write_bytes(ENTRIES_AT + used, entry);
        // Release, so that a reader of the file never counts bytes that are not there.
        self.region.word(DICTIONARY_AT).store((used + padded) as u64, Ordering::Release);
        self.used.store((used + padded) as u64, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::layout::RINGS_AT;
    use crate::sys::mmap::Region;
    use std::sync::Arc;

    #[test]
    fn entries_are_appended_until_the_room_ends() {
        let region = Arc::new(Region::anonymous(RINGS_AT + 4096).expect("anonymous memory"));
        region.word(RINGS_AT).store(0xdead, Ordering::Relaxed);
        let dictionary = Dictionary::new(Arc::clone(&region));
        let entry = [7; 1001];
        let mut count = 0;
        while dictionary.append(&entry) {
            count += 1;
        }
        assert_eq!(count, ENTRIES_BYTES / 1008);
        assert!(dictionary.append(&[1; 8]));
        assert_eq!(region.word(RINGS_AT).load(Ordering::Relaxed), 0xdead);
        let mut first = [0; 1001];
        region.read_bytes(ENTRIES_AT, &mut first);
        assert_eq!(first, entry);
    }
}

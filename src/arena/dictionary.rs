//! The dictionary of callsites: what another process needs to read the rings. Written on the
//! caller's cold path, under a lock of its own; an entry is committed before the first record that
//! uses it.
//!
//! ```text
//! | used u64 | used in the side file u64 | entry | entry | ...   each padded to 8 bytes
//! ```
//! What has no room goes into a file beside the arena, `<stem>.sites`, made when it is needed:
//!
//! ```text
//! | magic u64 | arena id u64 | entry | entry | ...
//! ```
//! Both counts stand in the arena and are of committed bytes: behind them lies anything.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use super::SharedRegion;
use super::layout::{DICTIONARY_AT, DICTIONARY_BYTES};
use crate::primitive::Ordering;
use crate::sys::io::Io;

/// Bytes before the entries, in the arena and in the side file.
pub(super) const HEAD_BYTES: usize = 16;

/// Where in the arena the bytes of entries in the side file are counted.
pub(super) const SIDE_USED_AT: usize = DICTIONARY_AT + 8;

pub(super) const ENTRIES_AT: usize = DICTIONARY_AT + HEAD_BYTES;
pub(super) const ENTRIES_BYTES: usize = DICTIONARY_BYTES - HEAD_BYTES;

/// `FASTLOGS` in reading order.
pub(super) const SIDE_MAGIC: u64 = u64::from_le_bytes(*b"FASTLOGS");

/// Entries that the side file holds, in bytes: some 400,000 of the usual 150.
pub(super) const SIDE_BYTES_MAX: usize = 64 << 20;

/// Where entries go for which the arena has no room.
#[derive(Debug)]
pub(super) struct SideFile {
    pub(super) io: Arc<dyn Io>,
    pub(super) path: PathBuf,
    pub(super) arena_id: u64,
}

/// Appends entries.
#[derive(Debug)]
pub(super) struct Dictionary {
    region: SharedRegion,
    /// None where the arena is in no file.
    side: Option<SideFile>,
    /// Bytes committed: what stands in the files may be somebody else's by now.
    used: usize,
    side_used: usize,
}

impl Dictionary {
    pub(super) fn new(region: SharedRegion, side: Option<SideFile>) -> Dictionary {
        Dictionary { region, side, used: 0, side_used: 0 }
    }

    /// Commits an entry. In memory of the process nothing is kept that has no room.
    ///
    /// # Errors
    /// The system's, and `StorageFull` when both are full: whoever reads the files will not find
    /// it.
    pub(super) fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        let padded = entry.len().next_multiple_of(8);
        if padded > ENTRIES_BYTES - self.used {
            return self.append_beside(entry, padded);
        }
        self.region.write_bytes(ENTRIES_AT + self.used, entry);
        self.used += padded;
        // Release, so that a reader of the file never counts bytes that are not there.
        self.region.word(DICTIONARY_AT).store(self.used as u64, Ordering::Release);
        Ok(())
    }

    fn append_beside(&mut self, entry: &[u8], padded: usize) -> io::Result<()> {
        let Some(side) = &self.side else { return Ok(()) };
        if padded > SIDE_BYTES_MAX - self.side_used {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Opened for each: a host may close descriptors that it does not know.
        let file = side.io.open_private(&side.path)?;
        if self.side_used == 0 {
            let head = [SIDE_MAGIC, side.arena_id].map(u64::to_le_bytes);
            write_all(&*side.io, &file, head.as_flattened(), 0)?;
        }
        let mut bytes = entry.to_vec();
        bytes.resize(padded, 0);
        write_all(&*side.io, &file, &bytes, (HEAD_BYTES + self.side_used) as u64)?;
        self.side_used += padded;
        // Pairs with whoever reads the file, as above.
        self.region.word(SIDE_USED_AT).store(self.side_used as u64, Ordering::Release);
        Ok(())
    }
}

fn write_all(io: &dyn Io, file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = io.pwrite(file.as_fd(), bytes, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (bytes, offset) = (&bytes[count..], offset + count as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::layout::RINGS_AT;
    use crate::sys::io::OsIo;
    use crate::sys::mmap::Region;

    #[test]
    fn entries_are_appended_until_the_room_ends_and_then_beside() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app.1-0.sites");
        let region = Arc::new(Region::anonymous(RINGS_AT + 4096).expect("anonymous memory"));
        region.word(RINGS_AT).store(0xdead, Ordering::Relaxed);
        let side = SideFile { io: Arc::new(OsIo), path: path.clone(), arena_id: 7 };
        let mut dictionary = Dictionary::new(Arc::clone(&region), Some(side));
        let fitting = ENTRIES_BYTES / 1008;
        for _ in 0..fitting {
            dictionary.append(&[7; 1001]).expect("there is room");
        }
        assert!(!path.exists());
        for _ in 0..2 {
            dictionary.append(&[9; 1001]).expect("there is room beside");
        }
        dictionary.append(&[1; 8]).expect("a small one has room in the arena");
        let word = |at| region.word(at).load(Ordering::Relaxed);
        assert_eq!(word(RINGS_AT), 0xdead);
        assert_eq!(word(DICTIONARY_AT), (fitting * 1008 + 8) as u64);
        assert_eq!(word(SIDE_USED_AT), 2 * 1008);
        let beside = std::fs::read(path).expect("the side file");
        assert_eq!(beside.len(), HEAD_BYTES + 2 * 1008);
        assert_eq!(beside[..8], SIDE_MAGIC.to_le_bytes());
        assert_eq!(beside[HEAD_BYTES..][..1001], [9; 1001]);
        let mut first = [0; 1001];
        region.read_bytes(ENTRIES_AT, &mut first);
        assert_eq!(first, [7; 1001]);
    }
}

//! A file of the simulated disk: its bytes, those of them that are on the device, and what a power
//! cut leaves of the others.

use std::fs::File;
use std::ops::Range;
use std::time::SystemTime;

use super::random::Random;
use crate::sys::io::{FileKind, FileStatus};

const PAGE: usize = 4096;

/// A change that may not be on the device.
#[derive(Clone, Debug)]
enum Change {
    Append(Vec<u8>),
    Cut(usize),
}

/// A file.
#[derive(Debug)]
pub(super) struct Inode {
    /// A real file, empty for ever: descriptors lead to it, and it is whose number the engine sees.
    token: File,
    status: FileStatus,
    pub(super) bytes: Vec<u8>,
    safe: Vec<u8>,
    /// From what is safe to what is now.
    changes: Vec<Change>,
    /// What a failed sync has left in doubt, whatever later ones say.
    doubtful: Vec<Range<usize>>,
    /// The life of the engine whose sync has failed.
    pub(super) refused_in: Option<u64>,
    /// Bytes that this life of the engine has appended since the last good sync.
    pub(super) unverified: u64,
    /// When the first line came, among those of all files.
    pub(super) first_append: Option<u64>,
    /// Lines that may be torn: by a power cut, a kill, or whoever cut the file.
    pub(super) torn_max: usize,
    /// Somebody wanted it gone: retention, or others.
    pub(super) is_removed: bool,
}

impl Inode {
    pub(super) fn new(token: File, status: FileStatus, now: SystemTime) -> Inode {
        Inode {
            token,
            status: FileStatus { modified: now, len: 0, disk_bytes: 0, ..status },
            bytes: Vec::new(),
            safe: Vec::new(),
            changes: Vec::new(),
            doubtful: Vec::new(),
            refused_in: None,
            unverified: 0,
            first_append: None,
            torn_max: 0,
            is_removed: false,
        }
    }

    pub(super) fn open(&self) -> std::io::Result<File> {
        self.token.try_clone()
    }

    pub(super) fn status(&self, links: u64) -> FileStatus {
        let len = self.bytes.len() as u64;
        let disk_bytes = self.status.disk_bytes.max(len);
        FileStatus { len, disk_bytes, links, kind: FileKind::Regular, mode: 0o640, ..self.status }
    }

    pub(super) fn append(&mut self, bytes: &[u8], now: SystemTime) {
        // The page is written whole, with what stood in it before.
        let page = self.bytes.len() / PAGE * PAGE;
        self.doubtful.iter_mut().for_each(|range| range.end = range.end.min(page));
        self.doubtful.retain(|range| !range.is_empty());
        self.bytes.extend_from_slice(bytes);
        self.changes.push(Change::Append(bytes.to_vec()));
        self.status.modified = now;
    }

    pub(super) fn cut(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.doubtful.retain(|range| range.end <= len);
        self.changes.push(Change::Cut(len));
    }

    pub(super) fn reserve(&mut self, end: u64) {
        self.status.disk_bytes = self.status.disk_bytes.max(end);
    }

    pub(super) fn free_behind_end(&mut self) {
        self.status.disk_bytes = 0;
    }

    /// All is on the device.
    pub(super) fn sync(&mut self) {
        self.safe.clone_from(&self.bytes);
        self.changes.clear();
        self.unverified = 0;
    }

    /// A sync has failed in this life of the engine: the system forgets which bytes it was about.
    pub(super) fn refuse(&mut self, life: u64) {
        self.refused_in = Some(life);
        self.doubtful.push(self.safe.len().min(self.bytes.len())..self.bytes.len());
    }

    /// Whether the last line is whole.
    pub(super) fn ends_whole(&self) -> bool {
        self.bytes.last().is_none_or(|byte| *byte == b'\n')
    }

    /// The engine's process ends, and what it knew.
    pub(super) fn end_life(&mut self) {
        self.refused_in = None;
        self.unverified = 0;
        self.torn_max += usize::from(!self.ends_whole());
    }

    /// The power goes: of the changes some were on the device, of the last perhaps a part.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let mut left = random.within(0..self.changes.len() as u64 + 1) as usize;
        let mut bytes = std::mem::take(&mut self.safe);
        for change in self.changes.drain(..) {
            let is_whole = left > 0;
            match change {
                Change::Append(more) if is_whole => bytes.extend_from_slice(&more),
                Change::Append(more) => {
                    let part = random.within(0..more.len() as u64 + 1) as usize;
                    bytes.extend_from_slice(&more[..part]);
                    // Where the length reaches the device before the bytes.
                    if random.permille(100) {
                        bytes.resize(bytes.len() + more.len() - part, 0);
                    }
                }
                Change::Cut(len) if is_whole => bytes.truncate(len),
                Change::Cut(_) => {}
            }
            if !is_whole {
                break;
            }
            left -= 1;
        }
        for range in self.doubtful.drain(..) {
            let range = range.start.min(bytes.len())..range.end.min(bytes.len());
            if random.permille(500) && !range.is_empty() {
                self.torn_max += range.len();
                bytes[range].fill(0);
            }
        }
        self.bytes.clone_from(&bytes);
        self.safe = bytes;
        self.end_life();
    }
}

//! Pictures of all files of an engine, one behind each of its steps, and each of them put back as
//! it was: with the same names, the same bytes and, for the log, the same inodes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::sys::io::{Io, OsIo, Reserve};

const PAGE: usize = 4096;

/// Threads whose calls are counted.
pub(super) const THREADS: usize = 2;

/// Which calls each thread has begun, and which have returned.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) begun: [AtomicU64; THREADS],
    pub(super) returned: [AtomicU64; THREADS],
}

fn load(counts: &[AtomicU64; THREADS]) -> [u64; THREADS] {
    [0, 1].map(|thread| counts[thread].load(Ordering::Relaxed))
}

/// A file that only grows: its first bytes are those that it ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grown {
    inode: u64,
    len: u64,
}

/// Pages that are other than in the picture before, of a file that is written everywhere.
#[derive(Debug)]
struct Changed {
    len: usize,
    pages: Vec<(usize, Box<[u8]>)>,
}

/// All files at one instant.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) begun: [u64; THREADS],
    pub(super) returned: [u64; THREADS],
    grown: BTreeMap<PathBuf, Grown>,
    changed: BTreeMap<PathBuf, Changed>,
}

/// Takes pictures of a directory.
#[derive(Debug)]
pub(super) struct Camera {
    root: PathBuf,
    /// Holds an inode of each file that was ever seen.
    vault: PathBuf,
    calls: Arc<Calls>,
    pub(super) pictures: Vec<Picture>,
    grown: BTreeMap<PathBuf, Grown>,
    /// Those of the arena, as they were last.
    mapped: BTreeMap<PathBuf, Vec<u8>>,
}

impl Camera {
    pub(super) fn new(root: &Path, vault: &Path, calls: Arc<Calls>) -> Camera {
        let (root, vault) = (root.to_owned(), vault.to_owned());
        let (grown, mapped) = (BTreeMap::new(), BTreeMap::new());
        Camera { root, vault, calls, pictures: Vec::new(), grown, mapped }
    }

    /// One more picture, unless nothing has changed since the last.
    pub(super) fn shoot(&mut self) {
        let (mut grown, mut changed) = (BTreeMap::new(), BTreeMap::new());
        let mut is_same = true;
        for path in files(&self.root) {
            if !is_mapped(&path) {
                grown.insert(path.clone(), self.keep(&path));
                continue;
            }
            let mut bytes = Vec::new();
            File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).expect("read");
            let before = self.mapped.entry(path.clone()).or_default();
            let pages = pages(before, &bytes);
            is_same &= pages.is_empty() && before.len() == bytes.len();
            changed.insert(path, Changed { len: bytes.len(), pages });
            *before = bytes;
        }
        is_same &= self.mapped.len() == changed.len() && self.grown == grown;
        self.mapped.retain(|path, _| changed.contains_key(path));
        self.grown.clone_from(&grown);
        let (begun, returned) = (load(&self.calls.begun), load(&self.calls.returned));
        match self.pictures.last_mut().filter(|_| is_same) {
            // More has returned since, and nothing else happened.
            Some(last) => (last.begun, last.returned) = (begun, returned),
            None => self.pictures.push(Picture { begun, returned, grown, changed }),
        }
    }

    fn keep(&self, path: &Path) -> Grown {
        let metadata = fs::symlink_metadata(path).expect("it is there");
        let kept = self.vault.join(metadata.ino().to_string());
        if !kept.exists() {
            fs::hard_link(path, kept).expect("a link");
        }
        Grown { inode: metadata.ino(), len: metadata.len() }
    }
}

/// Only an arena's files are written elsewhere than at their end.
fn is_mapped(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["arena", "segments", "sites"].iter().any(|e| *e == end))
}

/// All files below a directory.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn pages(before: &[u8], now: &[u8]) -> Vec<(usize, Box<[u8]>)> {
    let page_of =
        |bytes: &[u8], at: usize| bytes.get(at..).map(|rest| rest[..rest.len().min(PAGE)].to_vec());
    let differs = |at: &usize| {
        page_of(before, *at).is_none_or(|page| page != now[*at..now.len().min(at + PAGE)])
    };
    let changed = (0..now.len()).step_by(PAGE).filter(differs);
    changed.map(|at| (at, now[at..now.len().min(at + PAGE)].into())).collect()
}

/// Puts pictures back, one after the other.
pub(super) struct Projector<'a> {
    root: &'a Path,
    vault: &'a Path,
    /// What each file of the log ended with.
    contents: BTreeMap<u64, Vec<u8>>,
    mapped: BTreeMap<PathBuf, Vec<u8>>,
}

impl<'a> Projector<'a> {
    pub(super) fn new(root: &'a Path, vault: &'a Path) -> Projector<'a> {
        let contents = files(vault).into_iter().map(|path| {
            let inode = fs::metadata(&path).expect("it is there").ino();
            (inode, fs::read(path).expect("read"))
        });
        Projector { root, vault, contents: contents.collect(), mapped: BTreeMap::new() }
    }

    /// Moves on to the next picture.
    pub(super) fn advance(&mut self, picture: &Picture) {
        self.mapped.retain(|path, _| picture.changed.contains_key(path));
        for (path, changed) in &picture.changed {
            let bytes = self.mapped.entry(path.clone()).or_default();
            bytes.resize(changed.len, 0);
            for (at, page) in &changed.pages {
                bytes[*at..at + page.len()].copy_from_slice(page);
            }
        }
    }

    /// Puts the picture back, to which it moved on last.
    pub(super) fn show(&self, picture: &Picture) {
        for path in files(self.root) {
            fs::remove_file(path).expect("removed");
        }
        for (path, bytes) in &self.mapped {
            let mut file = File::create_new(path).expect("a file");
            file.write_all(bytes).expect("written");
        }
        for (path, grown) in &picture.grown {
            let kept = self.vault.join(grown.inode.to_string());
            fs::write(&kept, &self.contents[&grown.inode][..grown.len as usize]).expect("written");
            fs::hard_link(kept, path).expect("a link");
        }
    }
}

/// Takes a picture behind each change of a file, and one within each write.
#[derive(Debug)]
pub(super) struct Filming {
    pub(super) camera: Arc<Mutex<Camera>>,
    pub(super) is_on: Arc<AtomicBool>,
}

impl Filming {
    pub(super) fn shoot(&self) {
        if self.is_on.load(Ordering::Relaxed) {
            self.camera.lock().expect("no panic").shoot();
        }
    }

    fn seen<T>(&self, done: io::Result<T>) -> io::Result<T> {
        self.shoot();
        done
    }
}

impl Io for Filming {
    fn open_log(&self, path: &Path) -> io::Result<File> {
        self.seen(OsIo.open_log(path))
    }
    fn open_fresh(&self, path: &Path) -> io::Result<File> {
        self.seen(OsIo.open_fresh(path))
    }
    fn create_log(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.seen(OsIo.create_log(path, mode))
    }
    fn create_private(&self, path: &Path) -> io::Result<File> {
        self.seen(OsIo.create_private(path))
    }
    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let half = bytes.len() / 2;
        let mut done = 0;
        while done < half {
            done += OsIo.pwrite(fd, &bytes[done..half], offset + done as u64)?;
        }
        self.shoot();
        self.seen(OsIo.pwrite(fd, &bytes[half..], offset + half as u64)).map(|rest| half + rest)
    }
    fn fallocate(&self, fd: BorrowedFd<'_>, reserve: Reserve, at: u64, len: u64) -> io::Result<()> {
        self.seen(OsIo.fallocate(fd, reserve, at, len))
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.seen(OsIo.link(from, to))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.seen(OsIo.rename(from, to))
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.seen(OsIo.rename_new(from, to))
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.seen(OsIo.unlink(path))
    }
}

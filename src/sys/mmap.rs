//! Shared memory: a mapped file, or anonymous memory where there is none. Mapped and populated on
//! the owner's and the keeper's threads, used from all.
//!
//! No access makes a reference to plain bytes: the same memory is written by other threads and,
//! for files, perhaps by other processes. Every function here goes through `&AtomicU64`, so that
//! racing calls mix values but are no undefined behaviour; whoever uses [`Region::as_ptr`] keeps
//! to a protocol of its own.
#![allow(unsafe_code)]

mod backing;
mod parts;
mod watch;

use std::io;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};

use super::mapped_file::MappedFile;
use super::memory_lock::Locked;
use super::process::page_bytes;
use crate::primitive::{AtomicU64, Ordering};
use backing::Backing;
pub(crate) use backing::WITNESS_BYTES;
use parts::Parts;
pub(crate) use watch::Watch;

const WORD_BYTES: usize = size_of::<u64>();

/// Mapped memory, readable and writable, unmapped when dropped. Begins on a page boundary.
#[derive(Debug)]
pub(crate) struct Region {
    map: MmapRaw,
    /// Of a file's region.
    backing: Option<Backing>,
    locked: Locked,
}

impl Region {
    /// `len` zero bytes that only this process sees (a forked child has a copy of its own).
    ///
    /// # Errors
    /// `InvalidInput` when `len` is 0, else the system's.
    pub(crate) fn anonymous(len: usize) -> io::Result<Region> {
        not_empty(len)?;
        let map = MmapOptions::new().len(len).map_anon()?.into();
        Ok(Region { map, backing: None, locked: Locked::default() })
    }

    /// `len` bytes of `file` from `offset`, shared with whoever else maps or reads it.
    ///
    /// # Errors
    /// `InvalidInput` when `len` is 0, when `offset` is no multiple of the page size, and when
    /// the file ends earlier (to touch such a page would kill the process); else the system's.
    pub(crate) fn of_file(mapped: &Arc<MappedFile>, offset: u64, len: usize) -> io::Result<Region> {
        not_empty(len)?;
        let file = mapped.open()?;
        if offset % page_bytes() as u64 != 0 {
            return Err(invalid(format!(
                "cannot map a file from byte {offset}: map it from a multiple of {} bytes",
                page_bytes()
            )));
        }
        let end = offset.checked_add(len as u64);
        let file_len = file.metadata()?.len();
        if end.is_none_or(|end| end > file_len) {
            return Err(invalid(format!(
                "cannot map {len} bytes from byte {offset} of a file of {file_len} bytes: \
                 extend the file first"
            )));
        }
        let map = MmapOptions::new().offset(offset).len(len).map_raw(file)?;
        let backing = Backing::new(mapped, (map.as_mut_ptr() as usize, len), offset);
        Ok(Region { map, backing: Some(backing), locked: Locked::default() })
    }

    /// Bytes in the region.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The first byte. Valid for `len()` bytes while the region lives.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Makes the pages of `len` bytes from `offset` present and writable, so that no later access
    /// waits for them. Keeps what they hold.
    ///
    /// # Errors
    /// `EFAULT` when the file system has no room, fails, or the file ends earlier. A kernel before
    /// 5.14 cannot say so: there the pages are touched, and a hole that cannot be filled, or a file
    /// cut meanwhile, is a `SIGBUS`; allocate the file's blocks before.
    ///
    /// # Panics
    /// When the range is not inside the region.
    pub(crate) fn populate(&self, offset: usize, len: usize) -> io::Result<()> {
        self.check(offset, len);
        if len == 0 {
            return Ok(());
        }
        if !self.advise_populate(offset, len)? {
            self.touch(offset, len);
        }
        Ok(())
    }

    /// False where the kernel does not know how.
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    fn advise_populate(&self, offset: usize, len: usize) -> io::Result<bool> {
        use super::refused;
        use rustix::io::Errno;
        loop {
            let advice = memmap2::Advice::PopulateWrite;
            let Err(error) = self.map.advise_range(advice, offset, len) else { return Ok(true) };
            match Errno::from_io_error(&error) {
                Some(Errno::INTR) => {}
                Some(errno) if refused::is_unknown(errno) => return Ok(false),
                _ => return Err(error),
            }
        }
    }

    #[cfg(not(all(target_os = "linux", not(fastlog_portable))))]
    fn advise_populate(&self, _: usize, _: usize) -> io::Result<bool> {
        Ok(false)
    }

    /// Gives the memory of the whole region back to the system, and of a file's region the blocks;
    /// it reads as zeros then. To be written again, a file's region needs blocks first.
    ///
    /// # Errors
    /// `Unsupported` in portable mode, else the system's: not every file system can.
    pub(crate) fn discard(&self) -> io::Result<()> {
        #[cfg(all(target_os = "linux", not(fastlog_portable)))]
        {
            use memmap2::UncheckedAdvice::{DontNeed, Remove};
            let advice = if self.is_of_file() { Remove } else { DontNeed };
            // SAFETY: all accesses to the region go through atomics or raw pointers, for which any
            // change of the bytes is a write of another thread; the caller says that nobody relies
            // on what they hold.
            unsafe { self.map.unchecked_advise(advice) }
        }
        #[cfg(not(all(target_os = "linux", not(fastlog_portable))))]
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Writes one word of each page with the value it has.
    ///
    /// Not by `fetch_add(0)`: LLVM turns an unused addition of nothing into a fence that does not
    /// touch the word at all (`lowerIdempotentRMWIntoFencedLoad`).
    fn touch(&self, offset: usize, len: usize) {
        let page = page_bytes();
        for at in (offset / page * page..offset + len).step_by(page) {
            let word = self.word_of_page(at);
            let now = word.load(Ordering::Relaxed);
            // A failure means that somebody else wrote the page just now.
            let _ = word.compare_exchange(now, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Keeps the region's pages from being swapped out, bringing all of them in, where the engine's
    /// share of the process's limit allows it (see [`Locked`]); false otherwise and in portable
    /// mode.
    pub(crate) fn lock_in_memory(&self) -> bool {
        cfg!(all(target_os = "linux", not(fastlog_portable)))
            && self.locked.take(self.len(), || self.map.lock().is_ok())
    }

    /// The word at `offset` bytes.
    ///
    /// # Panics
    /// When `offset` is no multiple of 8 or the word is not inside the region.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset % WORD_BYTES == 0, "no word begins at byte {offset} of a region");
        self.check(offset, WORD_BYTES);
        self.word_of_page(offset)
    }

    /// Copies `bytes` to `offset`. Word by word: a reader may see some of it.
    ///
    /// # Panics
    /// When the range is not inside the region.
    pub(crate) fn write_bytes(&self, offset: usize, bytes: &[u8]) {
        self.fill(offset, bytes.len(), |done, to| {
            to.copy_from_slice(&bytes[done..done + to.len()]);
        });
    }

    /// Copies from `offset` into `bytes`, all of it.
    ///
    /// # Panics
    /// When the range is not inside the region.
    #[cfg(test)]
    pub(crate) fn read_bytes(&self, offset: usize, bytes: &mut [u8]) {
        self.check(offset, bytes.len());
        for part in Parts::new(offset, bytes.len()) {
            let word = self.word_of_page(part.word).load(Ordering::Relaxed).to_ne_bytes();
            let to = part.done..part.done + part.within.len();
            bytes[to].copy_from_slice(&word[part.within]);
        }
    }

    /// Stores what `bytes_at(done, to)` puts into `to`, leaving the neighbours in the first and
    /// the last word as they are, even while somebody writes them.
    #[inline]
    fn fill(&self, offset: usize, len: usize, bytes_at: impl Fn(usize, &mut [u8])) {
        self.check(offset, len);
        for part in Parts::new(offset, len) {
            let word = self.word_of_page(part.word);
            if part.within.len() == WORD_BYTES {
                let mut bytes = [0; WORD_BYTES];
                bytes_at(part.done, &mut bytes);
                word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
                continue;
            }
            let merge = |old: u64| {
                let mut bytes = old.to_ne_bytes();
                bytes_at(part.done, &mut bytes[part.within.clone()]);
                Some(u64::from_ne_bytes(bytes))
            };
            // `merge` never answers None, so this cannot fail.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, merge);
        }
    }

    #[inline]
    fn check(&self, offset: usize, len: usize) {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= self.len()),
            "{len} bytes from byte {offset} are not inside a region of {} bytes",
            self.len()
        );
    }

    /// The aligned word at `offset`, which may reach behind `len()` but not behind its page.
    #[inline]
    fn word_of_page(&self, offset: usize) -> &AtomicU64 {
        debug_assert!(offset % WORD_BYTES == 0 && offset < self.len());
        // SAFETY: the map begins on a page boundary (`of_file` checks its offset, anonymous maps
        // do by nature), so the word is aligned; the kernel maps whole pages, so all of it is
        // mapped while `self` lives. All accesses of this type are atomic; users of `as_ptr` vouch
        // for theirs, other processes are outside of Rust's memory model.
        unsafe { AtomicU64::from_ptr(self.as_ptr().add(offset).cast::<u64>()) }
    }
}

fn not_empty(len: usize) -> io::Result<()> {
    if len == 0 {
        return Err(invalid("cannot map 0 bytes: ask for at least 1".to_owned()));
    }
    Ok(())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests;

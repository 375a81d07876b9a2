//! The file behind a region: whether what was stored is still there, and how a region goes on
//! without its file.

use std::io;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use memmap2::MmapRaw;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
use rustix::io::Errno;

use super::{Region, WORD_BYTES};
use crate::primitive::{AtomicBool, AtomicU64, Ordering, fence};
use crate::sys::bus_guard::{self, SigbusGuard, Slot};
use crate::sys::mapped_file::MappedFile;
use crate::sys::process::page_bytes;
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
use crate::sys::refused;

/// The file behind a region.
#[derive(Debug)]
pub(super) struct Backing {
    /// As long as the slot may be read.
    _file: Arc<MappedFile>,
    slot: Option<&'static Slot>,
    /// False once memory of the process has taken its place.
    is_mapped: AtomicBool,
}

/// The last word of a file's region, which nobody else uses: whoever cuts the file takes this, and
/// a page that was lost elsewhere shows in the guard's slot.
pub(super) const WITNESS: u64 = u64::from_le_bytes(*b"fastlog.");

/// Bytes at the end of a region that are the engine's own.
pub(crate) const WITNESS_BYTES: usize = WORD_BYTES;

impl Backing {
    /// Of a mapping of these bytes, which are those of the file from `offset` on.
    pub(super) fn new(
        file: &Arc<MappedFile>,
        (start, len): (usize, usize),
        offset: u64,
    ) -> Backing {
        let slot = match file.guard {
            SigbusGuard::Install => bus_guard::register(start, len, file, offset),
            SigbusGuard::Off => None,
        };
        Backing { _file: Arc::clone(file), slot, is_mapped: AtomicBool::new(true) }
    }
}

impl Region {
    /// Stores the last word, by which [`is_intact`](Region::is_intact) knows that the memory is
    /// what it was. Its page must be populated.
    pub(crate) fn witness(&self) {
        self.word_of_page(self.witness_at()).store(WITNESS, Ordering::Relaxed);
    }

    /// Whether all that was read before this call is what was stored: nobody cut the file, no page
    /// of it was lost. Of a region with a [`witness`](Region::witness); without a guard nobody
    /// looks, as the look itself could be the process's end.
    #[inline]
    pub(crate) fn is_intact(&self) -> bool {
        let Some(backing) = &self.backing else { return true };
        // Pairs with the store in `leave_file`: what the caller does first is seen.
        if !backing.is_mapped.load(Ordering::Acquire) {
            return true;
        }
        let Some(slot) = backing.slot else { return true };
        // Pairs with the handler's store, and with the kernel's own order: it takes the last page
        // of a file that it cuts before anybody can read zeros where another one was.
        fence(Ordering::Acquire);
        let witness = self.word_of_page(self.witness_at()).load(Ordering::Relaxed);
        witness == WITNESS && !slot.is_lost()
    }

    /// The words by which [`is_intact`](Region::is_intact) knows, while there is something that can
    /// be lost, and somebody who notices.
    pub(super) fn marks(&self) -> Option<(&AtomicU64, &'static AtomicBool)> {
        let slot = self.backing.as_ref()?.slot?;
        self.is_of_file().then(|| (self.word_of_page(self.witness_at()), slot.loss()))
    }

    /// Whether single pages of a file's region were replaced, so that it were better off as one
    /// piece of memory.
    pub(crate) fn is_worn(&self) -> bool {
        let slot = self.backing.as_ref().and_then(|backing| backing.slot);
        self.is_of_file() && slot.is_some_and(Slot::is_worn)
    }

    /// As soon as anything of a file's region is lost, `limit` gets the value of `bound`, from
    /// whatever thread finds out.
    ///
    /// # Safety
    ///
    /// Both words live as long as the region.
    pub(crate) unsafe fn lower_when_lost(&self, limit: &AtomicU64, bound: &AtomicU64) {
        if let Some(slot) = self.backing.as_ref().and_then(|backing| backing.slot) {
            // SAFETY: handed on; the slot is left with the region at the latest.
            unsafe { slot.lower_when_lost(limit, bound) };
        }
    }

    fn witness_at(&self) -> usize {
        self.len() / WORD_BYTES * WORD_BYTES - WITNESS_BYTES
    }

    /// Puts zeros of the process's own in the place of a file's part, for good. What other threads
    /// store meanwhile may be gone.
    ///
    /// # Errors
    /// The system's: no memory.
    pub(crate) fn leave_file(&self) -> io::Result<()> {
        let Some(backing) = self.backing.as_ref().filter(|_| self.is_of_file()) else {
            return Ok(());
        };
        match backing.slot {
            // The slot stays: a thread may have met the end of the file just before.
            Some(slot) => bus_guard::replace_all(slot, || replace_by_memory(&self.map))?,
            None => replace_by_memory(&self.map)?,
        }
        backing.is_mapped.store(false, Ordering::Release); // pairs with `is_intact`
        Ok(())
    }

    /// Whether a file keeps what is stored here.
    pub(crate) fn is_of_file(&self) -> bool {
        self.backing.as_ref().is_some_and(|backing| backing.is_mapped.load(Ordering::Relaxed))
    }

    /// Copies from `offset` into `bytes` what can be had, page by page, whatever has become of the
    /// file; leaves the rest of `bytes` alone.
    ///
    /// # Panics
    /// When the range is not inside the region.
    pub(crate) fn read_what_is_left(&self, offset: usize, bytes: &mut [u8]) {
        self.check(offset, bytes.len());
        let page = page_bytes();
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done;
            let len = (page - at % page).min(bytes.len() - done);
            copy_of_process(self.as_ptr().wrapping_add(at), &mut bytes[done..done + len]);
            done += len;
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Some(slot) = self.backing.as_ref().and_then(|backing| backing.slot) {
            slot.leave();
        }
    }
}

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn replace_by_memory(map: &MmapRaw) -> io::Result<()> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let how = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let at = map.as_mut_ptr().cast();
    // SAFETY: the place is that of `map`, which stays as long and as writable as it was, and is
    // unmapped by whoever owns it. All accesses to it go through atomics or raw pointers, for which
    // this is a write of another thread.
    let mapped = unsafe { libc::mmap(at, map.len(), access, how, -1, 0) };
    if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(all(target_os = "linux", not(fastlog_portable))))]
fn replace_by_memory(_: &MmapRaw) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// By a call that fails where an access would be a signal.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn copy_of_process(from: *mut u8, to: &mut [u8]) {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote = libc::iovec { iov_base: from.cast(), iov_len: to.len() };
    // SAFETY: `to` is as long as it says; the kernel checks the other end.
    let count = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    let error = Errno::from_io_error(&io::Error::last_os_error());
    if count < 0 && error.is_some_and(refused::is_unknown) {
        // What cannot be had at all is left alone, as above.
        let _ = copy_through_pipe(from, to);
    }
}

/// The older way, where a filter takes that call for one of debuggers: a write fails as well that
/// is to take its bytes from memory that cannot be had.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn copy_through_pipe(from: *mut u8, to: &mut [u8]) -> io::Result<()> {
    let mut ends = [0; 2];
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the kernel writes two descriptors to `ends`, which nobody else has then.
    let [read, write] = unsafe {
        if libc::pipe2(ends.as_mut_ptr(), flags) < 0 {
            return Err(io::Error::last_os_error());
        }
        ends.map(|end| OwnedFd::from_raw_fd(end))
    };
    let mut done = 0;
    while done < to.len() {
        // SAFETY: the kernel checks the memory, of which it reads no more than `to` is long.
        let count =
            unsafe { libc::write(write.as_raw_fd(), from.add(done).cast(), to.len() - done) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        done += rustix::io::read(&read, &mut to[done..done + count])?;
    }
    Ok(())
}

/// Elsewhere no region is of a file.
#[cfg(not(all(target_os = "linux", not(fastlog_portable))))]
fn copy_of_process(from: *mut u8, to: &mut [u8]) {
    // SAFETY: the region has as many bytes from there on, and `to` has room for them.
    unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
}

#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests {
    use super::*;

    #[test]
    fn both_ways_copy_what_is_there_and_nothing_else() {
        let page = page_bytes();
        let file = tempfile::tempfile().expect("a file");
        file.set_len(2 * page as u64).expect("room");
        let mapped = MappedFile::new(file, SigbusGuard::Off).expect("a file");
        let mapped = Arc::new(mapped);
        let region = Region::of_file(&mapped, 0, 2 * page).expect("a mapping");
        region.write_bytes(0, &vec![7; 2 * page]);
        mapped.open().expect("ours").set_len(page as u64).expect("cut");
        let copy = |n: usize| {
            let (from, mut direct, mut piped) =
                (region.as_ptr().wrapping_add(n * page), vec![1; page], vec![1; page]);
            copy_of_process(from, &mut direct);
            let outcome = copy_through_pipe(from, &mut piped);
            assert_eq!(direct, piped);
            (piped, outcome.is_ok())
        };
        assert_eq!(copy(0), (vec![7; page], true));
        assert_eq!(copy(1), (vec![1; page], false), "there is nothing, and no signal");
    }
}

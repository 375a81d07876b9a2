//! Memory that a child of this process finds wiped, however it was made: by `fork`, by a raw
//! `clone`, in a sandbox that runs no handlers. Used from all threads.
//!
//! What says that memory is shared with the parent, and whose it is, lies here: in a child it reads
//! as nobody's without a word from anybody. By `MADV_WIPEONFORK` (Linux 4.14); elsewhere the
//! memory is plain, and a child knows only what the handlers of `fork` tell it. A child that shares
//! the parent's memory (`vfork`, `CLONE_VM`) cannot be told from a thread.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;

use memmap2::{MmapOptions, MmapRaw};

use crate::primitive::{AtomicUsize, Ordering};

/// Cache lines that processors fetch together.
const LINE_BYTES: usize = 128;

/// What [`Wiped`] values begin within.
const PAGE_BYTES: usize = 4096;

/// How many there were: each begins elsewhere in its page. What begins at the same place of many
/// pages shares a few places in the cache, and the collector reads all rings in turn.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// A value on pages of its own, which are zeros in a child.
pub(crate) struct Wiped<T> {
    _map: MmapRaw,
    /// Where in the map it is: its users come here for each record.
    value: NonNull<T>,
}

// SAFETY: it owns a `T` as a box does.
unsafe impl<T: Send> Send for Wiped<T> {}
// SAFETY: as above; it lends nothing but `&T`.
unsafe impl<T: Sync> Sync for Wiped<T> {}

impl<T> Wiped<T> {
    /// Moves a value onto such pages.
    ///
    /// # Safety
    ///
    /// All bytes zero are a valid `T`, and dropping that does nothing.
    ///
    /// # Errors
    /// The system's: no memory.
    pub(crate) unsafe fn new(value: T) -> io::Result<Wiped<T>> {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= LINE_BYTES) };
        let stride = size_of::<T>().next_multiple_of(LINE_BYTES);
        let places = (PAGE_BYTES / stride).max(1);
        let at = MADE.fetch_add(1, Ordering::Relaxed) % places * stride;
        let map: MmapRaw = MmapOptions::new().len(at + size_of::<T>()).map_anon()?.into();
        wipe_in_children(&map);
        // SAFETY: the map is longer than that, and begins nowhere near zero. Aligned: the map to a
        // page, the place in it to lines.
        let place = unsafe { NonNull::new_unchecked(map.as_mut_ptr().add(at).cast::<T>()) };
        // SAFETY: fresh memory of the size; nobody else knows it.
        unsafe { place.write(value) };
        Ok(Wiped { _map: map, value: place })
    }
}

/// Refused by older kernels: then the memory is plain.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn wipe_in_children(map: &MmapRaw) {
    // SAFETY: the mapping is ours, and in this process the advice changes nothing.
    unsafe { libc::madvise(map.as_mut_ptr().cast(), map.len(), libc::MADV_WIPEONFORK) };
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
fn wipe_in_children(_: &MmapRaw) {}

impl<T> Deref for Wiped<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `new`, which alone makes this, has written a value there, or all of it is zeros,
        // which is one by its contract; it is mapped as long as this lives.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for Wiped<T> {
    fn drop(&mut self) {
        // SAFETY: as in `deref`; nobody borrows it any more, and it is dropped once.
        unsafe { self.value.drop_in_place() };
    }
}

impl<T> fmt::Debug for Wiped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiped").field("bytes", &size_of::<T>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::{AtomicU32, Ordering};

    #[test]
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    fn a_child_that_nobody_tells_finds_zeros() {
        // SAFETY: an atomic is valid whatever it holds, and has no destructor.
        let word = unsafe { Wiped::new(AtomicU32::new(7)) }.expect("memory");
        // SAFETY: the child only loads an atomic and ends.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if pid == 0 {
            // SAFETY: ends the process without running anything.
            unsafe { libc::_exit(word.load(Ordering::Relaxed) as i32) };
        }
        let mut status = 0;
        // SAFETY: `status` is valid for the call.
        let ended = unsafe { libc::waitpid(pid as libc::pid_t, &raw mut status, 0) };
        assert_eq!(i64::from(ended), pid);
        assert!(libc::WIFEXITED(status));
        assert_eq!((libc::WEXITSTATUS(status), word.load(Ordering::Relaxed)), (0, 7));
    }
}

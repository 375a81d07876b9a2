//! Memory of the process in place of pages that cannot be had. Runs in the handler, and where a
//! ring is renewed: system calls and stores, and nothing that could fault itself.

use std::io;
use std::ptr;

use super::table::Slot;
use crate::primitive::{AtomicU32, AtomicUsize, Ordering};
use crate::sys::mapped_file::MappedFile;
use crate::sys::process::page_bytes;
use crate::sys::thread::SignalsBlocked;

/// Bytes in a page.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// The process whose thread is at work here; 0: none. One at a time, or two threads with the same
/// fault would both put a page in place, the second one over what the first has stored.
static AT_WORK: AtomicU32 = AtomicU32::new(0);

/// Asks what may not be asked in a handler.
pub(super) fn prepare() {
    PAGE.store(page_bytes(), Ordering::Relaxed);
}

/// How often a thread lets others run before it sleeps: one of a higher priority would otherwise
/// keep the one that it waits for from running.
const YIELDS: u32 = 10;
const NAP_NS: libc::c_long = 100_000;

/// No handler of a signal comes in meanwhile: it could touch one of our mappings as well, or never
/// return.
struct Turn {
    _blocked: Option<SignalsBlocked>,
}

impl Turn {
    fn take() -> Turn {
        // SAFETY: takes nothing and answers a number.
        let pid = unsafe { libc::getpid() }.unsigned_abs();
        // It refuses nothing that is asked of it here.
        let _blocked = SignalsBlocked::now().ok();
        let mut yields = 0;
        loop {
            let owner = AT_WORK.load(Ordering::Relaxed);
            // In a forked child the thread that was at work is none of this process.
            let is_free = owner != pid;
            let exchange = |owner| {
                // Acquire: pairs with the Release in `drop`.
                AT_WORK.compare_exchange(owner, pid, Ordering::Acquire, Ordering::Relaxed)
            };
            if is_free && exchange(owner).is_ok() {
                return Turn { _blocked };
            }
            yields += 1;
            let nap = libc::timespec { tv_sec: 0, tv_nsec: NAP_NS };
            // SAFETY: lets others run; the kernel reads `nap` only.
            unsafe {
                match yields {
                    0..YIELDS => libc::sched_yield(),
                    _ => libc::nanosleep(&raw const nap, ptr::null_mut()),
                };
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        AT_WORK.store(0, Ordering::Release); // pairs with the exchange in `take`
    }
}

/// Lets `replace` put memory in place of the slot's whole mapping, while no handler is at work.
///
/// # Errors
/// Its own.
pub(in crate::sys) fn replace_all(
    slot: &Slot,
    replace: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let _turn = Turn::take();
    replace()?;
    slot.set_replaced_from(slot.start());
    Ok(())
}

/// Makes the page of `address`, which lies in the slot's mapping, one that can be had; false when
/// there is no memory for it. `is_broken`: the memory itself is.
pub(super) fn replace(slot: &Slot, address: usize, is_broken: bool) -> bool {
    let page = address & !(PAGE.load(Ordering::Relaxed) - 1);
    // Another thread was here first, or there is room again.
    let is_mended = || !is_broken && (page >= slot.replaced_from() || can_be_had(page));
    // A look before the turn: it may wait for a disk, which others need not.
    if is_mended() {
        return true;
    }
    let _turn = Turn::take();
    if is_mended() {
        return true;
    }
    // SAFETY: entered with the mapping, whose region keeps the file as long as it is mapped, and
    // which the faulting thread is in.
    let Some(file) = (unsafe { slot.file().as_ref() }) else { return false };
    let at = slot.offset() + (page - slot.start()) as u64;
    let is_replaced = match file.len_now() {
        Some(len) if at >= len && page < slot.replaced_from() => cut_off(slot, len),
        _ => one(slot, file, page, at),
    };
    if is_replaced {
        file.faults.fetch_add(1, Ordering::Relaxed);
    }
    is_replaced
}

/// Whether the page can be written now. Kernels before 5.14 do not say.
fn can_be_had(page: usize) -> bool {
    let len = PAGE.load(Ordering::Relaxed);
    // SAFETY: brings the page in, and changes nothing of what it holds.
    unsafe { libc::madvise(page as *mut libc::c_void, len, libc::MADV_POPULATE_WRITE) == 0 }
}

/// The file ends at `len`: whatever of the mapping lies behind is gone, all of it, and becomes one
/// stretch of memory. Page by page it would be as many mappings, of which a process may have some
/// 65,000.
fn cut_off(slot: &Slot, len: u64) -> bool {
    let page = PAGE.load(Ordering::Relaxed) as u64;
    let kept = len.div_ceil(page).saturating_mul(page).saturating_sub(slot.offset());
    let from = slot.start() + kept as usize;
    let to = slot.replaced_from();
    slot.set_lost();
    let is_mapped = map(from as *mut libc::c_void, to - from, libc::MAP_FIXED).is_some();
    if is_mapped {
        slot.set_replaced_from(from);
    }
    is_mapped
}

/// One page, made elsewhere and then put in place, so that nobody sees half of it.
fn one(slot: &Slot, file: &MappedFile, page: usize, at: u64) -> bool {
    let len = PAGE.load(Ordering::Relaxed);
    let Some(made) = map(ptr::null_mut(), len, 0) else { return false };
    // What can still be read where it stands is the newest; the file may have it as well.
    if !copy(page, made, len) && !read(file, made, len, at) {
        slot.set_lost();
    }
    let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: `made` is a mapping of ours that nobody else knows; the page in the way belongs to
    // the faulting mapping, all users of which expect its bytes to change under them.
    let moved = unsafe { libc::mremap(made, len, len, how, page as *mut libc::c_void) };
    slot.set_worn();
    if moved != libc::MAP_FAILED {
        return true;
    }
    // SAFETY: as above.
    unsafe { libc::munmap(made, len) };
    // The call may have taken the page away before it failed: there must be one.
    slot.set_lost();
    map(page as *mut libc::c_void, len, libc::MAP_FIXED).is_some()
}

/// Zeros of the process's own.
fn map(at: *mut libc::c_void, len: usize, how: libc::c_int) -> Option<*mut libc::c_void> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: where a place is asked for, it is one of the faulting mapping, as in `one`.
    let mapped = unsafe { libc::mmap(at, len, access, kind | how, -1, 0) };
    (mapped != libc::MAP_FAILED).then_some(mapped)
}

/// Copies a page of this process, by a call that fails where an access would be a signal.
fn copy(page: usize, to: *mut libc::c_void, len: usize) -> bool {
    let local = libc::iovec { iov_base: to, iov_len: len };
    let remote = libc::iovec { iov_base: page as *mut libc::c_void, iov_len: len };
    // SAFETY: `to` is `len` bytes long; the kernel checks the other end.
    let count = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    count == len as isize
}

fn read(file: &MappedFile, to: *mut libc::c_void, len: usize, at: u64) -> bool {
    if file.len_now().is_none() {
        return false;
    }
    let Ok(at) = libc::off_t::try_from(at) else { return false };
    // SAFETY: `to` is `len` bytes long.
    let count = unsafe { libc::pread(file.raw_fd(), to, len, at) };
    count == len as isize
}

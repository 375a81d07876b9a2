//! The handler: installed once, asked first, and passing on what is not its own. Runs on whichever
//! thread has the fault, between two of its instructions.

use std::io;
use std::mem::{MaybeUninit, transmute};
use std::ptr;

use super::{page, table};
use crate::primitive::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// Codes of faults at an address: the page has no block, the device failed, the memory is broken.
/// From the kernel's `asm-generic/siginfo.h`. A wrong alignment (1) is the program's fault, and
/// what has been found to be broken but was not touched (5) concerns nobody yet.
const FAULT_CODES: [libc::c_int; 3] = [2, 3, BROKEN_MEMORY];
const BROKEN_MEMORY: libc::c_int = 4;

/// Who was there before: address, flags, and the signals to be blocked meanwhile.
static BEFORE: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static BEFORE_FLAGS: AtomicI32 = AtomicI32::new(0);
static BEFORE_MASK: AtomicU64 = AtomicU64::new(0);

/// Whether ours is installed, or was.
static IS_INSTALLED: AtomicI32 = AtomicI32::new(0);

/// Installs the handler, once per process; a forked child has it from its parent.
///
/// # Errors
/// The system's.
pub(super) fn install() -> io::Result<()> {
    // Pairs with the store below: `page` is ready.
    if IS_INSTALLED.load(Ordering::Acquire) != 0 {
        return Ok(());
    }
    page::prepare();
    let mut before = present()?;
    while before.sa_sigaction != address() {
        // Known before ours can be called.
        remember(&before);
        let replaced = exchange(&ours())?;
        if replaced.sa_sigaction == before.sa_sigaction || replaced.sa_sigaction == address() {
            break;
        }
        // Somebody else was faster: theirs comes after ours.
        remember(&replaced);
        before = present()?;
    }
    IS_INSTALLED.store(1, Ordering::Release); // pairs with the load above
    Ok(())
}

/// Whether a handler of somebody else stands where ours was installed. It may well call ours.
pub(crate) fn is_replaced() -> bool {
    IS_INSTALLED.load(Ordering::Relaxed) != 0
        && present().is_ok_and(|action| action.sa_sigaction != address())
}

fn address() -> usize {
    on_sigbus as *const () as usize
}

fn ours() -> libc::sigaction {
    let mut action = empty();
    action.sa_sigaction = address();
    // On the stack that is for handlers, where the thread has one. Not blocked meanwhile: a handler
    // that was there before may come to one of our mappings itself.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    action
}

fn empty() -> libc::sigaction {
    // SAFETY: a structure of numbers and of a set of signals, all of which may be 0.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

fn present() -> io::Result<libc::sigaction> {
    let mut action = empty();
    // SAFETY: the kernel writes to `action` alone.
    match unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut action) } {
        0 => Ok(action),
        _ => Err(io::Error::last_os_error()),
    }
}

fn exchange(new: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut old = empty();
    // SAFETY: `new` holds a handler that lives as long as the process; the kernel writes to `old`.
    match unsafe { libc::sigaction(libc::SIGBUS, new, &raw mut old) } {
        0 => Ok(old),
        _ => Err(io::Error::last_os_error()),
    }
}

fn remember(action: &libc::sigaction) {
    let mask = ptr::from_ref(&action.sa_mask).cast::<u64>();
    // SAFETY: a set of signals is at least 64 bits long and begins with the first of them.
    BEFORE_MASK.store(unsafe { mask.read_unaligned() }, Ordering::Relaxed);
    BEFORE_FLAGS.store(action.sa_flags, Ordering::Relaxed);
    // Pairs with the load in `pass_on`: flags and mask belong to it.
    BEFORE.store(action.sa_sigaction, Ordering::Release);
}

extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the C library's address of this thread's error number.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; the interrupted code must find what it left there.
    let before = unsafe { errno.read() };
    // SAFETY: the kernel, or whoever calls us in its place, gives the signal's description, if any.
    let is_mended = unsafe { info.as_ref() }.is_some_and(mend);
    // SAFETY: as above.
    unsafe { errno.write(before) };
    if !is_mended {
        pass_on(signal, info, context);
    }
}

/// Whether the fault is in one of our mappings and can be tried again.
fn mend(info: &libc::siginfo_t) -> bool {
    if !FAULT_CODES.contains(&info.si_code) {
        return false;
    }
    // SAFETY: signals with these codes carry an address.
    let address = unsafe { info.si_addr() } as usize;
    let is_broken = info.si_code == BROKEN_MEMORY;
    table::find(address).is_some_and(|slot| page::replace(slot, address, is_broken))
}

/// Hands the signal to whoever was there before, as the kernel would have.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: as in `on_sigbus`. The kernel's own codes are above 0: the access is made again when
    // the handler returns.
    let is_fault = unsafe { info.as_ref() }.is_some_and(|info| info.si_code > 0);
    let before = BEFORE.load(Ordering::Acquire); // pairs with the store in `remember`
    match before {
        libc::SIG_IGN if !is_fault => return,
        // The kernel does not let a fault be ignored either.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: the default action, for which nothing need be valid; then, for a signal that
            // no access sends again, this thread sends it to itself.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                if !is_fault {
                    libc::raise(signal);
                }
            }
            return;
        }
        _ => {}
    }
    let flags = BEFORE_FLAGS.load(Ordering::Relaxed);
    if flags & libc::SA_RESETHAND != 0 {
        BEFORE.store(libc::SIG_DFL, Ordering::Relaxed);
    }
    block_as_asked(signal, flags);
    // SAFETY: the address of the handler that was installed, of the kind that its flags say. What
    // is blocked for it is what it asked for; the kernel restores the mask when ours returns.
    unsafe {
        if flags & libc::SA_SIGINFO != 0 {
            type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            transmute::<usize, WithInfo>(before)(signal, info, context);
        } else {
            transmute::<usize, extern "C" fn(libc::c_int)>(before)(signal);
        }
    }
}

/// Blocks what the handler that was there before asked to have blocked.
fn block_as_asked(signal: libc::c_int, flags: libc::c_int) {
    let mut mask = BEFORE_MASK.load(Ordering::Relaxed);
    if flags & libc::SA_NODEFER == 0 {
        mask |= 1 << (signal - 1);
    }
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set, which begins with the first 64 signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.as_mut_ptr().cast::<u64>().write_unaligned(mask);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

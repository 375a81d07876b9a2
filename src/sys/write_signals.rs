//! Signals that a write sends to the thread that makes it: `SIGXFSZ`, where the file would become
//! longer than `RLIMIT_FSIZE` allows, and `SIGPIPE`, where nobody reads. Either ends the process by
//! default. The engine's threads block them; what runs on the host's threads holds them for as long
//! as it writes, so that what is left is the error, `EFBIG` or `EPIPE`, as with any other failure.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use super::thread;

const SIGNALS: [libc::c_int; 2] = [libc::SIGXFSZ, libc::SIGPIPE];

/// The calling thread's signals of writes, held until this is dropped. Those that came meanwhile
/// are gone then; one that waited before goes on waiting.
#[must_use = "signals are held for as long as this lives"]
pub(super) struct WriteSignalsHeld {
    /// The mask to go back to, and what waited; none where nothing is to be done.
    before: Option<(libc::sigset_t, libc::sigset_t)>,
    /// The mask is the thread's.
    _of_thread: PhantomData<*const ()>,
}

impl WriteSignalsHeld {
    pub(super) fn hold() -> WriteSignalsHeld {
        let before = if thread::is_engines() { None } else { block() };
        WriteSignalsHeld { before, _of_thread: PhantomData }
    }
}

impl Drop for WriteSignalsHeld {
    fn drop(&mut self) {
        let Some((mask, waited)) = &self.before else { return };
        let waits = waiting();
        // SAFETY: all sets are initialised; the mask is one that the system gave.
        unsafe {
            for signal in SIGNALS {
                let is_of_write = libc::sigismember(&raw const waits, signal) == 1
                    && libc::sigismember(waited, signal) == 0;
                if is_of_write {
                    take(&set_of(&[signal]));
                }
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut());
        }
    }
}

/// Blocks them; gives the mask before, and what waits already.
fn block() -> Option<(libc::sigset_t, libc::sigset_t)> {
    let set = set_of(&SIGNALS);
    let mut before = MaybeUninit::uninit();
    // SAFETY: `set` is initialised; the call initialises `before` when it succeeds, and only then
    // it is read.
    unsafe {
        let answer = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr());
        (answer == 0).then(|| (before.assume_init(), waiting()))
    }
}

fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set; the numbers are signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// What waits for this thread, or for the process.
fn waiting() -> libc::sigset_t {
    let mut set = set_of(&[]);
    // SAFETY: the call writes to `set` alone.
    unsafe { libc::sigpending(&raw mut set) };
    set
}

/// Takes a signal that waits; none if somebody else was faster.
#[cfg(target_os = "linux")]
fn take(set: &libc::sigset_t) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both are initialised, and nobody wants to know more of the signal.
    unsafe { libc::sigtimedwait(set, ptr::null_mut(), &raw const at_once) };
}

#[cfg(not(target_os = "linux"))]
fn take(set: &libc::sigset_t) {
    let mut signal = 0;
    // SAFETY: `set` is initialised; the call writes to `signal` alone.
    unsafe { libc::sigwait(set, &raw mut signal) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_waiting(signal: libc::c_int) -> bool {
        let waits = waiting();
        // SAFETY: the set is initialised.
        unsafe { libc::sigismember(&raw const waits, signal) == 1 }
    }

    fn raise(signal: libc::c_int) {
        // SAFETY: sends a signal to this thread, which blocks it.
        assert_eq!(unsafe { libc::raise(signal) }, 0);
    }

    #[test]
    fn what_came_meanwhile_is_gone_and_what_waited_waits() {
        // On a thread of its own, whose mask nobody else needs.
        let thread = std::thread::spawn(|| {
            for signal in SIGNALS {
                let held = WriteSignalsHeld::hold();
                raise(signal);
                assert!(is_waiting(signal));
                drop(held);
                assert!(!is_waiting(signal), "{signal} would have ended the process");
            }
            let outer = WriteSignalsHeld::hold();
            raise(libc::SIGXFSZ);
            let inner = WriteSignalsHeld::hold();
            raise(libc::SIGPIPE);
            drop(inner);
            assert!(is_waiting(libc::SIGXFSZ) && !is_waiting(libc::SIGPIPE));
            drop(outer);
            assert!(!is_waiting(libc::SIGXFSZ));
        });
        thread.join().expect("no assertion failed");
    }
}

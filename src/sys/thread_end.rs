//! The end of a thread: a function that runs on each thread that asked for it, behind the
//! destructors of the thread's locals. Asked for and run on that thread.
//!
//! By a key of the threads' library, not by a thread local of Rust's: keys are looked at last, and
//! also on a thread that Rust has not started, whose locals nobody destroys any more when it is
//! the destructor of somebody's key that logs. What such destructors log still finds the thread
//! whole, because the key is set again until the library's last look.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::io;

use crate::primitive::{AtomicU64, Ordering};

/// How often the threads' library looks for keys that are set, at least; the system may look more
/// often, and then calls once in vain.
const LOOKS: usize = 4;

/// No key yet.
const NONE: u64 = 0;

thread_local! {
    /// Registered for its destructor, which says that the locals go.
    static MARK: Mark = const { Mark };
    /// Whether they do: then the keys' turn is next, or has come.
    static ARE_LOCALS_GONE: Cell<bool> = const { Cell::new(false) };
}

struct Mark;

impl Drop for Mark {
    fn drop(&mut self) {
        ARE_LOCALS_GONE.set(true);
    }
}

/// A function to be called at the end of each thread that asks for it.
///
/// The key's value is the address of this, plus the number of looks that have passed.
#[derive(Debug)]
#[repr(align(8))]
pub(crate) struct ThreadEnd {
    at_end: fn(),
    /// The key plus one.
    key: AtomicU64,
}

const _: () = assert!(LOOKS < align_of::<ThreadEnd>());

impl ThreadEnd {
    /// For a static. `at_end` must not panic.
    pub(crate) const fn new(at_end: fn()) -> ThreadEnd {
        ThreadEnd { at_end, key: AtomicU64::new(NONE) }
    }

    /// Asks for the call at the end of the calling thread; once on each thread, and not again when
    /// it has come.
    ///
    /// # Errors
    /// The system's: no key (`EAGAIN`: the process has used up all), no memory. Nobody is called.
    pub(crate) fn ask(&'static self) -> io::Result<()> {
        // In vain on a thread whose locals are gone, which is what it is asked for.
        let _ = MARK.try_with(|_| ());
        // Asked that late, nobody knows how many looks are left: the next may be the last.
        self.set(if ARE_LOCALS_GONE.get() { LOOKS - 1 } else { 0 })
    }

    fn set(&'static self, looks: usize) -> io::Result<()> {
        let value = std::ptr::from_ref(self).cast::<u8>().wrapping_add(looks);
        // SAFETY: the key is one of ours, and never deleted; its values are for `run` alone.
        match unsafe { libc::pthread_setspecific(self.key()?, value.cast()) } {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(number)),
        }
    }

    fn key(&self) -> io::Result<libc::pthread_key_t> {
        let present = self.key.load(Ordering::Relaxed);
        if present != NONE {
            return Ok((present - 1) as libc::pthread_key_t);
        }
        let mut made = 0;
        // SAFETY: `made` is valid for the call, and `run` lives as long as the code.
        match unsafe { libc::pthread_key_create(&raw mut made, Some(run)) } {
            0 => {}
            number => return Err(io::Error::from_raw_os_error(number)),
        }
        let noted = u64::from(made) + 1;
        match self.key.compare_exchange(NONE, noted, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(made),
            Err(other) => {
                // SAFETY: made just now; no thread has set it.
                unsafe { libc::pthread_key_delete(made) };
                Ok((other - 1) as libc::pthread_key_t)
            }
        }
    }
}

/// What the library calls for a key that is set, which it has set to nothing before.
unsafe extern "C" fn run(value: *mut libc::c_void) {
    let value = value.cast::<u8>().cast_const();
    let looks = value.addr() % align_of::<ThreadEnd>();
    // SAFETY: `set` made the value from a `&'static ThreadEnd`, whose address is a multiple of its
    // alignment, and added as many bytes.
    let end = unsafe { &*value.wrapping_sub(looks).cast::<ThreadEnd>() };
    // While the mark is still there the looks were not counted from the first: the thread asked
    // only when its locals had gone, or the system destroys locals by a key of its own.
    let is_last = looks + 1 >= LOOKS || !ARE_LOCALS_GONE.get();
    if is_last || end.set(looks + 1).is_err() {
        (end.at_end)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::AtomicU32;
    use std::ffi::c_void;
    use std::sync::Mutex;

    static TOLD: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    static TURN: Mutex<()> = Mutex::new(());

    fn tell(what: &'static str) {
        TOLD.lock().expect("no panic").push(what);
    }

    static END: ThreadEnd = ThreadEnd::new(|| tell("end"));

    struct Local;

    impl Drop for Local {
        fn drop(&mut self) {
            tell("local");
        }
    }

    thread_local! {
        static LOCAL: Local = const { Local };
    }

    static OTHERS_KEY: AtomicU32 = AtomicU32::new(0);

    /// Another library's, which comes twice.
    unsafe extern "C" fn others(value: *mut c_void) {
        tell("other key");
        if value.addr() == 2 {
            END.ask().expect("a key");
        }
        if value.addr() == 1 {
            // SAFETY: as in `others_key`.
            unsafe {
                libc::pthread_setspecific(OTHERS_KEY.load(Ordering::Relaxed), 3 as *const c_void)
            };
        }
    }

    fn set_others_key(value: usize) {
        if OTHERS_KEY.load(Ordering::Relaxed) == 0 {
            let mut key = 0;
            // SAFETY: `key` is valid for the call.
            assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(others)) }, 0);
            OTHERS_KEY.store(key, Ordering::Relaxed);
        }
        let key = OTHERS_KEY.load(Ordering::Relaxed);
        // SAFETY: the value is a number to `others`.
        assert_eq!(unsafe { libc::pthread_setspecific(key, value as *const c_void) }, 0);
    }

    fn told(work: impl FnOnce() + Send + 'static) -> Vec<&'static str> {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::thread::spawn(work).join().expect("no panic");
        std::mem::take(&mut *TOLD.lock().expect("no panic"))
    }

    #[test]
    fn the_end_comes_behind_locals_and_other_keys() {
        let order = told(|| {
            LOCAL.with(|_| ());
            set_others_key(1);
            END.ask().expect("a key");
        });
        assert_eq!(order, ["local", "other key", "other key", "end"]);
    }

    #[test]
    fn a_thread_that_asks_from_a_key_of_its_own_is_called_as_well() {
        assert_eq!(told(|| set_others_key(2)), ["other key", "end"]);
        assert!(told(|| ()).is_empty(), "nobody asked");
    }
}

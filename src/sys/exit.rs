//! Hooks at normal exit and around `fork`. Registered on the owner's thread; run by whichever
//! thread calls `exit` or `fork`. A hook cannot be taken back: to register once is the caller's
//! business, and so is that a hook does nothing when there is nothing to do.
#![allow(unsafe_code)]

use std::io;

/// Calls `hook` when the process ends by `exit` or by returning from `main`; not after a signal,
/// `abort` or `_exit`. Hooks run in reverse order, on the exiting thread, while the other threads
/// still run. A panic in it aborts.
///
/// In a library loaded with `dlopen` the hook also runs when that is unloaded.
///
/// # Errors
/// `OutOfMemory`: the system could not note the hook.
pub(crate) fn at_exit(hook: extern "C" fn()) -> io::Result<()> {
    // SAFETY: a function pointer lives as long as its code; the C library drops the hooks of a
    // library that is unloaded.
    match unsafe { libc::atexit(hook) } {
        0 => Ok(()),
        _ => Err(io::ErrorKind::OutOfMemory.into()),
    }
}

/// Calls `prepare` before each `fork`, then `parent` in the parent and `child` in the child, on the
/// forking thread. Only this thread lives on in the child, where all locks of the others stay
/// locked: `child` may store to atomics, and nothing more.
///
/// `posix_spawn` and `vfork`, and with them `std::process::Command`, call no hooks.
///
/// # Errors
/// The system's (`ENOMEM`).
pub(crate) fn at_fork(
    prepare: Option<extern "C" fn()>,
    parent: Option<extern "C" fn()>,
    child: Option<extern "C" fn()>,
) -> io::Result<()> {
    let raw = |hook: Option<extern "C" fn()>| hook.map(|hook| hook as unsafe extern "C" fn());
    // SAFETY: as in `at_exit`; the hooks are safe functions.
    match unsafe { libc::pthread_atfork(raw(prepare), raw(parent), raw(child)) } {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rerun;
    use super::*;
    use crate::primitive::{AtomicU32, Ordering};

    extern "C" fn say_exit() {
        println!("hook at exit");
    }

    #[test]
    fn the_exit_hook_runs_at_exit_and_not_at_a_signal() {
        let test = "sys::exit::tests::the_exit_hook_runs_at_exit_and_not_at_a_signal";
        match rerun::role().as_deref() {
            Some("exit") => {
                at_exit(say_exit).unwrap();
                std::process::exit(3);
            }
            Some("abort") => {
                at_exit(say_exit).unwrap();
                std::process::abort();
            }
            _ => {}
        }
        let output = rerun::command(test, "exit").output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stdout).contains("hook at exit"));
        let output = rerun::command(test, "abort").output().unwrap();
        assert_eq!(output.status.code(), None);
        assert!(!String::from_utf8_lossy(&output.stdout).contains("hook at exit"));
    }

    static STEPS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn prepare() {
        STEPS.fetch_add(1, Ordering::Relaxed);
    }
    extern "C" fn parent() {
        STEPS.fetch_add(10, Ordering::Relaxed);
    }
    extern "C" fn child() {
        STEPS.fetch_add(100, Ordering::Relaxed);
    }

    #[test]
    fn fork_hooks_run_on_their_side_of_the_fork() {
        let test = "sys::exit::tests::fork_hooks_run_on_their_side_of_the_fork";
        if rerun::role().is_some() {
            at_fork(Some(prepare), Some(parent), Some(child)).unwrap();
            at_fork(None, None, None).unwrap();
            // SAFETY: the child only loads an atomic and ends.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                // SAFETY: ends the process without running anything.
                unsafe { libc::_exit(STEPS.load(Ordering::Relaxed) as i32) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for the call.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            println!(
                "child {} parent {}",
                libc::WEXITSTATUS(status),
                STEPS.load(Ordering::Relaxed)
            );
            return;
        }
        let output = rerun::command(test, "fork").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("child 101 parent 11"), "{text}");
    }
}

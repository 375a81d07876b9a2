//! Threads of the engine: how they start, where they run, what they are called. Called on the
//! owner's thread and by each engine thread for itself.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::ptr;
use std::thread::{Builder, JoinHandle};

/// Signals that report an error of the instruction just executed. To block one does not defer it:
/// the kernel kills the process without running the host's handler.
const SYNCHRONOUS: [libc::c_int; 5] =
    [libc::SIGBUS, libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];

/// CPU numbers that an affinity mask of this size can hold; the mask of glibc and musl.
const CPUS_MAX: usize = 1024;

thread_local! {
    /// Whether [`spawn`] started this thread. Without a destructor, so that it can always be read.
    static IS_ENGINES: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread belongs to an engine of this process, whichever: it must not wait
/// for one, which may be waiting for it.
pub(crate) fn is_engines() -> bool {
    IS_ENGINES.get()
}

/// Starts a thread of an engine. Every signal is blocked on it from its first instruction, except
/// the synchronous ones, so that none of the host's handlers ever runs there.
///
/// # Errors
/// `InvalidInput` when `name` contains a zero byte, else the system's (`EAGAIN`: a limit on
/// threads or memory).
pub(crate) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    if name.contains('\0') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("cannot name a thread {name:?}: leave out the zero byte"),
        ));
    }
    spawn_from(Builder::new().name(name.to_owned()), || {
        IS_ENGINES.set(true);
        body();
    })
}

fn spawn_from(
    builder: Builder,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // A new thread inherits the mask of the one that creates it.
    let _restored_on_return = SignalsBlocked::now()?;
    builder.spawn(body)
}

/// This thread's signals but for those of its own faults, blocked until dropped. Two system calls
/// that a signal's handler may make.
pub(super) struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    pub(super) fn now() -> io::Result<SignalsBlocked> {
        let mut blocked = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: `sigfillset` initialises `blocked` before it is used; the numbers are signals;
        // `pthread_sigmask` initialises `before` when it succeeds, and only then it is read.
        unsafe {
            libc::sigfillset(blocked.as_mut_ptr());
            for signal in SYNCHRONOUS {
                libc::sigdelset(blocked.as_mut_ptr(), signal);
            }
            let how = libc::SIG_SETMASK;
            match libc::pthread_sigmask(how, blocked.as_ptr(), before.as_mut_ptr()) {
                0 => Ok(SignalsBlocked { before: before.assume_init() }),
                number => Err(io::Error::from_raw_os_error(number)),
            }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` is a mask that the system gave; it refuses only unknown values of `how`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

/// Numbers of the CPUs on which the calling thread may run, ascending; empty when the system does
/// not say.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    cpus.into_iter().map(|cpu| cpu.id).collect()
}

/// How many threads of this process can run at once, by the CPUs on which the calling one may run
/// and the quotas of its control groups, rounded down; 1 where the system does not say.
pub(crate) fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Ties the calling thread to one CPU; false when there is no such CPU or it is not allowed.
pub(crate) fn pin_current(cpu: usize) -> bool {
    cpu < CPUS_MAX && core_affinity::set_for_current(core_affinity::CoreId { id: cpu })
}

/// Lets the calling thread run, and use the disk, when others do not, as far as the system can do
/// that to a single thread. Without privileges there is no way back.
#[cfg(feature = "compress")]
pub(crate) fn lower_priority() {
    // Either is a courtesy: where it is refused, the thread does the same work as any other.
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    {
        const NICE_MAX: i32 = 19;
        // Linux's zero is the calling thread, other systems' the process.
        let _ = rustix::process::setpriority_process(None, NICE_MAX);
        let _ = idle_io();
    }
}

/// Puts the calling thread's I/O behind everybody else's (`ioprio_set(2)`, which the C libraries
/// leave out); false when the system refuses or its numbers are not known here.
#[cfg(all(feature = "compress", target_os = "linux", not(fastlog_portable)))]
fn idle_io() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        // From the kernel's `linux/ioprio.h`.
        const WHO_PROCESS: libc::c_int = 1;
        const CALLER: libc::c_int = 0;
        const CLASS_IDLE: libc::c_int = 3;
        const CLASS_SHIFT: libc::c_int = 13;
        let priority = CLASS_IDLE << CLASS_SHIFT;
        // SAFETY: the call takes three numbers and touches no memory of the process.
        unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, CALLER, priority) == 0 }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

/// What a panic said.
pub(crate) fn panic_words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// The kernel's number of the calling thread.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(crate) fn current_tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// A number that no other thread of this process has had.
#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(crate) fn current_tid() -> u32 {
    use crate::primitive::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! { static OWN: u32 = NEXT.fetch_add(1, Ordering::Relaxed); }
    OWN.try_with(|own| *own).unwrap_or(0)
}

/// The name that the calling thread was given, `main` for the first. Of a thread that Rust has not
/// started, or whose body has returned, the kernel's: its first fifteen bytes, and that of the
/// thread that started it where it was given none.
pub(crate) fn current_name() -> Option<String> {
    if may_ask_std() {
        return std::thread::current().name().map(str::to_owned);
    }
    kernel_name()
}

/// Whether std knows the calling thread: it panics when asked for one whose locals are gone. There
/// is no other sign than the signal stack, which std gives its threads, and takes away when their
/// body returns.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn may_ask_std() -> bool {
    let mut stack = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: asks only; the system initialises `stack` when it succeeds, and only then it is read.
    unsafe {
        libc::sigaltstack(ptr::null(), stack.as_mut_ptr()) == 0
            && stack.assume_init().ss_flags & libc::SS_DISABLE == 0
    }
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
fn may_ask_std() -> bool {
    true
}

/// None where it is that of the process, which a thread has that was given none.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn kernel_name() -> Option<String> {
    let own = rustix::thread::name().ok()?.into_string().ok()?;
    let first = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    (own != first.trim_end_matches('\n')).then_some(own)
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
fn kernel_name() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Runs `body` on a thread of the engine's kind and answers what it found.
    fn on_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, answer) = mpsc::channel();
        spawn("fastlog-test", move || sender.send(body()).unwrap()).unwrap().join().unwrap();
        answer.recv().unwrap()
    }

    #[cfg(target_os = "linux")]
    fn blocked_signals() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_synchronous_signals_reach_an_engine_thread() {
        let before = blocked_signals();
        let blocked = on_thread(blocked_signals);
        assert_eq!(blocked_signals(), before);
        // The C library keeps two or three for itself; two cannot be blocked.
        let exempt = [32, 33, 34, libc::SIGKILL, libc::SIGSTOP];
        let mut checked = 0;
        for signal in (1..=64).filter(|signal| !exempt.contains(signal)) {
            let is_blocked = blocked >> (signal - 1) & 1 == 1;
            assert_eq!(is_blocked, !SYNCHRONOUS.contains(&signal), "signal {signal}");
            checked += 1;
        }
        assert_eq!(checked, 59);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_failed_start_leaves_the_signals_alone() {
        let before = blocked_signals();
        let impossible = Builder::new().stack_size(1 << 60);
        assert!(spawn_from(impossible, || ()).is_err());
        assert_eq!(blocked_signals(), before);
        let error = spawn("a\0b", || ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(blocked_signals(), before);
    }

    #[test]
    fn a_thread_pins_itself_to_an_allowed_cpu_only() {
        let cpus = allowed_cpus();
        let Some(&last) = cpus.last() else { return };
        assert!(cpus.is_sorted() && last < CPUS_MAX);
        for cpu in [CPUS_MAX, CPUS_MAX + 1, usize::MAX] {
            assert!(!pin_current(cpu));
        }
        if cfg!(target_os = "linux") {
            assert_eq!(on_thread(move || (pin_current(last), allowed_cpus())), (true, vec![last]));
            assert!(!on_thread(|| pin_current(CPUS_MAX - 1)) || cpus.contains(&(CPUS_MAX - 1)));
        }
        assert_eq!(allowed_cpus(), cpus);
    }

    #[test]
    #[cfg(all(feature = "compress", target_os = "linux", not(fastlog_portable)))]
    fn a_thread_lowers_its_own_priority_alone() {
        let priorities = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let after_name = stat.rsplit(") ").next().unwrap();
            let nice: i32 = after_name.split(' ').nth(16).unwrap().parse().unwrap();
            // SAFETY: the call takes two numbers and touches no memory of the process.
            (nice, unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) } >> 13)
        };
        let before = priorities();
        let lowered = on_thread(move || {
            lower_priority();
            priorities()
        });
        assert_eq!(lowered, (19, 3));
        assert_eq!(priorities(), before);
    }

    #[test]
    fn threads_are_told_apart() {
        let (tid, name) = on_thread(|| (current_tid(), current_name()));
        assert_ne!(tid, current_tid());
        assert_ne!(tid, 0);
        assert_eq!(current_tid(), current_tid());
        assert!(on_thread(is_engines) && !is_engines());
        assert_eq!(name.as_deref(), Some("fastlog-test"));
    }

    #[test]
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    fn a_thread_that_std_does_not_know_has_the_kernels_name() {
        extern "C" fn of_c(into: *mut libc::c_void) -> *mut libc::c_void {
            // SAFETY: what the test handed over, which it does not look at before the end.
            let names = unsafe { &mut *into.cast::<Vec<Option<String>>>() };
            rustix::thread::set_name(c"of C").expect("a short name");
            names.push(current_name());
            let process = std::fs::read_to_string("/proc/self/comm").expect("a name");
            let process = std::ffi::CString::new(process.trim_end()).expect("no zero");
            rustix::thread::set_name(&process).expect("a short name");
            names.push(current_name());
            ptr::null_mut()
        }
        let mut names: Vec<Option<String>> = Vec::new();
        let mut thread = 0;
        // SAFETY: `thread` is valid for the calls and joined once; `names` outlives it.
        unsafe {
            let into = (&raw mut names).cast();
            assert_eq!(libc::pthread_create(&raw mut thread, ptr::null(), of_c, into), 0);
            assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
        }
        assert_eq!(names, [Some("of C".to_owned()), None]);
    }
}

//! Who this process is, and whether another one lives: names, numbers, record locks. Called on
//! the owner's thread at start, and by recovery.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::AsRawFd;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::{Errno, retry_on_intr};

pub(crate) use identity::Identity;

/// The process's number.
pub(crate) fn pid() -> u32 {
    std::process::id()
}

/// When this process started, in clock ticks since boot: with [`pid`] and [`boot_id`] it tells two
/// processes apart. 0 where the system does not say.
pub(crate) fn start_time() -> u64 {
    start_time_of(pid()).unwrap_or(0)
}

/// The same of another process; None when there is none (visible here) or in portable mode.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(crate) fn start_time_of(pid: u32) -> Option<u64> {
    start_time_in(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(crate) fn start_time_of(_pid: u32) -> Option<u64> {
    None
}

/// Field 22 of /proc/PID/stat; none of a process that is dead but for its number. Counted from the
/// last `)`: field 2 is the name, in parentheses, and may itself hold parentheses, spaces and
/// newlines.
#[cfg_attr(any(not(target_os = "linux"), fastlog_portable), allow(dead_code))]
fn start_time_in(stat: &[u8]) -> Option<u64> {
    const FIRST_BEHIND_NAME: usize = 3;
    const STATE: usize = 3;
    const THREADS: usize = 20;
    const START_TIME: usize = 22;
    const MEMORY_BYTES: usize = 23;
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    let field = |number: usize| fields.split_ascii_whitespace().nth(number - FIRST_BEHIND_NAME);
    // Its parent has not asked for it yet, or it is about to end and its memory is gone. Where the
    // first thread has ended and others run, it looks the same, but for their number.
    let is_ending = matches!(field(STATE)?, "Z" | "X") || field(MEMORY_BYTES) == Some("0");
    let threads: u64 = field(THREADS)?.parse().ok()?;
    let start_time = field(START_TIME)?.parse().ok()?;
    (!is_ending || threads > 1).then_some(start_time)
}

/// Different after each boot of the machine; zeros where the system does not say.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = if cfg!(all(target_os = "linux", not(fastlog_portable))) {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
    } else {
        None
    };
    text.and_then(|text| uuid_in(text.trim_ascii())).unwrap_or_default()
}

/// 32 hexadecimal digits, hyphens between them ignored.
fn uuid_in(text: &str) -> Option<[u8; 16]> {
    const DIGITS: usize = 32;
    let mut number = 0;
    let mut count = 0;
    for digit in text.chars().filter(|&c| c != '-') {
        number = number << 4 | u128::from(digit.to_digit(16)?);
        count += 1;
        if count > DIGITS {
            return None;
        }
    }
    (count == DIGITS).then(|| number.to_be_bytes())
}

/// The user whose rights this process has.
pub(crate) fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A number that hardly anybody else draws: for names, not for secrets. Never waits.
pub(crate) fn random_u64() -> u64 {
    kernel_random().unwrap_or_else(|| {
        // Seeded by the system, but a forked child has its parent's seed.
        RandomState::new().hash_one((pid(), super::clock::realtime_ns()))
    })
}

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn kernel_random() -> Option<u64> {
    let mut bytes = [0; 8];
    let (to, len) = (bytes.as_mut_ptr().cast(), bytes.len());
    // SAFETY: the kernel writes at most `len` bytes to `to`, which are those of `bytes`.
    let count = unsafe { libc::getrandom(to, len, libc::GRND_NONBLOCK) };
    (count == 8).then(|| u64::from_ne_bytes(bytes))
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
fn kernel_random() -> Option<u64> {
    None
}

/// Bytes in a page of memory: a power of two.
pub(crate) fn page_bytes() -> usize {
    const SMALLEST: usize = 4096;
    // SAFETY: takes a number and answers one.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(SMALLEST)
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum LockHeld {
    /// By another process: its number, where the kernel tells it (not when it ended meanwhile or
    /// belongs to another pid namespace or an open file).
    By { holder: Option<u32> },
    /// Unknown: the file system cannot lock, or failed.
    Unknown(io::Error),
}

/// Takes the POSIX write lock on the whole of `file`, open for writing, without waiting.
///
/// The lock belongs to the *process*. It ends with it, however it ends; a forked child does not
/// hold it, nor drop it. **Closing any descriptor of that file in this process drops it**, however
/// it was opened, and a second call in the same process succeeds: ask a table of one's own before
/// opening a file that may be locked here.
pub(crate) fn record_lock(file: &File) -> Result<(), LockHeld> {
    match retry_on_intr(|| fcntl_lock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(()),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(LockHeld::By { holder: lock_holder(file) }),
        Err(error) => Err(LockHeld::Unknown(error.into())),
    }
}

/// Whether another process, or another open file, holds a lock on `file`; true also when that
/// cannot be found out. Never ask of a file that this process has locked itself: its own lock does
/// not count, and closing `file` drops it.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn is_locked(file: &File) -> bool {
    // Not by the holder's number: there is none in another pid namespace.
    conflicting_lock(file).is_none_or(|lock| lock.l_type != libc::F_UNLCK as libc::c_short)
}

fn lock_holder(file: &File) -> Option<u32> {
    locked_by(file).flatten()
}

/// Which process holds a lock on `file`, by its number where the kernel tells; none where nobody
/// does, or nobody knows. As with [`is_locked`], never ask of a file that this process has locked.
pub(crate) fn locked_by(file: &File) -> Option<Option<u32>> {
    holder(conflicting_lock(file)?)
}

/// Marks a file, open for writing, as written by this process: with a lock on a byte that no file
/// has, so that nobody who reads or writes is in its way. It ends as that of [`record_lock`] does.
/// Where the file system has no locks, there is no mark.
pub(crate) fn mark(file: &File) {
    let lock = write_lock(MARK_AT, 1);
    // SAFETY: the descriptor is open while `file` lives; the kernel reads `lock` only.
    let _ = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) };
}

/// Which other process has marked the file, by its number where the kernel tells.
pub(crate) fn marked_by(file: &File) -> Option<Option<u32>> {
    holder(conflict_with(file, write_lock(MARK_AT, 1))?)
}

/// The last byte but one that a lock can be on.
const MARK_AT: libc::off_t = libc::off_t::MAX - 1;

fn holder(lock: libc::flock) -> Option<Option<u32>> {
    let is_held = lock.l_type != libc::F_UNLCK as libc::c_short;
    is_held.then(|| u32::try_from(lock.l_pid).ok().filter(|pid| *pid > 0))
}

/// The lock in the way of a write lock on the whole of `file`, of type `F_UNLCK` where there is
/// none.
fn conflicting_lock(file: &File) -> Option<libc::flock> {
    conflict_with(file, write_lock(0, 0))
}

/// The one in the way of `lock`. Its `l_pid` is 0 for a process of another pid namespace and -1 for
/// an open file. Not by rustix: its `Pid` asserts against the -1.
fn conflict_with(file: &File, mut lock: libc::flock) -> Option<libc::flock> {
    // SAFETY: the descriptor is open while `file` lives; the kernel reads and writes `lock` only.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
    (answer == 0).then_some(lock)
}

/// On `len` bytes from `start`; 0: all that come.
fn write_lock(start: libc::off_t, len: libc::off_t) -> libc::flock {
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    lock.l_whence = libc::SEEK_SET as _;
    (lock.l_start, lock.l_len) = (start, len);
    lock
}

mod identity;
#[cfg(test)]
mod tests;

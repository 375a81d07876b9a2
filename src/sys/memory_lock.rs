//! How much memory the engines of this process keep from being swapped out. `RLIMIT_MEMLOCK` is one
//! limit for the whole process, and other things stand or fall with it (rings of `io_uring`, keys,
//! real-time stacks): the engines take a small share of it, and do without where that is used up.
//! Called by whoever maps, on any thread.

use crate::primitive::{AtomicUsize, Ordering};

/// The engines' share of the limit: one in so many parts.
const PART_OF_LIMIT: u64 = 8;

/// Bytes that the engines have locked, of regions that are still there.
static LOCKED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A region's part of what is locked, given back with it.
#[derive(Debug, Default)]
pub(super) struct Locked {
    bytes: AtomicUsize,
}

impl Locked {
    /// Locks by `lock` if `bytes` more are within the share; whether they are locked.
    pub(super) fn take(&self, bytes: usize, lock: impl FnOnce() -> bool) -> bool {
        let is_within = |taken: usize| {
            let limit = limit();
            limit.is_none_or(|limit| (taken + bytes) as u64 <= limit / PART_OF_LIMIT)
        };
        let reserve = |taken| is_within(taken).then_some(taken + bytes);
        if LOCKED_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_err() {
            return false;
        }
        if !lock() {
            LOCKED_BYTES.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        true
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        LOCKED_BYTES.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// None: the process has none.
fn limit() -> Option<u64> {
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    return rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    #[cfg(not(all(target_os = "linux", not(fastlog_portable))))]
    Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_or_given_back_is_not_counted() {
        let before = LOCKED_BYTES.load(Ordering::Relaxed);
        let locked = Locked::default();
        assert!(!locked.take(64, || false), "the system refuses");
        if limit().is_some() {
            assert!(!locked.take(usize::MAX / 2, || panic!("not asked")), "more than the share");
        }
        drop(locked);
        // Other tests lock and unlock regions of whole pages meanwhile.
        assert_eq!(LOCKED_BYTES.load(Ordering::Relaxed) % 4096, before % 4096);
    }
}

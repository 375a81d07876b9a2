//! A mutex for statics that a forked child finds new and unlocked, whoever held it at the fork.
//! Used on cold paths of all threads.
#![allow(unsafe_code)] // The pointer is what lets a child start anew without taking a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::unannounced;
use crate::primitive::{AtomicPtr, Ordering};

/// A mutex behind a pointer that a forked child forgets.
pub(crate) struct ForkSafe<T> {
    /// Made on first use, and again in a forked child.
    mutex: AtomicPtr<Mutex<T>>,
}

impl<T: Default> ForkSafe<T> {
    pub(crate) const fn new() -> ForkSafe<T> {
        ForkSafe { mutex: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Locks, also after another thread panicked meanwhile.
    pub(crate) fn lock(&'static self) -> MutexGuard<'static, T> {
        unannounced::notice();
        // Pairs with the AcqRel below.
        let mut present = self.mutex.load(Ordering::Acquire);
        if present.is_null() {
            present = self.make();
        }
        // SAFETY: made by `Box::into_raw` and never freed: a fork forgets it rather.
        let mutex = unsafe { &*present };
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn make(&self) -> *mut Mutex<T> {
        let made = Box::into_raw(Box::default());
        let null = std::ptr::null_mut();
        // Pairs with itself and with `lock`: whoever finds the pointer finds the mutex behind it.
        match self.mutex.compare_exchange(null, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(other) => {
                // SAFETY: `made` came from `Box::into_raw` just now and nobody else saw it.
                drop(unsafe { Box::from_raw(made) });
                other
            }
        }
    }

    /// In a forked child. Only stores; what was there leaks.
    pub(crate) fn forget(&self) {
        // Release: pairs with the Acquire in `lock`, as all stores of the pointer do.
        self.mutex.store(std::ptr::null_mut(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_mutex_is_new_and_unlocked() {
        static NUMBERS: ForkSafe<Vec<u32>> = ForkSafe::new();
        let mut held = NUMBERS.lock();
        held.push(1);
        NUMBERS.forget();
        assert!(NUMBERS.lock().is_empty());
        assert_eq!(*held, [1]);
    }
}

//! Atomics and cells: std's, or loom's under `cfg(loom)` so that a model sees every access.
//! Data, used on every thread. Everything that two threads share is built from these.

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
};
#[cfg(not(loom))]
pub(crate) use std::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
};

/// `std::cell::UnsafeCell` with loom's interface: the pointer is lent to a closure, so that the
/// model knows when an access begins and ends.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::UnsafeCell;

    #[test]
    fn the_cell_lends_its_own_address() {
        let cell = UnsafeCell::new(7u64);
        let written = cell.with_mut(|at| at as usize);
        assert_eq!(cell.with(|at| at as usize), written);
        assert_eq!(written, &raw const cell as usize);
    }
}

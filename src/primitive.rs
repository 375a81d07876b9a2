//! Atomics: std's, or loom's under `cfg(loom)` so that a model sees every access.
//! Data, used on every thread. Everything that two threads share is built from these.

#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
};
#[cfg(not(loom))]
pub(crate) use std::hint::spin_loop;
#[cfg(all(not(loom), not(test)))]
pub(crate) use std::sync::atomic::AtomicU64;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, compiler_fence,
    fence,
};
#[cfg(all(not(loom), test))]
pub(crate) use stepped::AtomicU64;

#[cfg(all(not(loom), test))]
pub(crate) mod stepped;

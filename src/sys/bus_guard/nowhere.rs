//! Where no file is mapped there is nothing to guard.

use std::io;

use crate::primitive::{AtomicBool, AtomicU64};
use crate::sys::mapped_file::MappedFile;

/// There is none.
#[derive(Debug)]
pub(crate) enum Slot {}

impl Slot {
    pub(crate) fn is_lost(&self) -> bool {
        match *self {}
    }

    pub(crate) fn loss(&self) -> &AtomicBool {
        match *self {}
    }

    pub(crate) fn is_worn(&self) -> bool {
        match *self {}
    }

    pub(crate) fn leave(&self) {
        match *self {}
    }

    /// # Safety
    ///
    /// Never called.
    pub(crate) unsafe fn lower_when_lost(&self, _: &AtomicU64, _: &AtomicU64) {
        match *self {}
    }
}

pub(crate) fn is_replaced() -> bool {
    false
}

pub(in crate::sys) fn register(
    _: usize,
    _: usize,
    _: &MappedFile,
    _: u64,
) -> Option<&'static Slot> {
    None
}

pub(in crate::sys) fn replace_all(
    slot: &Slot,
    _: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match *slot {}
}

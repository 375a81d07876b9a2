//! A look at whether a region is what it was, cheap enough for after each record: two loads from
//! where they always are, instead of a way through the region to them. Runs on the collector.

use std::ptr::NonNull;
use std::sync::Arc;

use super::Region;
use super::backing::WITNESS;
use crate::primitive::{AtomicBool, AtomicU64, Ordering, fence};

/// For memory that cannot be lost.
static GOOD: AtomicU64 = AtomicU64::new(WITNESS);
static NEVER: AtomicBool = AtomicBool::new(false);

/// Where to look. As of when it was made: a region that has left its file since is not intact here.
pub(crate) struct Watch {
    witness: NonNull<AtomicU64>,
    is_lost: &'static AtomicBool,
    _region: Option<Arc<Region>>,
}

// SAFETY: the address is that of a static or of a word of `_region`, which is Send and Sync and
// lives as long.
unsafe impl Send for Watch {}

impl Watch {
    /// Of memory that nothing can happen to.
    pub(crate) fn of_nothing() -> Watch {
        Watch { witness: NonNull::from(&GOOD), is_lost: &NEVER, _region: None }
    }

    /// Of a region with a [`witness`](Region::witness), if a file and a guard are behind it.
    pub(crate) fn of(region: &Arc<Region>) -> Watch {
        match region.marks() {
            Some((witness, is_lost)) => Watch {
                witness: NonNull::from(witness),
                is_lost,
                _region: Some(Arc::clone(region)),
            },
            None => Watch::of_nothing(),
        }
    }

    /// As [`Region::is_intact`]: whether all that was read before this call is what was stored.
    #[inline(always)]
    pub(crate) fn is_intact(&self) -> bool {
        // Pairs with the handler's store, and with the kernel's own order, as in the region's.
        fence(Ordering::Acquire);
        // SAFETY: mapped as long as `_region` lives; all accesses are atomic.
        let witness = unsafe { self.witness.as_ref() }.load(Ordering::Acquire);
        // Acquire: what the caller looks at next, it looks at after both. Pairs with whoever
        // renews the memory and says so before.
        witness == WITNESS && !self.is_lost.load(Ordering::Acquire)
    }
}

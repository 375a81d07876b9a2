//! Rings that finished threads left, for others to take. Runs on the callers' cold paths.

use super::{ListedRing, OwnedRing, Registry};
use crate::ring::{Mapped, Ring};

/// Whether a ring is fit for another thread.
pub(super) fn has_room(ring: &Ring<Mapped>) -> bool {
    ring.free() > ring.capacity() / 2
}

impl Registry {
    /// A ring that a finished thread left. Its memory, which may wait for a disk, is looked at and
    /// renewed without the list's lock.
    pub(super) fn take_left(&self, is_fit: impl Fn(&Ring<Mapped>) -> bool) -> Option<OwnedRing> {
        let usable = |owned: &OwnedRing| {
            owned.producer.ring().is_readable() || self.renew_ring(&owned.producer)
        };
        let mut from = 0;
        loop {
            let (index, entry) = self.free_ring(from)?;
            let fit = Some(&entry).filter(|entry| is_fit(&entry.ring));
            if let Some(owned) = fit.and_then(ListedRing::take).filter(usable) {
                return Some(owned);
            }
            from = index + 1;
        }
    }

    /// The first ring from the `from`th on that nobody owned just now, and its index.
    fn free_ring(&self, from: usize) -> Option<(usize, ListedRing)> {
        let rings = self.lock_rings();
        let mut left = rings.iter().enumerate().skip(from);
        left.find(|(_, entry)| entry.ring.is_free()).map(|(index, entry)| (index, entry.clone()))
    }
}

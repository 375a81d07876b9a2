//! The control envelope that names the owner of a ring: the records behind it are its own. Written
//! by the caller when it takes a ring, or before its next record where there was no room.
#![allow(unsafe_code)] // Writes claimed ring memory.

use crate::envelope::{HEADER_GRANULES, Meta, control, encode, flag};
use crate::registry::Registry;
use crate::ring::{Mapped, Producer};
use crate::sys::thread::{current_name, current_tid};
use crate::value::{Fields, Scratch};

/// More than an announcement ever takes: header, tags, number, and a name with its length.
pub(super) const ANNOUNCEMENT_GRANULES_MAX: usize =
    HEADER_GRANULES + 4 + control::NAME_BYTES_MAX / 8;

/// Writes the control envelope that names this thread. False if the ring is too full for it.
pub(super) fn announce(registry: &Registry, producer: &Producer<Mapped>) -> bool {
    let mut name = current_name();
    if let Some(name) = &mut name {
        // A name may be longer than a record.
        let end = (0..=control::NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or(0));
    }
    let tid = u64::from(current_tid());
    let fields = (&tid, (&name, ()));
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let granules = encode::granules(&encoded);
    let ring = producer.ring();
    debug_assert!(granules <= ANNOUNCEMENT_GRANULES_MAX);
    if ring.free() <= granules {
        return false;
    }
    let meta = Meta { id: control::THREAD, fields: 2, level: 0, flags: flag::CONTROL };
    // SAFETY: this thread owns the producer; there is room, as was just seen; the claim is filled
    // by `put` and committed before the next.
    unsafe {
        ring.set_soft_limit(granules + 1);
        let Some(claim) = ring.claim(granules) else { return false };
        let out = ring.memory().granule(claim.index);
        encode::put(out, registry.source.stamp(), meta.to_word(), &encoded);
        ring.commit_uncounted(claim);
    }
    true
}

//! The cold path of a call: to any engine, with bound fields, cut, after a wait. Runs on the
//! caller.

use std::sync::Arc;

use super::room;
use super::thread::{self, Entry};
use crate::callsite::Callsite;
use crate::envelope::{HEADER_GRANULES, encode, flag};
use crate::flush::signal::bit;
use crate::level::Level;
use crate::registry::Registry;
use crate::ring::Claim;
use crate::value::EncodedFields;

/// Where a record goes, and what it carries besides its fields.
pub(crate) struct Route<'a> {
    callsite: &'static Callsite,
    level: Level,
    number: i32,
    registry: Option<&'a Arc<Registry>>,
    bound: &'a [u64],
}

impl<'a> Route<'a> {
    /// To the default engine, if it still has this number.
    pub(crate) fn to_default(callsite: &'static Callsite, number: i32, level: Level) -> Self {
        Route { callsite, level, number, registry: None, bound: &[] }
    }

    /// To an engine, with a logger's bound fields.
    pub(crate) fn to_logger(
        callsite: &'static Callsite,
        registry: &'a Arc<Registry>,
        bound: &'a [u64],
    ) -> Self {
        let level = callsite.level();
        Route { callsite, level, number: registry.number(), registry: Some(registry), bound }
    }
}

/// Emits a record along a route.
pub(crate) fn emit_routed<E: EncodedFields>(route: &Route<'_>, fields: &E) {
    thread::with_entry(route.number, route.registry, route.level, |entry| {
        let record_max = entry.producer.ring().record_max();
        let whole = encode::granules(fields) + route.bound.len();
        let Some(claim) = room::claim(entry, whole.min(record_max), route.level) else {
            return;
        };
        // After any wait for room: the record's time is when it was accepted.
        let ticks = entry.registry.source.stamp();
        write(route, entry, fields, claim, ticks, whole > record_max);
        if route.level.is_urgent() {
            entry.registry.shared.collector.raise(bit::URGENT);
        }
    });
}

fn write<E: EncodedFields>(
    route: &Route<'_>,
    entry: &Entry,
    fields: &E,
    claim: Claim,
    ticks: u64,
    is_long: bool,
) {
    let ring = entry.producer.ring();
    let mut flags = 0;
    if is_long || fields.is_cut() {
        flags |= flag::TRUNCATED;
    }
    if !route.bound.is_empty() {
        flags |= flag::BOUND;
    }
    let meta = encode::meta::<E>(route.callsite.id(), route.level as u8, flags);
    let room = claim.granules() - route.bound.len();
    debug_assert!(room >= HEADER_GRANULES + encode::tag_granules::<E>());
    // SAFETY: `with_entry` lends this thread's own producer. The claim holds `room` granules for
    // the envelope and the bound fields' behind them, which are written where the others end.
    unsafe {
        let start = ring.memory().granule(claim.index);
        let mut end = if is_long {
            encode::put_cut(start, ticks, meta, fields, room)
        } else {
            encode::put(start, ticks, meta, fields)
        };
        std::ptr::copy_nonoverlapping(route.bound.as_ptr(), end, route.bound.len());
        end = end.add(route.bound.len());
        ring.commit(ring.shorten(claim, end.offset_from(start) as usize));
    }
}

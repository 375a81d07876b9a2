//! The cold path of a call: to any engine, with bound fields, cut, after a wait. Runs on the
//! caller.

use std::sync::Arc;

use super::room;
use super::thread::{self, Entry};
use crate::callsite::{self, Callsite};
use crate::envelope::{HEADER_GRANULES, encode, flag};
use crate::flush::signal::bit;
use crate::level::Level;
use crate::registry::Registry;
use crate::ring::Claim;
use crate::value::{EncodedFields, FieldSet};

/// Where a record goes, and what it carries besides its fields.
pub(crate) struct Route<'a> {
    callsite: &'static Callsite,
    level: Level,
    number: i32,
    registry: Option<&'a Arc<Registry>>,
    bound: &'a [u64],
    /// Whether the engine hides values of some of the callsite's fields.
    is_hiding: bool,
}

impl<'a> Route<'a> {
    /// To the default engine, if it still has the number in this state of the callsite.
    pub(crate) fn to_default(callsite: &'static Callsite, state: i64, level: Level) -> Self {
        let (number, is_hiding) = (callsite::number_of(state), callsite::is_hiding(state));
        Route { callsite, level, number, registry: None, bound: &[], is_hiding }
    }

    /// To an engine, with a logger's bound fields.
    pub(crate) fn to_logger(
        callsite: &'static Callsite,
        registry: &'a Arc<Registry>,
        bound: &'a [u64],
    ) -> Self {
        let (level, number) = (callsite.level(), registry.number());
        let is_hiding = registry.verdicts.hides(callsite);
        Route { callsite, level, number, registry: Some(registry), bound, is_hiding }
    }
}

/// The fields whose values the default engine hides, if it still has this number; else the record
/// is counted, and there is nothing left to do.
pub(super) fn hidden(callsite: &Callsite, number: i32, level: Level) -> Option<FieldSet> {
    thread::with_entry(number, None, level, |entry| entry.registry.verdicts.hidden(callsite))
}

/// Emits a record along a route.
pub(crate) fn emit_routed<E: EncodedFields>(route: &Route<'_>, fields: &E) {
    thread::with_entry(route.number, route.registry, route.level, |entry| {
        let record_max = entry.producer.ring().record_max();
        let body = Body::of(route, entry, fields);
        let whole = body.granules + route.bound.len();
        let Some(claim) = room::claim(entry, whole.min(record_max), route.level) else {
            return;
        };
        // After any wait for room: the record's time is when it was accepted.
        let ticks = entry.registry.source.stamp();
        write(route, entry, (fields, &body), claim, ticks);
        if route.level.is_urgent() {
            entry.registry.shared.collector.raise(bit::URGENT);
        }
    });
}

/// What is copied of the fields.
struct Body {
    /// Those of which nothing is.
    hidden: FieldSet,
    /// With the header, if nothing is cut.
    granules: usize,
}

impl Body {
    fn of<E: EncodedFields>(route: &Route<'_>, entry: &Entry, fields: &E) -> Body {
        if !route.is_hiding {
            return Body { hidden: FieldSet::NONE, granules: encode::granules(fields) };
        }
        let hidden = entry.registry.verdicts.hidden(route.callsite);
        // A value that is longer than a record makes the whole longer, which is all that counts.
        let limit = entry.producer.ring().record_max();
        Body { hidden, granules: encode::granules_shown(fields, limit, &hidden) }
    }
}

fn write<E: EncodedFields>(
    route: &Route<'_>,
    entry: &Entry,
    (fields, body): (&E, &Body),
    claim: Claim,
    ticks: u64,
) {
    let ring = entry.producer.ring();
    let is_long = body.granules + route.bound.len() > claim.granules();
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
        let mut end = if is_long || route.is_hiding {
            encode::put_cut(start, ticks, meta, fields, room, &body.hidden)
        } else {
            encode::put(start, ticks, meta, fields)
        };
        std::ptr::copy_nonoverlapping(route.bound.as_ptr(), end, route.bound.len());
        end = end.add(route.bound.len());
        ring.commit(ring.shorten(claim, end.offset_from(start) as usize));
    }
}

//! The cold path of a call: to any engine, with bound fields, cut, after a wait. Runs on the
//! caller.

use std::sync::Arc;

use super::room;
use super::thread::{self, Entry};
use crate::callsite::Callsite;
use crate::envelope::site::Site;
use crate::envelope::{HEADER_GRANULES, encode, flag};
use crate::flush::signal::bit;
use crate::level::Level;
use crate::registry::{Registry, Verdict};
use crate::ring::Claim;
use crate::value::{EncodedFields, granules_of};

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
        let trailer = Trailer::of(route, entry);
        let record_max = entry.producer.ring().record_max();
        let whole = encode::granules(fields) + trailer.granules();
        let Some(claim) = room::claim(entry, whole.min(record_max), route.level) else {
            return;
        };
        // After any wait for room: the record's time is when it was accepted.
        let ticks = entry.registry.source.stamp();
        write(route, entry, fields, &trailer, claim, ticks, whole > record_max);
        if route.level.is_urgent() {
            entry.registry.shared.collector.raise(bit::URGENT);
        }
    });
}

/// What stands behind the values.
struct Trailer<'a> {
    bound: &'a [u64],
    /// The callsite's own entry, when the dictionary has no room for it.
    site: Option<Site<'static>>,
}

impl<'a> Trailer<'a> {
    fn of(route: &Route<'a>, entry: &Entry) -> Trailer<'a> {
        let record_max = entry.producer.ring().record_max();
        let is_listed = entry.registry.verdicts.of(route.callsite) == Verdict::Yes;
        let site = (!is_listed).then(|| route.callsite.site());
        // Half a record stays for the values; only another process would miss the entry.
        let site = site.filter(|site| granules_of(site.entry_bytes()) <= record_max / 4);
        Trailer { bound: route.bound, site }
    }

    fn granules(&self) -> usize {
        self.bound.len() + self.site.as_ref().map_or(0, |site| granules_of(site.entry_bytes()))
    }
}

fn write<E: EncodedFields>(
    route: &Route<'_>,
    entry: &Entry,
    fields: &E,
    trailer: &Trailer<'_>,
    claim: Claim,
    ticks: u64,
    is_long: bool,
) {
    let ring = entry.producer.ring();
    let mut flags = 0;
    if is_long || fields.is_cut() {
        flags |= flag::TRUNCATED;
    }
    if !trailer.bound.is_empty() {
        flags |= flag::BOUND;
    }
    if trailer.site.is_some() {
        flags |= flag::SITE;
    }
    let meta = encode::meta::<E>(route.callsite.id(), route.level as u8, flags);
    let room = claim.granules() - trailer.granules();
    debug_assert!(room >= HEADER_GRANULES + encode::tag_granules::<E>());
    // SAFETY: `with_entry` lends this thread's own producer. The claim holds `room` granules for
    // the envelope and the trailer's behind them; each part is written where the one before ends.
    unsafe {
        let start = ring.memory().granule(claim.index);
        let mut end = if is_long {
            encode::put_cut(start, ticks, meta, fields, room)
        } else {
            encode::put(start, ticks, meta, fields)
        };
        std::ptr::copy_nonoverlapping(trailer.bound.as_ptr(), end, trailer.bound.len());
        end = end.add(trailer.bound.len());
        if let Some(site) = &trailer.site {
            let mut to = end.cast::<u8>();
            site.for_each_part(|part| {
                std::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
                to = to.add(part.len());
            });
            end = end.add(granules_of(site.entry_bytes()));
        }
        ring.commit(ring.shorten(claim, end.offset_from(start) as usize));
    }
}

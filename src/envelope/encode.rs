//! Writes an envelope into claimed ring memory. Runs on the caller; copies only, runs no user code.
#![allow(unsafe_code)] // Raw stores are the hot path: 13.1 against 14.5 ns a call (FIGURES).

use super::{HEADER_GRANULES, Meta};
use crate::level::Level;
use crate::value::{EncodedFields, FieldSet, Fields, Limits, Scratch};

/// Granules of an envelope with these fields, without what a logger or callsite appends.
#[inline(always)]
pub(crate) fn granules<F: EncodedFields>(fields: &F) -> usize {
    HEADER_GRANULES + tag_granules::<F>() + fields.granules()
}

/// Granules that the tags take.
#[inline(always)]
pub(crate) const fn tag_granules<F: EncodedFields>() -> usize {
    F::COUNT.div_ceil(8)
}

/// Writes everything but the commit word; says where the values end.
///
/// # Safety
///
/// `out` is valid for writing [`granules`] granules and 8-byte aligned.
#[inline(always)]
pub(crate) unsafe fn put<F: EncodedFields>(
    out: *mut u64,
    ticks: u64,
    meta: u64,
    fields: &F,
) -> *mut u64 {
    // SAFETY: header, tags and values together are `granules(fields)`.
    unsafe {
        out.add(1).write(ticks);
        out.add(2).write(meta);
        let tags = out.add(HEADER_GRANULES);
        if F::COUNT > 0 && F::COUNT <= 8 {
            tags.write(fields.tag_word());
        } else if F::COUNT > 8 {
            tags.add(tag_granules::<F>() - 1).write(0);
            fields.put_tags(tags.cast());
        }
        let values = tags.add(tag_granules::<F>());
        fields.put(values);
        values.add(fields.granules())
    }
}

/// As [`granules`], for fields some of which are hidden, none of the others longer than `limit`.
pub(crate) fn granules_shown<F: EncodedFields>(
    fields: &F,
    limit: usize,
    hidden: &FieldSet,
) -> usize {
    HEADER_GRANULES + tag_granules::<F>() + fields.granules_within(limit, hidden)
}

/// As [`put`], for fields that together may be too long: cuts the longest values, evenly, so that
/// all fit `room` granules. Of hidden fields no value is read. The cold path.
///
/// # Safety
///
/// `out` is valid for writing `room` granules, aligned to 8; `room` holds the header and the tags.
pub(crate) unsafe fn put_cut<F: EncodedFields>(
    out: *mut u64,
    ticks: u64,
    meta: u64,
    fields: &F,
    room: usize,
    hidden: &FieldSet,
) -> *mut u64 {
    // SAFETY: header and tags fit by contract, and the values get what is left.
    unsafe {
        out.add(1).write(ticks);
        out.add(2).write(meta);
        let tags = out.add(HEADER_GRANULES);
        if F::COUNT > 0 {
            tags.add(tag_granules::<F>() - 1).write(0);
        }
        let values = tags.add(tag_granules::<F>());
        let room = room - HEADER_GRANULES - tag_granules::<F>();
        let limits = Limits { value: fair_limit(fields, room, hidden), room };
        let used = fields.put_within(tags.cast(), values, limits, hidden);
        values.add(used)
    }
}

/// The greatest length at which all values, the longer ones cut to it, fit `room`; at least 1.
fn fair_limit<F: EncodedFields>(fields: &F, room: usize, hidden: &FieldSet) -> usize {
    if fields.granules_within(room.max(1), hidden) <= room {
        return room.max(1);
    }
    let (mut fits, mut too_long) = (1, room + 1);
    while too_long - fits > 1 {
        let middle = fits.midpoint(too_long);
        if fields.granules_within(middle, hidden) <= room {
            fits = middle
        } else {
            too_long = middle
        }
    }
    fits
}

/// The meta word of a record: all but the id is known at compile time.
#[inline(always)]
pub(crate) const fn meta<F: EncodedFields>(id: u32, level: u8, flags: u16) -> u64 {
    Meta { id, fields: F::COUNT as u8, level, flags }.to_word()
}

/// An envelope in memory of its own, for records that no ring carries: the engine's.
pub(crate) fn to_bytes<F: EncodedFields>(ticks: u64, meta: u64, fields: &F) -> Vec<u8> {
    let mut words = vec![0; granules(fields)];
    to_words(&mut words, ticks, meta, fields);
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The bytes of a record of the engine's own.
pub(crate) fn own<F: Fields>(level: Level, ticks: u64, fields: &F) -> Vec<u8> {
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    to_bytes(ticks, meta::<F::Encoded<'_>>(0, level as u8, 0), &encoded)
}

/// As [`put`], into memory whose length is checked; says how many granules the envelope has.
///
/// # Panics
///
/// When the envelope is longer than `out`.
#[inline(always)]
pub(crate) fn to_words<F: EncodedFields>(
    out: &mut [u64],
    ticks: u64,
    meta: u64,
    fields: &F,
) -> usize {
    let granules = granules(fields);
    assert!(granules <= out.len(), "{granules} granules need room");
    // SAFETY: there is room, as was just asserted; a slice of u64 is aligned.
    unsafe { put(out.as_mut_ptr(), ticks, meta, fields) };
    granules
}

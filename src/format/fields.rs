//! A record's fields: found for the message, handed out in order for the line. Runs on the
//! collector.

use super::plan::Plan;
use crate::envelope::bound::BoundRef;
use crate::envelope::decode::{Envelope, Malformed};
use crate::value::{RawValue, ValueRef};

/// Values whose places are kept; those of longer records are looked for when they are asked for.
const KEPT_MAX: usize = 16;

/// Where an envelope says how many fields it has.
const COUNT_OFFSET: usize = 2 * 8 + 4;

/// The call's fields and the bound ones.
pub(crate) struct Fields<'e, 'a> {
    envelope: &'e Envelope<'a>,
    /// Where the values begin, in granules; kept only for a message that shows any.
    places: [u16; KEPT_MAX],
    bound: BoundRef<'a>,
}

impl<'e, 'a> Fields<'e, 'a> {
    /// The fields of an envelope, not found yet.
    #[inline(always)]
    pub(crate) fn of(envelope: &'e Envelope<'a>) -> Fields<'e, 'a> {
        Fields { envelope, places: [0; KEPT_MAX], bound: BoundRef::EMPTY }
    }

    /// Finds them, as far as the line needs it; there must be as many as the callsite has names.
    #[inline(always)]
    pub(crate) fn find(&mut self, plan: &Plan) -> Result<(), Malformed> {
        if usize::from(self.envelope.meta.fields) != plan.keys.len() {
            return Err(Malformed { offset: COUNT_OFFSET });
        }
        if plan.has_holes() || self.envelope.has_bound() { self.walk() } else { Ok(()) }
    }

    #[inline(never)]
    fn walk(&mut self) -> Result<(), Malformed> {
        let (mut places, mut at) = (self.places.iter_mut(), 0);
        let granules = self.envelope.raw_fields(|value| {
            if let Some(place) = places.next() {
                *place = at;
            }
            let granules = value.granules()?;
            at += granules as u16;
            Some(granules)
        })?;
        if self.envelope.has_bound() { self.find_bound(granules) } else { Ok(()) }
    }

    /// Apart from the others, whose walk needs a register less without it.
    #[inline(never)]
    fn find_bound(&mut self, granules: usize) -> Result<(), Malformed> {
        self.bound = self.envelope.bound(granules)?;
        Ok(())
    }

    /// How many fields the call has.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.envelope.meta.fields)
    }

    /// One of the call's values, for a message; nothing if it is malformed, of which
    /// [`for_each`](Fields::for_each) tells.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> RawValue<'a> {
        let place = match self.places.get(index) {
            Some(place) => usize::from(*place),
            None => self.look_for(index),
        };
        self.envelope.raw_field(index, place).unwrap_or(RawValue::NULL)
    }

    #[cold]
    fn look_for(&self, wanted: usize) -> usize {
        let (mut index, mut at, mut found) = (0, 0, 0);
        // An error is told when the values are written.
        let _ = self.envelope.raw_fields(|value| {
            if index == wanted {
                found = at;
            }
            let granules = value.granules()?;
            at += granules;
            index += 1;
            Some(granules)
        });
        found
    }

    /// All values of the call, in its order. `write` says how many granules the value takes, or
    /// that it is malformed.
    #[inline(always)]
    pub(crate) fn for_each_raw(
        &self,
        write: impl FnMut(RawValue<'a>) -> Option<usize>,
    ) -> Result<(), Malformed> {
        self.envelope.raw_fields(write).map(|_| ())
    }

    /// All values of the call, in its order.
    #[inline]
    pub(crate) fn for_each(
        &self,
        mut write: impl FnMut(usize, ValueRef<'a>),
    ) -> Result<(), Malformed> {
        let mut index = 0;
        self.for_each_raw(|raw| {
            let (value, granules) = raw.decode()?;
            write(index, value);
            index += 1;
            Some(granules)
        })
    }

    /// Whether the logger has bound any.
    pub(crate) fn has_bound(&self) -> bool {
        !self.bound.is_empty()
    }

    /// The bound fields that show: the call's fields hide those of the same key, and of equal keys
    /// the last is shown. Ends early at a key that is no text, in foreign bytes.
    pub(crate) fn shown_bound(&self, plan: &Plan) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> {
        let bound = self.bound;
        let all =
            bound.iter().map_while(|(key, value)| Some((std::str::from_utf8(key).ok()?, value)));
        all.enumerate().filter_map(move |(index, (key, value))| {
            let bound_later =
                || bound.iter().skip(index + 1).any(|(later, _)| later == key.as_bytes());
            (!plan.has_key(key) && !bound_later()).then_some((key, value))
        })
    }
}

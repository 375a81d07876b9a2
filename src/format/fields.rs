//! A record's fields, decoded once for the message and the line. Runs on the collector.

use super::plan::Plan;
use crate::envelope::bound::BoundRef;
use crate::envelope::decode::{Envelope, Malformed};
use crate::value::ValueRef;

/// Values that are kept; those of longer records are decoded again when they are asked for.
const KEPT_MAX: usize = 16;

/// Where an envelope says how many fields it has.
const COUNT_OFFSET: usize = 2 * 8 + 4;

/// The call's fields and the bound ones, known to be whole.
pub(crate) struct Fields<'e, 'a> {
    envelope: &'e Envelope<'a>,
    kept: [ValueRef<'a>; KEPT_MAX],
    bound: BoundRef<'a>,
}

impl<'e, 'a> Fields<'e, 'a> {
    /// Decodes the fields, which must be as many as the callsite has names.
    #[inline]
    pub(crate) fn read(
        envelope: &'e Envelope<'a>,
        plan: &Plan,
    ) -> Result<Fields<'e, 'a>, Malformed> {
        if usize::from(envelope.meta.fields) != plan.keys.len() {
            return Err(Malformed { offset: COUNT_OFFSET });
        }
        let mut kept = [ValueRef::Null; KEPT_MAX];
        let mut places = kept.iter_mut();
        let trailer = envelope.fields(|value| {
            if let Some(place) = places.next() {
                *place = value;
            }
        })?;
        Ok(Fields { envelope, kept, bound: trailer.bound })
    }

    /// How many fields the call has.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.envelope.meta.fields)
    }

    /// One of the call's values.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> ValueRef<'a> {
        match self.kept.get(index) {
            Some(value) => *value,
            None => self.decode_again(index),
        }
    }

    /// All values of the call, in its order.
    #[inline]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, ValueRef<'a>)) {
        if let Some(kept) = self.kept.get(..self.len()) {
            return kept.iter().enumerate().for_each(|(index, value)| visit(index, *value));
        }
        self.decode_all(&mut visit);
    }

    #[cold]
    fn decode_again(&self, wanted: usize) -> ValueRef<'a> {
        let mut found = ValueRef::Null;
        self.decode_all(&mut |index, value| {
            if index == wanted {
                found = value;
            }
        });
        found
    }

    #[cold]
    fn decode_all(&self, visit: &mut dyn FnMut(usize, ValueRef<'a>)) {
        let mut index = 0;
        // `read` has seen that all of them decode.
        let _ = self.envelope.fields(|value| {
            visit(index, value);
            index += 1;
        });
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

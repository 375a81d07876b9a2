//! Some of a call's fields: those whose values are not to be copied. Made and read on the caller,
//! on cold paths.

/// Fields a call may have: their number is one byte of its envelope.
const FIELDS: usize = 256;
const WORD_BITS: usize = u64::BITS as usize;

/// A set of a call's fields, each named by how many come after it: what a list `(a, (b, ()))` knows
/// of its first one when it is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    words: [u64; FIELDS / WORD_BITS],
}

impl FieldSet {
    /// No field.
    pub const NONE: FieldSet = FieldSet { words: [0; FIELDS / WORD_BITS] };

    /// Those of `names`, which are in the order of the call, that `is_in` says.
    pub(crate) fn of(names: &[&str], is_in: impl Fn(&str) -> bool) -> FieldSet {
        let mut set = FieldSet::NONE;
        for (after, name) in names.iter().rev().enumerate() {
            if is_in(name) {
                set.words[after / WORD_BITS] |= 1 << (after % WORD_BITS);
            }
        }
        set
    }

    /// Whether the field is in it that so many come after.
    #[inline]
    pub(crate) fn has(&self, after: usize) -> bool {
        self.words[after / WORD_BITS] >> (after % WORD_BITS) & 1 != 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == FieldSet::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_by_how_many_come_after_it() {
        let set = FieldSet::of(&["a", "b", "c"], |name| name != "b");
        assert_eq!([0, 1, 2].map(|after| set.has(after)), [true, false, true]);
        assert!(!set.is_empty() && FieldSet::of(&["a"], |_| false).is_empty());
        let names = ["x"; FIELDS - 1];
        let all = FieldSet::of(&names, |_| true);
        assert!((0..FIELDS - 1).all(|after| all.has(after)) && !all.has(FIELDS - 1));
    }
}

//! A value that is always whole, whenever its writer dies: two slots, of which the older one is
//! overwritten. Written by one thread; read by others and, after a crash, from the file.
//!
//! Every field is an atomic word. A slot's number is stored last, with Release, and a Release fence
//! stands before the first store to its partner. A live reader takes the slot with the higher
//! number, copies it, and accepts the copy only if, after an Acquire fence, the partner's number is
//! still lower: had the writer begun to overwrite what was read, it would have finished the partner
//! before. After a crash the higher number is simply the newest whole value.

use crate::primitive::{AtomicU64, Ordering, fence, spin_loop};

/// Words that two slots lie in, one behind the other.
pub(crate) trait Words {
    /// The word with this index.
    fn word(&self, index: usize) -> &AtomicU64;
}

/// Two slots of `slot_words` words each, the first of which is the number.
#[derive(Clone, Debug)]
pub(crate) struct TwoSlots<W> {
    words: W,
    slot_words: usize,
}

impl<W: Words> TwoSlots<W> {
    /// Over zeroed words, or over those that another process left.
    pub(crate) fn new(words: W, slot_words: usize) -> TwoSlots<W> {
        TwoSlots { words, slot_words }
    }

    /// Overwrites the older slot with `fields`, at most `slot_words - 1` of them. Only one thread
    /// may write.
    pub(crate) fn write(&self, fields: impl IntoIterator<Item = u64>) {
        let newest = self.number(0).max(self.number(1));
        let slot = (newest + 1) % 2;
        let start = slot as usize * self.slot_words;
        for (index, field) in fields.into_iter().enumerate() {
            debug_assert!(index + 1 < self.slot_words);
            self.words.word(start + 1 + index).store(field, Ordering::Relaxed);
        }
        // Pairs with the Acquire load in `read`: whoever sees the number sees the fields.
        self.words.word(start).store(newest + 1, Ordering::Release);
        // Pairs with the Acquire fence in `read`: whoever sees a field of the next write, which
        // goes to the partner, sees this number too.
        fence(Ordering::Release);
    }

    /// Copies the newest fields; gives their number, 0 when nothing was written yet.
    pub(crate) fn read(&self, fields: &mut [u64]) -> u64 {
        loop {
            let numbers = [self.acquire_number(0), self.acquire_number(1)];
            let slot = usize::from(numbers[1] > numbers[0]);
            let start = slot * self.slot_words;
            for (index, field) in fields.iter_mut().enumerate() {
                *field = self.words.word(start + 1 + index).load(Ordering::Relaxed);
            }
            fence(Ordering::Acquire); // pairs with the Release fence in `write`
            if self.number(1 - slot) <= numbers[slot] {
                return numbers[slot];
            }
            spin_loop();
        }
    }

    fn number(&self, slot: usize) -> u64 {
        self.words.word(slot * self.slot_words).load(Ordering::Relaxed)
    }

    fn acquire_number(&self, slot: usize) -> u64 {
        // Pairs with the Release store of the number in `write`.
        self.words.word(slot * self.slot_words).load(Ordering::Acquire)
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::thread;
    use std::sync::Arc;

    impl Words for Arc<Vec<AtomicU64>> {
        fn word(&self, index: usize) -> &AtomicU64 {
            &self[index]
        }
    }

    /// A reader beside the writer sees a whole value, and never an older one than before. Both in
    /// threads of their own: on the model's first thread it would see few of the orders there are.
    // [P3]
    #[test]
    fn a_reader_sees_only_whole_values() {
        loom::model(|| {
            let words = Arc::new((0..6).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
            let writer = TwoSlots::new(Arc::clone(&words), 3);
            let reader = TwoSlots::new(words, 3);
            let writing = thread::spawn(move || {
                for value in 1..=3 {
                    writer.write([value, value * 10]);
                }
            });
            let reading = thread::spawn(move || {
                let mut fields = [0; 2];
                let number = reader.read(&mut fields);
                assert_eq!(fields, [number, number * 10]);
                let again = reader.read(&mut fields);
                assert!(again >= number);
                assert_eq!(fields, [again, again * 10]);
                reader
            });
            writing.join().unwrap();
            let reader = reading.join().unwrap();
            let mut fields = [0; 2];
            assert_eq!(reader.read(&mut fields), 3);
            assert_eq!(fields, [3, 30]);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    impl Words for Vec<AtomicU64> {
        fn word(&self, index: usize) -> &AtomicU64 {
            &self[index]
        }
    }

    #[test]
    fn the_newest_of_many_values_is_read() {
        let slots = TwoSlots::new((0..8).map(|_| AtomicU64::new(0)).collect::<Vec<_>>(), 4);
        let mut fields = [7; 3];
        assert_eq!(slots.read(&mut fields), 0);
        for value in 1..100 {
            slots.write([value, value + 1, value + 2]);
            assert_eq!(slots.read(&mut fields), value);
            assert_eq!(fields, [value, value + 1, value + 2]);
        }
    }
}

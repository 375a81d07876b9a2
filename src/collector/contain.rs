//! What is done after a panic on the collector, so that a defect in the engine costs one record and
//! not the log. Runs on the collector; costs nothing before a panic, as the whole loop stands in
//! one `catch_unwind`.
//!
//! A panic may leave half done whatever stood between two steps. Each is put right by what follows
//! anyway, or here:
//!
//! | half done | put right by |
//! |---|---|
//! | a line behind the segment's length | nothing: the next overwrites it |
//! | the batch: slot, `released` words, counts | `Batch::end`, done over: each states a whole |
//! | the merge, the rings' next records | the next pass begins both anew |
//! | the time that a formatter keeps of its last line | forgotten here |
//! | a binary segment's tables, ahead of its bytes | the segment ends here; the next has none |
//! | a console's line | nothing, as in the segment; the engine looks at no lock's poison |
//! | the record itself, which the next pass would meet again | skipped here, and counted |
//!
//! A console beside the main output may have a record that the main output has not.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use super::Collector;
use super::batch::Batch;
use super::binary::OWN_KEYS;
use super::damage;
use super::side::Side;
use super::sources::Source;
use crate::callsite;
use crate::flush::Notice;
use crate::ring::Peeked;
use crate::stats::DropReason;
use crate::sys::thread::panic_words;

/// Panics outside of records that are borne: what causes them may be met again at each look.
const OTHERS_MAX: u32 = 16;

/// How long the log says nothing of a panic after it has told of one.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What has been contained so far.
#[derive(Debug, Default)]
pub(super) struct Contained {
    others: u32,
    told_at: Option<Instant>,
}

impl Collector {
    /// Runs until it is told to stop.
    ///
    /// # Panics
    /// When panics cannot be contained: the thread ends, and the engine says so.
    pub(crate) fn run(mut self) {
        // Unwind safe: `contain` sees to what a panic has left half done.
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            self.contain(payload);
        }
    }

    #[cold]
    fn contain(&mut self, payload: Box<dyn Any + Send>) {
        let over = match self.skip_poison() {
            Some(target) => format!("a record of `{target}`, which is dropped"),
            None => {
                self.contained.others += 1;
                if self.contained.others > OTHERS_MAX {
                    resume_unwind(payload);
                }
                "what the engine does besides records".to_owned()
            }
        };
        self.batch.mend(&mut self.sources);
        let words = panic_words(&*payload);
        let sentence = format!("the collector panicked over {over}, and goes on: {words}");
        self.registry.shared.progress.report_failure(sentence.clone());
        let is_new = self.contained.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if is_new {
            self.contained.told_at = Some(Instant::now());
            self.registry.shared.progress.tell(Notice::Warning(sentence));
        }
    }

    /// Passes over the record in hand, if there is one; gives its target.
    fn skip_poison(&mut self) -> Option<&'static str> {
        if !self.batch.has_record_in_hand() {
            return None;
        }
        // While a pass takes records, they are those of the first.
        let ring = self.merge.ring(self.merge.first()?);
        if !self.sources[ring].is_sound() {
            return None; // It is given up as a whole.
        }
        let peeked = self.sources[ring].consumer.peek()?;
        self.batch.skip(&mut self.sources, ring, peeked)
    }
}

impl Batch {
    /// Records of the first ring are taken from here on, one after the other.
    pub(super) fn take_in_hand(&mut self) {
        self.is_record_in_hand = true;
    }

    /// None is taken any more.
    pub(super) fn put_down(&mut self) {
        self.is_record_in_hand = false;
    }

    /// Whether one was being taken. What is done between two of them, as each batch ends, is none.
    fn has_record_in_hand(&mut self) -> bool {
        std::mem::take(&mut self.is_record_in_hand)
    }

    /// Passes over a record that nobody can write; gives its target. A control envelope is passed
    /// over as well, and is nobody's loss.
    fn skip(
        &mut self,
        sources: &mut [Source],
        ring: usize,
        peeked: Peeked,
    ) -> Option<&'static str> {
        let source = &mut sources[ring];
        let bytes = source.consumer.ring().copy(peeked, &mut self.copy[..]);
        let level = damage::level_of(bytes);
        let meta = damage::meta_of(bytes);
        self.touch(source, ring);
        source.consumer.advance(peeked);
        let meta = meta.filter(|meta| meta.is_record())?;
        source.taken += 1;
        self.parts.shared.counters.drop_record(DropReason::Panicked, level);
        self.plans.strike(meta.id);
        if let Some(binary) = self.parts.binary.as_mut().filter(|_| self.plans.is_barred(meta.id)) {
            binary.forget(OWN_KEYS + meta.id as usize);
        }
        Some(callsite::by_id(meta.id).map_or("nobody", callsite::Callsite::target))
    }

    /// Goes on from a state that is whole.
    fn mend(&mut self, sources: &mut [Source]) {
        self.parts.formatter.forget();
        self.parts.sides.iter_mut().for_each(Side::forget);
        self.end(sources);
        if self.parts.binary.is_some() && self.parts.writer.len() > 0 {
            // To be abandoned: the main loop sees why.
            let _ = self.next_segment(sources);
        }
    }
}

/// Panics where a test wants a panic: over records of this target that are to be written.
#[cfg(test)]
pub(super) fn provoke(id: u32, plans: &super::plans::Plans) {
    let target = callsite::by_id(id).map(callsite::Callsite::target);
    assert!(target != Some(tests::POISON) || plans.is_barred(id), "a test's poison");
}

/// As [`provoke`], besides records: over a warning of this text.
#[cfg(test)]
pub(super) fn provoke_besides(notice: &Notice) {
    assert!(*notice != Notice::Warning("a test's poison".to_owned()), "a test's poison");
}

#[cfg(test)]
mod tests;

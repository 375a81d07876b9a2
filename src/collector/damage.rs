//! What is done when the arena's files have lost something: rings whose records cannot be read are
//! given up, exactly; the segment is changed; the owner is told. Runs on the collector.

use super::batch::Batch;
use super::sources::Source;
use super::{Collector, Pass};
use crate::arena::Arena;
use crate::callsite::{self, Callsite};
use crate::envelope::{META, Meta};
use crate::flush::Notice;
use crate::format::LineError;
use crate::level::Level;
use crate::primitive::{Ordering, fence};
use crate::ring::{Mapped, Peeked, Ring, granules_between};
use crate::stats::{Counter, Counters};
use crate::sys::bus_guard;
use crate::sys::mmap::Watch;

/// The level under which a record counts that cannot be written: its callsite's, else the one that
/// stands in its header, else INFO, as nobody knows.
pub(super) fn level_of(envelope: &[u8]) -> Level {
    let Some(meta) = meta_of(envelope) else { return Level::Info };
    let callsites = callsite::by_id(meta.id).map(Callsite::level);
    callsites.or_else(|| Level::from_index(meta.level)).unwrap_or(Level::Info)
}

/// What stands in its header.
pub(super) fn meta_of(envelope: &[u8]) -> Option<Meta> {
    let word = envelope.get(META * 8..).and_then(<[u8]>::first_chunk)?;
    Some(Meta::from_word(u64::from_le_bytes(*word)))
}

/// What the owner was told.
#[derive(Debug, Default)]
pub(super) struct ArenaWatch {
    is_damage_told: bool,
    is_replacement_told: bool,
}

impl ArenaWatch {
    /// What there is to be told, if anything is new.
    fn look(&mut self, arena: &Arena, counters: &Counters) -> Option<String> {
        let path = arena.path()?;
        if arena.find_damage() {
            counters.set(Counter::MappingFaults, arena.faults());
            if !std::mem::replace(&mut self.is_damage_told, true) {
                return Some(format!(
                    "records do not survive `kill -9` any more: the arena {} was cut by somebody, \
                     or its file system is full or fails; what is new lies in memory",
                    path.display()
                ));
            }
        }
        let is_new = !self.is_replacement_told && bus_guard::is_replaced();
        self.is_replacement_told |= is_new;
        is_new.then(|| {
            "the program's own handler of SIGBUS has replaced the engine's: unless it calls the \
             one that it found, a page of the arena that cannot be had ends the process"
                .to_owned()
        })
    }
}

impl Collector {
    /// Looks at the arena's files, and gives up what they have lost.
    pub(super) fn look_at_arena(&mut self) {
        self.mend_rings();
        if self.arena.is_damaged() && !self.batch.leave_damaged(&mut self.sources) {
            return; // To be abandoned: the main loop sees why.
        }
        if let Some(warning) = self.arena_watch.look(&self.arena, &self.registry.shared.counters) {
            self.registry.shared.progress.report_failure(warning.clone());
            self.registry.shared.progress.tell(Notice::Warning(warning));
        }
    }

    /// Passes until nothing is left behind what was given up of a ring; what cannot be read is not
    /// waited for.
    pub(super) fn pass_and_mend(&mut self, cut_off: u64) -> Pass {
        let mut pass = self.pass(cut_off);
        while pass != Pass::Abandoned && self.mend_rings() {
            pass = self.pass(cut_off);
        }
        pass
    }

    /// Gives up what stands in rings that cannot be read; says whether one of them has new memory,
    /// in which there may be more.
    pub(super) fn mend_rings(&mut self) -> bool {
        let mut is_any_renewed = false;
        for ring in 0..self.sources.len() {
            if !self.sources[ring].is_sound() {
                is_any_renewed |= self.give_up(ring);
            }
        }
        is_any_renewed
    }

    /// Gives up what stands in a ring; says whether it has new memory since, in which there may be
    /// more. Until it has, nothing can be read.
    pub(super) fn give_up(&mut self, ring: usize) -> bool {
        self.arena.set_damaged();
        // What is in the batch was read while the ring was sound: it is kept.
        self.batch.end(&mut self.sources);
        let source = &mut self.sources[ring];
        let renewals = source.soundness.renewals;
        self.registry.shared.counters.drop_damaged(source.give_up());
        self.registry.shared.progress.released();
        // Pairs with the fence in `Room::wait`, as the one in `Progress::released` does.
        fence(Ordering::SeqCst);
        source.wake_owner();
        source.soundness.renewals != renewals
    }
}

/// What the collector knows of a ring's memory.
pub(super) struct Soundness {
    watch: Watch,
    /// As of which the memory is read, see `Ring::renew`.
    renewals: u32,
    /// Whether new memory was asked for: until it is there nothing is read.
    is_given_up: bool,
}

impl Soundness {
    /// Of a ring that nobody has read yet. Its memory may have been renewed, or be just now: as it
    /// differs from what is noted here, what was in it is given up first.
    pub(super) fn of(ring: &Ring<Mapped>) -> Soundness {
        Soundness { watch: ring.watch(), renewals: 0, is_given_up: false }
    }
}

impl Source {
    /// Copies a record. What cannot be read as it was committed is malformed: nothing of a page
    /// that was lost or replaced by then comes through.
    #[inline(always)]
    pub(super) fn copy<'a>(&self, peeked: Peeked, to: &'a mut [u8]) -> Result<&'a [u8], LineError> {
        let bytes = self.consumer.ring().copy(peeked, to);
        if self.is_sound() { Ok(bytes) } else { Err(LineError::Malformed { offset: 0 }) }
    }

    /// Whether all that was read of the ring so far is what was committed.
    #[inline(always)]
    pub(super) fn is_sound(&self) -> bool {
        let Soundness { watch, renewals, is_given_up } = &self.soundness;
        self.consumer.ring().is_sound(watch, *renewals) && !is_given_up
    }

    /// Goes on behind what stands in the ring; says how many records that were.
    fn give_up(&mut self) -> u64 {
        let ring = self.consumer.ring();
        let Some((renewals, mut committed, mut tail)) = ring.renewed() else { return 0 };
        if renewals == self.soundness.renewals {
            self.soundness.is_given_up = true;
            ring.set_broken();
            (committed, tail) = ring.committed();
        } else {
            let watch = ring.watch();
            self.soundness = Soundness { watch, renewals, is_given_up: false };
            ring.unset_broken();
        }
        if granules_between(self.consumer.head(), tail) < 0 {
            return 0;
        }
        let lost = committed.saturating_sub(self.taken);
        self.taken += lost;
        ring.set_taken(self.taken);
        self.consumer.skip_to(tail);
        self.consumer.release();
        lost
    }
}

impl Batch {
    /// Goes on in another segment if the present one has lost something; false when the engine is
    /// to be abandoned.
    fn leave_damaged(&mut self, sources: &mut [Source]) -> bool {
        if self.parts.writer.is_intact() || self.parts.writer.len() == 0 {
            return true;
        }
        self.end(sources);
        self.next_segment(sources)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn envelope(id: u32, level: u8) -> Vec<u8> {
        let meta = Meta { id, fields: 0xff, level, flags: 0 };
        // Commit word, ticks, meta.
        [1, 7, meta.to_word()].iter().flat_map(|word: &u64| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_damaged_record_keeps_its_level_where_that_can_be_read() {
        const NOBODYS: u32 = u32::MAX;
        for level in Level::ALL {
            assert_eq!(level_of(&envelope(NOBODYS, level as u8)), level);
        }
        assert_eq!(level_of(&envelope(NOBODYS, u8::MAX)), Level::Info);
        assert_eq!(level_of(&[]), Level::Info);
        static SITE: Callsite = Callsite::new(Level::Error, "t", "m", &[], "f", 1);
        let id = crate::registry::process::lock().register(&SITE);
        assert_eq!(level_of(&envelope(id, u8::MAX)), Level::Error);
    }
}

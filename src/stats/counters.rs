//! The counters. They lie in the process's own memory, and again in the arena, so that another
//! process can read them: what happens to that file does not change the account. Producers add on
//! their cold paths only, each engine thread its own.

use std::sync::Arc;

use super::figures::Figures;
use super::{DropReason, Dropped};
use crate::level::Level;
use crate::primitive::{AtomicU64, Ordering};
use crate::sys::mmap::Region;

/// The engine's counters, by their place on the counters' page: part of the arena's format, only
/// ever appended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Counter {
    Written,
    OwnRecords,
    Late,
    Truncated,
    Batches,
    Publishes,
    PublishedBytes,
    WriteFailures,
    Syncs,
    SyncFailures,
    Reopens,
    ClockSteps,
    Gaps,
    Rings,
    AnonymousRings,
    Waits,
    KeeperFailures,
    Rotations,
    RotationFailures,
    RemovedFiles,
    #[cfg_attr(not(feature = "compress"), allow(dead_code))]
    CompressedFiles,
    /// Smoothed, as all latencies.
    PublishLatencyNs,
    SyncLatencyNs,
    /// Bytes of the disk that may be taken, and one more; 0 where not known.
    DiskRoomPlusOne,
    RingFillPermille,
    RecordsPerS,
    /// The number of the state.
    Pressure,
    PressureChanges,
    CalmNs,
    ElevatedNs,
    HighNs,
    CriticalNs,
    PublishEveryNs,
    SyncGapNs,
    ParkMaxNs,
    ReserveBytes,
    /// Lines that consoles beside the main output did not take.
    SideDropped,
    SideFailures,
    WrittenBytes,
    SyncedBytes,
    /// 1 while the output makes no progress, as of the collector's last look.
    Stalled,
    /// Arenas of crashed processes found at start that could not be recovered.
    Orphans,
    /// See `Clock::number`; 0 before the engine's threads start.
    ClockInUse,
    /// The collector's CPU, and one more; 0 where it is not pinned.
    PinnedToPlusOne,
    /// Bytes of lines whose sync failed, as of the last look at them.
    InDoubtBytes,
    /// Arenas of crashed processes removed at start, as there were too many.
    RemovedOrphans,
    /// Pages of the arena that could not be had, as of the collector's last look.
    MappingFaults,
    /// Times that somebody else had closed the log's descriptor.
    LostDescriptors,
    /// Records of dead processes that came back at the start.
    Recovered,
    /// Arenas that were there at the start and are recovered.
    RecoveredArenas,
    /// No counter: how many there are.
    End,
}

impl Counter {
    pub(super) const COUNT: usize = Counter::End as usize;
}

const DROPPED_AT: usize = 64;
const _: () = assert!(Counter::COUNT <= DROPPED_AT);

/// Where on the page losses of this kind are counted.
pub(super) fn dropped_at(reason: DropReason, level: Level) -> usize {
    DROPPED_AT + reason as usize * Level::COUNT + level as usize
}

/// Words that are counted in.
const WORDS: usize = DROPPED_AT + DropReason::ALL.len() * Level::COUNT;

/// The counters, and their page.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    own: Arc<[AtomicU64; WORDS]>,
    region: Arc<Region>,
    offset: usize,
}

impl Counters {
    /// Over the page at `offset`.
    pub(crate) fn new(region: Arc<Region>, offset: usize) -> Counters {
        Counters { own: Arc::new([const { AtomicU64::new(0) }; WORDS]), region, offset }
    }

    /// The word that others see.
    fn shown(&self, index: usize) -> &AtomicU64 {
        self.region.word(self.offset + index * 8)
    }

    fn add_to(&self, index: usize, by: u64) {
        self.own[index].fetch_add(by, Ordering::Relaxed);
        self.shown(index).fetch_add(by, Ordering::Relaxed);
    }

    /// Adds to a counter that several threads share.
    pub(crate) fn add(&self, counter: Counter, by: u64) {
        self.add_to(counter as usize, by);
    }

    /// Sets a counter that one thread owns.
    pub(crate) fn set(&self, counter: Counter, value: u64) {
        self.own[counter as usize].store(value, Ordering::Relaxed);
        self.shown(counter as usize).store(value, Ordering::Relaxed);
    }

    /// A copy of all of them, as they were within the last moment.
    pub(crate) fn read(&self) -> Figures {
        Figures::read(|index| self.own[index].load(Ordering::Relaxed))
    }

    /// A counter's value, of some time ago.
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.own[counter as usize].load(Ordering::Relaxed)
    }

    /// Counts a dropped record.
    pub(crate) fn drop_record(&self, reason: DropReason, level: Level) {
        self.add_to(dropped_at(reason, level), 1);
    }

    /// Counts records that the collector or the publisher has lost, whose level nobody knows.
    pub(crate) fn drop_damaged(&self, records: u64) {
        self.add_to(dropped_at(DropReason::Damaged, Level::Info), records);
    }

    /// Takes back what was counted as written, and is lost.
    pub(crate) fn take_back_written(&self, records: u64) {
        self.add_to(Counter::Written as usize, records.wrapping_neg());
    }

    /// All losses, of some time ago.
    pub(crate) fn dropped(&self) -> Dropped {
        Dropped::of(|reason, level| self.own[dropped_at(reason, level)].load(Ordering::Relaxed))
    }
}

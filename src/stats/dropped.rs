//! What was lost, by reason and level.

use std::fmt;

use crate::level::Level;

/// Why a record was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The thread's ring was full, and the overflow policy did not let the call wait any longer.
    Full,
    /// The output had made no progress for `stall_after`, or its last append had failed.
    Stalled,
    /// There was no memory for the thread's ring.
    NoRing,
    /// The record could no longer be read where it stood: the program damaged its bytes by a stray
    /// store, or the arena's file, with its ring or its segment, was cut or failed.
    Damaged,
    /// The pressure was critical, and its level is one that [`Shed`](crate::Shed) gives up then.
    Shed,
    /// The engine panicked while it wrote the record: a defect of the engine, which is told in the
    /// log. Of a call over whose records it has panicked 16 times, all further ones.
    Panicked,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 6] = [
        DropReason::Full,
        DropReason::Stalled,
        DropReason::NoRing,
        DropReason::Damaged,
        DropReason::Shed,
        DropReason::Panicked,
    ];

    /// The word that stands in reports and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::Full => "full",
            DropReason::Stalled => "stalled",
            DropReason::NoRing => "no_ring",
            DropReason::Damaged => "damaged",
            DropReason::Shed => "shed",
            DropReason::Panicked => "panicked",
        }
    }
}

/// Losses, by reason and level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    counts: [[u64; Level::COUNT]; DropReason::ALL.len()],
}

impl Dropped {
    /// As many as `count` says of each.
    pub(super) fn of(count: impl Fn(DropReason, Level) -> u64) -> Dropped {
        let counts = DropReason::ALL.map(|reason| Level::ALL.map(|level| count(reason, level)));
        Dropped { counts }
    }

    /// Records dropped in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Records of this level dropped for this reason.
    pub fn count(&self, reason: DropReason, level: Level) -> u64 {
        self.counts[reason as usize][level as usize]
    }

    /// Records dropped for this reason.
    pub fn by_reason(&self, reason: DropReason) -> u64 {
        self.counts[reason as usize].iter().sum()
    }

    /// Records of this level dropped. With INFO count those of which nobody knows the level: that
    /// stood in a ring or a segment that was lost whole, see [`DropReason::Damaged`].
    pub fn by_level(&self, level: Level) -> u64 {
        self.counts.iter().map(|levels| levels[level as usize]).sum()
    }

    /// Those that never came to a ring.
    pub(crate) fn by_producers(&self) -> u64 {
        let by_collector = [DropReason::Damaged, DropReason::Panicked];
        self.total() - by_collector.map(|reason| self.by_reason(reason)).iter().sum::<u64>()
    }

    /// What was lost since `earlier`.
    pub(crate) fn since(&self, earlier: &Dropped) -> Dropped {
        let mut difference = *self;
        for (levels, before) in difference.counts.iter_mut().zip(&earlier.counts) {
            for (count, before) in levels.iter_mut().zip(before) {
                *count = count.saturating_sub(*before);
            }
        }
        difference
    }
}

impl fmt::Display for Dropped {
    /// `3 (full: 2 INFO, 1 ERROR)`, or `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        if self.total() == 0 {
            return Ok(());
        }
        let mut before = " (";
        for reason in DropReason::ALL.into_iter().filter(|reason| self.by_reason(*reason) > 0) {
            write!(f, "{before}{}:", reason.as_str())?;
            let mut comma = " ";
            for level in Level::ALL.into_iter().filter(|level| self.count(reason, *level) > 0) {
                write!(f, "{comma}{} {level}", self.count(reason, level))?;
                comma = ", ";
            }
            before = "; ";
        }
        f.write_str(")")
    }
}

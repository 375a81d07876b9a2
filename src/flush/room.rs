//! Where a producer waits until its ring has room. Each ring has a place of its own: a batch wakes
//! whoever waits for one of the rings that it moved, and nobody else. A wake costs the collector
//! some microseconds, 16 on a virtual machine: as much as 300 records.

use super::{GaveUp, Patience, Progress, WaitQueue};
use crate::primitive::{AtomicU32, Ordering, fence};

/// What a producer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Awaited {
    /// Any room.
    Some = 1,
    /// That half of the ring is free, so that it may go on for a while.
    Half = 2,
}

/// A ring's place to wait for room. One thread waits, the ring's owner.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// An [`Awaited`]; 0: nobody waits.
    awaited: AtomicU32,
    queue: WaitQueue,
}

impl Room {
    /// Waits until `done` gives something.
    ///
    /// # Errors
    /// When patience ends first.
    pub(crate) fn wait<T>(
        &self,
        progress: &Progress,
        patience: Patience,
        awaited: Awaited,
        mut done: impl FnMut() -> Option<T>,
    ) -> Result<T, GaveUp> {
        let result = progress.wait_in(&self.queue, patience, || {
            // Again each time: whoever wakes takes it away.
            self.awaited.store(awaited as u32, Ordering::Relaxed);
            // Pairs with the fence in `Progress::released`: either the collector sees who waits,
            // or this thread sees what it released.
            fence(Ordering::SeqCst);
            done()
        });
        self.awaited.store(0, Ordering::Relaxed);
        result
    }

    /// What the ring's owner waits for. After a fence that follows the release.
    pub(crate) fn awaited(&self) -> Option<Awaited> {
        match self.awaited.load(Ordering::Relaxed) {
            0 => None,
            awaited if awaited == Awaited::Some as u32 => Some(Awaited::Some),
            _ => Some(Awaited::Half),
        }
    }

    /// Wakes the ring's owner, if it waits.
    pub(crate) fn wake(&self) {
        if self.awaited.swap(0, Ordering::Relaxed) != 0 {
            self.queue.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    const PATIENT: Patience = Patience { without_progress: Duration::MAX, deadline: None };

    /// A lost wake costs the waiter's look of 20 ms: thousands of turns would take minutes.
    #[test]
    fn no_release_is_missed() {
        const TURNS: u64 = 20_000;
        let (room, progress) = (Arc::new(Room::default()), Arc::new(Progress::default()));
        let (released, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 1..=TURNS {
                    let is_released = || (released.load(Ordering::Acquire) >= turn).then_some(());
                    room.wait(&progress, PATIENT, Awaited::Some, is_released).expect("patience");
                    taken.store(turn, Ordering::Release);
                }
            });
            for turn in 1..=TURNS {
                released.store(turn, Ordering::Release);
                progress.released();
                if room.awaited().is_some() {
                    room.wake();
                }
                while taken.load(Ordering::Acquire) < turn {
                    thread::yield_now();
                }
            }
        });
        let missed = start.elapsed().as_millis() / 20;
        assert!(missed < u128::from(TURNS) / 4, "some {missed} of {TURNS}");
        assert_eq!(room.awaited(), None);
    }

    #[test]
    fn a_waiter_gives_up_and_waits_no_more() {
        let (room, progress) = (Room::default(), Progress::default());
        let brief = Patience { deadline: Some(Duration::from_millis(1)), ..PATIENT };
        let nothing = || -> Option<()> {
            assert_eq!(room.awaited(), Some(Awaited::Half), "before each look");
            None
        };
        let gave_up = room.wait(&progress, brief, Awaited::Half, nothing);
        assert!(matches!(gave_up, Err(GaveUp::Deadline(_))), "{gave_up:?}");
        assert_eq!(room.awaited(), None);
        let impatient = Patience { without_progress: Duration::from_millis(1), deadline: None };
        let gave_up = room.wait(&progress, impatient, Awaited::Some, || None::<()>);
        assert!(matches!(gave_up, Err(GaveUp::NoProgress(_))), "{gave_up:?}");
        room.wake();
        assert_eq!(room.awaited(), None);
    }
}

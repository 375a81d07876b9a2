//! Where a producer waits until its ring has room. Each ring has a place of its own: a batch wakes
//! whoever waits for one of the rings that it moved, and nobody else. A wake costs the collector
//! some microseconds, 16 on a virtual machine: as much as 300 records.

use crate::flush::{GaveUp, Patience, Progress, WaitQueue};
use crate::primitive::{AtomicU32, Ordering, fence};

/// What a producer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Awaited {
    /// Any room.
    Any = 1,
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
        patience: Patience<'_>,
        awaited: Awaited,
        mut done: impl FnMut() -> Option<T>,
    ) -> Result<T, GaveUp> {
        let pulse = || progress.pulse();
        let result = self.queue.wait(pulse, patience, || {
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
            awaited if awaited == Awaited::Any as u32 => Some(Awaited::Any),
            _ => Some(Awaited::Half),
        }
    }

    /// As if the ring's owner waited.
    #[cfg(test)]
    pub(crate) fn pretend(&self, awaited: Awaited) {
        self.awaited.store(awaited as u32, Ordering::Relaxed);
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
    use std::sync::atomic::AtomicU64;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::flush::Limit;

    const PATIENT: Patience<'static> =
        Patience { without_progress: Duration::MAX, limit: Limit::Open };

    /// A waiter that does not look by itself: a wake that is lost is waited for in vain.
    #[test]
    fn no_release_is_missed() {
        const TURNS: u64 = 2_000;
        let room = Room { queue: WaitQueue::blind(), ..Room::default() };
        let progress = Progress::default();
        let (released, taken) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let without_progress = Duration::from_secs(300);
                let patience = Patience { without_progress, limit: Limit::Open };
                for turn in 1..=TURNS {
                    let is_released = || (released.load(Ordering::Acquire) >= turn).then_some(());
                    room.wait(&progress, patience, Awaited::Any, is_released).expect("a wake");
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
                    assert!(!waiter.is_finished(), "in turn {turn}");
                    thread::yield_now();
                }
            }
        });
        assert_eq!((taken.into_inner(), room.awaited()), (TURNS, None));
    }

    #[test]
    fn a_waiter_gives_up_and_waits_no_more() {
        let (room, progress) = (Room::default(), Progress::default());
        let brief = Patience { limit: Limit::Clock(Duration::from_millis(1)), ..PATIENT };
        let nothing = || -> Option<()> {
            assert_eq!(room.awaited(), Some(Awaited::Half), "before each look");
            None
        };
        let gave_up = room.wait(&progress, brief, Awaited::Half, nothing);
        assert!(matches!(gave_up, Err(GaveUp::Deadline(_))), "{gave_up:?}");
        assert_eq!(room.awaited(), None);
        let impatient = Patience { without_progress: Duration::from_millis(1), limit: Limit::Open };
        let gave_up = room.wait(&progress, impatient, Awaited::Any, || None::<()>);
        assert!(matches!(gave_up, Err(GaveUp::NoProgress(_))), "{gave_up:?}");
        room.wake();
        assert_eq!(room.awaited(), None);
    }
}

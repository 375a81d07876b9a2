//! How one engine thread is told that there is work: bits that others raise and it takes. The
//! thread says which bits it wants to be woken for, so that raising the others costs no system
//! call.

use std::sync::OnceLock;
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::primitive::{AtomicU32, Ordering};

/// What the bits mean, for whom they are raised.
pub(crate) mod bit {
    /// Stop once everything is done.
    pub(crate) const STOP: u32 = 1;
    /// Somebody waits at a barrier.
    pub(crate) const BARRIER: u32 = 2;
    /// A record of ERROR or above, or a ring past its soft limit.
    pub(crate) const URGENT: u32 = 4;
    /// There is something to do, in its own time.
    pub(crate) const WORK: u32 = 8;
    /// The collector needs, or got, a segment.
    pub(crate) const SEGMENT: u32 = 16;
    /// Stop at once, and leave what is not done.
    pub(crate) const ABANDON: u32 = 32;
    /// The log goes on in a new file.
    pub(crate) const ROTATED: u32 = 64;
    /// A rotated file is compressed, or could not be.
    pub(crate) const PACKED: u32 = 128;
    /// All of them.
    pub(crate) const ANY: u32 = u32::MAX;
}

/// One thread's bits.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicU32,
    /// The bits that end the thread's present sleep; 0 while it is awake.
    awaited: AtomicU32,
    thread: OnceLock<Thread>,
}

impl Signal {
    /// Called once, by the thread itself.
    pub(crate) fn adopt_current_thread(&self) {
        // A second adoption is a bug that only costs wake-ups: sleeps are bounded.
        let _ = self.thread.set(std::thread::current());
    }

    /// Raises bits, and wakes the thread if it sleeps for one of them.
    pub(crate) fn raise(&self, bits: u32) {
        // Pairs with the store and the load in `sleep`: either the sleeper sees the bits or we see
        // what it awaits.
        self.raised.fetch_or(bits, Ordering::SeqCst);
        if self.awaited.load(Ordering::SeqCst) & bits != 0 {
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }

    /// Takes all raised bits.
    pub(crate) fn take(&self) -> u32 {
        if self.raised.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.raised.swap(0, Ordering::SeqCst) // pairs with `raise`
    }

    /// Whether one of these bits is raised; takes nothing.
    pub(crate) fn is_raised(&self, bits: u32) -> bool {
        self.raised.load(Ordering::SeqCst) & bits != 0 // pairs with `raise`
    }

    /// Takes these bits and leaves the others.
    pub(crate) fn lower(&self, bits: u32) {
        self.raised.fetch_and(!bits, Ordering::SeqCst); // pairs with `raise`
    }

    /// Sleeps until one of `awaited` is raised or the time is over; takes all raised bits.
    pub(crate) fn wait(&self, awaited: u32, timeout: Duration) -> u32 {
        self.sleep(awaited, timeout);
        self.take()
    }

    /// Sleeps as [`wait`](Signal::wait) does but takes nothing; whether one was raised.
    pub(crate) fn sleep(&self, awaited: u32, timeout: Duration) -> bool {
        let start = Instant::now();
        // Pairs with `raise`: it sees what is awaited, or the load below sees its bits.
        self.awaited.store(awaited, Ordering::SeqCst);
        let is_raised = loop {
            if self.raised.load(Ordering::SeqCst) & awaited != 0 {
                break true;
            }
            let over = start.elapsed();
            if over >= timeout {
                break false;
            }
            std::thread::park_timeout(timeout - over);
        };
        self.awaited.store(0, Ordering::SeqCst);
        is_raised
    }
}

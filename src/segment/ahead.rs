//! Segments that become files of the log themselves: made ahead by the keeper, filled by the
//! collector, given their names by the publisher. The queue between the three.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use super::{Segment, Supply};
use crate::flush::signal::{Signal, bit};

/// Small segments are kept ready up to this many bytes, so that a burst finds more than one.
const READY_BYTES: usize = 16 << 20;
const READY_MAX: usize = 4;
/// Segments that are written or wait for their names, whatever staging allows.
const UNFINISHED_MIN: usize = 3;

/// A segment and the file that it is.
#[derive(Debug)]
pub(crate) struct LogSegment {
    pub(crate) segment: Arc<Segment>,
    pub(crate) seq: u64,
    pub(crate) file: File,
    /// Where it is until it has its name.
    pub(crate) path: PathBuf,
    /// When the collector took it, for its first line.
    pub(crate) began: OnceLock<SystemTime>,
}

/// How many segments there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    ready: usize,
    unfinished: usize,
}

impl Capacity {
    /// For segments of so many bytes, of which `staging_bytes` may wait and `heads` have a head.
    pub(crate) fn new(segment_bytes: usize, staging_bytes: usize, heads: usize) -> Capacity {
        let ready = (READY_BYTES / segment_bytes).clamp(1, READY_MAX);
        let unfinished = (staging_bytes / segment_bytes).clamp(UNFINISHED_MIN, heads - ready);
        Capacity { ready, unfinished }
    }

    /// Bytes that all unfinished segments together take.
    pub(crate) fn unfinished_bytes(&self, segment_bytes: usize) -> u64 {
        self.unfinished as u64 * segment_bytes as u64
    }
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Ahead {
    capacity: Capacity,
    /// Woken when one is taken.
    keeper: Arc<Signal>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Arc<LogSegment>>,
    /// Taken by the collector, the oldest first; those that can be unsealed stand last.
    unfinished: VecDeque<Arc<LogSegment>>,
    /// With their names, and perhaps still the collector's.
    finished: Vec<Arc<LogSegment>>,
    made: u64,
    /// Whether the collector has asked in vain.
    is_wanting: bool,
}

impl Ahead {
    pub(crate) fn new(capacity: Capacity, keeper: Arc<Signal>) -> Ahead {
        // The collector, which takes them, does not allocate.
        let unfinished = VecDeque::with_capacity(capacity.unfinished + capacity.ready);
        Ahead { capacity, keeper, state: Mutex::new(State { unfinished, ..State::default() }) }
    }

    /// The number of the segment that is to be made now, if one is.
    pub(crate) fn next_wanted(&self) -> Option<u64> {
        let state = self.lock();
        let has_room = state.ready.len() < self.capacity.ready
            && state.unfinished.len() < self.capacity.unfinished;
        has_room.then_some(state.made + 1)
    }

    /// Whether the collector waits for one.
    pub(crate) fn is_wanting(&self) -> bool {
        self.lock().is_wanting
    }

    /// One more is ready. They are taken in the order of their numbers.
    pub(crate) fn add(&self, segment: LogSegment) {
        let mut state = self.lock();
        debug_assert_eq!(segment.seq, state.made + 1);
        state.made = segment.seq;
        state.ready.push_back(Arc::new(segment));
    }

    /// The oldest segment that waits for its name.
    pub(crate) fn oldest_sealed(&self) -> Option<Arc<LogSegment>> {
        let state = self.lock();
        state.unfinished.front().filter(|oldest| oldest.segment.sealed() > 0).cloned()
    }

    /// The oldest has its name.
    pub(crate) fn finish_oldest(&self) {
        let mut state = self.lock();
        let finished = state.unfinished.pop_front();
        state.finished.extend(finished);
        drop(state);
        self.keeper.raise(bit::SEGMENT);
    }

    /// Unmaps those that have their names and that the collector has let go of, which so never
    /// unmaps one itself.
    pub(crate) fn drop_finished(&self) {
        let is_held = |one: &Arc<LogSegment>| Arc::strong_count(&one.segment) > 1;
        let finished = std::mem::take(&mut self.lock().finished);
        let (held, dropped): (Vec<_>, Vec<_>) = finished.into_iter().partition(is_held);
        self.lock().finished.extend(held);
        drop(dropped);
    }

    /// The segments that nobody has begun.
    pub(crate) fn take_ready(&self) -> Vec<Arc<LogSegment>> {
        std::mem::take(&mut self.lock().ready).into()
    }

    /// The collector has ended, and its last commit names the first `len` bytes of the segment
    /// `seq`. Should it have ended by a panic, that segment is sealed there; one that no commit
    /// names holds nothing that is written, and is taken for not begun.
    pub(crate) fn end(&self, seq: u64, len: usize) {
        let mut state = self.lock();
        while let Some(last) = state.unfinished.pop_back() {
            let is_named = last.seq == seq && len > 0;
            if is_named && last.segment.sealed() == 0 {
                last.segment.seal(len);
            }
            if last.segment.sealed() > 0 {
                state.unfinished.push_back(last);
                break;
            }
            state.ready.push_front(last);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supply for Ahead {
    fn take(&self) -> Option<Arc<Segment>> {
        let mut state = self.lock();
        let next = state.ready.pop_front();
        state.is_wanting = next.is_none();
        let segment = next.as_ref().map(|next| {
            next.began.get_or_init(SystemTime::now);
            Arc::clone(&next.segment)
        });
        state.unfinished.extend(next);
        drop(state);
        self.keeper.raise(bit::SEGMENT);
        segment
    }

    /// None is made that is not needed.
    fn trim(&self) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::mmap::Region;

    const MIB: usize = 1 << 20;

    fn segment(seq: u64) -> LogSegment {
        let [region, head] = [4096, 4096].map(|len| Region::anonymous(len).expect("memory"));
        let segment = Arc::new(Segment::of_lines(region, Arc::new(head), 0));
        let file = File::open("/dev/null").expect("a file");
        let path = PathBuf::from(format!("{seq}.segment"));
        LogSegment { segment, seq, file, path, began: OnceLock::new() }
    }

    #[test]
    fn as_many_are_made_as_fit() {
        let of = |segment, staging| Capacity::new(segment, staging, 64);
        assert_eq!(of(64 * MIB, 64 * MIB), Capacity { ready: 1, unfinished: 3 });
        assert_eq!(of(MIB, 64 * MIB), Capacity { ready: 4, unfinished: 60 });
        assert_eq!(of(8 * MIB, 64 * MIB), Capacity { ready: 2, unfinished: 8 });
        assert_eq!(of(64 * MIB, 64 * MIB).unfinished_bytes(64 * MIB), 192 << 20);
    }

    #[test]
    fn segments_go_through_in_order_and_none_is_left_over() {
        let capacity = Capacity { ready: 1, unfinished: 2 };
        let ahead = Ahead::new(capacity, Arc::default());
        assert!(ahead.take().is_none() && ahead.is_wanting());
        for seq in 1..=2 {
            assert_eq!(ahead.next_wanted(), Some(seq));
            ahead.add(segment(seq));
            assert_eq!(ahead.next_wanted(), None, "one is ready");
            let taken = ahead.take().expect("it is ready");
            assert!(!ahead.is_wanting());
            taken.begin(7, seq);
            if seq == 1 {
                assert!(ahead.oldest_sealed().is_none());
                taken.seal(10);
            }
        }
        assert_eq!(ahead.next_wanted(), None, "two are unfinished");
        assert_eq!(ahead.oldest_sealed().map(|oldest| oldest.seq), Some(1));
        ahead.finish_oldest();
        assert!(ahead.oldest_sealed().is_none());
        assert_eq!(ahead.next_wanted(), Some(3));
        ahead.add(segment(3));
        // Of the second nothing was committed.
        ahead.end(1, 10);
        let ready: Vec<_> = ahead.take_ready().iter().map(|ready| ready.seq).collect();
        assert_eq!(ready, [2, 3]);
        assert!(ahead.take_ready().is_empty() && ahead.oldest_sealed().is_none());
        ahead.drop_finished();
    }

    #[test]
    fn what_the_collector_has_committed_is_sealed_however_it_ended() {
        for (named, sealed) in [((1, 0), 0), ((1, 10), 10), ((0, 0), 0)] {
            let ahead = Ahead::new(Capacity { ready: 1, unfinished: 3 }, Arc::default());
            ahead.add(segment(1));
            ahead.take().expect("it is ready").begin(7, 1);
            ahead.end(named.0, named.1);
            let oldest = ahead.oldest_sealed().map(|oldest| oldest.segment.sealed());
            assert_eq!(oldest.unwrap_or(0), sealed);
            assert_eq!(ahead.take_ready().len(), usize::from(sealed == 0));
        }
        // One that is sealed stays as it is.
        let ahead = Ahead::new(Capacity { ready: 1, unfinished: 3 }, Arc::default());
        ahead.add(segment(1));
        let taken = ahead.take().expect("it is ready");
        taken.begin(7, 1);
        taken.seal(20);
        ahead.end(1, 20);
        assert_eq!(ahead.oldest_sealed().map(|oldest| oldest.segment.sealed()), Some(20));
    }
}

//! The segments of an engine: a few hot ones, used again and again, more while the output lags.
//! Taken by the collector, given back by the publisher.

use std::fmt;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Segment;
use crate::sys::mmap::Region;

/// Makes the memory of the segment with an index.
type Source = Box<dyn Fn(usize) -> io::Result<Region> + Send + Sync>;

/// All segments; the pool's table has room for as many as the staging limit allows.
pub(crate) struct Pool {
    segments: Box<[OnceLock<Segment>]>,
    source: Source,
    idle: Mutex<Idle>,
}

struct Idle {
    /// Given back, the last one on top: its memory is the hottest.
    free: Vec<usize>,
    /// Made so far.
    made: usize,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("segments_max", &self.segments.len()).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool with `hot` segments made now and at most `max` in all.
    ///
    /// # Errors
    /// The system's, when a hot segment cannot be had.
    pub(crate) fn new(
        hot: usize,
        max: usize,
        source: impl Fn(usize) -> io::Result<Region> + Send + Sync + 'static,
    ) -> io::Result<Pool> {
        let max = max.max(hot);
        let pool = Pool {
            segments: (0..max).map(|_| OnceLock::new()).collect(),
            source: Box::new(source),
            idle: Mutex::new(Idle { free: Vec::with_capacity(max), made: 0 }),
        };
        for _ in 0..hot {
            let index = pool.make()?;
            pool.give_back(index);
        }
        Ok(pool)
    }

    /// As many segments as there may be.
    pub(crate) fn segments_max(&self) -> usize {
        self.segments.len()
    }

    /// A free segment, made now if need be; none when the limit is reached or there is no room.
    pub(crate) fn take(&self) -> Option<usize> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).free.pop();
        idle.or_else(|| self.make().ok())
    }

    /// Frees a segment for its next life.
    pub(crate) fn give_back(&self, index: usize) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).free.push(index);
    }

    /// The segment at an index that `take` gave.
    pub(crate) fn segment(&self, index: usize) -> &Segment {
        self.segments[index].get().expect("taken segments are made")
    }

    /// The segment with this number, and its index.
    pub(crate) fn find(&self, seq: u64) -> Option<(usize, &Segment)> {
        let made = self.segments.iter().map_while(OnceLock::get).enumerate();
        made.into_iter().find(|(_, segment)| segment.seq() == seq)
    }

    fn make(&self) -> io::Result<usize> {
        let index = self.idle.lock().unwrap_or_else(PoisonError::into_inner).made;
        let slot = self.segments.get(index).ok_or(io::ErrorKind::OutOfMemory)?;
        let segment = Segment::new((self.source)(index)?);
        // Only the collector makes segments once the engine runs: nobody has filled the slot.
        let is_new = slot.set(segment).is_ok();
        debug_assert!(is_new);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).made = index + 1;
        Ok(index)
    }
}

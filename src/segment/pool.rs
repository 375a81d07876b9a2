//! The segments of an engine: a few hot ones, used again and again, and more while the output lags,
//! of which the memory is taken back when it does not any more. Taken and trimmed by the
//! collector, given back by the publisher.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Segment;
use crate::sys::mmap::Region;

/// Where segments have their memory from.
pub(crate) trait Source: Send + Sync {
    /// Memory for the segment with this index, faulted in.
    ///
    /// # Errors
    /// The system's: no room.
    fn make(&self, index: usize) -> io::Result<Region>;

    /// Takes the memory of a segment that holds nothing; it reads as zeros then.
    ///
    /// # Errors
    /// The system's; the memory stays.
    fn take_back(&self, region: &Region) -> io::Result<()>;

    /// Gives it memory again.
    ///
    /// # Errors
    /// As [`Source::make`].
    fn restore(&self, index: usize, region: &Region) -> io::Result<()>;

    /// Puts memory in the place of a free segment's whose file has lost a part of it.
    ///
    /// # Errors
    /// As [`Source::make`].
    fn mend(&self, region: &Region) -> io::Result<()>;
}

/// All segments; the pool's table has room for as many as the staging limit allows.
pub(crate) struct Pool {
    segments: Box<[Arc<Segment>]>,
    source: Box<dyn Source>,
    /// Segments that keep their memory.
    hot: usize,
    idle: Mutex<Idle>,
}

struct Idle {
    /// Given back, the last one on top: its memory is the hottest.
    free: Vec<usize>,
    /// Free, and without memory.
    bare: Vec<usize>,
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
    pub(crate) fn new(hot: usize, max: usize, source: impl Source + 'static) -> io::Result<Pool> {
        let max = max.max(hot);
        let pool = Pool {
            segments: (0..max).map(|_| Arc::new(Segment::empty())).collect(),
            source: Box::new(source),
            hot,
            idle: Mutex::new(Idle {
                free: Vec::with_capacity(max),
                bare: Vec::with_capacity(max),
                made: 0,
            }),
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

    /// A segment that was trimmed, with memory again.
    fn restore(&self) -> Option<usize> {
        let index = self.idle().bare.pop()?;
        let restored = self.source.restore(index, self.segment(index).region());
        if restored.is_err() {
            self.idle().bare.push(index);
        }
        restored.is_ok().then_some(index)
    }

    /// Frees a segment for its next life.
    pub(crate) fn give_back(&self, index: usize) {
        self.idle().free.push(index);
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn segment(&self, index: usize) -> &Arc<Segment> {
        &self.segments[index]
    }

    /// The segment with this number, and its index. Touches no segment's memory.
    pub(crate) fn find(&self, seq: u64) -> Option<(usize, &Arc<Segment>)> {
        self.segments.iter().enumerate().find(|(_, segment)| segment.seq() == seq)
    }

    fn make(&self) -> io::Result<usize> {
        let index = self.idle().made;
        let segment = self.segments.get(index).ok_or(io::ErrorKind::OutOfMemory)?;
        // Only the collector makes segments once the engine runs: nobody has filled this one.
        segment.fill(self.source.make(index)?);
        self.idle().made = index + 1;
        Ok(index)
    }

    /// A segment to write next; none while there is none.
    pub(crate) fn take(&self) -> Option<Arc<Segment>> {
        let free = self.idle().free.pop();
        let index = free.or_else(|| self.restore()).or_else(|| self.make().ok())?;
        let segment = self.segment(index);
        if !segment.is_good() && self.source.mend(segment.region()).is_err() {
            self.give_back(index);
            return None;
        }
        Some(Arc::clone(segment))
    }

    /// Takes the memory of the coldest free one, as long as more than the hot ones have any. Called
    /// by whoever takes segments.
    pub(crate) fn trim(&self) {
        let index = {
            let mut idle = self.idle();
            if idle.made - idle.bare.len() <= self.hot || idle.free.is_empty() {
                return;
            }
            idle.free.remove(0)
        };
        let segment = self.segment(index);
        // Nobody looks for its number any more.
        segment.forget();
        let taken = self.source.take_back(segment.region());
        let mut idle = self.idle();
        if taken.is_ok() { idle.bare.push(index) } else { idle.free.push(index) }
    }
}

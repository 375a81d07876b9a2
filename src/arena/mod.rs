//! The arena: what survives `kill -9`. A file that holds an engine's counters, callsites, commit
//! slots, intents and rings, mapped shared, so that the kernel keeps every store when the process
//! dies; segments lie in a second file beside it. Made by the owner at start, grown on the caller's
//! cold path.
//!
//! Where no file can be had (no room, no `fallocate`, a console without a directory) the same
//! layout lies in anonymous memory: the engine works as well and says that it is not crash-safe.
//! A clean drain unlinks its own; what a crash leaves behind can be [`read`], and is recovered
//! from.

pub(crate) mod commit;
mod create;
mod dictionary;
#[cfg(feature = "cli")]
pub(crate) mod inspect;
pub(crate) mod intent;
pub(crate) mod layout;
mod orphans;
pub(crate) mod read;
// Elsewhere there are no arenas in files.
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;
pub(crate) mod two_slots;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Piece;
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::sys::io::{Io, Reserve};
use crate::sys::mapped_file::MappedFile;
use crate::sys::mmap::Region;
use crate::sys::zeros::write_zeros;
use dictionary::Dictionary;
use layout::{EngineState, RINGS_AT, RINGS_PER_CHUNK, SEGMENT_BYTES, header};
use two_slots::{TwoSlots, Words};

pub(crate) use create::{Identity, Lines};
pub(crate) use layout::shared_memory_dir;
#[cfg(test)]
pub(crate) use orphans::forget_own;
pub(crate) use orphans::{
    ARENA_EXTENSION, SEGMENTS_EXTENSION, SITES_EXTENSION, forget_after_fork, is_own,
};

/// A mapping that several modules look into.
pub(crate) type SharedRegion = Arc<Region>;

/// The words of a region from an offset on.
#[derive(Clone, Debug)]
pub(crate) struct RegionWords {
    region: SharedRegion,
    offset: usize,
}

impl RegionWords {
    pub(crate) fn new(region: SharedRegion, offset: usize) -> RegionWords {
        RegionWords { region, offset }
    }
}

impl Words for RegionWords {
    fn word(&self, index: usize) -> &AtomicU64 {
        self.region.word(self.offset + index * 8)
    }
}

/// The sizes that an arena is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) ring_bytes: usize,
    pub(crate) record_bytes: usize,
    pub(crate) rings_max: usize,
}

impl Shape {
    fn ring_stride(&self) -> usize {
        layout::ring_stride(self.ring_bytes, self.record_bytes)
    }

    /// Bytes that a ring's mapping has.
    fn ring_region_bytes(&self) -> usize {
        layout::ring_len(self.ring_bytes, self.record_bytes)
    }
}

/// The two files.
#[derive(Debug)]
struct Files {
    io: Arc<dyn Io>,
    arena: Arc<MappedFile>,
    arena_path: PathBuf,
    segments: Arc<MappedFile>,
    segments_path: PathBuf,
    /// Made when the dictionary is full.
    sites_path: PathBuf,
}

/// How many rings were handed out, and for how many there are blocks.
#[derive(Debug, Default)]
struct Growth {
    rings: usize,
    allocated: usize,
}

/// An engine's arena.
#[derive(Debug)]
pub(crate) struct Arena {
    shape: Shape,
    id: u64,
    fixed: SharedRegion,
    files: Option<Files>,
    growth: Mutex<Growth>,
    dictionary: Mutex<Dictionary>,
    /// False as soon as anything of the engine lies in anonymous memory.
    crash_safe: AtomicBool,
    /// Whether a part of the files could not be had, or was found to be cut: what is mapped from
    /// now on lies in anonymous memory.
    is_damaged: AtomicBool,
}

/// A ring's memory.
#[derive(Debug)]
pub(crate) struct RingMemory {
    pub(crate) region: SharedRegion,
    /// Its number in the arena; none when it lies in anonymous memory.
    pub(crate) number: Option<u32>,
}

impl Arena {
    /// The header, counters, slots, intents and dictionary.
    pub(crate) fn fixed(&self) -> &SharedRegion {
        &self.fixed
    }

    /// Random; stamped into segments.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether everything that was handed out so far survives the process.
    pub(crate) fn is_crash_safe(&self) -> bool {
        self.crash_safe.load(Ordering::Relaxed) && !self.is_damaged()
    }

    /// How often a page of the files could not be had, and memory of the process took its place.
    pub(crate) fn faults(&self) -> u64 {
        self.files.as_ref().map_or(0, |files| files.arena.faults() + files.segments.faults())
    }

    /// Whether the files can no longer be relied upon.
    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed) || self.faults() > 0
    }

    /// As [`is_damaged`](Arena::is_damaged), after a look at the file. From time to time, on an
    /// engine thread.
    pub(crate) fn find_damage(&self) -> bool {
        if !self.is_damaged() && !self.fixed.is_intact() {
            self.set_damaged();
        }
        self.is_damaged()
    }

    /// A part of the files was found to be gone.
    pub(crate) fn set_damaged(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// The files, as long as what is mapped of them is kept.
    fn sound_files(&self) -> Option<&Files> {
        self.files.as_ref().filter(|_| !self.is_damaged())
    }

    /// Where it lies, if in a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.files.as_ref().map(|files| files.arena_path.as_path())
    }

    /// Memory for one more ring, faulted in. In anonymous memory when the file's rings are used up
    /// or their blocks cannot be had.
    ///
    /// # Errors
    /// The system's, when there is no memory at all.
    pub(crate) fn map_ring(&self) -> io::Result<RingMemory> {
        if let Some(memory) = self.sound_files().and_then(|files| self.map_ring_in(files).ok()) {
            return Ok(memory);
        }
        self.crash_safe.store(false, Ordering::Relaxed);
        let region = Region::anonymous(self.shape.ring_region_bytes())?;
        region.populate(0, region.len())?;
        region.lock_in_memory();
        Ok(RingMemory { region: Arc::new(region), number: None })
    }

    fn map_ring_in(&self, files: &Files) -> io::Result<RingMemory> {
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        if growth.rings == self.shape.rings_max {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let stride = self.shape.ring_stride();
        if growth.rings == growth.allocated {
            let at = (RINGS_AT + growth.allocated * stride) as u64;
            let len = (RINGS_PER_CHUNK * stride) as u64;
            extend(&*files.io, &files.arena, at, len)?;
            growth.allocated += RINGS_PER_CHUNK;
            let rings = self.fixed.word(header::RINGS);
            // Release: a reader of the file finds room for as many rings as it reads here.
            rings.store(growth.allocated as u64, Ordering::Release);
        }
        let at = (RINGS_AT + growth.rings * stride) as u64;
        // Mapped first: where that fails, as many bytes would be written for nothing.
        let region = Region::of_file(&files.arena, at, self.shape.ring_region_bytes())?;
        write_zeros(files.arena.open()?, at, self.shape.ring_region_bytes())?;
        region.populate(0, region.len())?;
        region.witness();
        region.lock_in_memory();
        let number = growth.rings as u32;
        growth.rings += 1;
        Ok(RingMemory { region: Arc::new(region), number: Some(number) })
    }

    /// Memory for the segment with this index, faulted in. In anonymous memory where the files are
    /// of no use any more.
    ///
    /// # Errors
    /// The system's: no room in the file system, or no memory.
    pub(crate) fn map_segment(&self, index: usize) -> io::Result<Region> {
        let Some(files) = self.sound_files() else { return self.segment_in_memory() };
        let at = (index * SEGMENT_BYTES) as u64;
        extend(&*files.io, &files.segments, at, SEGMENT_BYTES as u64)?;
        let region = Region::of_file(&files.segments, at, SEGMENT_BYTES)?;
        write_zeros(files.segments.open()?, at, SEGMENT_BYTES)?;
        region.populate(0, SEGMENT_BYTES)?;
        region.witness();
        Ok(region)
    }

    /// The same in anonymous memory, for a segment that the engine cannot do without.
    ///
    /// # Errors
    /// The system's: no memory.
    pub(crate) fn segment_in_memory(&self) -> io::Result<Region> {
        self.crash_safe.store(false, Ordering::Relaxed);
        let region = Region::anonymous(SEGMENT_BYTES)?;
        region.populate(0, SEGMENT_BYTES)?;
        Ok(region)
    }

    /// Puts memory of the process in place of a segment that nobody uses and of which the file has
    /// lost a part.
    ///
    /// # Errors
    /// The system's: no memory.
    pub(crate) fn mend_segment(&self, region: &Region) -> io::Result<()> {
        self.set_damaged();
        region.leave_file()?;
        region.populate(0, SEGMENT_BYTES)
    }

    /// Takes back the memory of a segment that holds nothing.
    ///
    /// # Errors
    /// The system's; the memory stays.
    pub(crate) fn take_segment_back(&self, region: &Region) -> io::Result<()> {
        region.discard()
    }

    /// Gives it memory again.
    ///
    /// # Errors
    /// As [`Arena::map_segment`].
    pub(crate) fn restore_segment(&self, index: usize, region: &Region) -> io::Result<()> {
        if !region.is_of_file() {
            return region.populate(0, SEGMENT_BYTES);
        }
        let Some(files) = self.sound_files() else { return self.mend_segment(region) };
        let at = (index * SEGMENT_BYTES) as u64;
        // Not cut back when that fails: others lie behind it.
        files.io.fallocate(files.segments.fd()?, Reserve::Extend, at, SEGMENT_BYTES as u64)?;
        write_zeros(files.segments.open()?, at, SEGMENT_BYTES)?;
        region.populate(0, SEGMENT_BYTES)?;
        region.witness();
        Ok(())
    }

    /// Commits a callsite's entry, for whoever reads the rings after a crash. May wait for a disk.
    pub(crate) fn list_site(&self, entry: &[u8]) {
        let listed = {
            let mut dictionary = self.dictionary.lock().unwrap_or_else(PoisonError::into_inner);
            dictionary.append(entry)
        };
        if listed.is_err() {
            self.miss_site();
        }
    }

    /// A callsite has no entry: its records will not be read after a crash.
    pub(crate) fn miss_site(&self) {
        self.crash_safe.store(false, Ordering::Relaxed);
    }

    /// Stores how ticks become UTC, for whoever reads the rings after a crash.
    pub(crate) fn store_clock(&self, pieces: [Piece; 2]) {
        let words = RegionWords::new(Arc::clone(&self.fixed), header::CLOCK);
        TwoSlots::new(words, layout::CLOCK_SLOT_WORDS)
            .write(pieces.into_iter().flat_map(Piece::to_words));
    }

    /// Says that everything is in the output, for whoever reads the file if it stays. May wait for
    /// a disk, as the removal does.
    pub(crate) fn set_drained(&self) {
        // Pairs with whoever reads the file after a crash: what came before is there.
        self.fixed.word(header::STATE).store(EngineState::Drained as u64, Ordering::Release);
    }

    /// Removes the files, after a clean drain. What is mapped stays usable.
    ///
    /// # Errors
    /// The first of the system's; all removals are tried.
    pub(crate) fn unlink(&self) -> io::Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        // The arena last: what a death in between leaves is found by it.
        let segments = files.io.unlink(&files.segments_path);
        let sites = match files.io.unlink(&files.sites_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        let arena = files.io.unlink(&files.arena_path);
        orphans::forget_own(&files.arena_path);
        segments.and(sites).and(arena)
    }
}

/// Allocates blocks, and cuts the file back when that fails half-way: a failed `fallocate` has been
/// seen to keep all the free space of an ext4.
fn extend(io: &dyn Io, file: &MappedFile, at: u64, len: u64) -> io::Result<()> {
    let fd = file.fd()?;
    io.fallocate(fd, Reserve::Extend, at, len).inspect_err(|_| {
        // The error that matters is the first one.
        let _ = io.ftruncate(fd, at);
    })
}

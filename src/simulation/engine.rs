//! A life of the engine on the simulated disk: the real publisher and the real keeper, stepped by
//! hand, and in the collector's place whoever writes numbered lines into real segments. Runs on the
//! test's thread.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::disk::{DIR, Disk, PRIVATE_DIR};
use super::lines;
use super::random::Random;
use crate::arena::commit::{Commits, Written};
use crate::arena::intent::Intents;
use crate::arena::layout;
#[cfg(feature = "compress")]
use crate::config::Compression;
use crate::config::file_names::Unit;
use crate::config::{Modes, Retention, Rotate, RotateZone, Rotation};
use crate::flush::controller::{Limits, Mode, SyncGoal};
use crate::flush::signal::bit;
use crate::keep::{self, Care, Engines, Keeper};
use crate::level::Level;
use crate::publish::{self, Calendar, FileOutput, NameHeld, Places, Publisher, Target};
use crate::segment::{Pool, SegmentWriter, Source};
use crate::shared::Shared;
use crate::stats::{Counter, Counters, DropReason};
use crate::sys::io::Io;
use crate::sys::mmap::Region;

/// Small, so that a run fills many.
const SEGMENT_BYTES: usize = 8 << 10;
const HOT_SEGMENTS: usize = 3;
const SEGMENTS_MAX: usize = 5;
const COUNTERS_BYTES: usize = 4096;

/// How an engine is configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) file_bytes_max: u64,
    pub(super) period: Rotate,
    pub(super) retain_files: usize,
    pub(super) sync: SyncGoal,
}

impl Shape {
    pub(super) fn of(random: &mut Random) -> Shape {
        let syncs =
            [SyncGoal::Never, SyncGoal::Within(Duration::from_secs(1)), SyncGoal::EachBatch];
        Shape {
            file_bytes_max: random.within(500..20_000),
            period: *random.pick(&[Rotate::Never, Rotate::Hourly]),
            retain_files: *random.pick(&[0, 1, 3, 1_000]),
            sync: *random.pick(&syncs),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            mode: Mode::Fixed,
            publish_every: Duration::from_millis(5),
            sync: self.sync,
            urgent_sync_every: Some(Duration::from_millis(100)),
            publish_bytes: 4 << 10,
            staging_bytes: (SEGMENT_BYTES * SEGMENTS_MAX) as u64,
            shed_below: None,
        }
    }

    fn rotation(&self) -> Rotation {
        Rotation {
            bytes: self.file_bytes_max,
            period: self.period,
            zone: RotateZone::Utc,
            segment_age: Duration::from_secs(60),
        }
    }
}

/// Segments of anonymous memory.
struct Memory;

impl Source for Memory {
    fn make(&self, _: usize) -> io::Result<Region> {
        Region::anonymous(SEGMENT_BYTES)
    }

    fn take_back(&self, _: &Region) -> io::Result<()> {
        Ok(())
    }

    fn restore(&self, _: usize, _: &Region) -> io::Result<()> {
        Ok(())
    }

    fn mend(&self, _: &Region) -> io::Result<()> {
        Ok(())
    }
}

/// The only engine of its log.
#[derive(Debug)]
struct Alone;

impl NameHeld for Alone {
    fn renew(&self, _: &dyn Io) -> io::Result<()> {
        Ok(())
    }
}

impl Engines for Alone {
    fn while_gone(&self, _: &str, _: &mut dyn FnMut()) -> bool {
        false
    }
}

/// A running engine.
pub(super) struct Life {
    pub(super) shared: Shared,
    pub(super) keeper_signal: Arc<crate::flush::signal::Signal>,
    commits: Commits,
    writer: SegmentWriter,
    pub(super) written: Written,
    /// Records of the engine's own among them.
    pub(super) own: u64,
    pub(super) submitted: u64,
    /// Where each line ends among those of this life, and its number.
    ends: Vec<(u64, u64)>,
    /// How many of them are published.
    published: usize,
    /// Up to where barriers have failed: later ones answer for what comes behind.
    pub(super) answered: u64,
    pub(super) publisher: Option<Publisher>,
    pub(super) keeper: Option<Keeper>,
}

impl Life {
    /// Opens the log, as a start does.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn start(disk: &Arc<Disk>, shape: &Shape) -> io::Result<Life> {
        let is_dir_new = disk.state().make_dirs();
        let memory = |bytes| Region::anonymous(bytes).map(Arc::new);
        let counters = Counters::new(memory(COUNTERS_BYTES)?, 0);
        let io: Arc<dyn Io> = Arc::clone(disk) as _;
        let places = Places {
            dir: DIR.into(),
            private_dir: PRIVATE_DIR.into(),
            base: "app".to_owned(),
            unit: Unit::Lines,
            modes: Modes::default(),
            has_former: false,
        };
        let next = places.next();
        let calendar = Calendar::new(shape.period, RotateZone::Utc).map_err(io::Error::other)?;
        let (name, rotation) = ((places, Arc::new(Alone) as _), shape.rotation());
        let output = FileOutput::open(Arc::clone(&io), name, rotation, calendar, counters.clone())?;
        let files = output.files();
        if is_dir_new {
            files.set_dir_new();
        }
        let keeper_signal = Arc::default();
        let shared = Shared::new(counters, shape.limits(), Some(Arc::clone(&keeper_signal)));
        let pool = Arc::new(Pool::new(HOT_SEGMENTS, SEGMENTS_MAX, Memory)?);
        let fixed = memory(layout::DICTIONARY_AT)?;
        let commits = Commits::new(Arc::clone(&fixed));
        let keeper = Keeper::new(
            keep::Parts {
                io: Arc::clone(&io),
                dir: DIR.into(),
                next,
                file_bytes_max: shape.file_bytes_max,
                free_bytes: 0,
                files,
                shared: shared.clone(),
                signal: Arc::clone(&keeper_signal),
            },
            care(&io, &shared, shape),
        );
        let publisher = Publisher::new(publish::Parts {
            target: Target::File(Box::new(output)),
            commits: commits.clone(),
            intents: Intents::new(fixed),
            pool: Arc::clone(&pool),
            shared: shared.clone(),
        });
        let writer = SegmentWriter::begin(pool, 1).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Life {
            shared,
            keeper_signal,
            commits,
            writer,
            written: Written::default(),
            own: 0,
            submitted: 0,
            ends: Vec::new(),
            published: 0,
            answered: 0,
            publisher: Some(publisher),
            keeper: Some(keeper),
        })
    }

    /// A record of the program; whether a segment has room for it.
    pub(super) fn log(&mut self, number: u64) -> bool {
        self.submitted += 1;
        let is_written = self.write(number);
        if is_written {
            self.written.records += 1;
            self.shared.counters.add(Counter::Written, 1);
        } else {
            self.shared.counters.drop_record(DropReason::Full, Level::Info);
        }
        is_written
    }

    /// Writes what the engine has to tell, as far as there is room; how much there was.
    pub(super) fn tell(&mut self, mut number: impl FnMut() -> u64) {
        while self.has_room(lines::BYTES_MAX) && self.shared.progress.take_notice().is_some() {
            let number = number();
            let line = lines::line(number);
            self.writer.room()[..line.len()].copy_from_slice(line.as_bytes());
            self.writer.advance_own(line.len());
            self.note(line.len(), number);
            self.own += 1;
        }
    }

    fn write(&mut self, number: u64) -> bool {
        let line = lines::line(number);
        if !self.has_room(line.len()) {
            return false;
        }
        self.writer.room()[..line.len()].copy_from_slice(line.as_bytes());
        self.writer.advance(line.len());
        self.note(line.len(), number);
        true
    }

    fn note(&mut self, bytes: usize, number: u64) {
        self.written.bytes += bytes as u64;
        self.ends.push((self.written.bytes, number));
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        if self.writer.room().len() >= bytes {
            return true;
        }
        self.commit(0);
        let has_rolled = self.writer.roll(self.written.records);
        if has_rolled {
            self.written.len = 0;
        }
        self.shared.publisher.raise(bit::SEGMENT);
        has_rolled
    }

    /// Ends the batch, as the collector does.
    pub(super) fn commit(&mut self, urgency: u32) {
        let len = self.writer.len() as u64;
        if len == self.written.len && self.writer.seq() == self.written.segment {
            return;
        }
        (self.written.segment, self.written.len) = (self.writer.seq(), len);
        self.commits.write(self.written, 0, &[]);
        self.shared.progress.set_written(self.written.bytes);
        self.shared.publisher.raise(bit::WORK | urgency);
    }

    /// One step of the publisher.
    pub(super) fn step_publisher(&mut self) {
        let Some(publisher) = &mut self.publisher else { return };
        if publisher.step(self.shared.publisher.take()).is_break() {
            publisher.end();
            self.publisher = None;
        }
    }

    /// One step of the keeper.
    pub(super) fn step_keeper(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        if keeper.step(self.keeper_signal.take()).is_break() {
            keeper.end();
            self.keeper = None;
        }
    }

    /// Numbers of lines that were published since it was asked last.
    pub(super) fn newly_published(&mut self) -> Vec<u64> {
        let before = self.published;
        let published = self.shared.progress.published();
        self.published += self.ends[before..].partition_point(|(end, _)| *end <= published);
        self.ends[before..self.published].iter().map(|(_, number)| *number).collect()
    }

    /// Numbers of the lines before a position that a good barrier answers for.
    pub(super) fn answered_for(&self, position: u64) -> impl Iterator<Item = u64> {
        let [from, to] =
            [self.answered, position].map(|at| self.ends.partition_point(|(end, _)| *end <= at));
        self.ends[from.min(to)..to].iter().map(|(_, number)| *number)
    }
}

fn care(io: &Arc<dyn Io>, shared: &Shared, shape: &Shape) -> Care {
    Care {
        io: Arc::clone(io),
        dir: Path::new(DIR).to_owned(),
        private_dir: Path::new(PRIVATE_DIR).to_owned(),
        uid: 0,
        name: "app".to_owned(),
        base: "app".to_owned(),
        engines: Arc::new(Alone),
        retention: Retention {
            files: shape.retain_files,
            bytes: u64::MAX,
            age: Duration::MAX,
            free_bytes: 0,
        },
        #[cfg(feature = "compress")]
        compression: Compression::None,
        shared: shared.clone(),
    }
}

//! What stands behind the collector: segments, publisher and keeper, either to append lines to an
//! output or to make segments the files of the log. Put together on the owner, at start.

use std::io;
use std::sync::Arc;

use super::open::LogPlace;
use super::start::HOT_SEGMENTS;
use super::wire::Shared;
use crate::arena::commit::Commits;
use crate::arena::intent::Intents;
use crate::arena::{Arena, layout};
use crate::config::{SegmentMode, Settings};
use crate::error::Error;
use crate::flush::files::LogFiles;
use crate::keep::{self, AheadKeeper, AheadParts, Care, Keeper, Maker};
use crate::publish::{self, Publisher, SealedFiles, Sealer, SealerParts, Target};
use crate::segment::{Ahead, Capacity, HEAD_BYTES, Pool, Source, Supply};
use crate::sys::io::Io;
use crate::sys::mmap::Region;
use crate::sys::process;

const _: () = assert!(layout::HEADS * HEAD_BYTES == layout::PAGE);

/// How much of the first segment is faulted in before the engine starts; the rest follows.
const FIRST_BYTES: usize = 1 << 20;

/// Where the lines go.
pub(super) enum Destination {
    /// Appended by the publisher; `files` where it is a file.
    Appended { target: Target, files: Option<Arc<LogFiles>> },
    /// Segments become the files.
    Sealed(SealedFiles),
}

type Body = Box<dyn FnOnce() + Send>;

/// The segments, and what the threads behind the collector do.
pub(super) struct Rear {
    pub(super) supply: Arc<dyn Supply>,
    pub(super) publisher: Body,
    /// None where there is no file to keep.
    pub(super) keeper: Option<Body>,
    /// To be kept once the start cannot fail any more, and to be dropped behind the threads.
    pub(super) unused: Unused,
}

/// Removes the segments of a start that failed: nothing that was logged is in any.
pub(super) struct Unused(Option<(Arc<dyn Io>, Arc<Ahead>)>);

impl Unused {
    /// They are used from now on.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unused {
    fn drop(&mut self) {
        let Some((io, ahead)) = &self.0 else { return };
        // The collector, which may have one already, has committed nothing.
        ahead.end(0, 0);
        for segment in ahead.take_ready() {
            // The error that matters is why the start failed.
            let _ = io.unlink(&segment.path);
        }
    }
}

/// The most that segments may take.
pub(super) fn staging_bytes(settings: &Settings) -> u64 {
    match settings.segment_mode {
        SegmentMode::Publish => settings.staging_bytes as u64,
        SegmentMode::Seal => capacity(settings).unfinished_bytes(settings.sealing.bytes),
    }
}

fn capacity(settings: &Settings) -> Capacity {
    Capacity::new(settings.sealing.bytes, settings.staging_bytes, layout::HEADS)
}

impl Rear {
    pub(super) fn new(
        settings: &Settings,
        shared: &Shared,
        log: Option<&LogPlace>,
        destination: Destination,
    ) -> Result<Rear, Error> {
        match (destination, log) {
            (Destination::Appended { target, files }, log) => {
                let kept = files.zip(log);
                let keeper = kept.map(|(files, log)| keeper(settings, shared, files, log));
                appended(settings, shared, target, keeper)
            }
            (Destination::Sealed(files), Some(log)) => sealed(settings, shared, files, log),
            // Sealing without a file was refused with the configuration.
            (Destination::Sealed(_), None) => Err(Error::NotAFile { path: settings.dir.clone() }),
        }
    }
}

fn appended(
    settings: &Settings,
    shared: &Shared,
    target: Target,
    keeper: Option<Keeper>,
) -> Result<Rear, Error> {
    let pool = pool(settings, &shared.arena)?;
    let publisher = Publisher::new(publish::Parts {
        target,
        commits: Commits::new(Arc::clone(shared.arena.fixed())),
        intents: Intents::new(Arc::clone(shared.arena.fixed())),
        pool: Arc::clone(&pool),
        counters: shared.counters.clone(),
        progress: Arc::clone(&shared.progress),
        limits: shared.limits,
        actuators: Arc::clone(&shared.actuators),
        signal: Arc::clone(&shared.publisher),
        collector: Arc::clone(&shared.collector),
        keeper: keeper.is_some().then(|| Arc::clone(&shared.keeper)),
    });
    Ok(Rear {
        supply: pool,
        publisher: Box::new(move || publisher.run()),
        keeper: keeper.map(|keeper| Box::new(move || keeper.run()) as Body),
        unused: Unused(None),
    })
}

fn keeper(settings: &Settings, shared: &Shared, files: Arc<LogFiles>, log: &LogPlace) -> Keeper {
    let parts = keep::Parts {
        io: Arc::clone(&settings.io),
        dir: log.dir.clone(),
        next: log.places().next(),
        file_bytes_max: settings.rotation.bytes,
        free_bytes: settings.retention.free_bytes,
        files,
        counters: shared.counters.clone(),
        progress: Arc::clone(&shared.progress),
        limits: shared.limits,
        actuators: Arc::clone(&shared.actuators),
        signal: Arc::clone(&shared.keeper),
        publisher: Arc::clone(&shared.publisher),
    };
    Keeper::new(parts, care(settings, shared, log))
}

fn care(settings: &Settings, shared: &Shared, log: &LogPlace) -> Care {
    Care {
        io: Arc::clone(&settings.io),
        dir: log.dir.clone(),
        name: settings.name.clone(),
        #[cfg(feature = "compress")]
        next: log.places().next(),
        retention: settings.retention,
        #[cfg(feature = "compress")]
        compression: settings.compression,
        #[cfg(feature = "compress")]
        signal: Arc::clone(&shared.keeper),
        counters: shared.counters.clone(),
        progress: Arc::clone(&shared.progress),
    }
}

fn sealed(
    settings: &Settings,
    shared: &Shared,
    files: SealedFiles,
    log: &LogPlace,
) -> Result<Rear, Error> {
    let maker = Maker {
        io: Arc::clone(&settings.io),
        dir: log.private_dir.clone(),
        stem: format!("{}.{}-{:016x}", log.base, process::pid(), shared.arena.id()),
        bytes: settings.sealing.bytes,
        arena: Arc::clone(shared.arena.fixed()),
    };
    let first = maker.make(1, FIRST_BYTES).map_err(|source| {
        let path = log.private_dir.clone();
        Error::LogFile { path, source }
    })?;
    let ahead = Arc::new(Ahead::new(capacity(settings), Arc::clone(&shared.keeper)));
    let keeper = AheadKeeper::new(
        AheadParts {
            maker,
            ahead: Arc::clone(&ahead),
            first: Some(Arc::clone(&first.segment)),
            counters: shared.counters.clone(),
            progress: Arc::clone(&shared.progress),
            signal: Arc::clone(&shared.keeper),
            collector: Arc::clone(&shared.collector),
        },
        care(settings, shared, log),
    );
    ahead.add(first);
    let sealer = Sealer::new(SealerParts {
        files,
        ahead: Arc::clone(&ahead),
        commits: Commits::new(Arc::clone(shared.arena.fixed())),
        intents: Intents::new(Arc::clone(shared.arena.fixed())),
        counters: shared.counters.clone(),
        progress: Arc::clone(&shared.progress),
        signal: Arc::clone(&shared.publisher),
        collector: Arc::clone(&shared.collector),
        keeper: Arc::clone(&shared.keeper),
    });
    Ok(Rear {
        unused: Unused(Some((Arc::clone(&settings.io), Arc::clone(&ahead)))),
        supply: ahead,
        publisher: Box::new(move || sealer.run()),
        keeper: Some(Box::new(move || keeper.run())),
    })
}

/// Segments have their memory from the arena.
struct FromArena(Arc<Arena>);

impl Source for FromArena {
    fn make(&self, index: usize) -> io::Result<Region> {
        self.0.map_segment(index)
    }

    fn take_back(&self, region: &Region) -> io::Result<()> {
        self.0.take_segment_back(region)
    }

    fn restore(&self, index: usize, region: &Region) -> io::Result<()> {
        self.0.restore_segment(index, region)
    }
}

fn pool(settings: &Settings, arena: &Arc<Arena>) -> Result<Arc<Pool>, Error> {
    let max = settings.staging_bytes / layout::SEGMENT_BYTES;
    let pool = Pool::new(HOT_SEGMENTS, max, FromArena(Arc::clone(arena)));
    pool.map(Arc::new).map_err(|source| {
        let bytes = HOT_SEGMENTS * layout::SEGMENT_BYTES;
        Error::Memory { bytes, source }
    })
}

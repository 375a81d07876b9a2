//! What stands behind the collector: segments, publisher and keeper. Put together on the owner, at
//! start.

use std::io;
use std::sync::{Arc, OnceLock};

use super::lock::NameLocks;
use super::open::LogPlace;
use super::private_dir;
use super::start::HOT_SEGMENTS;
use super::wire::Front;
use crate::arena::intent::Intents;
use crate::arena::{Arena, layout};
use crate::config::Settings;
use crate::error::Error;
use crate::flush::files::LogFiles;
use crate::keep::{self, Care, Keeper};
use crate::publish::{self, Publisher, Target};
use crate::segment::{Pool, Source};
use crate::shared::Shared;
use crate::sys::mmap::Region;

/// Where the lines go.
pub(super) struct Destination {
    pub(super) target: Target,
    /// Where it is a file.
    pub(super) files: Option<Arc<LogFiles>>,
}

/// The segments, and the threads behind the collector.
pub(super) struct Rear {
    pub(super) pool: Arc<Pool>,
    pub(super) publisher: Publisher,
    /// None where there is no file to keep.
    pub(super) keeper: Option<Keeper>,
}

impl Rear {
    pub(super) fn new(
        settings: &Settings,
        front: &Front,
        log: Option<&LogPlace>,
        destination: Destination,
        warnings: &mut Vec<String>,
    ) -> Result<Rear, Error> {
        let Destination { target, files } = destination;
        let shared = &front.registry.shared;
        let kept = files.zip(log).zip(shared.keeper.as_ref());
        let keeper = kept.map(|((files, log), signal)| {
            let parts = keep::Parts {
                io: Arc::clone(&settings.io),
                dir: log.dir.clone(),
                next: log.places().next(),
                file_bytes_max: settings.rotation.bytes,
                free_bytes: settings.retention.free_bytes,
                files,
                shared: shared.clone(),
                signal: Arc::clone(signal),
            };
            Keeper::new(parts, care(settings, shared, log))
        });
        let pool = pool(settings, &front.arena, warnings)?;
        let publisher = Publisher::new(publish::Parts {
            target,
            commits: front.commits.clone(),
            intents: Intents::new(Arc::clone(front.arena.fixed())),
            pool: Arc::clone(&pool),
            shared: shared.clone(),
        });
        Ok(Rear { pool, publisher, keeper })
    }
}

fn care(settings: &Settings, shared: &Shared, log: &LogPlace) -> Care {
    Care {
        io: Arc::clone(&settings.io),
        dir: log.dir.clone(),
        private_dir: log.private_dir.clone(),
        uid: private_dir::owner(&*settings.io, &log.private_dir),
        name: settings.name.clone(),
        base: log.base.clone(),
        engines: Arc::new(NameLocks::new(Arc::clone(&settings.io), log.private_dir.clone())),
        retention: settings.retention,
        #[cfg(feature = "compress")]
        compression: settings.compression,
        shared: shared.clone(),
    }
}

/// Segments have their memory from the arena.
pub(crate) struct FromArena {
    arena: Arc<Arena>,
    /// Why a segment that the engine cannot do without is in anonymous memory.
    refused: Arc<OnceLock<io::Error>>,
}

impl FromArena {
    pub(crate) fn new(arena: Arc<Arena>) -> FromArena {
        FromArena { arena, refused: Arc::default() }
    }
}

impl Source for FromArena {
    fn make(&self, index: usize) -> io::Result<Region> {
        self.arena.map_segment(index).or_else(|error| {
            if index >= HOT_SEGMENTS {
                return Err(error);
            }
            // The first reason is the one that is told.
            let _ = self.refused.set(error);
            self.arena.segment_in_memory()
        })
    }

    fn take_back(&self, region: &Region) -> io::Result<()> {
        self.arena.take_segment_back(region)
    }

    fn restore(&self, index: usize, region: &Region) -> io::Result<()> {
        self.arena.restore_segment(index, region)
    }

    fn mend(&self, region: &Region) -> io::Result<()> {
        self.arena.mend_segment(region)
    }
}

fn pool(
    settings: &Settings,
    arena: &Arc<Arena>,
    warnings: &mut Vec<String>,
) -> Result<Arc<Pool>, Error> {
    let max = settings.staging_bytes / layout::SEGMENT_BYTES;
    let source = FromArena::new(Arc::clone(arena));
    let refused = Arc::clone(&source.refused);
    let pool = Pool::new(HOT_SEGMENTS, max, source).map_err(|source| {
        let bytes = HOT_SEGMENTS * layout::SEGMENT_BYTES;
        Error::Memory { bytes, source }
    })?;
    if let (Some(error), Some(path)) = (refused.get(), arena.path()) {
        warnings.push(format!(
            "records do not survive `kill -9`, because the segments beside the arena {} have no \
             file: {error}",
            path.display()
        ));
    }
    Ok(Arc::new(pool))
}

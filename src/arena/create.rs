//! Makes an arena: names, files, header. Runs on the owner, at start.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::dictionary::{Dictionary, SideFile};
use super::layout::{self, MAGIC, NAME_BYTES_MAX, PAGE, RINGS_AT, VERSION, header};
use super::{Arena, Files, Growth, Shape, extend, orphans};
use crate::primitive::{AtomicBool, Ordering};
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::Io;
use crate::sys::mapped_file::MappedFile;
use crate::sys::mmap::Region;
use crate::sys::process::{self, LockHeld};

/// Whose arena it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// The engine's name.
    pub(crate) name: &'a str,
    /// The name, or the one with a suffix that is used instead: the arena's files have it.
    pub(crate) base: &'a str,
    /// The visible file's name, without its directory; empty for consoles.
    pub(crate) file_name: &'a str,
    /// Its directory, absolute; empty for consoles.
    pub(crate) directory: &'a Path,
    pub(crate) lines: Lines,
}

/// How the lines look and where they go, in the numbers of the header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    pub(crate) format: u64,
    pub(crate) details: u64,
    pub(crate) output: u64,
    pub(crate) colour: u64,
    pub(crate) message_max: u64,
    pub(crate) url_passwords: u64,
}

#[cfg(any(test, feature = "bench-internals"))]
impl Lines {
    /// Plain JSON to a file.
    pub(crate) const JSON: Lines = Lines {
        format: 1,
        details: 0,
        output: 1,
        colour: 0,
        message_max: 4 << 10,
        url_passwords: 0,
    };
}

impl Arena {
    /// An arena in files of the directory `dir`, which exists; `guard`: whether a page that cannot
    /// be had is the engine's business.
    ///
    /// # Errors
    /// The system's; what was made by then is removed.
    pub(crate) fn create(
        io: Arc<dyn Io>,
        dir: &Path,
        identity: Identity<'_>,
        shape: Shape,
        guard: SigbusGuard,
    ) -> io::Result<Arena> {
        let id = process::random_u64();
        let stem = format!("{}.{}-{:016x}", identity.base, process::pid(), id);
        let arena_path = dir.join(format!("{stem}.{}", orphans::ARENA_EXTENSION));
        let segments_path = dir.join(format!("{stem}.{}", orphans::SEGMENTS_EXTENSION));
        let sites_path = dir.join(format!("{stem}.{}", orphans::SITES_EXTENSION));
        orphans::remember_own(&arena_path);
        let arena =
            io.create_private(&arena_path).inspect_err(|_| orphans::forget_own(&arena_path))?;
        let made = (|| {
            let arena = Arc::new(MappedFile::new(arena, guard)?);
            extend(&*io, &arena, 0, RINGS_AT as u64)?;
            let fixed = Region::of_file(&arena, 0, RINGS_AT)?;
            // The dictionary's pages are touched as it fills.
            fixed.populate(0, layout::DICTIONARY_AT + PAGE)?;
            fixed.populate(RINGS_AT - PAGE, PAGE)?;
            fixed.witness();
            let segments = io.create_private(&segments_path)?;
            let segments = Arc::new(MappedFile::new(segments, guard)?);
            // Held while the process lives, released by the kernel when it dies.
            process::record_lock(arena.open()?).map_err(|held| match held {
                LockHeld::Unknown(error) => error,
                LockHeld::By { .. } => io::ErrorKind::WouldBlock.into(),
            })?;
            Ok((fixed, arena, segments))
        })();
        let (fixed, arena, segments) = match made {
            Ok(made) => made,
            Err(error) => {
                // The error that matters is the first one.
                let _ = io.unlink(&segments_path);
                let _ = io.unlink(&arena_path);
                orphans::forget_own(&arena_path);
                return Err(error);
            }
        };
        let files = Files { io, arena, arena_path, segments, segments_path, sites_path };
        Ok(Arena::over(Arc::new(fixed), Some(files), id, identity, shape))
    }

    /// An arena in anonymous memory: nothing of it survives the process.
    ///
    /// # Errors
    /// The system's, when there is no memory.
    pub(crate) fn anonymous(identity: Identity<'_>, shape: Shape) -> io::Result<Arena> {
        let fixed = Region::anonymous(RINGS_AT)?;
        fixed.populate(0, layout::DICTIONARY_AT + PAGE)?;
        Ok(Arena::over(Arc::new(fixed), None, process::random_u64(), identity, shape))
    }

    fn over(
        fixed: Arc<Region>,
        files: Option<Files>,
        id: u64,
        identity: Identity<'_>,
        shape: Shape,
    ) -> Arena {
        write_header(&fixed, id, identity, shape);
        let side = files.as_ref().map(|Files { io, sites_path, .. }| SideFile {
            io: Arc::clone(io),
            path: sites_path.clone(),
            arena_id: id,
        });
        Arena {
            shape,
            id,
            crash_safe: AtomicBool::new(files.is_some()),
            is_damaged: AtomicBool::new(false),
            files,
            growth: Mutex::new(Growth::default()),
            dictionary: Mutex::new(Dictionary::new(Arc::clone(&fixed), side)),
            fixed,
        }
    }
}

/// All of the header, the magic number last: an arena without it was never used.
fn write_header(region: &Region, id: u64, identity: Identity<'_>, shape: Shape) {
    let words = [
        (header::VERSION, VERSION),
        (header::ARENA_ID, id),
        (header::PID, process::pid().into()),
        (header::START_TIME, process::start_time()),
        (header::RING_BYTES, shape.ring_bytes as u64),
        (header::RECORD_BYTES, shape.record_bytes as u64),
        (header::RING_STRIDE, shape.ring_stride() as u64),
        (header::RINGS_AT, RINGS_AT as u64),
        (header::DICTIONARY_AT, layout::DICTIONARY_AT as u64),
        (header::DICTIONARY_BYTES, layout::DICTIONARY_BYTES as u64),
        (header::SEGMENT_BYTES, layout::SEGMENT_BYTES as u64),
        (header::FORMAT, identity.lines.format),
        (header::DETAILS, identity.lines.details),
        (header::OUTPUT, identity.lines.output),
        (header::COLOUR, identity.lines.colour),
        (header::MESSAGE_MAX, identity.lines.message_max),
        (header::URL_PASSWORDS, identity.lines.url_passwords),
        (header::COMMANDS_AT, layout::COMMANDS_AT as u64),
    ];
    for (offset, value) in words {
        region.word(offset).store(value, Ordering::Relaxed);
    }
    region.write_bytes(header::BOOT_ID, &process::boot_id());
    for (offset, bytes) in [
        (header::NAME, name_bytes(identity.name)),
        (header::BASE, name_bytes(identity.base)),
        (header::FILE_NAME, name_bytes(identity.file_name)),
        (header::DIRECTORY, layout::directory_bytes(identity.directory)),
    ] {
        region.word(offset).store(bytes.len() as u64, Ordering::Relaxed);
        region.write_bytes(offset + 8, bytes);
    }
    // Release: a reader of the file that sees the magic sees the whole header.
    region.word(header::MAGIC).store(MAGIC, Ordering::Release);
}

/// What the header keeps of a name.
fn name_bytes(name: &str) -> &[u8] {
    &name.as_bytes()[..name.len().min(NAME_BYTES_MAX)]
}

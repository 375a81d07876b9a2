//! Recovery for the command line: the same as a start does, for all logs of a directory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::file_names::{PRIVATE_DIR, live};
use crate::engine::recovery::in_directory;
use crate::recover::{Destination, Purpose, Report};
use crate::sys::io::OsIo;
use crate::sys::process::effective_uid;

/// What is done with what processes left that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It comes into their logs.
    IntoLogs,
    /// It goes into files of its own beside them.
    Aside,
    /// Nothing: it is said what would be.
    DryRun,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct RecoveryReport {
    /// In the order in which they were found.
    pub arenas: Vec<RecoveredArena>,
    /// Those that stay.
    pub kept: Vec<KeptArena>,
    /// Arenas whose processes live.
    pub living: u64,
    /// What else went wrong, as sentences.
    pub troubles: Vec<String>,
}

/// An arena whose content is in the log, or would be.
#[derive(Debug)]
pub struct RecoveredArena {
    /// `app`, or `app@4711`.
    pub base: String,
    /// The process.
    pub pid: u32,
    /// Where the content went; none where there was nothing.
    pub to: Option<PathBuf>,
    /// Records that were formatted from the rings.
    pub records: u64,
    /// Lines that were written, and not in the log yet.
    pub lines: u64,
    /// Records that were dropped, of which the log does not tell.
    pub dropped: u64,
    /// Records, and stretches of damaged files, that cannot be read.
    pub unreadable: u64,
}

/// An arena, or a stage of one, that cannot be recovered.
#[derive(Debug)]
pub struct KeptArena {
    /// Where it is.
    pub path: PathBuf,
    /// As a sentence about it.
    pub why: String,
    /// What its files take of the disk.
    pub bytes: u64,
}

/// Recovers the logs in `dir`, or says what would be done. Where nothing was ever logged there is
/// nothing to do.
///
/// # Errors
/// The directory is none, cannot be read, or what is beside its logs belongs to another user.
pub fn recover(dir: &Path, how: Recovery) -> io::Result<RecoveryReport> {
    let dir = dir.canonicalize()?;
    if !dir.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let Some(private_dir) = private_dir(&dir)? else { return Ok(RecoveryReport::default()) };
    let purpose = match how {
        Recovery::IntoLogs => Purpose::Recover,
        Recovery::Aside => Purpose::SetAside,
        Recovery::DryRun => Purpose::Tell,
    };
    Ok(report(in_directory(Arc::new(OsIo), &dir, &private_dir, purpose), &dir))
}

/// What is beside the logs of this user.
fn private_dir(dir: &Path) -> io::Result<Option<PathBuf>> {
    let uid = effective_uid();
    let mut owner = None;
    for name in [PRIVATE_DIR.to_owned(), format!("{PRIVATE_DIR}-{uid}")] {
        let path = dir.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() && found.uid() == uid => return Ok(Some(path)),
            Ok(found) => owner = owner.or(Some((path, found.uid()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    match owner {
        None => Ok(None),
        Some((path, owner)) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to user {owner}: recover as that user", path.display()),
        )),
    }
}

fn report(report: Report, dir: &Path) -> RecoveryReport {
    let arenas = report.recovered.into_iter().map(|one| {
        let (base, tally) = (one.stem.base, one.tally);
        let to = match one.to {
            Destination::Log(unit) => Some(dir.join(live(&base, unit))),
            Destination::Aside(path) => Some(path),
            Destination::Console | Destination::Nowhere => None,
        };
        RecoveredArena {
            base,
            pid: one.stem.pid,
            to,
            records: tally.records,
            lines: tally.lines,
            dropped: tally.untold_drops,
            unreadable: tally.unreadable,
        }
    });
    let kept = report.kept.into_iter();
    let kept = kept.map(|kept| KeptArena { path: kept.path, why: kept.why, bytes: kept.bytes });
    RecoveryReport {
        arenas: arenas.collect(),
        kept: kept.collect(),
        living: report.living,
        troubles: report.troubles,
    }
}

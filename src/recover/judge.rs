//! Whether an arena is dead: its lock was free, and its process is gone. Either alone is not
//! enough: a live process loses the lock when it closes any descriptor of the file, and numbers of
//! processes are used again. Runs on the owner, at start, and in the command line.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::find::Whose;
use super::stem::Stem;
use crate::arena;
use crate::arena::read::{Dead, Header, Unfit};
use crate::sys::fork_safe::ForkSafe;
use crate::sys::io::Io;
use crate::sys::process::{self, Identity, LockHeld};

/// What is known of an arena.
pub(super) enum Verdict {
    /// Its process lives, or it is gone meanwhile.
    Lives,
    /// It is another log's.
    OthersLog,
    /// Its process is dead; its lock is held as long as this is.
    Dead(Box<Dead>),
    /// Its process died before anything was in it.
    Unused,
    /// Its process is dead, and it cannot be read: why, as a sentence about it.
    Unfit(String),
    /// Nobody can tell.
    Unknown(io::Error),
}

/// What this process is recovering: closing a file a second time would drop the lock that another
/// of its threads holds.
static CLAIMED: ForkSafe<Vec<PathBuf>> = ForkSafe::new();

/// In a forked child, which recovers nothing. Only stores.
pub(crate) fn forget_after_fork() {
    CLAIMED.forget();
}

/// The claim of one thread to an arena.
pub(super) struct Claim(PathBuf);

impl Claim {
    /// None where another thread has it.
    pub(super) fn of(path: &Path) -> Option<Claim> {
        let mut claimed = CLAIMED.lock();
        if claimed.iter().any(|claimed| claimed == path) {
            return None;
        }
        claimed.push(path.to_owned());
        Some(Claim(path.to_owned()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().retain(|claimed| *claimed != self.0);
    }
}

/// Whether the process that a name tells is dead, as far as a number alone says.
pub(super) fn is_gone(stem: &Stem) -> bool {
    // One of this process that it knows nothing of is from before it executed its program, or from
    // before the machine was booted.
    stem.pid == process::pid() || process::start_time_of(stem.pid).is_none()
}

/// Whether the arena at `path`, where many logs have theirs, may be one of the log in `dir`.
pub(super) fn may_be_of(io: &dyn Io, path: &Path, dir: &Path) -> bool {
    // Closing a file of this process's own, or one that another of its threads has claimed, would
    // drop its lock.
    let Some(_claim) = Claim::of(path).filter(|_| !arena::is_own(path)) else { return true };
    let is_of_log = || -> io::Result<bool> {
        let file = io.open_existing_private(path)?;
        Ok(is_ours(io, &file)?
            && match look(&file, path)? {
                Ok(header) => header.directory == dir,
                Err(why) => matches!(why, Unfit::Unused),
            })
    };
    is_of_log().unwrap_or(true)
}

/// Judges the arena at `path`, which is claimed. `dir` is the log's directory.
pub(super) fn judge(
    io: &dyn Io,
    path: &Path,
    stem: &Stem,
    (whose, dir): (Whose, &Path),
) -> Verdict {
    if arena::is_own(path) {
        return Verdict::Lives;
    }
    match try_to_judge(io, path, stem, (whose, dir)) {
        Ok(verdict) => verdict,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Verdict::Lives,
        // Another user's, in a place that several share.
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied && whose == Whose::ManyLogs =>
        {
            Verdict::OthersLog
        }
        Err(error) => Verdict::Unknown(error),
    }
}

fn try_to_judge(
    io: &dyn Io,
    path: &Path,
    stem: &Stem,
    (whose, dir): (Whose, &Path),
) -> io::Result<Verdict> {
    let file = io.open_existing_private(path)?;
    if whose == Whose::ManyLogs && !is_ours(io, &file)? {
        return Ok(Verdict::OthersLog);
    }
    // Before the lock is asked for, which its maker may be about to take, or its own log's engine.
    match look(&file, path)? {
        Err(Unfit::Unused) if is_gone(stem) => return Ok(Verdict::Unused),
        Err(Unfit::Unused) => return Ok(Verdict::Lives),
        Err(_) if whose == Whose::ManyLogs => return Ok(Verdict::OthersLog),
        Ok(header) if whose == Whose::ManyLogs && header.directory != dir => {
            return Ok(Verdict::OthersLog);
        }
        _ => {}
    }
    match process::record_lock(&file) {
        Ok(()) => {}
        Err(LockHeld::By { .. }) => return Ok(Verdict::Lives),
        Err(LockHeld::Unknown(error)) => return Ok(Verdict::Unknown(error)),
    }
    Ok(match Dead::open(file, path)? {
        Ok(dead) if lives(dead.header()) => Verdict::Lives,
        Ok(dead) => Verdict::Dead(Box::new(dead)),
        Err(_) if !is_gone(stem) => Verdict::Lives,
        Err(why) => Verdict::Unfit(why.to_string()),
    })
}

/// Whether the file is this user's: where all may put theirs, another's may say anything.
fn is_ours(io: &dyn Io, file: &File) -> io::Result<bool> {
    Ok(io.fstat(file.as_fd())?.uid == process::effective_uid())
}

fn look(file: &File, path: &Path) -> io::Result<Result<Header, Unfit>> {
    let opened = Dead::open(file.try_clone()?, path)?;
    Ok(opened.map(|dead| dead.header().clone()))
}

/// Whether the header's process lives. Not as this one, whose arenas are known: then it is from
/// before it executed its program.
fn lives(header: &Header) -> bool {
    let Header { start_time, boot_id, .. } = *header;
    let Ok(pid) = u32::try_from(header.pid) else { return false };
    let identity = Identity { pid, start_time, boot_id };
    identity != Identity::own() && identity.is_alive()
}

//! The directory beside the log that belongs to one user: locks, arenas, files that are not part of
//! the log yet. Runs on the owner, at start.
//!
//! It is `.fastlog`, or `.fastlog-<uid>` where the former is another user's: several users may log
//! into one directory, and a service may have been run once as root. What is there is not trusted
//! blindly: others could have made it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::file_names::{PRIVATE_DIR, PRIVATE_DIR_MODE};
use crate::error::Error;
use crate::sys::attributes;
use crate::sys::io::Io;
use crate::sys::process;

/// Rights of anybody but the owner.
const OTHERS_BITS: u32 = 0o077;
/// All rights.
const MODE_BITS: u32 = 0o777;

/// Whose a directory is.
enum Whose {
    /// This user's. What its owner should hear of besides.
    Ours(Option<String>),
    /// The user's with this number.
    Anothers(u32),
}

/// The private directory in `dir`, made if it is missing; and what its owner should hear of.
///
/// # Errors
/// `Directory`, `NotADirectory`, and `NotPrivate` where something else is in its place.
pub(super) fn take(io: &dyn Io, dir: &Path) -> Result<(PathBuf, Option<String>), Error> {
    let first = dir.join(PRIVATE_DIR);
    if let Whose::Ours(warning) = claim(io, &first)? {
        return Ok((first, warning));
    }
    let own = dir.join(format!("{PRIVATE_DIR}-{}", process::effective_uid()));
    match claim(io, &own)? {
        Whose::Ours(warning) => Ok((own, warning)),
        Whose::Anothers(owner) => Err(Error::NotPrivate { path: own, what: "a directory", owner }),
    }
}

/// The number by which its file system calls this user, whose the directory is.
pub(super) fn owner(io: &dyn Io, private_dir: &Path) -> u32 {
    // Where it cannot be looked at any more, the number that most file systems go by.
    io.stat(private_dir).map_or_else(|_| process::effective_uid(), |status| status.uid)
}

/// The private directories in `dir` of all users, but for `own`.
pub(super) fn of_others(io: &dyn Io, dir: &Path, own: &Path) -> Vec<PathBuf> {
    let names = io.read_dir_names(dir).unwrap_or_default();
    let is_private = |name: &str| {
        let rest = name.strip_prefix(PRIVATE_DIR);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let private = names.iter().filter(|name| name.to_str().is_some_and(is_private));
    private.map(|name| dir.join(name)).filter(|path| path != own).collect()
}

/// Makes the directory, or looks whose it is and closes it to others.
fn claim(io: &dyn Io, path: &Path) -> Result<Whose, Error> {
    let refused = |source| Error::Directory { path: path.to_owned(), source };
    match io.create_dir(path, PRIVATE_DIR_MODE) {
        Ok(()) => return Ok(Whose::Ours(None)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(error)),
    }
    let found = fs::symlink_metadata(path).map_err(refused)?;
    if found.is_symlink() {
        let (path, what) = (path.to_owned(), "a symbolic link");
        return Err(Error::NotPrivate { path, what, owner: found.uid() });
    }
    if !found.is_dir() {
        return Err(Error::NotADirectory { path: path.to_owned() });
    }
    if found.uid() != process::effective_uid() && !is_mapped(io, path, found.uid()) {
        return Ok(Whose::Anothers(found.uid()));
    }
    let mode = found.mode() & MODE_BITS;
    if mode & OTHERS_BITS == 0 {
        return Ok(Whose::Ours(None));
    }
    let closed = attributes::inherit_dir(io, path, None, Some(PRIVATE_DIR_MODE));
    let now = fs::symlink_metadata(path).map_err(refused)?.mode() & MODE_BITS;
    let path = path.display();
    let warning = match closed {
        Ok(()) if now & OTHERS_BITS == 0 => {
            format!("{path} was open to others ({mode:#o}): it is its owner's alone now")
        }
        // A file system without modes: whoever can enter the log's directory can enter this one.
        Ok(()) => format!("{path} is open to others ({now:#o}), and its file system keeps it so"),
        Err(error) => format!("{path} is open to others ({now:#o}), and cannot be closed: {error}"),
    };
    Ok(Whose::Ours(Some(warning)))
}

/// Whether the file system calls this user by another number (NFS, SMB, FAT, a user namespace):
/// then what is made there belongs to `owner` as well.
fn is_mapped(io: &dyn Io, dir: &Path, owner: u32) -> bool {
    let probe = dir.join(format!("owner-{:016x}", process::random_u64()));
    if io.create_private(&probe).is_err() {
        return false;
    }
    let made = io.stat(&probe);
    // One that stays is an empty file with a name of its own.
    let _ = io.unlink(&probe);
    made.is_ok_and(|made| made.uid == owner)
}

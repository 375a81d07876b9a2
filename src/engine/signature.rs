//! Who holds a name, written into the lock's file. A process loses a POSIX lock as soon as it
//! closes any descriptor of the file, as a backup or a look at all files does: it lives on, and its
//! name is not free. Not through the engine's `Io`, as the lock is not either. Runs on the owner.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use crate::sys::io::{Io, OsIo};
use crate::sys::process::Identity;

/// More than any signature has.
const BYTES_MAX: usize = 128;

/// The process whose signature the file has.
fn read(file: &File) -> Option<Identity> {
    let mut bytes = [0; BYTES_MAX];
    let len = OsIo.pread(file.as_fd(), &mut bytes, 0).ok()?;
    Identity::of_line(&bytes[..len])
}

/// Who has signed and lives; none where that is this process, which has executed another program
/// since if it does not know.
pub(super) fn of_another(file: &File) -> Option<u32> {
    let signed = read(file)?;
    (signed.is_alive() && signed != Identity::own()).then_some(signed.pid)
}

/// Signs for this process. Where that fails, a full disk say, the lock alone says whose it is.
pub(super) fn sign(file: &File) {
    let _ = OsIo.ftruncate(file.as_fd(), 0).and_then(|()| {
        let line = Identity::own().to_line();
        match OsIo.pwrite(file.as_fd(), line.as_bytes(), 0)? {
            written if written == line.len() => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::WriteZero)),
        }
    });
}

/// Takes this process's signature away; that of another, a forked child's parent say, stays.
pub(super) fn erase(file: &File) {
    if read(file) == Some(Identity::own()) {
        // One that stays holds until the process ends, and is nobody's then.
        let _ = OsIo.ftruncate(file.as_fd(), 0);
    }
}

//! A file of which parts are mapped, and what became of it. Used on the owner's, the callers' and
//! the collector's threads; its counter also by the handler of `SIGBUS`, on any thread.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::bus_guard::SigbusGuard;
use crate::primitive::{AtomicU64, Ordering};

/// A file and its identity. A host may close all descriptors and open others: what is then found
/// under the number of ours must neither be written to, nor read, nor closed.
#[derive(Debug)]
pub(crate) struct MappedFile {
    file: ManuallyDrop<File>,
    dev: u64,
    ino: u64,
    pub(super) guard: SigbusGuard,
    /// How often a part of a mapping could not be reached and was put into memory.
    pub(super) faults: AtomicU64,
}

impl MappedFile {
    /// Takes a file that was opened just now.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn new(file: File, guard: SigbusGuard) -> io::Result<MappedFile> {
        let (dev, ino, _) = status(file.as_raw_fd())?;
        let faults = AtomicU64::new(0);
        Ok(MappedFile { file: ManuallyDrop::new(file), dev, ino, guard, faults })
    }

    /// The open file.
    ///
    /// # Errors
    /// `NotFound`, with a sentence, when its descriptor leads elsewhere by now.
    pub(crate) fn open(&self) -> io::Result<&File> {
        if self.len_now().is_none() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the descriptor of the arena's file was closed by the program, which must leave \
                 those alone that it has not opened",
            ));
        }
        Ok(&self.file)
    }

    /// Its descriptor, as [`open`](MappedFile::open) gives the file.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.open().map(File::as_fd)
    }

    /// How often a part of it could not be reached and was put into memory instead.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Its length at present; none where its descriptor leads elsewhere. For handlers of signals
    /// too.
    pub(super) fn len_now(&self) -> Option<u64> {
        let (dev, ino, len) = status(self.raw_fd()).ok()?;
        (dev == self.dev && ino == self.ino).then_some(len)
    }

    /// The number of its descriptor, whatever that leads to.
    pub(super) fn raw_fd(&self) -> i32 {
        self.file.as_raw_fd()
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if self.len_now().is_some() {
            // SAFETY: dropped once, here, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

/// Device, inode and length of what is open. `fstat` is safe in handlers of signals.
#[allow(clippy::unnecessary_cast, reason = "narrower on some systems")]
fn status(fd: i32) -> io::Result<(u64, u64, u64)> {
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes to `status` and to nothing else.
    if unsafe { libc::fstat(fd, &raw mut status) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((status.st_dev as u64, status.st_ino as u64, u64::try_from(status.st_size).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_descriptor_that_leads_elsewhere_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("users"), "theirs").expect("written");
        let ours = tempfile::tempfile_in(dir.path()).expect("a file");
        let number = ours.as_raw_fd();
        let mapped = MappedFile::new(ours, SigbusGuard::Off).expect("looked at");
        assert!(mapped.open().is_ok() && mapped.fd().is_ok());
        let users = File::open(dir.path().join("users")).expect("opened");
        // As a host does that closes what it has not opened, and opens something.
        // SAFETY: both numbers are open; the first one's owner expects this.
        assert_eq!(unsafe { libc::dup2(users.as_raw_fd(), number) }, number);
        let error = mapped.open().expect_err("it is the user's");
        assert!(error.to_string().contains("descriptor"), "{error}");
        drop(mapped);
        let mut text = String::new();
        // SAFETY: the number is that of the duplicate, which is this test's to close.
        let mut theirs = unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(number) };
        theirs.read_to_string(&mut text).expect("still open");
        assert_eq!(text, "theirs");
    }
}

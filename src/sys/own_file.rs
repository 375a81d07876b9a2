//! A file that the engine has open for long, and that it knows again. Any thread.
//!
//! A descriptor is a number of the whole process. A host that closes what it has not opened, as
//! daemonising code does, makes the number free, and the next file that anybody opens gets it:
//! lines would go to a stranger's file, and closing it would take it from him. So the file is
//! looked at before each use, and a number that leads elsewhere is left alone for good.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};

use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr};

use super::io::{FileStatus, Io};
use crate::primitive::{AtomicBool, Ordering};

/// An open file and its identity.
#[derive(Debug)]
pub(crate) struct OwnFile {
    file: Held,
    dev: u64,
    ino: u64,
    /// Whether it was opened for reading, writing, or both: the number may by now be the host's way
    /// to the same file.
    access: OFlags,
    /// Once it was found lost it stays so: the same file, opened anew, may get the same number.
    is_lost: AtomicBool,
}

/// Closed by nobody but [`OwnFile`].
#[derive(Debug)]
struct Held(Option<File>);

impl Held {
    fn file(&self) -> &File {
        self.0.as_ref().expect("held until it is dropped")
    }
}

impl OwnFile {
    /// Takes a file that was opened just now.
    ///
    /// # Errors
    /// The system's, if it cannot be looked at.
    pub(crate) fn new(file: File) -> io::Result<OwnFile> {
        let status = FileStatus::of(&retry_on_intr(|| rustix::fs::fstat(&file))?);
        let access = rustix::fs::fcntl_getfl(&file)? & OFlags::ACCMODE;
        let (dev, ino, is_lost) = (status.dev, status.ino, AtomicBool::new(false));
        Ok(OwnFile { file: Held(Some(file)), dev, ino, access, is_lost })
    }

    /// The device that holds it, and its number there.
    pub(crate) fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// How it is now.
    ///
    /// # Errors
    /// The system's, and a sentence where the descriptor is not this file's any more.
    pub(crate) fn status(&self, io: &dyn Io) -> io::Result<FileStatus> {
        self.known(io.fstat(self.file.file().as_fd()))
    }

    /// The file, to be used at once.
    ///
    /// # Errors
    /// As [`status`](OwnFile::status).
    pub(crate) fn checked(&self) -> io::Result<&File> {
        let file = self.file.file();
        let status = retry_on_intr(|| rustix::fs::fstat(file));
        self.known(status.map(|status| FileStatus::of(&status)).map_err(io::Error::from))?;
        Ok(file)
    }

    /// Whether the descriptor was found to be another file's, or nobody's.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// The descriptor, for whoever has just seen its [`status`](OwnFile::status).
    pub(crate) fn seen(&self) -> BorrowedFd<'_> {
        self.file.file().as_fd()
    }

    /// Whether whatever is written goes to its end.
    pub(crate) fn is_append_only(&self) -> bool {
        let flags = rustix::fs::fcntl_getfl(self.file.file());
        flags.is_ok_and(|flags| flags.contains(OFlags::APPEND))
    }

    fn is_open_alike(&self) -> bool {
        let flags = rustix::fs::fcntl_getfl(self.file.file());
        flags.is_ok_and(|flags| flags & OFlags::ACCMODE == self.access)
    }

    fn known(&self, status: io::Result<FileStatus>) -> io::Result<FileStatus> {
        let lost = match status {
            _ if self.is_lost() => "somebody closed its descriptor",
            Ok(status) if status.identity() == self.identity() && self.is_open_alike() => {
                return Ok(status);
            }
            Ok(_) => "somebody closed its descriptor, whose number is another file's now",
            Err(error) if error.raw_os_error() == Some(Errno::BADF.raw_os_error()) => {
                "somebody closed its descriptor"
            }
            Err(error) => return Err(error),
        };
        self.is_lost.store(true, Ordering::Relaxed);
        Err(io::Error::other(lost))
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let is_ours = self.checked().is_ok();
        if let Some(file) = self.file.0.take().filter(|_| !is_ours) {
            // The number is somebody else's, or nobody's: not ours to close.
            let _ = file.into_raw_fd();
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(unsafe_code)]
mod tests {
    use super::*;
    use crate::sys::io::OsIo;
    use std::os::fd::{AsRawFd, FromRawFd};

    /// Gives the number of `file` to what is at `path`, as a host does that closes and opens.
    fn reuse(file: &OwnFile, by: &File) {
        // SAFETY: both are open; what the number led to before is closed, which is the point.
        assert!(unsafe { libc::dup2(by.as_raw_fd(), file.seen().as_raw_fd()) } >= 0);
    }

    #[test]
    fn a_number_that_is_anothers_is_neither_used_nor_closed() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = |name| File::create(dir.path().join(name)).expect("a file");
        let own = OwnFile::new(open("own")).expect("it is there");
        assert_eq!(own.status(&OsIo).expect("ours").len, 0);
        own.checked().expect("ours");
        let other = open("other");
        reuse(&own, &other);
        drop(other);
        let text = own.checked().expect_err("another's").to_string();
        assert!(text.contains("is another file's now"), "{text}");
        own.status(&OsIo).expect_err("it stays lost");
        let number = own.seen().as_raw_fd();
        drop(own);
        // SAFETY: nobody else has the number: it was left open just now.
        let other = unsafe { File::from_raw_fd(number) };
        other.metadata().expect("still open");
    }

    /// A debug build of std ends the process where a closed file is closed.
    #[test]
    fn one_that_was_closed_is_told_and_forgotten() {
        let file = tempfile::tempfile().expect("a file");
        let own = OwnFile::new(file).expect("it is there");
        // A number that no other test gets meanwhile.
        // SAFETY: makes a descriptor, which the next lines own.
        let far = unsafe { libc::fcntl(own.seen().as_raw_fd(), libc::F_DUPFD, 900) };
        assert!(far >= 900);
        // SAFETY: made just now.
        let own_far = OwnFile::new(unsafe { File::from_raw_fd(far) }).expect("it is there");
        // SAFETY: what `own_far` must cope with.
        assert_eq!(unsafe { libc::close(far) }, 0);
        let text = own_far.checked().expect_err("closed").to_string();
        assert_eq!(text, "somebody closed its descriptor");
        drop(own_far);
        own.checked().expect("another number, and still open");
    }
}

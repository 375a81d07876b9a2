//! A moment in which nobody else has a file open: a write lease, fcntl(2). While it is held,
//! whoever opens the file waits in the kernel. Called on the keeper.
//!
//! The kernel signals to the holder that somebody waits, by default with SIGIO to the process,
//! which would end it. So it is told to signal this thread alone, with SIGURG: engine threads block
//! all signals, and where nobody handles this one, it is ignored.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::BorrowedFd;

/// Runs `work` while no other open file leads to what `fd`, open for writing, leads to: of this
/// process, of others, for reading or writing.
///
/// # Errors
/// Without having run it: `WouldBlock` where others have it open; the system's where the file
/// belongs to another user, or where there are no leases. Else what `work` gives.
pub(super) fn while_alone(
    fd: BorrowedFd<'_>,
    work: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let lease = system::Lease::take(fd)?;
    let outcome = work();
    drop(lease);
    outcome
}

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
mod system {
    use super::{BorrowedFd, io};
    use std::os::fd::AsRawFd;

    // Not in `libc` for all systems: Linux, `asm-generic/fcntl.h`.
    const F_SETSIG: libc::c_int = 10;
    const F_SETOWN_EX: libc::c_int = 15;
    const F_OWNER_TID: libc::c_int = 0;

    /// `struct f_owner_ex`.
    #[repr(C)]
    struct Owner {
        kind: libc::c_int,
        id: libc::pid_t,
    }

    /// A held lease.
    pub(super) struct Lease<'fd>(BorrowedFd<'fd>);

    impl<'fd> Lease<'fd> {
        pub(super) fn take(fd: BorrowedFd<'fd>) -> io::Result<Lease<'fd>> {
            let id = rustix::thread::gettid().as_raw_nonzero().get();
            let owner = Owner { kind: F_OWNER_TID, id };
            // SAFETY: the descriptor is open while it is borrowed; the kernel reads `owner` only.
            check(unsafe { libc::fcntl(fd.as_raw_fd(), F_SETOWN_EX, &raw const owner) })?;
            // SAFETY: as above; takes a number.
            check(unsafe { libc::fcntl(fd.as_raw_fd(), F_SETSIG, libc::SIGURG) })?;
            // SAFETY: as above. The owner that is set stays.
            check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) })?;
            Ok(Lease(fd))
        }
    }

    impl Drop for Lease<'_> {
        fn drop(&mut self) {
            // SAFETY: the descriptor is open while it is borrowed; takes a number. Cannot fail for
            // a lease that is held; one that the kernel broke meanwhile is gone already.
            unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
        }
    }

    fn check(answer: libc::c_int) -> io::Result<()> {
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(any(not(target_os = "linux"), fastlog_portable))]
mod system {
    use super::{BorrowedFd, io};

    /// There is none.
    pub(super) struct Lease;

    impl Lease {
        pub(super) fn take(_: BorrowedFd<'_>) -> io::Result<Lease> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    const DEADLINE: Duration = Duration::from_secs(60);

    fn writer(path: &Path) -> File {
        File::options().write(true).create(true).truncate(false).open(path).expect("a file")
    }

    fn is_refused(file: &File) -> bool {
        let mut has_run = false;
        let outcome = while_alone(file.as_fd(), || {
            has_run = true;
            Ok(())
        });
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) && !has_run
    }

    #[test]
    fn whoever_else_has_the_file_open_is_in_the_way() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let file = writer(&path);
        let other = writer(&path);
        assert!(is_refused(&file));
        drop(other);
        let reader = File::open(&path).expect("a file");
        assert!(is_refused(&file));
        drop(reader);
        let failed = while_alone(file.as_fd(), || Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(failed.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        while_alone(file.as_fd(), || Ok(())).expect("alone, and the lease was given back");
    }

    /// This thread does not even block the signal.
    #[test]
    fn who_opens_it_meanwhile_waits_and_ends_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let file = writer(&path);
        let (told, opened) = mpsc::channel();
        let opener = {
            let path = path.clone();
            move || {
                let other = writer(&path);
                told.send(other.metadata().expect("its state").len()).expect("heard");
            }
        };
        let mut thread = None;
        while_alone(file.as_fd(), || {
            thread = Some(std::thread::spawn(opener));
            // It is in the kernel once the lease is being broken.
            let start = Instant::now();
            let is_breaking = || {
                let locks = std::fs::read_to_string("/proc/locks").expect("the kernel tells");
                locks.lines().any(|line| line.contains("LEASE") && line.contains("BREAKING"))
            };
            while !is_breaking() {
                assert!(start.elapsed() < DEADLINE, "nobody waits");
                std::thread::yield_now();
            }
            assert!(opened.try_recv().is_err(), "it waits");
            file.set_len(7)
        })
        .expect("alone");
        assert_eq!(opened.recv_timeout(DEADLINE), Ok(7), "it saw what was done meanwhile");
        thread.expect("started").join().expect("it opened the file");
    }
}

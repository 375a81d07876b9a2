//! System calls that a kernel, a file system or a filter of system calls does not know, and in
//! whose place an older one can be made. Called on every thread.

use rustix::io::Errno;

/// Whether the call was refused whatever it asked for. Filters that are older than a call answer
/// `EPERM` (systemd, Docker before 20.10), `ENOSYS`, or what somebody has configured, `EACCES` say:
/// then the older call decides whether this user may.
pub(super) fn is_unknown(error: Errno) -> bool {
    matches!(error, Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM | Errno::ACCESS)
}

//! What kind of file system a directory lies on. Asked on the owner's thread, at start.

use std::io;
use std::path::Path;

/// Whether a write to a block that a file has already needs a new one: a mapped page that was
/// allocated and populated can then still be without room when it is stored to, which is a
/// `SIGBUS`. False where that is not known, as below an overlay.
///
/// # Errors
/// The system's.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(crate) fn writes_elsewhere(dir: &Path) -> io::Result<bool> {
    let magic = rustix::io::retry_on_intr(|| rustix::fs::statfs(dir))?.f_type;
    // 32 bits, which are signed on some systems.
    Ok(ELSEWHERE.contains(&(magic as u32)))
}

/// Elsewhere no file is mapped.
#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(crate) fn writes_elsewhere(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Btrfs, bcachefs, ZFS, NILFS2, F2FS: from the kernel's `linux/magic.h`, and for those that it
/// does not have from their own sources. Not XFS, which writes elsewhere only what somebody has
/// made a second file of (`cp --reflink`): that is the guard's business.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
const ELSEWHERE: [u32; 5] = [0x9123_683e, 0xca45_1a4e, 0x2fc1_2fc1, 0x3434, 0xf2f5_2010];

#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_in_place_and_what_is_not_there_is_an_error() {
        assert!(!writes_elsewhere(Path::new("/proc")).expect("it is there"));
        assert!(writes_elsewhere(Path::new("/not/there")).is_err());
    }
}

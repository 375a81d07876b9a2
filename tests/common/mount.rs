//! A disk so small that a test fills it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// A mounted tmpfs of 8 MiB, unmounted and removed at the end.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where mounting is not allowed.
    pub fn mount() -> Option<SmallDisk> {
        let dir = tempfile::tempdir().expect("a directory");
        mount("size=8m", dir.path()).then(|| SmallDisk(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives it 64 MiB.
    pub fn grow(&self) {
        assert!(mount("remount,size=64m", self.path()), "the disk grows");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: should a child still write there, the directory goes all the same.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || thread::panicking());
    }
}

/// Mounts a tmpfs; whether that worked.
pub fn mount(options: &str, at: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

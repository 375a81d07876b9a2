//! A disk that stands still: an ext4 in a file, which can be frozen. Thawed and unmounted whatever
//! becomes of the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

const DISK_BYTES: u64 = 256 << 20;

/// After so many seconds the disk thaws, should the test itself be stuck.
const FROZEN_S_MAX: u32 = 40;

/// Mounted over a loop device.
pub struct FrozenDisk {
    /// Holds the image and the place where it is mounted.
    dir: TempDir,
    watchdog: Option<Child>,
}

impl FrozenDisk {
    /// None where such a disk cannot be made.
    pub fn mount() -> Option<FrozenDisk> {
        let dir = tempfile::tempdir().expect("a directory");
        let (image, at) = (dir.path().join("image"), dir.path().join("disk"));
        File::create(&image).and_then(|file| file.set_len(DISK_BYTES)).expect("an image");
        std::fs::create_dir(&at).expect("a directory");
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let mounted = made && run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        if !mounted {
            return None;
        }
        let disk = FrozenDisk { dir, watchdog: None };
        // Whether it can be frozen at all is to be known before anything relies on it.
        let can_freeze = disk.fsfreeze("-f") && disk.fsfreeze("-u");
        can_freeze.then_some(disk)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// From now on whoever writes waits.
    pub fn freeze(&mut self) {
        let script = format!("sleep {FROZEN_S_MAX}; exec fsfreeze -u \"$0\"");
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", &script]).arg(self.path()).stdin(Stdio::null()).stderr(Stdio::null());
        self.watchdog = Some(watchdog.spawn().expect("a watchdog"));
        assert!(self.fsfreeze("-f"), "the disk freezes");
    }

    /// It moves again; whether it had not before.
    pub fn thaw(&mut self) -> bool {
        let has_thawed = self.fsfreeze("-u");
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
        has_thawed
    }

    fn fsfreeze(&self, how: &str) -> bool {
        run(Command::new("fsfreeze").arg(how).arg(self.path()))
    }
}

impl Drop for FrozenDisk {
    fn drop(&mut self) {
        if self.watchdog.is_some() {
            self.thaw();
        }
        // Lazily: a thread that was stuck may have files open still.
        let unmounted = unmount(&self.path());
        assert!(unmounted || thread::panicking(), "the disk is unmounted");
    }
}

fn unmount(at: &Path) -> bool {
    run(Command::new("umount").arg("-l").arg(at))
}

fn run(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

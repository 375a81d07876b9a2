//! Disks whose power can be cut: a file system in an image, over a loop device. Unmounted and
//! removed at the end.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::mount::Image;
use crate::common::wait_until;

const MIB: u64 = 320;
/// Of the file system that holds the image of another one.
const OUTER_MIB: u64 = 700;

/// How much of what the system still held in memory reaches the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Everything: the file system is frozen first.
    Flushed = 0,
    /// The journal.
    JournalFlushed = 1,
    /// Nothing.
    Nothing = 2,
}

pub const CUTS: [Cut; 3] = [Cut::Flushed, Cut::JournalFlushed, Cut::Nothing];

/// A disk whose power can be cut.
pub enum Disk {
    /// Whose file system shuts down.
    ShutDown(Image),
    /// Of whose image a copy is made at one instant, on a file system that shares blocks.
    Copied { outer: Image, at: PathBuf },
}

impl Disk {
    /// None, with a word, where it cannot be made.
    pub fn mount(kind: &str) -> Option<Disk> {
        if kind != "btrfs" {
            return Image::mount(kind, MIB).map(Disk::ShutDown);
        }
        // It cannot be shut down.
        let outer = Image::mount("xfs", OUTER_MIB)?;
        let (image, at) = (outer.path().join("image"), outer.path().join("inner"));
        File::create(&image).and_then(|file| file.set_len(MIB << 20)).expect("an image");
        std::fs::create_dir(&at).expect("a directory");
        let is_made = is_done(Command::new("mkfs.btrfs").arg("-q").arg(&image));
        if !is_made || !mount_image(&image, &at) {
            println!("not tested: {kind} cannot be made or mounted here");
            return None;
        }
        Some(Disk::Copied { outer, at })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        match self {
            Disk::ShutDown(image) => image.path(),
            Disk::Copied { at, .. } => at.clone(),
        }
    }

    /// Cuts the power: what is written from now on is lost.
    pub fn cut(&self, how: Cut) {
        match self {
            Disk::ShutDown(image) => shut_down(&image.path(), how),
            Disk::Copied { outer, .. } => {
                let mut copy = Command::new("cp");
                copy.arg("--reflink=always").arg(outer.path().join("image"));
                assert!(is_done(copy.arg(outer.path().join("copy"))), "a copy without blocks");
            }
        }
    }

    /// Mounts what has reached the device. Nobody may have anything open there.
    pub fn mount_again(&self) {
        let at = self.path();
        let image = match self {
            Disk::ShutDown(image) => image.file(),
            Disk::Copied { outer, .. } => outer.path().join("image"),
        };
        wait_until("the disk to be free", || is_done(Command::new("umount").arg(&at)));
        // Children of other tests see the mounts that there were when they began: the file system
        // is there until the last of them has ended.
        wait_until("the device to be free", || !has_device(&image));
        if let Disk::Copied { outer, .. } = self {
            std::fs::rename(outer.path().join("copy"), &image).expect("the copy");
        }
        assert!(mount_image(&image, &at), "what was cut off can be mounted");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Disk::Copied { at, .. } = self {
            // Lazily: should a child still write there, the image goes all the same.
            is_done(Command::new("umount").arg("-l").arg(at));
        }
    }
}

fn mount_image(image: &Path, at: &Path) -> bool {
    is_done(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at))
}

/// Whether a loop device is made of it.
fn has_device(image: &Path) -> bool {
    let output = Command::new("losetup").arg("-j").arg(image).output().expect("losetup");
    assert!(output.status.success());
    !output.stdout.is_empty()
}

fn is_done(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// `EXT4_IOC_SHUTDOWN`, which is `XFS_IOC_GOINGDOWN`.
fn shut_down(path: &Path, how: Cut) {
    const SHUT_DOWN: libc::Ioctl = 0x8004_587D_u32 as libc::Ioctl;
    let dir = File::open(path).expect("the root");
    let flags = how as u32;
    // SAFETY: the call reads a number of 32 bits, which lives until it is over.
    let result = unsafe { libc::ioctl(dir.as_raw_fd(), SHUT_DOWN, &raw const flags) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

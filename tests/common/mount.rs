//! A disk so small that a test fills it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

use super::child;

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

/// A file system in an image, mounted over a loop device, unmounted and removed at the end.
pub struct Image {
    dir: TempDir,
}

impl Image {
    /// None, with a word, where it cannot be made: no such tool, or no right to mount.
    pub fn mount(kind: &str, mib: u64) -> Option<Image> {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, at) = (dir.path().join("image"), dir.path().join("disk"));
        let image = std::fs::File::create(&file).expect("a file");
        image.set_len(mib << 20).expect("sparse");
        std::fs::create_dir(&at).expect("a directory");
        let mut mkfs = Command::new(format!("mkfs.{kind}"));
        let is_made = is_done(mkfs.arg("-q").arg(&file));
        let mut mount = Command::new("mount");
        if is_made && is_done(mount.args(["-o", "loop"]).arg(&file).arg(&at)) {
            return Some(Image { dir });
        }
        println!("not tested: {kind} cannot be made or mounted here");
        None
    }

    /// Where it is.
    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("disk")
    }

    /// What it is in.
    pub fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("image")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Lazily, as above.
        let is_unmounted = is_done(Command::new("umount").arg("-l").arg(self.path()));
        assert!(is_unmounted || thread::panicking());
    }
}

/// Names the disk that a child uses.
pub const DISK: &str = "FASTLOG_TEST_DISK";

/// Runs `body` in a child with a file system of this kind.
pub fn on_image(case: &str, kind: &str, mib: u64, body: impl FnOnce(&Path)) {
    if child::case().is_none() {
        let Some(image) = Image::mount(kind, mib) else { return };
        let ended = child::run_with(
            case,
            |command| {
                command.env(DISK, image.path());
            },
            |_| {},
        );
        print!("{}", ended.expect("the parent's part").stdout);
        return;
    }
    child::run(case, |_| body(Path::new(&std::env::var_os(DISK).expect("a disk"))));
}

fn is_done(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Takes all room that is left: what can be reserved at once, then the rest by writing.
pub fn fill(file: &Path) {
    use std::io::Write;
    use std::os::fd::AsFd;

    let mut file = std::fs::File::create(file).expect("a file");
    let flags = rustix::fs::FallocateFlags::empty();
    let (mut at, mut len) = (0, 1 << 30);
    while len >= 1 << 16 {
        match rustix::fs::fallocate(file.as_fd(), flags, at, len) {
            Ok(()) => at += len,
            Err(_) => len /= 2,
        }
    }
    let _ = std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0));
    for bytes in [65_536, 4_096, 512, 1] {
        while file.write(&[1; 65_536][..bytes]).is_ok_and(|count| count > 0) {}
    }
    let _ = file.sync_all();
}

/// Mounts a tmpfs; whether that worked.
pub fn mount(options: &str, at: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

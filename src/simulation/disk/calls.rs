//! The operations of the simulated disk. Runs on the test's thread.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::SystemTime;

use super::{Disk, State};
use crate::simulation::names::Node;
use crate::simulation::weather::Call;
use crate::sys::io::{FileKind, FileStatus, Io, Reserve, Space};

/// More than any run takes.
const DISK_BYTES: u64 = 1 << 40;

/// The name of what is reached by a descriptor.
const OPEN: &str = "";

impl Io for Disk {
    fn open_existing(&self, path: &Path) -> io::Result<File> {
        self.open(path)
    }

    fn open_to_read(&self, path: &Path) -> io::Result<File> {
        self.open(path)
    }

    fn create_log(&self, path: &Path, _: u32) -> io::Result<File> {
        self.enter(Call::Create, path)?.create(path)
    }

    fn create_dir(&self, path: &Path, _: u32) -> io::Result<()> {
        let mut state = self.enter(Call::MakeDir, path)?;
        if state.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.has_parent(path)?;
        state.names.set(path, Node::Dir);
        Ok(())
    }

    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], _: u64) -> io::Result<usize> {
        // The engine only ever appends here.
        self.write(fd, bytes)
    }

    fn pread(&self, fd: BorrowedFd<'_>, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.enter(Call::Read, Path::new(OPEN))?;
        let all = &state.files[state.number(fd)].bytes;
        let rest = all.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let (file, life) = {
            let state = self.state();
            (state.number(fd), state.life)
        };
        let is_refused = self.state().files[file].refused_in == Some(life);
        assert!(!is_refused, "file {file} is asked again, and would lie");
        let outcome = self.enter(Call::Sync, Path::new(OPEN));
        match outcome {
            Ok(mut state) => {
                state.files[file].sync();
                Ok(())
            }
            Err(error) => {
                self.state().files[file].refuse(life);
                Err(error)
            }
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.enter(Call::SyncDir, path)?;
        match state.names.get(path) {
            Some(Node::Dir) => state.names.sync(path),
            _ => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    fn fallocate(&self, fd: BorrowedFd<'_>, _: Reserve, offset: u64, len: u64) -> io::Result<()> {
        let mut state = self.enter(Call::Reserve, Path::new(OPEN))?;
        let file = state.number(fd);
        state.files[file].reserve(offset + len);
        Ok(())
    }

    fn free_behind_end(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut state = self.enter(Call::FreeBehindEnd, Path::new(OPEN))?;
        let file = state.number(fd);
        state.files[file].free_behind_end();
        Ok(())
    }

    fn ftruncate(&self, _: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        panic!("nobody but others cuts a log, here at {len}");
    }

    fn fstat(&self, fd: BorrowedFd<'_>) -> io::Result<FileStatus> {
        let state = self.enter(Call::Fstat, Path::new(OPEN))?;
        Ok(state.status(state.number(fd)))
    }

    fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        let state = self.enter(Call::Stat, path)?;
        match state.names.get(path) {
            Some(Node::File(file)) => Ok(state.status(file)),
            Some(Node::Dir) => {
                let any = state.files.first().map(|file| file.status(1));
                let any = any.ok_or(io::ErrorKind::NotFound)?;
                Ok(FileStatus { ino: 0, kind: FileKind::Other, ..any })
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn born(&self, _: &File) -> Option<SystemTime> {
        None
    }

    fn set_mode(&self, _: BorrowedFd<'_>, _: u32) -> io::Result<()> {
        self.enter(Call::Attributes, Path::new(OPEN)).map(drop)
    }

    fn set_owner(&self, _: BorrowedFd<'_>, _: Option<u32>, _: Option<u32>) -> io::Result<()> {
        self.enter(Call::Attributes, Path::new(OPEN)).map(drop)
    }

    fn statvfs(&self, path: &Path) -> io::Result<Space> {
        drop(self.enter(Call::Space, path)?);
        Ok(Space { free_bytes: DISK_BYTES, total_bytes: DISK_BYTES })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.enter(Call::Link, from)?;
        let Some(node) = state.names.get(from) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if state.names.get(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.has_parent(to)?;
        state.names.set(to, node);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.enter(Call::Rename, from)?;
        state.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.enter(Call::Rename, from)?;
        if state.names.get(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut state = self.enter(Call::Unlink, path)?;
        match state.names.get(path) {
            Some(Node::File(_)) => {
                state.lose_name(path, Call::Unlink);
                state.names.remove(path);
                Ok(())
            }
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn read_dir_names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.enter(Call::List, path)?;
        if state.names.get(path) != Some(Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let below = state.names.below(path).into_iter();
        Ok(below.filter_map(|path| Some(path.file_name()?.to_owned())).collect())
    }
}

impl State {
    fn status(&self, file: usize) -> FileStatus {
        self.files[file].status(self.names.links(file))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let Some(node) = self.names.get(from) else { return Err(io::ErrorKind::NotFound.into()) };
        self.has_parent(to)?;
        // One file under both names stays so.
        if self.names.get(to) != Some(node) {
            self.lose_name(to, Call::Rename);
            self.names.rename(from, to);
        }
        Ok(())
    }
}

//! Where engines of a log have put their arenas, if elsewhere than beside it: a file beside the log
//! for each of its bases, whose names whoever holds the base's lock may change. Runs on the owner,
//! at start, and in the command line.
//!
//! ```text
//! | directory | 0 | directory | 0 | ...
//! ```

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sys::io::Io;

/// What such a file's name ends in.
pub(crate) const EXTENSION: &str = "places";

/// Bytes of a file that are read: more directories than anybody has.
const BYTES_MAX: usize = 64 << 10;

fn path(private_dir: &Path, base: &str) -> PathBuf {
    private_dir.join(format!("{base}.{EXTENSION}"))
}

/// The base of such a file; none of another.
pub(crate) fn base_of(name: &str) -> Option<&str> {
    let base = name.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    (!base.is_empty()).then_some(base)
}

/// The bases with such a file in the directory.
pub(crate) fn bases(io: &dyn Io, private_dir: &Path) -> Vec<String> {
    // Where it cannot be read, that shows elsewhere.
    let names = io.read_dir_names(private_dir).unwrap_or_default();
    names.iter().filter_map(|name| base_of(name.to_str()?).map(str::to_owned)).collect()
}

/// The directories that a base has noted; none where nothing can be read.
pub(crate) fn read(io: &dyn Io, private_dir: &Path, base: &str) -> Vec<PathBuf> {
    let mut bytes = vec![0; BYTES_MAX];
    let read = crate::sys::open::to_read(&path(private_dir, base)).and_then(|file| {
        let mut len = 0;
        while len < BYTES_MAX {
            match io.pread(file.as_fd(), &mut bytes[len..], len as u64)? {
                0 => break,
                count => len += count,
            }
        }
        Ok(len)
    });
    let bytes = &bytes[..read.unwrap_or(0)];
    // The last one may be cut.
    let whole = &bytes[..bytes.iter().rposition(|byte| *byte == 0).unwrap_or(0)];
    let dirs = whole.split(|byte| *byte == 0).map(|dir| PathBuf::from(OsStr::from_bytes(dir)));
    dirs.filter(|dir| dir.is_absolute()).collect()
}

/// Notes the directories, in place of those before; without any there is no file.
///
/// # Errors
/// The system's: what was noted before stands.
pub(crate) fn write(
    io: &dyn Io,
    private_dir: &Path,
    base: &str,
    dirs: &[PathBuf],
) -> io::Result<()> {
    let path = path(private_dir, base);
    if dirs.is_empty() {
        return match io.unlink(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let bytes: Vec<u8> =
        dirs.iter().flat_map(|dir| dir.as_os_str().as_bytes().iter().copied().chain([0])).collect();
    let new = private_dir.join(format!("{base}.now"));
    let file = io.open_fresh(&new)?;
    let mut done = 0;
    while done < bytes.len() {
        match io.pwrite(file.as_fd(), &bytes[done..], done as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => done += count,
        }
    }
    io.rename(&new, &path)
}

/// Notes one more.
///
/// # Errors
/// As [`write`].
pub(crate) fn add(io: &dyn Io, private_dir: &Path, base: &str, dir: &Path) -> io::Result<()> {
    let mut dirs = read(io, private_dir, base);
    if dirs.iter().any(|noted| noted == dir) {
        return Ok(());
    }
    dirs.push(dir.to_owned());
    write(io, private_dir, base, &dirs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::io::OsIo;

    #[test]
    fn what_is_noted_is_read_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let (one, two) = (PathBuf::from("/a b\n\u{e9}"), PathBuf::from("/var/arenas"));
        assert!(read(&OsIo, dir, "app").is_empty());
        for place in [&one, &two, &one] {
            add(&OsIo, dir, "app", place).expect("noted");
        }
        add(&OsIo, dir, "app@7", &two).expect("noted");
        assert_eq!(read(&OsIo, dir, "app"), [one, two.clone()]);
        let mut bases = bases(&OsIo, dir);
        bases.sort_unstable();
        assert_eq!(bases, ["app", "app@7"]);
        write(&OsIo, dir, "app@7", &[]).expect("removed");
        write(&OsIo, dir, "app@7", &[]).expect("again");
        assert!(read(&OsIo, dir, "app@7").is_empty());
        std::fs::write(path(dir, "app"), b"relative\0/var/arenas\0/cut").expect("planted");
        assert_eq!(read(&OsIo, dir, "app"), [two]);
        std::fs::write(path(dir, "app"), vec![b'/'; 2 * BYTES_MAX]).expect("planted");
        assert!(read(&OsIo, dir, "app").is_empty());
    }
}

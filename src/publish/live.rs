//! Opens the file that is written now, or makes it. Runs on the publisher; on the owner at start.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use super::names::ns_since_1970;
use crate::config::Modes;
use crate::config::file_names::{FILE_MODE, Unit};
use crate::flush::files::LogFile;
use crate::primitive::AtomicBool;
use crate::sys::attributes;
use crate::sys::io::{FileStatus, Io};
use crate::sys::moment;
use crate::sys::own_file::OwnFile;
use crate::sys::process;

/// Mode of a file until it has the one that it is to have.
const MODE_AT_FIRST: u32 = 0o600;

/// How often somebody else may make or remove the file between two steps of ours.
const TRIES: u32 = 10;

/// What was opened.
pub(super) struct Opened {
    pub(super) file: LogFile,
    /// Owner, group or mode that a new file was to have and could not be given.
    pub(super) refused: Option<io::Error>,
}

/// Opens the log, or makes it: in the place of the file that was there `before`, if there was one.
/// What is appended is from the position `start` in the engine's life on.
///
/// # Errors
/// The system's.
pub(super) fn open(
    io: &dyn Io,
    path: &Path,
    before: Option<&FileStatus>,
    modes: Modes,
    start: u64,
) -> io::Result<Opened> {
    for _ in 0..TRIES {
        match io.open_existing(path) {
            Ok(file) => {
                return Ok(Opened { file: log_file(io, file, path, start)?, refused: None });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match make(io, path, before, modes) {
            Ok((file, refused)) => {
                return Ok(Opened { file: log_file(io, file, path, start)?, refused });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Opens something in a directory; where that was removed, in one that is made again.
///
/// # Errors
/// Those of both.
pub(super) fn in_dir<T>(
    open: impl Fn() -> io::Result<T>,
    make_dir: impl FnOnce() -> io::Result<()>,
) -> io::Result<T> {
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_dir().and_then(|()| open()),
        outcome => outcome,
    }
}

/// Makes an empty file of the log where nothing is.
///
/// # Errors
/// The system's; what was made is removed.
pub(super) fn make(
    io: &dyn Io,
    path: &Path,
    before: Option<&FileStatus>,
    modes: Modes,
) -> io::Result<(File, Option<io::Error>)> {
    if before.is_none() && modes.file.is_none() {
        return io.create_log(path, FILE_MODE).map(|file| (file, None));
    }
    let file = io.create_log(path, MODE_AT_FIRST)?;
    let refused = dress(io, &file, before, modes);
    Ok((file, refused))
}

/// Gives a new file what it is to have of the one `before`, or by the configuration; says what
/// could not be given.
pub(super) fn dress(
    io: &dyn Io,
    file: &File,
    before: Option<&FileStatus>,
    modes: Modes,
) -> Option<io::Error> {
    use std::os::fd::AsFd;
    let dressed = match (before, modes.file) {
        (Some(before), mode) => attributes::inherit(io, file.as_fd(), before, mode),
        (None, Some(mode)) => io.set_mode(file.as_fd(), mode),
        (None, None) => Ok(()),
    };
    dressed.err()
}

/// A file of the log that was opened just now.
///
/// # Errors
/// The system's.
pub(super) fn log_file(io: &dyn Io, file: File, path: &Path, start: u64) -> io::Result<LogFile> {
    let birth_ns = io.born(&file).map_or(0, ns_since_1970);
    let file = OwnFile::new(file)?;
    let status = file.status(io)?;
    let now_ns = ns_since_1970(moment::utc());
    let (dev, ino) = file.identity();
    Ok(LogFile {
        file,
        path: path.to_owned(),
        dev,
        ino,
        birth_ns,
        // Made by another process, it began with its birth.
        start_ns: if status.len > 0 && birth_ns > 0 { birth_ns } else { now_ns } as i64,
        rotated: OnceLock::new(),
        start,
        end: OnceLock::new(),
        is_refused: AtomicBool::new(false),
        has_reserve: AtomicBool::new(false),
    })
}

/// Ends the last line if somebody left it open, or if nobody can tell: an empty line is better than
/// two in one.
///
/// # Errors
/// The system's.
pub(super) fn end_last_line(io: &dyn Io, file: &LogFile, unit: Unit) -> io::Result<()> {
    let status = file.status(io)?;
    let is_whole =
        || unit != Unit::Lines || status.len == 0 || last_byte(io, file, &status) == Some(b'\n');
    if !is_whole() && io.append(file.file.seen(), b"\n", status.len)? == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}

/// Marks the file as this process's to write. Once nothing of it is open besides: closing a file
/// takes the mark off.
pub(super) fn mark(file: &LogFile) {
    if let Ok(file) = file.file.checked() {
        process::mark(file);
    }
}

/// None where the file may be written but not read.
fn last_byte(io: &dyn Io, file: &LogFile, status: &FileStatus) -> Option<u8> {
    let reader = OwnFile::new(io.open_to_read(&file.path).ok()?).ok()?;
    if reader.identity() != file.file.identity() {
        return None;
    }
    let mut byte = [0];
    let count = io.pread(reader.seen(), &mut byte, status.len - 1).ok()?;
    (count == 1).then_some(byte[0])
}

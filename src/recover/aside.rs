//! Puts what an arena holds into a file of its own beside the log: of a process that ended before
//! the machine was booted last, and so perhaps with a loss of power, nobody knows how much of its
//! log there is. Runs on the owner, at start, and in the command line.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::carry::Debt;
use super::lines::{Owed, Tally};
use super::stage::sync_dir;
use super::stem::Stem;
use super::target::{LogFiles, make};
use crate::config::file_names;
use crate::sys::io::Io;

/// The file that an arena's content goes to.
pub(super) fn path(files: &LogFiles<'_>, stem: &Stem) -> PathBuf {
    files.dir.join(file_names::unclean(files.base, files.unit, stem.pid, &stem.id))
}

/// Writes it; the file has its name when it is complete. Gives what came back, and whether there is
/// a file: for nothing there is none. The arena is there still.
///
/// # Errors
/// The system's.
pub(super) fn write(
    files: &LogFiles<'_>,
    path: &Path,
    owed: Debt<'_>,
) -> io::Result<(Tally, bool)> {
    let io = files.io;
    let Owed { append, tally } = owed(&mut io::sink())?;
    let cut = append.map(|cut| cut.bytes).unwrap_or_default();
    if tally.rest_bytes == 0 && cut.is_empty() {
        return Ok((tally, false));
    }
    if io.stat(path).is_ok() {
        // It died when it had written it, before it removed the arena.
        return Ok((tally, true));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.now"));
    super::carry::remove(io, std::slice::from_ref(&beside))?;
    let file = make(io, &beside, files.modes)?;
    let written = (|| {
        let mut writer = io::BufWriter::new(At { io, file: &file, at: 0 });
        writer.write_all(&cut)?;
        owed(&mut writer)?;
        writer.flush()?;
        io.fdatasync(file.as_fd())?;
        io.rename_new(&beside, path)
    })();
    if written.is_err() {
        // The error that matters is the first one.
        let _ = io.unlink(&beside);
    }
    written?;
    sync_dir(io, path)?;
    Ok((tally, true))
}

/// Writes to a file, from `at` on.
struct At<'a> {
    io: &'a dyn Io,
    file: &'a std::fs::File,
    at: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.io.pwrite(self.file.as_fd(), bytes, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

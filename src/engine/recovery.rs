//! Brings what killed processes left into their logs: at start, between the name's lock and the
//! opening of the log, and for the command line. Runs on the owner.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::lock::NameLocks;
use super::open::LogPlace;
use super::orphans::{self, Orphans};
use crate::arena::shared_memory_dir;
use crate::config::{Arena as Place, Output, Settings, file_names};
use crate::publish::Console;
use crate::recover::{
    Beside, Destination, Names, Purpose, Report, Site, Spot, Whose, add_spot, places,
};
use crate::sys::io::Io;
use crate::sys::process;

/// The numbers of the outputs in an arena.
const STDOUT: u64 = 2;
const STDERR: u64 = 3;

/// Bytes that a console takes without waiting, once it says that it takes any.
const CONSOLE_BYTES: usize = 4096;

/// How long a console that nobody reads holds a start up.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(1);

/// What a start has recovered, and what stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Records that came back.
    pub(super) records: u64,
    /// Arenas that were there and are no more.
    pub(super) arenas: u64,
    pub(super) orphans: Orphans,
}

/// The names of a log: its own is held already.
struct Held<'a> {
    locks: Option<NameLocks>,
    own: Option<&'a str>,
}

impl Names for Held<'_> {
    fn while_free(&self, base: &str, work: &mut dyn FnMut()) -> bool {
        match &self.locks {
            Some(locks) if self.own != Some(base) => locks.while_free(base, work),
            // Without a file there are no names: whoever takes an arena's lock has it.
            _ => {
                work();
                true
            }
        }
    }
}

/// Recovers what there is of the log that is about to be opened.
pub(super) fn at_start(
    settings: &Settings,
    log: Option<&LogPlace>,
    warnings: &mut Vec<String>,
) -> Outcome {
    let io = &settings.io;
    let is_wanted = |base: &str| file_names::is_of(base, &settings.name);
    let private_dir = log.map(|log| &*log.private_dir);
    let mut spots = spots(&**io, private_dir, is_wanted);
    if let Place::Dir(dir) = &settings.arena {
        add_spot(&mut spots, dir, Whose::ManyLogs);
    }
    let locks = log.map(|log| NameLocks::new(Arc::clone(io), log.private_dir.clone()));
    let names = Held { locks, own: log.map(|log| &*log.base) };
    let site = Site {
        io: &**io,
        names: &names,
        log: log.map(|log| Beside {
            dir: &log.dir,
            private_dir: &log.private_dir,
            modes: log.modes,
        }),
        spots: &spots,
        purpose: Purpose::Recover,
    };
    let report = site.run(is_wanted, &mut |output| console(settings, output));
    tell(&report, warnings);
    Outcome {
        records: report.records(),
        arenas: report.recovered.len() as u64,
        orphans: orphans::bound(&**io, report.kept, warnings),
    }
}

/// Recovers all logs of a directory, or says what there is; `private_dir` lies beside them.
#[cfg(feature = "cli")]
pub(crate) fn in_directory(
    io: Arc<dyn Io>,
    dir: &Path,
    private_dir: &Path,
    purpose: Purpose,
) -> Report {
    let spots = spots(&*io, Some(private_dir), |_| true);
    let locks = NameLocks::new(Arc::clone(&io), private_dir.to_owned());
    let names = Held { locks: Some(locks), own: None };
    let log = Some(Beside { dir, private_dir, modes: crate::config::Modes::default() });
    let site = Site { io: &*io, names: &names, log, spots: &spots, purpose };
    site.run(|_| true, &mut |_| None)
}

/// Everywhere that an arena of the log may be, whatever this engine chooses: beside it, in shared
/// memory, and where earlier engines have noted that they put theirs.
fn spots(io: &dyn Io, private_dir: Option<&Path>, is_wanted: impl Fn(&str) -> bool) -> Vec<Spot> {
    let mut spots = Vec::new();
    if let Some(private_dir) = private_dir {
        add_spot(&mut spots, private_dir, Whose::OneLogs);
        for base in places::bases(io, private_dir).iter().filter(|base| is_wanted(base)) {
            for dir in places::read(io, private_dir, base) {
                add_spot(&mut spots, &dir, Whose::ManyLogs);
            }
        }
    }
    let shared = shared_memory_dir(process::effective_uid());
    if check_private(&shared).is_ok() {
        add_spot(&mut spots, &shared, Whose::ManyLogs);
    }
    spots
}

/// Anybody may make a directory in `/dev/shm`: it must be ours, and closed to others.
pub(super) fn check_private(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let is_private = metadata.is_dir()
        && metadata.uid() == process::effective_uid()
        && metadata.mode() & 0o077 == 0;
    if is_private { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// What the owner hears of besides the record in the log.
fn tell(report: &Report, warnings: &mut Vec<String>) {
    for recovered in &report.recovered {
        let (pid, tally) = (recovered.stem.pid, &recovered.tally);
        let records = tally.records + tally.lines;
        match &recovered.to {
            Destination::Aside(path) => warnings.push(format!(
                "process {pid} ended before the machine was booted last, without a drain: what it \
                 left is in {}, {records} records; nobody knows what the log lacks of it",
                path.display()
            )),
            Destination::Console if records > 0 => warnings.push(format!(
                "{records} records that process {pid} left are written above, some of them \
                 perhaps for the second time"
            )),
            Destination::Log(_) | Destination::Console | Destination::Nowhere => {}
        }
    }
    warnings.extend(report.troubles.iter().cloned());
}

/// What writes to the console that has this number in an arena, if it is this engine's output.
fn console(settings: &Settings, output: u64) -> Option<Box<dyn Write>> {
    let console = match (&settings.output, output) {
        (Output::Stdout, STDOUT) => Console::Stdout,
        (Output::Stderr, STDERR) => Console::Stderr,
        _ => return None,
    };
    Some(Box::new(ToConsole { io: Arc::clone(&settings.io), console, is_begun: false }))
}

/// Writes to a console whose reader may be stuck.
struct ToConsole {
    io: Arc<dyn Io>,
    console: Console,
    /// Whether the line is ended that a killed process may have left open: nobody can look, and an
    /// empty line is better than two in one.
    is_begun: bool,
}

impl Write for ToConsole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.console.with_fd(|fd| {
            if !self.io.poll_writable(fd, CONSOLE_PATIENCE)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads its console"));
            }
            if !self.is_begun {
                self.is_begun = self.io.write(fd, b"\n")? > 0;
            }
            self.io.write(fd, &bytes[..bytes.len().min(CONSOLE_BYTES)])
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

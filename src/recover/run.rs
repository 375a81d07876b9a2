//! Goes through all that was found: judges it, and carries it, puts it aside, removes it or keeps
//! it. Runs on the owner, at start, and in the command line.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::carry::{Cargo, remove};
use super::find::{self, Left, Spot, Whose};
use super::judge::{Claim, Verdict, is_gone, judge, may_be_of};
use super::lines::{self, Owed, Tally};
use super::report::{Destination, Recovered, Report, files_of};
use super::stage::Stage;
use super::stem::{Kind, Stem};
use super::target::LogFiles;
use super::{aside, places};
use crate::arena::layout::EngineState;
use crate::arena::read::{Dead, Header};
use crate::config::Modes;
use crate::config::file_names::{self, Unit};
use crate::format::Format;
use crate::sys::io::Io;

/// Whoever knows which names are free.
pub(crate) trait Names {
    /// Does the work while no engine of this base lives, or can begin to; says whether.
    fn while_free(&self, base: &str, work: &mut dyn FnMut()) -> bool;
}

/// The log that is recovered.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) private_dir: &'a Path,
    pub(crate) modes: Modes,
}

/// What is done to what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is recovered.
    Recover,
    /// Recovered as well, but nothing comes into a log: all into files of their own.
    SetAside,
    /// Nothing: it is said what would be.
    Tell,
}

/// Where to look, for what, and what to do.
pub(crate) struct Site<'a> {
    pub(crate) io: &'a dyn Io,
    pub(crate) names: &'a dyn Names,
    /// None for an engine without a file.
    pub(crate) log: Option<Beside<'a>>,
    pub(crate) spots: &'a [Spot],
    pub(crate) purpose: Purpose,
}

/// Where the lines of an engine without a file go.
pub(crate) type ConsoleOf<'a> = &'a mut dyn FnMut(u64) -> Option<Box<dyn Write>>;

impl Site<'_> {
    /// Goes through the arenas of all bases that are wanted. `console` gives what writes to an
    /// output, by its number in an arena; none where its lines are not wanted.
    pub(crate) fn run(&self, is_wanted: impl Fn(&str) -> bool, console: ConsoleOf<'_>) -> Report {
        let mut report = Report::default();
        let mut bases: BTreeMap<String, u64> = BTreeMap::new();
        for (stem, left) in self.look(&is_wanted, &mut report) {
            *bases.entry(stem.base).or_default() += u64::from(left.arena.is_some());
        }
        for (base, arenas) in bases {
            let mut work = || {
                self.end_rotations(&base, &mut report);
                // Listed again: before the name was had another process may have settled some.
                let mut left = self.look(&|found| found == base, &mut report);
                left.sort_by_cached_key(|(_, left)| made(left));
                for (stem, left) in left {
                    self.settle(&stem, &left, console, &mut report);
                }
            };
            if !self.names.while_free(&base, &mut work) {
                report.living += arenas;
            }
        }
        self.tidy_places(&is_wanted);
        report
    }

    /// Ends the rotation of a second engine that died between its two steps: no start of its name
    /// will. First, so that its arena is there to be found for as long as this is not done.
    fn end_rotations(&self, base: &str, report: &mut Report) {
        let is_second = file_names::name_of_second(base).is_some();
        let Some(log) = self.log.as_ref().filter(|_| is_second) else { return };
        if self.purpose == Purpose::Tell {
            return;
        }
        for unit in [Unit::Lines, Unit::Segments] {
            if let Err(error) = self.log_files(log, base, unit).end_rotation() {
                report.troubles.push(format!("cannot end a rotation of {base}: {error}"));
            }
        }
    }

    /// What engines of the bases that are wanted have left; tells where nobody could look.
    fn look(&self, is_wanted: &dyn Fn(&str) -> bool, report: &mut Report) -> Vec<(Stem, Left)> {
        let found = find::look(self.io, self.spots, is_wanted);
        for (dir, error) in found.unread {
            let trouble = format!("cannot look for arenas in {}: {error}", dir.display());
            if !report.troubles.contains(&trouble) {
                report.troubles.push(trouble);
            }
        }
        found.left.into_iter().filter(|(_, left)| self.may_concern(left)).collect()
    }

    /// Whether it may be of the log that is looked after: nobody asks for the name of another's,
    /// which would make a file here.
    fn may_concern(&self, left: &Left) -> bool {
        match (&left.arena, &self.log) {
            (Some((path, Whose::ManyLogs)), Some(log)) => may_be_of(self.io, path, log.dir),
            _ => true,
        }
    }

    /// One engine's files.
    fn settle(&self, stem: &Stem, left: &Left, console: ConsoleOf<'_>, report: &mut Report) {
        if let Some(stage) = &left.stage {
            if self.resume(stem, stage, left, report) {
                return;
            }
        }
        let Some((path, whose)) = &left.arena else {
            return self.clear(stem, &left.sides, report);
        };
        let Some(_claim) = Claim::of(path) else {
            report.living += 1;
            return;
        };
        let dir = self.log.as_ref().map_or(Path::new(""), |log| log.dir);
        match judge(self.io, path, stem, (*whose, dir)) {
            Verdict::Lives => report.living += 1,
            Verdict::OthersLog => {}
            Verdict::Unused => self.clear(stem, &files_of(path), report),
            Verdict::Dead(dead) => match self.recover(stem, path, &dead, console) {
                Ok(recovered) => report.recovered.push(recovered),
                Err(error) => report.keep(self.io, path.clone(), files_of(path), error.to_string()),
            },
            Verdict::Unfit(why) => report.keep(self.io, path.clone(), files_of(path), why),
            Verdict::Unknown(error) => {
                let why = format!("nobody can tell whether its process lives: {error}");
                report.keep(self.io, path.clone(), Vec::new(), why);
            }
        }
    }

    /// Goes on with a stage; whether that is all there is to do.
    fn resume(
        &self,
        stem: &Stem,
        stage: &Path,
        Left { arena, sides, .. }: &Left,
        report: &mut Report,
    ) -> bool {
        let Some(log) = &self.log else { return false };
        let files = arena.as_ref().map_or_else(|| sides.clone(), |(arena, _)| files_of(arena));
        let log_files = self.log_files(log, &stem.base, Unit::Lines);
        let private_dir = log.private_dir;
        let cargo = Cargo { stem, private_dir, files: log_files, arena: &files };
        let staged = match self.purpose {
            Purpose::Tell => Stage::open(self.io, stage)
                .map(|stage| stage.map(|stage| (stage.head.unit, stage.head.tally))),
            Purpose::Recover | Purpose::SetAside => cargo.resume(),
        };
        match staged {
            Ok(Some((unit, tally))) => {
                let to = Destination::Log(unit);
                report.recovered.push(Recovered { stem: stem.clone(), tally, to });
                true
            }
            // Damaged: the arena, if it is there, is staged anew.
            Ok(None) if arena.is_some() => false,
            Ok(None) => {
                let stage = stage.to_owned();
                report.keep(self.io, stage.clone(), vec![stage], "it is damaged".to_owned());
                true
            }
            Err(error) => {
                let why = error.to_string();
                report.keep(self.io, stage.to_owned(), vec![stage.to_owned()], why);
                true
            }
        }
    }

    /// Removes what is of no use without an arena, if its process is gone.
    fn clear(&self, stem: &Stem, files: &[PathBuf], report: &mut Report) {
        let arena = Path::new(&stem.file_name(Kind::Arena)).to_owned();
        if self.purpose == Purpose::Tell || !is_gone(stem) || crate::arena::is_own(&arena) {
            return;
        }
        match remove(self.io, files) {
            Ok(()) => report.cleared += 1,
            Err(error) => report.troubles.push(error.to_string()),
        }
    }

    fn recover(
        &self,
        stem: &Stem,
        path: &Path,
        dead: &Dead,
        console: ConsoleOf<'_>,
    ) -> io::Result<Recovered> {
        let (header, files) = (dead.header(), files_of(path));
        let done = |tally, to| Recovered { stem: stem.clone(), tally, to };
        let is_owed = header.state != Some(EngineState::Drained);
        let log = match (header.output_name(), &self.log) {
            ("none", _) => None,
            _ if !is_owed => None,
            ("file", Some(log)) => Some(log),
            (_, None) => {
                return self
                    .to_console(dead, &files, console)
                    .map(|tally| done(tally, Destination::Console));
            }
            // Nobody here has its console.
            (_, Some(log)) => Some(log),
        };
        let Some(log) = log else {
            if self.purpose != Purpose::Tell {
                remove(self.io, &files)?;
            }
            return Ok(done(Tally::default(), Destination::Nowhere));
        };
        let is_aside = self.purpose == Purpose::SetAside
            || !header.is_of_this_boot()
            || header.output_name() != "file";
        let log_files = self.log_files(log, &stem.base, unit(header));
        let mut owed = |rest: &mut dyn Write| lines::owed(dead, rest);
        let aside = aside::path(&log_files, stem);
        if self.purpose == Purpose::Tell {
            let Owed { tally, .. } = owed(&mut io::sink())?;
            let to =
                if is_aside { Destination::Aside(aside) } else { Destination::Log(unit(header)) };
            return Ok(done(tally, to));
        }
        if is_aside {
            let (tally, is_there) = aside::write(&log_files, &aside, &mut owed)?;
            remove(self.io, &files)?;
            let to = if is_there { Destination::Aside(aside) } else { Destination::Nowhere };
            return Ok(done(tally, to));
        }
        let private_dir = log.private_dir;
        let cargo = Cargo { stem, private_dir, files: log_files, arena: &files };
        cargo.carry(&mut owed).map(|tally| done(tally, Destination::Log(unit(header))))
    }

    /// At least once: a death before the arena is gone brings all of it again.
    fn to_console(
        &self,
        dead: &Dead,
        files: &[PathBuf],
        console: ConsoleOf<'_>,
    ) -> io::Result<Tally> {
        let output = dead.header().output;
        if self.purpose == Purpose::Tell {
            return lines::owed(dead, &mut io::sink()).map(|owed| owed.tally);
        }
        let Some(mut console) = console(output) else {
            let name = dead.header().output_name();
            return Err(io::Error::other(format!("its output was {name}, and is another now")));
        };
        let Owed { tally, .. } = lines::owed(dead, &mut console)?;
        console.flush()?;
        remove(self.io, files)?;
        Ok(tally)
    }

    fn log_files<'a>(&'a self, log: &'a Beside<'a>, base: &'a str, unit: Unit) -> LogFiles<'a> {
        LogFiles { io: self.io, dir: log.dir, base, unit, modes: log.modes }
    }

    /// Forgets places in which nothing of a base is left.
    fn tidy_places(&self, is_wanted: &dyn Fn(&str) -> bool) {
        let Some(log) = self.log.as_ref().filter(|_| self.purpose != Purpose::Tell) else { return };
        for base in places::bases(self.io, log.private_dir).iter().filter(|base| is_wanted(base)) {
            self.names.while_free(base, &mut || {
                let dirs = places::read(self.io, log.private_dir, base);
                let is_used = |dir: &PathBuf| {
                    let spot = Spot { dir: dir.clone(), whose: Whose::ManyLogs };
                    let found = find::look(self.io, &[spot], |found| found == base);
                    !found.left.is_empty() || !found.unread.is_empty()
                };
                let used: Vec<PathBuf> = dirs.iter().filter(|dir| is_used(dir)).cloned().collect();
                if used.len() < dirs.len() {
                    // One that stays is looked at once more the next time.
                    let _ = places::write(self.io, log.private_dir, base, &used);
                }
            });
        }
    }
}

fn unit(header: &Header) -> Unit {
    match Format::from_number(header.format) {
        Some(Format::Binary) => Unit::Segments,
        _ => Unit::Lines,
    }
}

/// When its engine began: those of one base did so one after the other.
fn made(left: &Left) -> Option<SystemTime> {
    let path = left.arena.as_ref().map(|(arena, _)| arena).or(left.stage.as_ref())?;
    let metadata = std::fs::symlink_metadata(path).ok()?;
    metadata.created().or_else(|_| metadata.modified()).ok()
}

// Elsewhere there are no arenas in files.
#[cfg(all(test, target_os = "linux", not(fastlog_portable)))]
mod tests;

//! `fastlog stat`: what live engines say of themselves, read from their arenas. Only looks.

pub mod args;
mod json;
mod rates;
mod screen;
mod show;
pub mod text;

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal};
use std::process::{self, ExitCode};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use fastlog::cli_support::{Found, Holder, Inspected, log_file, look_at_arenas};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{output, say};
use args::Stat;
use rates::Rates;
use screen::Screen;
use show::Colour;

/// No live engine is there.
const NONE_LIVES: u8 = 3;

/// All arenas of a directory at one moment.
struct Reading {
    at: SystemTime,
    found: Vec<Found>,
}

impl Reading {
    fn take(arguments: &Stat) -> io::Result<Reading> {
        let at = SystemTime::now();
        let mut found = look_at_arenas(&arguments.dir)?;
        if let Some(name) = &arguments.name {
            found.retain(|found| is_named(found, name));
        }
        // Live ones first, each kind in the order of the files' names.
        found.sort_by_key(|found| !is_live(found));
        Ok(Reading { at, found })
    }

    fn is_live(&self) -> bool {
        self.found.iter().any(is_live)
    }

    /// Files that have the name of an arena and are none, or cannot be read.
    fn foreign(&self) -> usize {
        let is_foreign =
            |found: &&Found| matches!(found.what, Inspected::Damaged(_) | Inspected::Unreadable(_));
        self.found.iter().filter(is_foreign).count()
    }

    fn has_foreign(&self) -> bool {
        self.foreign() > 0
    }

    /// The rates of one since `before`.
    fn rates(&self, found: &Found, before: Option<&Reading>) -> Option<Rates> {
        let same = before?.found.iter().find(|earlier| earlier.path == found.path)?;
        let (Inspected::Arena(earlier), Inspected::Arena(now)) = (&same.what, &found.what) else {
            return None;
        };
        Rates::between(earlier, now)
    }

    fn render(&self, arguments: &Stat, before: Option<&Reading>, colour: Colour) -> String {
        let mut out = String::new();
        for (index, found) in self.found.iter().enumerate() {
            let rates = self.rates(found, before);
            if arguments.json {
                json::object(&mut out, self.at, found, rates.as_ref());
            } else {
                if index > 0 {
                    out.push('\n');
                }
                show::block(&mut out, found, rates.as_ref(), colour);
            }
        }
        out
    }
}

fn is_live(found: &Found) -> bool {
    matches!(&found.what, Inspected::Arena(snapshot) if snapshot.holder != Holder::Gone)
}

/// By what the arena says; by the file's name where it does not say.
fn is_named(found: &Found, name: &str) -> bool {
    match &found.what {
        Inspected::Arena(snapshot) => snapshot.name == name,
        _ => {
            let file = found.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            file.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
        }
    }
}

/// Shows once, or until there is nothing more to show.
pub fn run(arguments: &Stat) -> Result<ExitCode, Box<dyn Error>> {
    let is_terminal = io::stdout().is_terminal();
    let is_coloured = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let colour = if is_coloured { Colour::On } else { Colour::Off };
    let outcome = match arguments.watch {
        Some(period) => watch(arguments, period, colour),
        None => once(arguments, colour),
    };
    outcome.map_err(|error| format!("{error}; name a directory of logs that you may read").into())
}

fn once(arguments: &Stat, colour: Colour) -> io::Result<ExitCode> {
    let mut reading = Reading::take(arguments)?;
    let mut before = None;
    if reading.is_live() && !arguments.interval.is_zero() {
        thread::sleep(arguments.interval);
        before = Some(std::mem::replace(&mut reading, Reading::take(arguments)?));
    }
    let shown = reading.render(arguments, before.as_ref(), colour);
    let is_written = output::is_written(Screen::scrolling().show(&shown));
    say_foreign(&reading);
    Ok(match (reading.is_live(), is_written && !reading.has_foreign()) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
        (false, _) => say_none(arguments, &reading),
    })
}

fn watch(arguments: &Stat, period: Duration, colour: Colour) -> io::Result<ExitCode> {
    let signals = signals()?;
    let is_in_place = io::stdout().is_terminal() && !arguments.json;
    let mut screen = if is_in_place { Screen::in_place() } else { Screen::scrolling() };
    let mut before: Option<Reading> = None;
    loop {
        let reading = Reading::take(arguments)?;
        let mut shown = String::new();
        if !arguments.json {
            let time = humantime::format_rfc3339_seconds(reading.at);
            shown = format!("{} at {time}\n\n", text::plain(&arguments.dir.to_string_lossy()));
        }
        shown += &reading.render(arguments, before.as_ref(), colour);
        if !arguments.json {
            shown.push('\n');
        }
        if let Err(error) = screen.show(&shown) {
            let is_left = output::is_written(Err(error));
            return Ok(if is_left { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        if !reading.is_live() {
            drop(screen);
            say_foreign(&reading);
            if before.is_none() {
                return Ok(say_none(arguments, &reading));
            }
            say!("the last engine has ended");
            return Ok(ExitCode::SUCCESS);
        }
        before = Some(reading);
        match signals.recv_timeout(period) {
            Ok(signal) => return Ok(ExitCode::from((128 + signal) as u8)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("no signals")),
        }
    }
}

/// The signals that end a watch. A second one ends it at once, whatever its output waits for.
fn signals() -> io::Result<Receiver<i32>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (sender, receiver) = channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut is_second = false;
        for signal in signals.forever() {
            if std::mem::replace(&mut is_second, true) || sender.send(signal).is_err() {
                process::exit(128 + signal);
            }
        }
    })?;
    Ok(receiver)
}

/// Counts the files that have the name of an arena and are none.
fn say_foreign(reading: &Reading) {
    match reading.foreign() {
        0 => {}
        1 => say!("1 file is no arena that can be read"),
        count => say!("{count} files are no arenas that can be read"),
    }
}

/// Says that no engine lives, what is there instead, and where one may be.
fn say_none(arguments: &Stat, reading: &Reading) -> ExitCode {
    let dir = text::plain(&arguments.dir.to_string_lossy());
    let is_dead = |found: &&Found| matches!(found.what, Inspected::Arena(_));
    let dead = reading.found.iter().filter(is_dead).count();
    let logs = fs::read_dir(&arguments.dir).map_or(0, |entries| {
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| log_file(name).is_some()).count()
    });
    let of = arguments.name.as_deref().map(|name| format!(" of the name `{}`", text::plain(name)));
    say!(
        "{dir}: no live engine{} is here, but {} left by processes that ended and {}; an \
         engine with `arena_dir` is found in that directory, one that writes to a console or has \
         no room for an arena in none",
        of.unwrap_or_default(),
        text::counted(dead, "arena"),
        text::counted(logs, "log file"),
    );
    ExitCode::from(NONE_LIVES)
}

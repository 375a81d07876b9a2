//! `fastlog pipe`: each line of the standard input becomes a record. What is slow here is the disk:
//! while it takes nothing, nothing is read, and whoever writes to the pipe waits.

mod input;
mod lines;
mod object;

use std::error::Error;
use std::io::{self, Read};
use std::process::ExitCode;

use fastlog::cli_support::with_fields;
use fastlog::{Config, Engine, Level, Logger, Overflow, Preset, RotateZone, fastlog};

use crate::args::Pipe;
use crate::progress::Progress;
use crate::say;
use crate::signals::{self, END_MAX};
use input::Input;
use lines::Lines;
use object::Object;

/// The most bytes of a line that one record takes. Escaped, a byte takes at most six, and the
/// message is cut at one record's cap.
const PART_BYTES: usize = 5_000;
const RECORD_BYTES: usize = 32 << 10;
/// The longest line that is looked at as an object. Written with escapes it may be longer than what
/// it becomes.
const OBJECT_BYTES: usize = 2 * RECORD_BYTES;

/// Runs until the input ends.
pub fn run(arguments: &Pipe) -> Result<ExitCode, Box<dyn Error>> {
    let engine = Engine::start(config(arguments))?;
    let stop = signals::handle(engine.clone())?;
    let mut progress = Progress::new(arguments.quiet);
    let to = To { logger: engine.logger(), level: arguments.level };
    let object_bytes = if arguments.json { OBJECT_BYTES } else { 0 };
    let read = copy(Input::new(&stop.stream)?, &to, object_bytes, &mut progress);
    progress.end();
    let signal = stop.signal();
    let drained = match signal {
        Some(_) => engine.drain_timeout(END_MAX),
        None => engine.drain(),
    };
    if let Some(signal) = signal {
        if let Err(error) = drained {
            say!("{error}");
        }
        return Ok(ExitCode::from((128 + signal) as u8));
    }
    // What was read before the input failed is in the log.
    let lines = read?;
    let report = match drained {
        Ok(report) => report,
        Err(error) => {
            say!("{error}");
            return Ok(ExitCode::from(3));
        }
    };
    if !arguments.quiet {
        say!("{lines} lines; {report}");
    }
    Ok(ExitCode::from(if report.dropped() == 0 { 0 } else { 3 }))
}

fn config(arguments: &Pipe) -> Config {
    let config = Config::preset(Preset::Production);
    let config = if arguments.show_secrets { config.redact_only([""; 0]) } else { config };
    config
        .ignore_env()
        .level(Level::TRACE)
        .dir(&arguments.dir)
        .name(&arguments.name)
        // A pipe has nothing better to do than to wait.
        .overflow(Overflow::BlockForever)
        .record_bytes(RECORD_BYTES)
        .rotate_bytes(arguments.rotate_bytes.0)
        .rotate(arguments.rotate.into())
        .rotate_in(if arguments.local_time { RotateZone::Local } else { RotateZone::Utc })
        .retain_files(arguments.retain_files)
        .retain_bytes(arguments.retain_bytes.0)
        .retain_age(arguments.retain_age.0)
        .compress(arguments.compress.into())
}

/// Where lines go, and their level where they name none.
struct To {
    logger: Logger,
    level: Level,
}

/// Logs all lines; gives how many there were. Those up to `object_bytes` may be objects.
fn copy(
    input: impl Read,
    to: &To,
    object_bytes: usize,
    progress: &mut Progress,
) -> io::Result<u64> {
    let mut lines = Lines::new(input);
    let mut count = 0;
    while lines.begin()? {
        let mut level = to.level;
        let mut is_done = false;
        if object_bytes > 0 {
            let object = lines.whole(object_bytes)?.and_then(Object::parse);
            level = object.as_ref().and_then(|object| object.level).unwrap_or(level);
            is_done = object.is_some_and(|object| emit_object(&to.logger, level, &object));
        }
        if !is_done {
            emit_text(&to.logger, level, &mut lines)?;
        }
        count += 1;
        progress.at(count);
    }
    Ok(count)
}

/// Logs an object as a record with its fields, if nothing of it would be cut; says whether it did.
fn emit_object(logger: &Logger, level: Level, object: &Object) -> bool {
    if shown_bytes(&object.message) > RECORD_BYTES {
        return false;
    }
    let Some(logger) = with_fields(logger, &object.fields, &object.message) else { return false };
    emit(&logger, level, &object.message, (0, false));
    true
}

/// How long a text is at most when it is escaped.
fn shown_bytes(text: &str) -> usize {
    let is_escaped =
        |char: char| char.is_control() || matches!(char, '"' | '\\' | '\u{2028}' | '\u{2029}');
    text.chars().map(|char| if is_escaped(char) { 6 } else { char.len_utf8() }).sum()
}

/// Logs the line as a text, in several records if it is long.
fn emit_text(logger: &Logger, level: Level, lines: &mut Lines<impl Read>) -> io::Result<()> {
    let (mut bytes, mut part) = (Vec::new(), 0);
    loop {
        let more = lines.take_part(PART_BYTES, &mut bytes)?;
        emit(logger, level, &String::from_utf8_lossy(&bytes), (part, more));
        if !more {
            return Ok(());
        }
        part += 1;
    }
}

fn emit(logger: &Logger, level: Level, message: &str, place: (u64, bool)) {
    match place {
        (0, false) => fastlog!(logger: logger, level: level, target: "pipe", "{message}", message),
        (part, true) => {
            let more = true;
            fastlog!(
                logger: logger, level: level, target: "pipe", "{message}", message, part, more
            );
        }
        (part, false) => {
            fastlog!(logger: logger, level: level, target: "pipe", "{message}", message, part);
        }
    }
}

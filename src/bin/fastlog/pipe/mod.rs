//! `fastlog pipe`: each line of the standard input becomes a record. What is slow here is the disk:
//! while it takes nothing, nothing is read, and whoever writes to the pipe waits.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::process::ExitCode;

use fastlog::{Config, Engine, Level, Logger, Overflow, Preset, fastlog};

use crate::args::Pipe;
use crate::progress::Progress;
use crate::signals;

/// The most bytes of a line that one record takes. Escaped, a byte takes at most six, and the
/// message is cut at one record's cap.
const PART_BYTES: usize = 5_000;
const RECORD_BYTES: usize = 32 << 10;
const INPUT_BYTES: usize = 256 << 10;

/// Runs until the input ends.
pub fn run(arguments: &Pipe) -> Result<ExitCode, Box<dyn Error>> {
    let engine = Engine::start(config(arguments))?;
    signals::handle(engine.clone())?;
    let mut progress = Progress::new(arguments.quiet);
    let read = copy(io::stdin().lock(), &engine.logger(), arguments.level, &mut progress);
    progress.end();
    let drained = engine.drain();
    // What was read before the input failed is in the log.
    let lines = read?;
    let report = match drained {
        Ok(report) => report,
        Err(error) => {
            eprintln!("fastlog: {error}");
            return Ok(ExitCode::from(3));
        }
    };
    if !arguments.quiet {
        eprintln!("fastlog: {lines} lines; {report}");
    }
    Ok(ExitCode::from(if report.dropped() == 0 { 0 } else { 3 }))
}

fn config(arguments: &Pipe) -> Config {
    Config::preset(Preset::Production)
        .ignore_env()
        .level(Level::TRACE)
        .dir(&arguments.dir)
        .name(&arguments.name)
        // A pipe has nothing better to do than to wait.
        .overflow(Overflow::BlockForever)
        .record_bytes(RECORD_BYTES)
        .rotate_bytes(arguments.rotate_bytes.0)
        .rotate(arguments.rotate.into())
        .retain_files(arguments.retain_files)
        .retain_bytes(arguments.retain_bytes.0)
        .retain_age(arguments.retain_age.0)
        .compress(arguments.compress.into())
}

/// Logs all lines; gives how many there were.
fn copy(
    input: impl Read,
    logger: &Logger,
    level: Level,
    progress: &mut Progress,
) -> io::Result<u64> {
    let mut input = BufReader::with_capacity(INPUT_BYTES, input);
    let (mut line, mut lines, mut part) = (Vec::new(), 0, 0_u64);
    loop {
        line.clear();
        // One more than a part, so that it shows whether the line goes on.
        let most = (PART_BYTES + 1) as u64;
        let count = input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(lines);
        }
        let is_end = line.last() == Some(&b'\n');
        let more = !is_end && !input.fill_buf()?.is_empty();
        emit(logger, level, text(&line, is_end), (part, more));
        part = if more { part + 1 } else { 0 };
        if !more {
            lines += 1;
            progress.at(lines);
        }
    }
}

/// A line without what ends it.
fn text(line: &[u8], is_end: bool) -> &[u8] {
    if !is_end {
        return line;
    }
    let line = &line[..line.len() - 1];
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn emit(logger: &Logger, level: Level, line: &[u8], place: (u64, bool)) {
    let message = String::from_utf8_lossy(line);
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

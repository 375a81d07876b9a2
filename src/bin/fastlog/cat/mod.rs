//! `fastlog cat`: prints the records of log files, as they are or to be read by people, and goes on
//! as they grow, if asked to.

mod binary;
mod cursor;
mod filter;
mod listing;
mod open;
mod print;
mod record;
mod source;
mod trouble;

use std::error::Error;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastlog::cli_support::{is_gone_within, raise_open_files};

use crate::args::{Cat, Choice};
use crate::{output, say, signals};
use binary::say_damaged;
use filter::Filter;
pub use open::{lines_in, read_on};
pub use print::escape;
use print::{Look, Printer};
use record::Record;
use source::Sources;
pub use trouble::{is_any as is_any_trouble, tell};

/// How often files that are followed are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lines after which all sources are looked at again, however fast one of them grows.
const ROUND_LINES: usize = 1_000;

/// What is written at a time of a binary log that is copied.
const OUT_BYTES: usize = 64 << 10;

/// Prints all that passes the filter.
pub fn run(arguments: &Cat) -> Result<ExitCode, Box<dyn Error>> {
    let filter = Filter::new(arguments)?;
    if filter.is_never() {
        say!("--since is not before --until: no record is between them");
        return Ok(ExitCode::from(2));
    }
    raise_open_files();
    let mut sources = Sources::new(arguments);
    let look = look(arguments);
    let mut printer = Printer::new(look);
    let foreign = Arc::new(AtomicU64::new(0));
    if arguments.follow {
        let foreign = Arc::clone(&foreign);
        signals::end_on_interrupt(move || {
            say_foreign(&foreign);
            say_damaged();
        })?;
    }
    let copied = match sources.alone() {
        Some(alone) if look.is_raw() && filter.passes_all() => {
            let mut out = BufWriter::with_capacity(OUT_BYTES, io::stdout().lock());
            alone.copy_binary(&mut out).and_then(|()| out.flush())
        }
        _ => Ok(()),
    };
    let printed = copied.and_then(|()| print_all(&mut sources, &filter, &mut printer, &foreign));
    // Whoever read has seen enough, or takes nothing more.
    let is_written = output::is_written(printed);
    say_foreign(&foreign);
    let is_whole = !say_damaged() && !trouble::is_any();
    Ok(if is_written && is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(arguments: &Cat) -> Look {
    let is_terminal = io::stdout().is_terminal();
    Look {
        is_pretty: arguments.pretty || is_terminal && !arguments.raw,
        is_coloured: match arguments.color {
            Choice::Always => true,
            Choice::Never => false,
            Choice::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        },
        is_terminal,
    }
}

/// Says how many lines were no records.
fn say_foreign(foreign: &AtomicU64) {
    let lines = foreign.load(Ordering::Relaxed);
    if lines > 0 {
        let what = if lines == 1 { "line is no record" } else { "lines are no records" };
        say!("{lines} {what}");
    }
}

/// Prints what there is, and what comes, if the sources are followed.
fn print_all(
    sources: &mut Sources,
    filter: &Filter,
    printer: &mut Printer,
    foreign: &AtomicU64,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    loop {
        let is_dry = print_round(sources, filter, printer, foreign, &mut out)?;
        let are_finished = sources.are_finished();
        if is_dry {
            out.flush()?;
            if are_finished || is_gone_within(io::stdout(), LOOK_EVERY)? {
                return Ok(());
            }
        }
        if !are_finished {
            sources.look_again();
        }
    }
}

/// Prints what there is, up to a number of lines. Says whether there is no more for now.
fn print_round(
    sources: &mut Sources,
    filter: &Filter,
    printer: &mut Printer,
    foreign: &AtomicU64,
    out: &mut impl Write,
) -> io::Result<bool> {
    for _ in 0..ROUND_LINES {
        let Some(line) = sources.take() else { return Ok(true) };
        match Record::parse(&line) {
            Some(record) if filter.passes(&record, &line) => {
                printer.record(out, &record, &line)?;
            }
            Some(_) => {}
            None => {
                foreign.fetch_add(1, Ordering::Relaxed);
                if filter.passes_foreign(&line) {
                    printer.foreign(out, &line)?;
                }
            }
        }
    }
    Ok(false)
}

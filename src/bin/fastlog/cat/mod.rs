//! `fastlog cat`: prints the records of log files, as they are or to be read by people, and goes on
//! as they grow, if asked to.

mod binary;
mod cursor;
mod filter;
mod open;
mod print;
mod record;
mod source;

use std::error::Error;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastlog::cli_support::is_gone_within;

use crate::args::{Cat, Choice};
use crate::signals;
use binary::say_damaged;
use filter::Filter;
pub use print::escape;
use print::{Look, Printer};
use record::Record;
use source::{Order, Source, Sources};

/// How often files that are followed are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lines after which all sources are looked at again, however fast one of them grows.
const ROUND_LINES: usize = 1_000;

/// What is written at a time of a binary log that is copied.
const OUT_BYTES: usize = 64 << 10;

/// Prints all that passes the filter.
pub fn run(arguments: &Cat) -> Result<ExitCode, Box<dyn Error>> {
    let filter = Filter::new(arguments)?;
    let mut sources = Sources::new(arguments)?;
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
    let copied = match &mut sources.list[..] {
        [alone] if look.is_raw() && filter.passes_all() => {
            let mut out = BufWriter::with_capacity(OUT_BYTES, io::stdout().lock());
            alone.copy_binary(&mut out).and_then(|()| out.flush())
        }
        _ => Ok(()),
    };
    match copied.and_then(|()| print_all(&mut sources, &filter, &mut printer, &foreign)) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    say_foreign(&foreign);
    Ok(if say_damaged() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
        eprintln!("fastlog: {lines} {what}");
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
        let is_dry = print_round(&mut sources.list, filter, printer, foreign, &mut out)?;
        let are_finished = sources.are_finished();
        if is_dry {
            out.flush()?;
            if are_finished || is_gone_within(io::stdout(), LOOK_EVERY)? {
                return Ok(());
            }
        }
        if !are_finished {
            sources.look_again()?;
        }
    }
}

/// Merges the sources by the time of their next record; each keeps its own order. Says whether
/// there is no more for now.
fn print_round(
    sources: &mut [Source],
    filter: &Filter,
    printer: &mut Printer,
    foreign: &AtomicU64,
    out: &mut impl Write,
) -> io::Result<bool> {
    // One alone has nothing to be merged with, and its lines' times need not be looked for.
    let order = if sources.len() == 1 { Order::Own } else { Order::ByTime };
    for _ in 0..ROUND_LINES {
        let mut first: Option<usize> = None;
        for index in 0..sources.len() {
            sources[index].fill(order)?;
            let Some(time) = sources[index].time() else { continue };
            if first.is_none_or(|first| sources[first].time().is_some_and(|least| time < least)) {
                first = Some(index);
            }
        }
        let Some(first) = first else { return Ok(true) };
        let line = sources[first].take();
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

//! `fastlog cat`: prints the records of log files, as they are or to be read by people.

mod filter;
mod print;
mod record;
mod source;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::args::{Cat, Choice};
use filter::Filter;
use print::{Look, Printer};
use record::Record;
use source::Source;

/// Lines that were no records.
#[derive(Default)]
struct Foreign {
    lines: u64,
}

/// Prints all that passes the filter.
pub fn run(arguments: &Cat) -> Result<ExitCode, Box<dyn Error>> {
    let filter = Filter::new(arguments)?;
    let mut sources = source::all(arguments)?;
    let is_terminal = io::stdout().is_terminal();
    let look = Look {
        is_pretty: arguments.pretty || is_terminal && !arguments.raw,
        is_coloured: match arguments.color {
            Choice::Always => true,
            Choice::Never => false,
            Choice::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        },
        is_terminal,
    };
    let mut printer = Printer::new(look);
    let mut foreign = Foreign::default();
    match print_all(&mut sources, &filter, &mut printer, &mut foreign) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        other => other?,
    }
    if foreign.lines > 0 {
        let what = if foreign.lines == 1 { "line is no record" } else { "lines are no records" };
        eprintln!("fastlog: {} {what}", foreign.lines);
    }
    Ok(ExitCode::SUCCESS)
}

/// Merges the sources by the time of their next record; each keeps its own order.
fn print_all(
    sources: &mut [Source],
    filter: &Filter,
    printer: &mut Printer,
    foreign: &mut Foreign,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    loop {
        let mut first: Option<usize> = None;
        for index in 0..sources.len() {
            sources[index].fill()?;
            let Some(time) = sources[index].time() else { continue };
            if first.is_none_or(|first| sources[first].time().is_some_and(|least| time < least)) {
                first = Some(index);
            }
        }
        let Some(first) = first else { return out.flush() };
        let line = sources[first].take();
        match Record::parse(&line) {
            Some(record) if filter.passes(&record, &line) => {
                printer.record(&mut out, &record, &line)?;
            }
            Some(_) => {}
            None => {
                foreign.lines += 1;
                if filter.passes_foreign(&line) {
                    printer.foreign(&mut out, &line)?;
                }
            }
        }
    }
}

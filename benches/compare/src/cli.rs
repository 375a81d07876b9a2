//! The commands, as `run.sh` calls them.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::bench::Bench;
use crate::peers::Peer;
use crate::report::{self, About};
use crate::run::{Mode, Run};

const USAGE: &str = "\
usage: compare list                              the peers
       compare about DATE COMMAND                a line of JSON on this machine
       compare run PEER MODE DIR [RECORDS]       one run, a line of JSON
       compare report RESULTS PLOTS              the tables and plots of those lines

MODE: latency, throughput, throughput2, verify; alloc with compare-alloc.
DIR: to log to; empty or not there yet.";

/// Runs the program: exit code 2 when it was called wrongly.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["list"] => {
            Peer::all().for_each(|peer| println!("{}", peer.name));
            Ok(())
        }
        ["about", date, command] => print(&About::here(date, command)),
        ["run", peer, mode, dir] => run(peer, mode, dir, None),
        ["run", peer, mode, dir, records] => run(peer, mode, dir, Some(records)),
        ["report", results, plots] => {
            report::write(Path::new(results), Path::new(plots)).map_err(|cause| cause.to_string())
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn run(peer: &str, mode: &str, dir: &str, records: Option<&str>) -> Result<(), String> {
    let named =
        Peer::named(peer).ok_or_else(|| format!("there is no peer `{peer}`: see `list`"))?;
    let mode = Mode::named(mode).ok_or_else(|| format!("there is no mode `{mode}`\n{USAGE}"))?;
    let records = match records {
        Some(text) => text.parse().map_err(|_| format!("`{text}` is no number of records"))?,
        None => named.records,
    };
    let outcome = Bench::new(mode, records, Path::new(dir)).run(named);
    print(&Run { peer: named.name.to_owned(), mode, outcome })
}

fn print(line: &impl serde::Serialize) -> Result<(), String> {
    serde_json::to_writer(io::stdout(), line).map_err(|cause| cause.to_string())?;
    println!();
    Ok(())
}

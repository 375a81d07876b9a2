//! The command line. `fastlog pipe` turns the lines of another program's output into a log,
//! `fastlog cat` prints the records of logs, `fastlog stat` shows the counters of live engines,
//! `fastlog recover` brings what killed processes left into their logs, `fastlog verify` looks
//! whether logs are whole, `fastlog completions` and `fastlog man` say what a shell and `man` want
//! to know of them.
//!
//! Exit codes: 0 all is well; 1 the log or the input cannot be used; 2 the arguments are wrong;
//! 3 something was lost, or could not be confirmed, or no engine lives; 128 + n ended by signal n,
//! with what was read in the log.

mod args;
mod cat;
mod manual;
mod output;
mod pipe;
mod progress;
mod recover;
mod signals;
mod stat;
mod verify;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = match args::Arguments::parse().command {
        args::Command::Pipe(arguments) => pipe::run(&arguments),
        args::Command::Cat(arguments) => cat::run(&arguments),
        args::Command::Stat(arguments) => stat::run(&arguments),
        args::Command::Recover(arguments) => recover::run(&arguments),
        args::Command::Verify(arguments) => verify::run(&arguments),
        args::Command::Completions(arguments) => manual::completions(&arguments),
        args::Command::Man(arguments) => manual::man(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say!("{error}");
            ExitCode::from(1)
        }
    }
}

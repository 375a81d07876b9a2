//! `fastlog completions` and `fastlog man`: what shells and `man` want to know, made from the
//! arguments themselves, so that nothing is missing.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;

use crate::args::{Arguments, Completions, Man};
use crate::output;

const NAME: &str = "fastlog";

/// Prints the completions of a shell.
pub fn completions(arguments: &Completions) -> Result<ExitCode, Box<dyn Error>> {
    let mut script = Vec::new();
    // Into memory, as it takes a pipe without a reader for a mistake of the program.
    clap_complete::generate(arguments.shell, &mut Arguments::command(), NAME, &mut script);
    print(&script)
}

/// Prints the page of the program, or writes the pages of all commands.
pub fn man(arguments: &Man) -> Result<ExitCode, Box<dyn Error>> {
    // Completes what the commands say of themselves, so that a page shows all of their options.
    let mut program = Arguments::command();
    program.build();
    let Some(dir) = &arguments.dir else { return print(&page(&program)?) };
    make(dir)?;
    write(dir, NAME, &program)?;
    for command in program.get_subcommands() {
        write(dir, &format!("{NAME}-{}", command.get_name()), command)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A page, what stands behind the options in sections of its own.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let version = concat!("fastlog ", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    Page::new(command.clone()).source(version).manual("fastlog").render(&mut page)?;
    // Examples keep their lines; what follows them is text.
    let page = String::from_utf8_lossy(&page)
        .replacen(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n", 1)
        .replacen("\n\nExit codes: ", "\n.fi\n.SH \"EXIT STATUS\"\n", 1);
    let Some((before, examples)) = page.split_once("\n.nf\n") else { return Ok(page.into()) };
    let notes = examples.replacen("\n\n", "\n.fi\n.SH NOTES\n", 1);
    Ok(format!("{before}\n.nf\n{notes}").into())
}

/// Makes a directory where it is missing; its parent is there.
fn make(dir: &Path) -> Result<(), Box<dyn Error>> {
    match fs::create_dir(dir) {
        Err(error) if !dir.is_dir() => Err(format!("{}: {error}", dir.display()).into()),
        _ => Ok(()),
    }
}

fn write(dir: &Path, name: &str, command: &Command) -> Result<(), Box<dyn Error>> {
    let path = dir.join(format!("{name}.1"));
    let written = fs::write(&path, page(command)?);
    written.map_err(|error| format!("{}: {error}", path.display()).into())
}

fn print(text: &[u8]) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = io::stdout().lock();
    // Whoever read may have seen enough.
    let is_written = output::is_written(out.write_all(text).and_then(|()| out.flush()));
    Ok(if is_written { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

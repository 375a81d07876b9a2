//! Promise: each command says what its options are, with examples and exit codes, and man pages and
//! shell completions leave none of them out.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output, Stdio};

use common::child;

const COMMANDS: [&str; 7] = ["pipe", "cat", "stat", "recover", "verify", "completions", "man"];
const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the binary starts")
}

fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The options, without their dashes, that the help of a command lists.
fn options(command: &str) -> BTreeSet<String> {
    let help = text(&[command, "--help"]);
    let listed = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let longs = listed.filter_map(|line| line.split_once("--"));
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
    longs.map(|(_, rest)| name(rest)).collect()
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = text(&["--help"]);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        let help = text(&[command, "--help"]);
        for part in ["Usage:", "Examples:\n  ", "Exit codes: 0 "] {
            assert!(help.contains(part), "{command} lacks {part}: {help}");
        }
        assert_eq!(help, text(&[command, "-h"]), "both say all");
        let is_wide = |line: &&str| line.len() > 100 && !line.trim_start().starts_with('-');
        assert_eq!(help.lines().find(is_wide), None, "{command}");
    }
    assert!(help.contains("Examples:\n  ") && help.contains("Exit codes: 0 "), "{help}");
    for (command, least) in [("pipe", 12), ("cat", 12), ("stat", 4)] {
        assert!(options(command).len() >= least, "{command}: {:?}", options(command));
    }
}

#[test]
fn completions_know_every_command_and_option() {
    let mut checked = 0;
    for shell in SHELLS {
        let script = text(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} lacks {command}");
            for option in options(command) {
                // fish writes `-l option`.
                let forms = [format!("--{option}"), format!("-l {option}")];
                assert!(forms.iter().any(|form| script.contains(form)), "{shell} lacks {option}");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked} options");
    let output = run(&["completions", "cmd"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("zsh"), "{output:?}");
}

#[test]
fn man_pages_have_every_option_examples_and_exit_codes() {
    let dir = tempfile::tempdir().expect("a directory");
    // Made where it is missing, and filled again where it is there.
    let dir = &dir.path().join("man1");
    assert_eq!(text(&["man", "--dir", dir.to_str().expect("UTF-8")]), "");
    assert_eq!(text(&["man", "--dir", dir.to_str().expect("UTF-8")]), "");
    let program = fs::read_to_string(dir.join("fastlog.1")).expect("the page");
    assert_eq!(program, text(&["man"]));
    for command in COMMANDS {
        assert!(program.contains(&format!("fastlog\\-{command}")), "{command}: {program}");
        let page = dir.join(format!("fastlog-{command}.1"));
        let page = fs::read_to_string(page).expect("the page").replace("\\-", "-");
        for option in options(command) {
            assert!(page.contains(&format!("\\fB--{option}\\fR")), "{command} lacks {option}");
        }
        for part in [".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES", ".SH \"EXIT STATUS\""] {
            assert!(page.contains(part), "{command} lacks {part}");
        }
    }
    let pages = fs::read_dir(dir).expect("a directory").count();
    assert_eq!(pages, 1 + COMMANDS.len());
    let output = run(&["man", "--dir", "/no/such/dir"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/dir"), "{output:?}");
}

#[test]
fn a_reader_that_had_enough_is_no_failure() {
    for arguments in [&["completions", "bash"][..], &["man"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
        let output = child::unread(command.args(arguments));
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    }
}

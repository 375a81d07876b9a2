//! Arguments: what may be written after `fastlog`, and how it is said what may.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fastlog::{Compression, Level, Rotate};

const OVERVIEW: &str = "\
Examples:
  ./server 2>&1 | fastlog pipe --dir /var/log/server      a log with rotation, of any program
  python main.py | fastlog pipe --dir logs --json         of one that writes JSON
  fastlog cat --follow logs --level warn                  what is in logs, and what comes

fastlog COMMAND --help has the options of a command, examples, and what its exit codes mean.

Exit codes: 0 all is well; 1 something cannot be read or written; 2 wrong arguments; 3 something was
lost, or not confirmed; 128 + n ended by signal n.";

#[derive(Debug, Parser)]
#[command(name = "fastlog", version, arg_required_else_help = true)]
#[command(about = "Turns the output of programs into logs, and prints logs")]
#[command(disable_help_subcommand = true, after_help = OVERVIEW)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn the lines of the standard input into a log
    Pipe(Pipe),
    /// Print the records of log files
    Cat(Cat),
    /// Show the counters of live engines from outside
    Stat(crate::stat::args::Stat),
    /// Bring what killed processes left into their logs
    Recover(crate::recover::args::Recover),
    /// Prove that logs are whole and that nothing is left to recover
    Verify(crate::verify::args::Verify),
    /// Print what lets a shell complete these commands
    Completions(Completions),
    /// Print the man page, or write those of all commands
    Man(Man),
}

const EXAMPLES: &str = "\
Examples:
  ./server 2>&1 | fastlog pipe --dir /var/log/server
  ./batch | fastlog pipe --dir logs --name batch --rotate hourly --retain-age 7d
  python main.py | fastlog pipe --dir logs --json
  fastlog pipe --dir logs < old.txt

Each line becomes the message of one record. Lines above 5,000 bytes become several, numbered in the
field `part`; all but the last have `more`. A last line without a newline is a line. Bytes that are
not UTF-8 become U+FFFD. While the disk takes nothing, nothing is read.

With --json a line that is one JSON object becomes a record with its fields, in their order. The
message is the first text of `message`, `msg`, `event`; the level is what `level`, `severity` or
`levelname` say, by name or as 10, 20, 30, 40, 50, 60 for TRACE to CRITICAL. Numbers keep their
digits, arrays and objects stay what they are. Keys of the record's own, such as `timestamp`, become
`fields.timestamp`. Of equal keys the last counts. Any other line becomes a message, and so does an
object that is longer than 64 KiB or does not fit a record, about 24 KiB: in parts, nothing is cut.

Exit codes: 0 all is in the log; 1 the log or the input cannot be used; 2 wrong arguments;
3 something was lost, or not confirmed; 128 + n ended by signal n (SIGTERM, SIGHUP, SIGQUIT, a
second SIGINT), what was read is in the log. Signals that are ignored from the start stay ignored.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Pipe {
    /// The directory of the log; its last component is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The log's name: the file is DIR/NAME.jsonl
    #[arg(long, default_value = "pipe")]
    pub name: String,
    /// The level of the records, with --json of those that name none
    #[arg(long, default_value = "info")]
    pub level: Level,
    /// Lines that are JSON objects keep their fields
    #[arg(long)]
    pub json: bool,
    /// With --json, show also what fields called password, token, authorization and the like hold
    #[arg(long)]
    pub show_secrets: bool,
    /// Go on in a new file before this size: 64KiB to 1TiB
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub rotate_bytes: Size,
    /// Go on in a new file with each hour or day (UTC)
    #[arg(long, value_enum, default_value = "daily")]
    pub rotate: Period,
    /// Hours and days are those of this machine's time zone
    #[arg(long)]
    pub local_time: bool,
    /// How many old files stay
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub retain_files: usize,
    /// How much all files may take
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    pub retain_bytes: Size,
    /// How long old files stay: 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub retain_age: Age,
    /// Compress old files
    #[arg(long, value_enum, default_value = "none")]
    pub compress: Packing,
    /// Say nothing, not even what was written in the end
    #[arg(long, short)]
    pub quiet: bool,
}

const CAT_EXAMPLES: &str = "\
Examples:
  fastlog cat logs                                    all logs of a directory, merged by time
  fastlog cat logs --name shop --level warn --since 10m
  fastlog cat logs/shop-*.jsonl.zst --grep 'timeout|refused' --raw | jq .message
  fastlog cat logs --field user_id=42 --target shop::db
  fastlog cat --follow logs --level error             and what will be logged, as tail -F

On a terminal records are printed to be read by people, elsewhere as they are. Control characters
never reach a terminal. Lines that are no records are printed as well, unless a filter asks for
something that they have not, and counted on the standard error.

With --follow each line is printed once and when it is whole, within about 100 ms, a new log of a
directory within about a second. A file that is named is followed from its beginning; packed and
rotated ones and the standard input are read as they are. A file that was cut is read from its
beginning again. Where retention is faster than the reader, files are missed.

Whatever has the name of a log's file and cannot be read, wholly or in part, is named on the
standard error, and all else printed: damaged, cut and foreign files, links to nothing, pipes,
directories. Streams are read where they are given as such, by - or as <(command).

Exit codes: 0 all was read, or the reader of the output had enough; 1 a file cannot be read or is
damaged (the rest is printed), the output takes nothing, or the pattern is none; 2 wrong arguments;
130 ended by Ctrl-C while following.";

#[derive(Args, Debug)]
#[command(after_help = CAT_EXAMPLES)]
pub struct Cat {
    /// Files, packed or not, directories of logs, or - for the standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// Of a directory only the log of this name
    #[arg(long)]
    pub name: Option<String>,
    /// This level and above
    #[arg(long)]
    pub level: Option<Level>,
    /// This target and what continues it with ::
    #[arg(long)]
    pub target: Option<String>,
    /// From this time on: 2026-11-20T21:33:00Z, or how long ago, 10m
    #[arg(long, value_name = "TIME")]
    pub since: Option<Instant>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Instant>,
    /// Lines in which this regular expression is found
    #[arg(long, value_name = "PATTERN")]
    pub grep: Option<String>,
    /// Records whose field has this value; all of them, if given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub field: Vec<Field>,
    /// Go on as the files grow, over rotations, and with logs that appear in a directory later
    #[arg(long, short)]
    pub follow: bool,
    /// Print lines as they are
    #[arg(long, conflicts_with = "pretty")]
    pub raw: bool,
    /// Print to be read by people
    #[arg(long)]
    pub pretty: bool,
    /// Colours; NO_COLOR turns auto off
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Choice,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  fastlog completions bash > ~/.local/share/bash-completion/completions/fastlog
  fastlog completions zsh > \"${fpath[1]}/_fastlog\"
  fastlog completions fish > ~/.config/fish/completions/fastlog.fish

Exit codes: 0 printed; 1 the output takes nothing; 2 wrong arguments.";

#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct Completions {
    /// Whose completions
    #[arg(value_enum)]
    pub shell: Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  fastlog man | man -l -
  fastlog man --dir /usr/local/share/man/man1         fastlog.1, fastlog-pipe.1, fastlog-cat.1 ...

Exit codes: 0 printed or written; 1 a file cannot be written; 2 wrong arguments.";

#[derive(Args, Debug)]
#[command(after_help = MAN_EXAMPLES)]
pub struct Man {
    /// Write the pages of all commands to this directory, made where it is missing, instead of one
    /// to the standard output
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Choice {
    Auto,
    Always,
    Never,
}

/// A moment: a date with a time in UTC, or how long ago.
#[derive(Clone, Copy, Debug)]
pub struct Instant(pub SystemTime);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Instant, String> {
        let ago = humantime::parse_duration(text).ok();
        let then = ago.and_then(|ago| SystemTime::now().checked_sub(ago));
        let date = || humantime::parse_rfc3339_weak(text).ok();
        let midnight = || humantime::parse_rfc3339_weak(&format!("{text}T00:00:00Z")).ok();
        then.or_else(date).or_else(midnight).map(Instant).ok_or_else(|| {
            format!("`{text}` is no time: write 2026-11-20, 2026-11-20T21:33:00Z, or 10m for ago")
        })
    }
}

/// `user_id=42`.
#[derive(Clone, Debug)]
pub struct Field(pub String, pub String);

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Field, String> {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let pair = pair.map(|(key, value)| Field(key.to_owned(), value.to_owned()));
        pair.ok_or_else(|| format!("`{text}` is no field: write user_id=42"))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Packing {
    None,
    Zstd,
    Gzip,
}

impl From<Packing> for Compression {
    fn from(packing: Packing) -> Compression {
        match packing {
            Packing::None => Compression::None,
            Packing::Zstd => Compression::Zstd,
            Packing::Gzip => Compression::Gzip,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Period {
    Never,
    Hourly,
    Daily,
}

impl From<Period> for Rotate {
    fn from(period: Period) -> Rotate {
        match period {
            Period::Never => Rotate::Never,
            Period::Hourly => Rotate::Hourly,
            Period::Daily => Rotate::Daily,
        }
    }
}

/// A number of bytes: `512`, `64KiB`, `1.5G`. Units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let wrong = || format!("`{text}` is no size: write 65536, 64KiB, 256M or 1.5GiB");
        let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let unit = unit.trim().to_ascii_lowercase();
        let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
        let power = ["", "k", "m", "g", "t", "p"].iter().position(|name| *name == unit);
        let power = power.ok_or_else(wrong)? as i32;
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let bytes = number * 1024_f64.powi(power);
        if bytes.is_finite() && bytes < 2_f64.powi(63) {
            Ok(Size(bytes as u64))
        } else {
            Err(wrong())
        }
    }
}

/// A length of time: `90s`, `12h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Age, String> {
        let parsed = humantime::parse_duration(text).map(Age);
        parsed.map_err(|error| {
            format!("`{text}` is no length of time ({error}): write 90s, 12h or 30d")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_have_units_of_1024() {
        let cases =
            [("0", 0), ("65536", 65536), ("64KiB", 65536), ("64k", 65536), ("1.5G", 3 << 29)];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "KiB", "1x", "-1", "1.2.3", "1e3", "99999999P", "nan"] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.contains("write 65536"), "{error}");
        }
    }
}

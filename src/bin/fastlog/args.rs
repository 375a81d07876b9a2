//! Arguments: what may be written after `fastlog`, and how it is said what may.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fastlog::{Level, Rotate};

#[derive(Debug, Parser)]
#[command(name = "fastlog", version, about, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn the lines of the standard input into a log
    Pipe(Pipe),
}

const EXAMPLES: &str = "\
Examples:
  ./server 2>&1 | fastlog pipe --dir /var/log/server
  ./batch | fastlog pipe --dir logs --name batch --rotate hourly --retain-age 7d
  fastlog pipe --dir logs < old.txt

Each line becomes the message of one record. Lines above 5,000 bytes become several, numbered in the
field `part`; all but the last have `more`. A last line without a newline is a line. Bytes that are
not UTF-8 become U+FFFD. While the disk takes nothing, nothing is read.

Exit codes: 0 all is in the log; 1 the log or the input cannot be used; 2 wrong arguments;
3 something was lost, or not confirmed; 128 + n ended by signal n, what was read is in the log.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Pipe {
    /// The directory of the log; its last component is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The log's name: the file is DIR/NAME.jsonl
    #[arg(long, default_value = "pipe")]
    pub name: String,
    /// The level of the records
    #[arg(long, default_value = "info")]
    pub level: Level,
    /// Go on in a new file before this size: 64KiB to 1TiB
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub rotate_bytes: Size,
    /// Go on in a new file with each hour or day (UTC)
    #[arg(long, value_enum, default_value = "daily")]
    pub rotate: Period,
    /// How many old files stay
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub retain_files: usize,
    /// How much all files may take
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    pub retain_bytes: Size,
    /// How long old files stay: 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub retain_age: Age,
    /// Say nothing, not even what was written in the end
    #[arg(long, short)]
    pub quiet: bool,
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

//! Arguments of `fastlog stat`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  fastlog stat /var/log/shop
  fastlog stat /var/log/shop --watch 2
  fastlog stat /var/log/shop --name checkout --json | jq .rates
  fastlog stat /dev/shm/fastlog-1000 --interval 0     one reading, at once, without rates

Shown are the engines whose arenas are in DIR, in DIR/.fastlog, or in /dev/shm/fastlog-UID if their
logs are in DIR. Nothing is written, locked or mapped: the engines do not notice. Arenas of
processes that ended are listed, files that are no arenas are named and counted.

--json prints an object a line for each arena and reading; docs/stat.md explains the keys. With
--watch rates are since the reading before, and null in the first.

Exit codes: 0 a live engine was shown (with --watch, until the last one ended, or until nobody reads
the output any more); 1 the directory or a file in it cannot be read (the rest is shown), or the
output takes nothing; 2 wrong arguments; 3 no live engine is there; 128 + n ended by signal n (130
by Ctrl-C).";

/// The shortest time between two looks, lest looking be what the machine does.
const PERIOD_MIN: Duration = Duration::from_millis(100);
const PERIOD_MAX: Duration = Duration::from_secs(86_400);

/// Show the counters of live engines from outside
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Stat {
    /// A directory of logs, or one of arenas
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Only engines of this name
    #[arg(long)]
    pub name: Option<String>,
    /// Look again and again, each so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_parser = period)]
    pub watch: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The time between the two readings that rates are made of; 0 for one reading
    #[arg(long, value_name = "SECONDS", default_value = "1", conflicts_with = "watch")]
    #[arg(value_parser = interval)]
    pub interval: Duration,
}

/// `2`, `0.5` or `500ms`.
fn seconds(text: &str) -> Option<Duration> {
    let number = text.parse::<f64>().ok();
    let plain = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    plain.or_else(|| humantime::parse_duration(text).ok()).filter(|time| *time <= PERIOD_MAX)
}

fn interval(text: &str) -> Result<Duration, String> {
    seconds(text)
        .ok_or_else(|| format!("`{text}` is no length of time up to a day: write 2, 0.5 or 500ms"))
}

fn period(text: &str) -> Result<Duration, String> {
    seconds(text).filter(|time| *time >= PERIOD_MIN).ok_or_else(|| {
        format!(
            "`{text}` is no length of time from 100ms to a day: write 2, 0.5 or 500ms, or DIR \
             before --watch"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_seconds_or_have_a_unit() {
        for (text, millis) in [("0", 0), ("2", 2_000), ("0.5", 500), ("500ms", 500), ("1m", 60_000)]
        {
            assert_eq!(interval(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(period(text).is_ok(), millis >= 100, "{text}");
        }
        for text in ["", "-1", "nan", "inf", "1e300", "2d", "logs"] {
            assert!(interval(text).is_err_and(|error| error.contains("write 2")), "{text}");
            assert!(period(text).is_err_and(|error| error.contains("DIR before")), "{text}");
        }
    }
}

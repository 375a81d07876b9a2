//! Arguments of `fastlog recover`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  fastlog recover /var/log/shop --dry-run             what killed processes have left there
  fastlog recover /var/log/shop
  fastlog recover /var/log/shop --unclean --json

The next start of the service recovers by itself: this is for a service that does not start again,
and to look. What processes left in memory when they were killed comes into their logs in DIR, each
record once; what is of before the machine was booted last goes into a file of its own,
NAME.unclean-PID-ID.jsonl, as nobody knows how much of it the log has. Live engines are left alone.
It may be killed, and run again.

--json prints one object: `recovered` (base, pid, to, records, lines, dropped, unreadable), `kept`
(path, why, bytes), `living`, `dry_run`.

Exit codes: 0 nothing is left to recover (with --dry-run: nothing was); 1 the directory cannot be
read or the output takes nothing; 2 wrong arguments; 3 something stays, or was lost: it is said what
(with --dry-run also: something would be recovered).";

/// Bring what killed processes left into their logs
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Recover {
    /// A directory of logs
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with = "unclean")]
    pub dry_run: bool,
    /// Write nothing to logs: put everything into files of their own
    #[arg(long)]
    pub unclean: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

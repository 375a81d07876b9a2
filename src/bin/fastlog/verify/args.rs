//! Arguments of `fastlog verify`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  fastlog verify /var/log/shop
  fastlog verify /var/log/shop --json | jq .logs

Of each log in DIR, rotated and compressed files too: whether all lines are whole (valid JSON where
the log is JSON, text without zeros elsewhere, and no segment of a binary log is damaged); whether a
file is missing between the oldest and the newest; how many records the log itself says were
dropped, or could not be read back. Of each arena: whether the counts of its live engine balance, or
what waits in it for a recovery. Nothing is changed.

--json prints one object: `logs` (base, files, lines, records, broken, missing_files, dropped,
recovered, unreadable), `waiting` and `kept` (as `fastlog recover --dry-run`), `live` (name, pid,
submitted, written, dropped, pending), `is_whole`.

Exit codes: 0 all is whole, and nothing waits; 1 something cannot be read, or the output takes
nothing; 2 wrong arguments; 3 a line is broken, a file is missing, or something waits: it is said
what. Records that were dropped and told are no fault of the log: they are counted.";

/// Prove that logs are whole and that nothing is left to recover
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// A directory of logs
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

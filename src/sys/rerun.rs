//! One test of this executable in a process of its own, for what a test process cannot undo:
//! exit hooks, fork handlers, a lock held by somebody else.

use std::process::{Command, Stdio};

const ROLE: &str = "FASTLOG_TEST_ROLE";

/// The command that runs the test with this full path as `role`. Its stdio is piped.
pub(super) fn command(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The role that this process was given; None in the test run itself.
pub(super) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

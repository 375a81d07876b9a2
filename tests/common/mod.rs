//! What the scenario tests share: an engine in a directory of its own, and its log read back.
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::Path;
use std::time::{Duration, Instant};

use fastlog::{Config, DrainReport, Engine, Overflow};
use serde_json::Value;
use tempfile::TempDir;

/// A configuration that writes to `dir` and loses nothing.
pub fn config(dir: &Path) -> Config {
    Config::default().dir(dir).name("test").overflow(Overflow::Block).ignore_env()
}

/// A detached engine in a directory of its own, which goes with the second part.
pub fn engine() -> (Engine, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (Engine::detached(config(dir.path())).expect("the engine starts"), dir)
}

/// Drains and checks the account.
pub fn drain(engine: &Engine) -> DrainReport {
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced(), "{report}");
    assert_eq!(report.pending(), 0, "{report}");
    report
}

/// All lines of a log, each of which must be JSON.
pub fn all_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the log is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The lines of a drained engine's log that are the program's.
pub fn lines(report: &DrainReport) -> Vec<Value> {
    let lines = all_lines(report.log_path().expect("a file"));
    let lines: Vec<_> = lines.into_iter().filter(|line| line["target"] != "fastlog").collect();
    assert_eq!(lines.len() as u64, report.written(), "{report}");
    lines
}

/// Waits until the condition holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    const DEADLINE: Duration = Duration::from_secs(30);
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

//! What the grammar's tests see of the engine: records as JSON objects.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fastlog::{Config, Engine, Overflow};
use serde_json::Value;

/// One test at a time: `fastlog!` logs to the process's engine.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(filter: &str, calls: impl FnOnce()) -> Vec<Value> {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::default()
        .dir(dir.path())
        .name("grammar")
        .filter(filter)
        .overflow(Overflow::Block)
        .ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    calls();
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced(), "{report}");
    let text = std::fs::read_to_string(report.log_path().expect("a file")).expect("the log");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter(|line| line["target"] != "fastlog").collect()
}

/// Runs the calls with every level enabled, and returns what they logged.
pub fn enabled(calls: impl FnOnce()) -> Vec<Value> {
    run("trace", calls)
}

/// Runs the calls with every level disabled.
pub fn disabled(calls: impl FnOnce()) {
    assert!(run("off", calls).is_empty(), "a disabled call logged");
}

/// A logger of the engine that `enabled` and `disabled` turn on and off.
pub fn logger() -> fastlog::Logger {
    Engine::current().expect("called within `enabled` or `disabled`").logger()
}

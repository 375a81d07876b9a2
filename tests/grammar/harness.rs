//! What the grammar's tests see of the engine: records as JSON objects. All share the process's
//! engine, one at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fastlog::{Config, Engine, Logger, Overflow};
use serde_json::Value;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<(Engine, tempfile::TempDir)> = OnceLock::new();
    let (engine, _) = ENGINE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let config = Config::default()
            .dir(dir.path())
            .name("grammar")
            .overflow(Overflow::Block)
            .ignore_env();
        (Engine::start(config).expect("the engine starts"), dir)
    });
    engine
}

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the calls add to the log under a filter.
fn run(filter: &str, calls: impl FnOnce()) -> Vec<Value> {
    let _turn = turn();
    let engine = engine();
    engine.set_filter(filter).expect("a filter");
    engine.flush().expect("what came before is published");
    let path = engine.stats().log_path().expect("a file").to_owned();
    let mut log = File::open(path).expect("the log");
    log.seek(SeekFrom::End(0)).expect("its end");
    calls();
    engine.flush().expect("the calls are published");
    let mut text = String::new();
    log.read_to_string(&mut text).expect("UTF-8");
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
pub fn logger() -> Logger {
    engine().logger()
}

//! What the scenario tests share: an engine in a directory of its own, and its log read back.
#![allow(dead_code, reason = "each test uses some of it")]

pub mod acks;
pub mod child;
pub mod disk;
pub mod flog;
pub mod frozen;
pub mod life;
pub mod mount;
pub mod random;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use fastlog::{Config, DrainReport, Engine, Overflow, Rotate};
use serde_json::Value;
use tempfile::TempDir;

/// How long barriers and full rings wait for a machine whose disk stands still for a while.
const PATIENCE: Duration = Duration::from_secs(300);

/// A configuration that writes to one file in `dir`, also over midnight, and loses nothing.
pub fn config(dir: &Path) -> Config {
    let config = Config::default().dir(dir).name("test").rotate(Rotate::Never);
    patient(config).rotate_bytes(1 << 40).ignore_env()
}

/// One that waits for a slow machine, and loses nothing.
pub fn patient(config: Config) -> Config {
    config.overflow(Overflow::Block).stall_after(PATIENCE).barrier_patience(PATIENCE)
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

/// Drains, whatever the disk says, and checks the account.
pub fn settle(engine: &Engine) -> DrainReport {
    let report = match engine.drain() {
        Ok(report) => report,
        Err(error) => error.report().expect("an account").clone(),
    };
    assert!(report.is_balanced(), "{report}");
    report
}

/// All lines of a log, each of which must be JSON.
pub fn all_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the log is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The program's numbers, the fields `n`, in all files of JSON of the directory, sorted.
pub fn numbers(dir: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let lines = files.flat_map(|path| all_lines(&path));
    let mut numbers: Vec<_> = lines.filter_map(|line| line["n"].as_u64()).collect();
    numbers.sort_unstable();
    numbers
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
    const DEADLINE: Duration = Duration::from_secs(300);
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        give_way();
    }
}

/// Lets others run for a moment. Sleeps, as a loop of yields takes a whole processor, and a machine
/// on which several tests do so is slow to run anything else.
pub fn give_way() {
    std::thread::sleep(Duration::from_micros(50));
}

/// An engine and its log, which is read on as it grows.
pub struct Log {
    pub engine: Engine,
    file: BufReader<File>,
    _dir: TempDir,
}

impl Log {
    /// A detached engine; `change` what it shall be like.
    pub fn detached(change: impl FnOnce(Config) -> Config) -> Log {
        Log::start(|config| Engine::detached(change(config)))
    }

    /// The process's engine.
    pub fn of_process(change: impl FnOnce(Config) -> Config) -> Log {
        Log::start(|config| Engine::start(change(config)))
    }

    fn start(start: impl FnOnce(Config) -> Result<Engine, fastlog::Error>) -> Log {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = start(config(dir.path())).expect("the engine starts");
        let stats = engine.stats();
        let file = File::open(stats.log_path().expect("a file")).expect("the log");
        Log { engine, file: BufReader::new(file), _dir: dir }
    }

    /// The program's lines that were published since the last time, everything flushed.
    pub fn new_lines(&mut self) -> Vec<Value> {
        self.engine.flush().expect("what was logged is published");
        let mut text = String::new();
        self.file.read_to_string(&mut text).expect("UTF-8");
        let lines = text.lines().map(|line| {
            let value = serde_json::from_str::<Value>(line).expect(line);
            assert_eq!(value.as_object().map(|object| object.len()), Some(keys(line)), "{line}");
            value
        });
        lines.filter(|line| line["target"] != "fastlog").collect()
    }

    /// The line that one call made.
    pub fn line_of(&mut self, call: impl FnOnce()) -> Value {
        call();
        let mut lines = self.new_lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }
}

/// How many keys an object has, those written twice counted twice, which serde_json does not tell.
fn keys(object: &str) -> usize {
    let (mut keys, mut depth, mut in_text, mut is_escaped) = (0, 0, false, false);
    for byte in object.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => keys += 1,
            _ => {}
        }
    }
    keys
}

/// Bytes of memory that this process has in use.
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("pages") * 4096
}

//! A whole engine against a model of it: whatever is logged by whom, filtered, rotated, renamed by
//! others, flushed and synced in between, what the model expects stands in the files, each record
//! once and in order, and the account is exact.
#![no_main]

#[path = "../input.rs"]
mod input;

use std::fs;
use std::path::{Path, PathBuf};

use fastlog::{Config, Engine, Level, Logger, Overflow, Rotate, SyncPolicy, fastlog};
use input::Input;
use libfuzzer_sys::fuzz_target;

/// What one input may ask for, so that it ends.
const STEPS_MAX: usize = 64;
const BURST_MAX: usize = 200;

/// Rings hang on pages of their own, which the leak checker does not look at: it takes what only
/// they point to for leaked.
#[unsafe(no_mangle)]
extern "C" fn __lsan_is_turned_off() -> i32 {
    1
}

/// What the log is to hold.
struct Model {
    level: Level,
    next: u64,
    expected: Vec<(u64, String)>,
    renames: usize,
}

impl Model {
    /// Logs a record of this level, and expects it if the filter lets it pass.
    fn log(&mut self, logger: &Logger, level: Level, text: &str) {
        let n = self.next;
        self.next += 1;
        fastlog!(logger: logger, level: level, "a record", n, text);
        if level >= self.level {
            self.expected.push((n, text.to_owned()));
        }
    }

    /// Somebody renames the log, as logrotate does; what was published stays with it.
    fn rename(&mut self, dir: &Path) {
        self.renames += 1;
        // There may be none yet, or it was just renamed.
        let _ = fs::rename(dir.join("fuzz.jsonl"), dir.join(format!("moved-{:04}", self.renames)));
    }
}

fn step(input: &mut Input<'_>, model: &mut Model, engine: &Engine, dir: &Path) {
    let logger = engine.logger();
    match input.below(8) {
        0..=2 => {
            let (count, level) = (input.below(BURST_MAX), Level::ALL[input.below(Level::COUNT)]);
            let text = input.text();
            (0..count).for_each(|_| model.log(&logger, level, text));
        }
        3 => {
            // Shorter than what a record may hold, so that nothing is cut.
            let text = input.text().repeat(1 + input.below(3));
            std::thread::scope(|scope| {
                scope.spawn(|| model.log(&engine.logger(), Level::WARN, &text));
            });
        }
        4 => engine.flush().expect("published"),
        5 => engine.sync().expect("synced"),
        6 => {
            model.level = Level::ALL[input.below(Level::COUNT)];
            engine.set_filter(model.level.as_str()).expect("a level is a filter");
        }
        _ => {
            engine.flush().expect("published");
            model.rename(dir);
        }
    }
}

/// The log's files in the order of their lines: the renamed, the rotated and the present one are
/// told apart by their first record.
fn records(dir: &Path) -> Vec<(u64, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let mut files: Vec<Vec<(u64, String)>> =
        paths.iter().map(|path| program_records(path)).collect();
    files.retain(|records| !records.is_empty());
    files.sort_by_key(|records| records[0].0);
    files.concat()
}

fn program_records(path: &Path) -> Vec<(u64, String)> {
    let text = fs::read_to_string(path).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{}: half a line", path.display());
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let own = lines.filter_map(|line: serde_json::Value| {
        let text = line["text"].as_str().unwrap_or_default().to_owned();
        Some((line["n"].as_u64()?, text))
    });
    own.collect()
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::default().dir(dir.path()).name("fuzz").ignore_env().level(Level::INFO);
    let config = config.record_bytes(1 << 10).ring_bytes(16 << 10).overflow(Overflow::Block);
    let config = config.rotate_bytes(64 << 10).rotate(Rotate::Never).sync(SyncPolicy::Never);
    let engine = Engine::detached(config).expect("it starts");
    let mut model = Model { level: Level::INFO, next: 0, expected: Vec::new(), renames: 0 };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&mut input, &mut model, &engine, dir.path());
    }
    let report = engine.drain().expect("it drains");
    assert!(report.is_balanced(), "{report}");
    assert_eq!(report.submitted(), model.expected.len() as u64, "{report}");
    assert_eq!(report.written(), report.submitted(), "{report}");
    assert_eq!(records(dir.path()), model.expected);
});

//! Logs at every level with a filter that lets all pass, and prints which calls were evaluated, how
//! many records were written, and how often the log says that a level was asked for in vain: what
//! the features of the compile-time cut-off leave.
#![deny(warnings)]

use std::cell::RefCell;

use fastlog::{Config, Engine, Level, critical, debug, error, fastlog, info, trace, warn};

fn main() {
    let dir = std::env::args().nth(1).expect("a directory");
    let config = Config::default().dir(dir).name("cut-off").filter("info").ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    for _ in 0..3 {
        // Told once, and again only for what is lower still.
        engine.set_filter("trace").expect("a filter");
    }
    let logger = engine.logger();
    let evaluated = RefCell::new(String::new());
    let note = |letter: char| {
        evaluated.borrow_mut().push(letter);
        1
    };
    trace!("vanishes below warn: trace", n = note('t'));
    debug!("vanishes below warn: debug", n = note('d'));
    info!("vanishes below warn: info", n = note('i'));
    fastlog!(logger: logger, INFO, "vanishes below warn: logger", n = note('l'));
    warn!("stays: warn", n = note('w'));
    error!("stays: error", n = note('e'));
    critical!("stays: critical", n = note('c'));
    for level in Level::ALL {
        let letter = level.as_str().chars().next().expect("a letter");
        fastlog!(level: level, "known at run time", n = note(letter));
    }
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced(), "{report}");
    let log = std::fs::read_to_string(report.log_path().expect("a file")).expect("the log");
    let told = log.lines().filter(|line| line.contains("WARN") && line.contains("asks for"));
    let told = told.inspect(|line| assert!(line.contains("`max_level_"), "{line}"));
    println!("{} {} {}", evaluated.borrow(), report.written(), told.count());
}

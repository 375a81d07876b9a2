//! Promise [P2]: nothing is lost and nothing is doubled at full speed: eight threads log as fast as
//! they can under `Overflow::Block`; every line parses strictly, each thread's records are all
//! there and in order, and memory stays flat. A million records a thread in release builds, fewer
//! without optimisation.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader};

use fastlog::{Engine, fastlog};
use serde_json::Value;

const THREADS: usize = 8;
const RECORDS_EACH: usize = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };

/// Rings of eight threads, hot segments and staging, and room for the test itself.
const GROWTH_BYTES_MAX: u64 = 200 << 20;

/// Bytes of this process that lie in memory, mapped files included.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("the second field").parse::<u64>().expect("pages");
    pages * 4096
}

#[test]
fn eight_threads_lose_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let before = resident_bytes();
    let engine = Engine::detached(common::config(dir.path())).expect("the engine starts");
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let logger = engine.logger();
            std::thread::spawn(move || {
                for record in 0..RECORDS_EACH {
                    let price = record as f64 * 0.25;
                    let symbol = "ACME.NYS";
                    fastlog!(logger: logger, INFO, "order accepted", thread, record, price, symbol);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("the thread ends");
    }
    let grown = resident_bytes().saturating_sub(before);
    let report = common::drain(&engine);
    assert_eq!(report.submitted(), (THREADS * RECORDS_EACH) as u64);
    assert_eq!(report.written(), report.submitted());
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes more");

    let mut next = [0; THREADS];
    let log = BufReader::new(File::open(report.log_path().expect("a file")).expect("the log"));
    for line in log.lines() {
        let line = line.expect("UTF-8");
        let value: Value = serde_json::from_str(&line).expect(&line);
        if value["target"] == "fastlog" {
            continue;
        }
        let thread = value["thread"].as_u64().or(value["fields.thread"].as_u64());
        let thread = thread.expect("a number") as usize;
        assert_eq!(value["record"], next[thread], "{line}");
        assert_eq!(value["price"].as_f64(), Some(next[thread] as f64 * 0.25), "{line}");
        next[thread] += 1;
    }
    assert_eq!(next, [RECORDS_EACH; THREADS]);
}

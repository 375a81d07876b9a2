//! Promise [P5]: whoever cuts the arena's files, or makes them shorter and longer again, does not
//! hurt the host. Records that were in them are counted as damaged, exactly; no ring stands still,
//! and what is logged afterwards is in the log.
//!
//! Attacked by truncating both files again and again while threads log, in processes of their own,
//! so that a SIGBUS would show.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]

mod common;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{all_lines, child, config, drain, give_way, lines, wait_until};
use fastlog::{DropReason, Engine, Format, Logger, fastlog};

const THREADS: u64 = 3;
const LAST: u64 = 1_000;
/// How often the files are cut.
const CUTS: usize = 20;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Shrink,
    ShrinkAndGrow,
}

/// The arena's files of that ending.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join(".fastlog")).expect("the private directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect()
}

fn cut(path: &Path, how: Cut) {
    let file = OpenOptions::new().write(true).open(path).expect("the arena's file");
    let len = file.metadata().expect("its length").len();
    file.set_len(0).expect("cut");
    if how == Cut::ShrinkAndGrow {
        file.set_len(len).expect("grown");
    }
}

fn log_until(logger: &Logger, worker: u64, is_over: &AtomicBool) {
    let mut n = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        fastlog!(logger: logger, INFO, "load", worker, n, filler = "some more bytes of a record");
        n += 1;
        if n % 64 == 0 {
            give_way();
        }
    }
}

/// One case, in a process of its own.
fn survive(dir: &Path, ending: &str, how: Cut, format: Format) {
    let config = config(dir).ring_bytes(256 << 10).format(format);
    let engine = Engine::detached(config).expect("the engine starts");
    assert!(engine.stats().crash_safe());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let (logger, is_over) = (engine.logger(), &is_over);
            scope.spawn(move || log_until(&logger, worker, is_over));
        }
        let mut written = 0;
        for _ in 0..CUTS {
            wait_until("more records", || engine.stats().written() > written + 500);
            files(dir, ending).iter().for_each(|path| cut(path, how));
            written = engine.stats().written();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    engine.flush().expect("nothing stands still");
    let stats = engine.stats();
    assert!(!stats.crash_safe(), "{stats}");
    let losses = *stats.losses();
    assert_eq!(losses.total(), losses.by_reason(DropReason::Damaged), "{stats}");
    assert!(stats.last_failure().is_some_and(|text| text.contains("arena")), "{stats}");
    let logger = engine.logger();
    (0..LAST).for_each(|n| fastlog!(logger: logger, INFO, "last", n));
    drop(logger);
    let report = drain(&engine);
    assert_eq!(report.losses().total(), losses.total(), "nothing is lost any more: {report}");
    if format == Format::Binary {
        return;
    }
    let lines = lines(&report);
    let mut next = [0; THREADS as usize];
    let mut last = 0;
    for line in &lines {
        if line["message"] == "last" {
            assert_eq!(line["n"], last, "the later ones are all there");
            last += 1;
            continue;
        }
        assert_eq!(line["filler"], "some more bytes of a record", "{line}");
        let worker = line["worker"].as_u64().expect("a number") as usize;
        let n = line["n"].as_u64().expect("a number");
        assert!(n >= next[worker], "{n} of {worker} is out of order or doubled");
        next[worker] = n + 1;
    }
    assert_eq!(last, LAST);
    println!("{} damaged of {}", losses.total(), report.submitted());
}

/// What a thread waits for that has logged.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Flush,
    Drain,
}

/// The thread finds out before the collector, and goes on in new memory: what it logs there is
/// waited for as well, whether `cut_at` records before that are lost or none.
fn log_behind_a_cut(dir: &Path, wait: Wait, cut_at: usize) {
    const ENGINES: usize = 4;
    const RECORDS: usize = 8;
    let mut all = 0;
    for number in 0..ENGINES {
        let dir = dir.join(format!("{wait:?}-{cut_at}-{number}"));
        // The collector leaves young records where they are for a while, unless it is asked.
        let config = config(&dir).order_window(Duration::from_millis(5));
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger();
        fastlog!(logger: logger, INFO, "before");
        engine.flush().expect("a flush");
        for n in 0..RECORDS {
            if n == cut_at {
                files(&dir, "arena").iter().for_each(|path| cut(path, Cut::Shrink));
            }
            fastlog!(logger: logger, INFO, "behind", n);
        }
        match wait {
            Wait::Flush => engine.flush().expect("nothing stands still"),
            Wait::Drain => drop(drain(&engine)),
        }
        let stats = engine.stats();
        let lines = all_lines(stats.log_path().expect("a file"));
        let read = lines.iter().filter(|line| line["message"] == "behind").count();
        let lost = stats.losses().by_reason(DropReason::Damaged) as usize;
        assert_eq!(read + lost, RECORDS, "all is heard of after {wait:?}, {cut_at}: {stats}");
        all += read;
        drain(&engine);
    }
    assert!(all > 0, "a thread goes on in new memory");
    println!("{all} of {} read", ENGINES * RECORDS);
}

fn run(case: &str, ending: &str, how: Cut, format: Format) {
    if let Some(ended) = child::run(case, |dir| survive(dir, ending, how, format)) {
        print!("{}", ended.stdout);
    }
}

/// A test for each: what is cut, how, of a log of which format.
macro_rules! cuts {
    ($($case:ident: $ending:literal, $how:ident, $format:ident;)*) => {
        $(
            #[test]
            fn $case() {
                run(stringify!($case), $ending, Cut::$how, Format::$format);
            }
        )*
    };
}

cuts! {
    an_arena_is_cut: "arena", Shrink, Json;
    an_arena_is_cut_and_grows_again: "arena", ShrinkAndGrow, Json;
    segments_are_cut: "segments", Shrink, Json;
    segments_are_cut_and_grow_again: "segments", ShrinkAndGrow, Json;
    an_arena_of_a_binary_log_is_cut: "arena", ShrinkAndGrow, Binary;
    segments_of_a_binary_log_are_cut: "segments", Shrink, Binary;
}

fn run_behind(case: &str, wait: Wait) {
    if let Some(ended) = child::run(case, |dir| {
        log_behind_a_cut(dir, wait, 0);
        log_behind_a_cut(dir, wait, 1);
    }) {
        print!("{}", ended.stdout);
    }
}

#[test]
fn a_flush_waits_for_what_follows_a_cut() {
    run_behind("a_flush_waits_for_what_follows_a_cut", Wait::Flush);
}

#[test]
fn a_drain_waits_for_what_follows_a_cut() {
    run_behind("a_drain_waits_for_what_follows_a_cut", Wait::Drain);
}

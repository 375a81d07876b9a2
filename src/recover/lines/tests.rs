//! What killed processes left is read back: all of it, once, in order, as the engine would have
//! written it; and whatever else the files hold gets an answer.

use super::*;
use crate::callsite::Callsite;
use crate::format::LineBuffer;
use crate::format::binary::lines::Lines;
use crate::macro_support::{admit, emit_to};
use crate::{Config, Detail, Engine, Format, Overflow, Rotate};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

mod damage;

const KIND: &str = "FASTLOG_RECOVER_KIND";
const DIR: &str = "FASTLOG_RECOVER_DIR";

/// Threads of a child that logs, and records of each before it says so.
const THREADS: u64 = 3;
const BURST: u64 = 500;

/// Callsites of 4 KiB each: more than the dictionary has room for.
const LARGE_SITES: usize = 200;

/// Small rings, so that they wrap; lines that show their threads.
fn config(kind: &str, dir: &Path) -> Config {
    let format = match kind {
        "text" => Format::Text,
        "logfmt" => Format::Logfmt,
        "binary" => Format::Binary,
        _ => Format::Json,
    };
    let overflow = if kind == "drops" { Overflow::Drop } else { Overflow::Block };
    let config = Config::default().dir(dir).name("app").rotate(Rotate::Never).ignore_env();
    let config = config.overflow(overflow).format(format).include(Detail::Thread);
    config.ring_bytes(64 << 10).record_bytes(4 << 10)
}

/// A callsite whose template ends in so many bytes more.
fn site(more: usize) -> &'static Callsite {
    const TEMPLATE: &str = "record {n} of {text:?}";
    let template = format!("{TEMPLATE}{}", "x".repeat(more)).leak();
    let site = Callsite::new(Level::Info, "app", template, &["n", "text"], file!(), line!());
    Box::leak(Box::new(site))
}

/// Logs records from the `from`th on, `count` of them.
fn log(engine: &Engine, thread: u64, sites: &[&'static Callsite], records: std::ops::Range<u64>) {
    let logger = engine.logger().with("by", thread);
    for n in records {
        let site = sites[n as usize % sites.len()];
        if admit(&logger, site) {
            emit_to(&logger, site, (&n, (&"a\u{1}b", ())));
        }
    }
}

/// Logs for ever, and tells after each burst.
fn log_for_ever(kind: &str, engine: &Engine, thread: u64) {
    let sites: Vec<_> = match kind {
        "sites" => (0..LARGE_SITES).map(|_| site(4096)).collect(),
        _ => vec![site(0)],
    };
    for burst in 0_u64.. {
        let records = burst * BURST..(burst + 1) * BURST;
        let name = format!("worker-{thread}");
        if kind == "short" {
            // Each burst by a thread of its own, which takes whatever ring another has left.
            let work = || log(engine, thread, &sites, records);
            std::thread::scope(|scope| {
                std::thread::Builder::new().name(name).spawn_scoped(scope, work).map(drop)
            })
            .expect("a thread");
        } else {
            log(engine, thread, &sites, records);
        }
        // One write, so that lines of several threads do not mix.
        let told = format!("{thread} {}\n", (burst + 1) * BURST);
        std::io::stdout().write_all(told.as_bytes()).expect("the parent reads");
    }
}

/// In a child: logs until it is killed, and tells how far each thread has come.
#[test]
fn child() {
    let (Ok(kind), Some(dir)) = (std::env::var(KIND), std::env::var_os(DIR)) else { return };
    let engine = Engine::detached(config(&kind, Path::new(&dir))).expect("the engine starts");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (name, engine, kind) = (format!("worker-{thread}"), &engine, &kind);
            let work = move || log_for_ever(kind, engine, thread);
            std::thread::Builder::new().name(name).spawn_scoped(scope, work).expect("a thread");
        }
    });
}

/// What a killed child left.
struct Left {
    dir: TempDir,
    /// How many records of each thread had returned.
    told: [u64; THREADS as usize],
}

fn start_child(kind: &str, dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test has an executable"));
    let test = concat!(module_path!(), "::child");
    let test = test.split_once("::").expect("a path").1;
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(KIND, kind).env(DIR, dir).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("it runs")
}

/// Kills a child when it has told so often how far it is.
fn kill_after(kind: &str, tellings: usize) -> Left {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = start_child(kind, dir.path());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut told = [0; THREADS as usize];
    let mut count = 0;
    let mut note = |line: String| {
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        if let [thread, n] = numbers[..] {
            told[thread as usize] = n;
            count += 1;
        }
        count
    };
    while note(lines.next().expect("it goes on").expect("text")) < tellings {}
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    for line in lines.map_while(Result::ok) {
        note(line);
    }
    Left { dir, told }
}

impl Left {
    fn file(&self, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.dir.path().join(".fastlog")).expect("the directory");
        let mut paths = files.map(|file| file.expect("an entry").path());
        paths.find(|path| path.extension().is_some_and(|end| end == ending)).expect(ending)
    }

    fn dead(&self) -> Dead {
        let path = self.file("arena");
        let file = File::open(&path).expect("it is there");
        Dead::open(file, &path).expect("it is read").expect("an arena")
    }

    fn owed(&self) -> (Owed, Vec<u8>) {
        let mut rest = Vec::new();
        let owed = owed(&self.dead(), &mut rest).expect("it is read");
        assert_eq!(owed.tally.rest_bytes, rest.len() as u64);
        (owed, rest)
    }

    /// The log with all that is owed, and what came back.
    fn whole(&self) -> (Vec<u8>, Tally) {
        let (owed, rest) = self.owed();
        assert_eq!((&owed.tally, &rest), (&self.owed().0.tally, &self.owed().1), "as before");
        let log = self.dead().header().log_path().expect("a file");
        let mut log = fs::read(log).expect("the log");
        if let Some(cut) = owed.append {
            let offset = cut.offset as usize;
            let there = log.split_off(offset);
            assert!(cut.bytes.starts_with(&there), "what is there is what was announced");
            assert!(!cut.is_done || there.len() == cut.bytes.len());
            log.extend(cut.bytes);
        }
        log.extend(rest);
        (log, owed.tally)
    }
}

fn lines_of_binary(bytes: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; 1 << 17];
    let (mut lines, mut all) = (Lines::new(bytes), Vec::new());
    loop {
        let mut line = LineBuffer::new(&mut memory);
        let Some(outcome) = lines.next(&mut line) else { return all };
        outcome.expect("a whole record");
        let len = line.len();
        all.extend_from_slice(&memory[..len]);
    }
}

/// The number that stands behind `key`.
fn number(line: &str, key: &str) -> u64 {
    let rest = line.split_once(key).expect(line).1;
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).expect(line)
}

/// All records of each thread up to one that was made, once and in order; some are missing if
/// they were dropped. Gives how many.
fn check_records(text: &str, keys: [&str; 2], left: &Left) -> u64 {
    let mut next = [0; THREADS as usize];
    let (mut checked, mut missing) = (0, 0);
    for line in text.lines().filter(|line| line.contains("record ")) {
        let (n, thread) = (number(line, keys[0]), number(line, keys[1]) as usize);
        assert!(n >= next[thread], "{line}");
        assert!(line.contains(&format!("worker-{thread}")), "{line}");
        missing += n - next[thread];
        next[thread] = n + 1;
        checked += 1;
    }
    for (next, told) in next.iter().zip(left.told) {
        missing += told.saturating_sub(*next);
    }
    assert!(checked >= BURST, "{checked}");
    missing
}

/// Kills some children, and gives what came back of all.
fn kill_some(kind: &str, keys: [&str; 2]) -> Vec<Tally> {
    let tallies = [1, 5, 40].map(|tellings| {
        let left = kill_after(kind, tellings);
        let (log, tally) = left.whole();
        let text = if kind == "binary" { lines_of_binary(&log) } else { log };
        let text = String::from_utf8(text).expect("text");
        let missing = check_records(&text, keys, &left);
        assert_eq!(tally.unreadable, 0, "{tally:?}");
        let gaps = text.lines().filter(|line| line.contains("records were dropped here"));
        let told: u64 = gaps.map(|line| number(line, "\"dropped\":")).sum();
        let dropped = left.dead().figures().expect("counters").dropped.total();
        assert_eq!(told + tally.untold_drops, dropped, "{tally:?}");
        assert!(missing <= dropped, "{missing} are missing, {dropped} were dropped");
        let last = text.lines().last().expect("a line");
        assert_eq!(tally.is_nothing(), !last.contains("recovered what process"), "{last}");
        if !tally.is_nothing() {
            assert_eq!(number(last, "left: "), tally.records, "{last}");
            assert_eq!(number(last, "what process "), tally.pid, "{last}");
        }
        tally
    });
    tallies.to_vec()
}

#[test]
fn all_lines_of_a_killed_process_come_back() {
    let tallies = kill_some("json", ["\"n\":", "\"by\":"]);
    assert!(tallies.iter().any(|tally| tally.records > 0), "{tallies:?}");
    kill_some("logfmt", [" n=", " by="]);
    kill_some("text", [" n=", " by="]);
}

#[test]
fn all_records_of_a_killed_process_come_back_into_a_binary_log() {
    kill_some("binary", ["\"n\":", "\"by\":"]);
}

#[test]
fn rings_that_went_from_thread_to_thread_know_whose_their_records_are() {
    kill_some("short", ["\"n\":", "\"by\":"]);
}

#[test]
fn records_of_callsites_without_room_in_the_arena_come_back() {
    let left = kill_after("sites", 3);
    assert!(left.file("sites").metadata().expect("it is there").len() > 100 << 10);
    let (log, tally) = left.whole();
    let log = String::from_utf8(log).expect("text");
    assert_eq!(check_records(&log, ["\"n\":", "\"by\":"], &left), 0);
    assert_eq!(tally.unreadable, 0, "{tally:?}");
}

#[test]
fn drops_that_no_gap_record_has_told_are_told() {
    let tallies = kill_some("drops", ["\"n\":", "\"by\":"]);
    assert!(tallies.iter().any(|tally| tally.untold_drops > 0), "{tallies:?}");
}

/// The collector may run for the first time when the first records are there.
#[test]
fn the_clock_stands_in_the_arena_as_soon_as_an_engine_has_started() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config("json", dir.path())).expect("the engine starts");
        let path = engine.stats().arena_path().expect("a file").to_owned();
        let bytes = fs::read(path).expect("readable");
        let dead = Dead::of(Box::new(bytes), None, None).expect("memory").expect("an arena");
        assert!(dead.clock().expect("memory").is_some());
        engine.drain().expect("the engine drains");
    }
}

/// Removes nothing.
#[derive(Debug)]
struct Keeps;

impl crate::Io for Keeps {
    fn unlink(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn nothing_is_owed_by_an_engine_that_was_drained() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config("json", dir.path()).io(std::sync::Arc::new(Keeps));
    let engine = Engine::detached(config).expect("the engine starts");
    log(&engine, 0, &[site(0)], 0..100);
    engine.drain().expect("the engine drains");
    let left = Left { dir, told: [0; THREADS as usize] };
    let (owed, rest) = left.owed();
    assert!(owed.append.is_none() && owed.tally.is_nothing() && rest.is_empty(), "{owed:?}");
}

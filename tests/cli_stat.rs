//! Promise: `fastlog stat` shows what live engines count, from outside, and says what is there where
//! none lives. Whatever files lie about, it neither panics nor disturbs an engine.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, mpsc};

use std::time::Duration;

use common::disk::Disk;
use common::{child, drain, wait_until};
use fastlog::{Arena, Engine, Level, Overflow, Stats, fastlog};
use serde_json::Value;

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.arg("stat").arg(dir).args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

fn stat(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().expect("the binary starts")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn objects(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// One reading of the only engine.
fn one(dir: &Path) -> Value {
    let output = stat(dir, &["--json", "--interval", "0"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut objects = objects(&output);
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

fn log(engine: &Engine, count: u64) {
    let logger = engine.logger();
    (0..count).for_each(|n| fastlog!(logger: logger, INFO, target: "shop", "order {n}", n));
}

/// The figures of which `stat` and the engine must say the same.
fn figures(stats: &Stats) -> [(&'static str, u64); 15] {
    [
        ("submitted", stats.submitted()),
        ("written", stats.written()),
        ("dropped", stats.dropped()),
        ("pending", stats.pending()),
        ("own_records", stats.own_records()),
        ("late", stats.late()),
        ("truncated", stats.truncated()),
        ("waits", stats.waits()),
        ("written_bytes", stats.written_bytes()),
        ("published_bytes", stats.published_bytes()),
        ("synced_bytes", stats.synced_bytes()),
        ("in_doubt_bytes", stats.in_doubt_bytes()),
        ("rings", stats.rings()),
        ("rotations", stats.rotations()),
        ("orphans", stats.orphans()),
    ]
}

#[test]
fn the_figures_are_those_of_the_engine() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = common::config(dir.path()).name("shop").overflow(Overflow::Drop);
    let engine = Engine::detached(config).expect("the engine starts");
    let mut checked = 0;
    for count in [0, 1, 1_000, 200_000] {
        log(&engine, count);
        engine.sync().expect("synced");
        // What the engine does by itself (a gap's record) may come in between.
        wait_until("two readings of the same moment", || {
            let before = figures(&engine.stats());
            let seen = one(dir.path());
            if before != figures(&engine.stats()) {
                return false;
            }
            let wrong: Vec<_> =
                before.iter().filter(|(key, count)| seen[*key].as_u64() != Some(*count)).collect();
            assert!(wrong.is_empty(), "{wrong:?} of the engine, {seen}");
            checked += before.len();
            true
        });
    }
    assert_eq!(checked, 4 * 15);
    let (seen, stats) = (one(dir.path()), engine.stats());
    assert!(stats.written() > 1_000);
    let log = stats.log_path().expect("a file").to_str().expect("UTF-8");
    for (key, value) in [("name", "shop"), ("state", "live"), ("format", "json"), ("log", log)] {
        assert_eq!(seen[key], value);
    }
    assert_eq!(seen["pid"], std::process::id());
    assert_eq!((&seen["is_locked"], &seen["crash_safe"]), (&true.into(), &true.into()));
    let lost: u64 =
        Level::ALL.iter().filter_map(|l| seen["losses"]["full"][l.as_str()].as_u64()).sum();
    assert_eq!(lost, stats.dropped());
    let thread = std::thread::current();
    assert_eq!(seen["ring_states"][0]["thread"], thread.name().expect("a test has a name"));
    assert!(seen["uptime_ns"].as_u64() > Some(0));
    assert_eq!(seen["rates"], Value::Null);
    // Its lock is as it was.
    assert_eq!(one(dir.path())["is_locked"], true);
    drain(&engine);
}

#[test]
fn rates_are_of_what_is_logged_meanwhile() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(common::config(dir.path())).expect("the engine starts");
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        let engine = &engine;
        scope.spawn(move || {
            while receiver.try_recv().is_err() {
                log(engine, 100);
                engine.sync().expect("synced");
            }
        });
        wait_until("rates above nought", || {
            let output = stat(dir.path(), &["--json", "--interval", "200ms"]);
            let seen = objects(&output).remove(0);
            let rates = &seen["rates"];
            assert!(rates["seconds"].as_f64() >= Some(0.2), "{rates}");
            assert_eq!(rates["drops"], 0.0);
            let is_above = |key: &&str| rates[*key].as_f64() > Some(0.0);
            ["records", "written_bytes", "published_bytes", "syncs"].iter().all(is_above)
        });
        let shown = text(&stat(dir.path(), &["--interval", "100ms"]));
        assert!(shown.contains("records/s"), "{shown}");
        sender.send(()).expect("it listens");
    });
    drain(&engine);
}

#[test]
fn records_in_a_ring_are_seen_while_nothing_is_collected() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new();
    let config = common::config(dir.path()).io(Arc::clone(&disk) as _).staging_bytes(4 << 20);
    let config = config.overflow(Overflow::Block).stall_after(Duration::from_millis(100));
    let engine = Engine::detached(config).expect("the engine starts");
    engine.flush().expect("published");
    disk.block();
    // The staging fills, then the ring.
    wait_until("a loss", || {
        log(&engine, 1_000);
        engine.stats().dropped() > 0
    });
    wait_until("a ring that stands still", || {
        let before = figures(&engine.stats());
        let seen = one(dir.path());
        let is_same = before == figures(&engine.stats());
        let (pending, ring) = (seen["pending"].as_u64(), &seen["ring_states"][0]);
        let is_full = ring["used_bytes"].as_u64() > seen["ring_bytes"].as_u64().map(|b| b / 2);
        if is_same && is_full {
            assert_eq!((pending, ring["records"].as_u64()), (Some(before[3].1), Some(before[3].1)));
            assert_eq!(seen["submitted"], before[0].1);
        }
        is_same && is_full
    });
    wait_until("the news that it is stalled", || one(dir.path())["stalled"] == true);
    let shown = text(&stat(dir.path(), &["--interval", "0"]));
    assert!(shown.contains("critical") && shown.contains("dropped   "), "{shown}");
    disk.heal();
    drain(&engine);
}

#[test]
fn two_engines_are_shown_and_one_can_be_chosen() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = |name| common::config(dir.path()).name(name);
    let start = |name| Engine::detached(config(name)).expect("the engine starts");
    let engines = ["shop", "till"].map(start);
    log(&engines[1], 7);
    engines[1].flush().expect("published");
    let output = stat(dir.path(), &["--json", "--interval", "0"]);
    let seen = objects(&output);
    let names: Vec<_> = seen.iter().map(|seen| seen["name"].as_str()).collect();
    assert_eq!(names, [Some("shop"), Some("till")]);
    let output = stat(dir.path(), &["--json", "--interval", "0", "--name", "till"]);
    assert_eq!(objects(&output)[0]["written"], 7);
    assert_eq!(objects(&output).len(), 1);
    // By the directory of the arenas itself.
    let output = stat(&dir.path().join(".fastlog"), &["--interval", "0"]);
    let shown = text(&output);
    assert!(shown.contains("shop: live") && shown.contains("till: live"), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown:?}");
    engines.iter().for_each(|engine| drop(drain(engine)));
}

#[test]
fn an_arena_elsewhere_is_found_where_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let arenas = tempfile::tempdir().expect("a directory");
    let config = common::config(dir.path()).arena_dir(arenas.path().join("here"));
    let engine = Engine::detached(config).expect("the engine starts");
    let output = stat(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    for words in ["no live engine is here", "0 arenas", "1 log file;", "`arena_dir`"] {
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    assert_eq!(one(&arenas.path().join("here"))["name"], "test");
    drain(&engine);
    // In shared memory, where every user has one place for all logs.
    let config = common::config(dir.path()).arena(Arena::SharedMemory);
    let engine = Engine::detached(config).expect("the engine starts");
    if engine.stats().crash_safe() {
        assert_eq!(one(dir.path())["name"], "test");
        let other = stat(arenas.path(), &[]);
        assert_eq!(other.status.code(), Some(3), "{}", text(&other));
    }
    drain(&engine);
}

/// Dies with an engine at work.
#[test]
fn die() {
    if child::case().as_deref() == Some("die") {
        let engine = Engine::detached(common::config(&child::dir()).name("dead"));
        let engine = engine.expect("the engine starts");
        log(&engine, 5);
        engine.flush().expect("published");
        std::process::abort();
    }
}

/// An arena that a process left behind.
fn orphan(dir: &Path) -> PathBuf {
    let holder = tempfile::tempdir().expect("a directory");
    let ended = child::Running::start(&mut child::command("die", dir), holder).end();
    assert!(!ended.status.success(), "{ended}");
    let mut paths = fs::read_dir(dir.join(".fastlog")).expect("a directory");
    let path = paths.find_map(|entry| {
        let path = entry.expect("an entry").path();
        path.extension().is_some_and(|end| end == "arena").then_some(path)
    });
    path.expect("an arena is left")
}

/// Lives with an engine at work until it is killed.
#[test]
fn live() {
    if child::case().as_deref() == Some("live") {
        let engine = Engine::detached(common::config(&child::dir()).name("live"));
        let engine = engine.expect("the engine starts");
        log(&engine, 5);
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn an_engine_that_is_stopped_or_killed_is_seen_as_that() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = child::command("live", dir.path()).spawn().expect("the child starts");
    let first_line = |arguments: &[&str]| {
        let output = stat(dir.path(), arguments);
        text(&output).lines().next().unwrap_or_default().to_owned()
    };
    let live = format!("live: live, pid {}, up ", child.id());
    wait_until("the child's engine", || first_line(&["--interval", "0"]).starts_with(&live));
    wait_until("its collector", || !first_line(&[]).contains("stands still"));
    signal(&child, "-STOP");
    wait_until("the stop", || first_line(&["--interval", "0.5"]).contains("stands still"));
    child.kill().expect("killed");
    child.wait().expect("it ends");
    let output = stat(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).starts_with("live: dead, pid "), "{}", text(&output));
}

#[test]
fn dead_damaged_and_foreign_files_are_shown_and_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = orphan(dir.path());
    let output = stat(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let shown = text(&output);
    for words in
        ["dead: dead, pid ", "started 20", "left by a process that ended; kept for recovery"]
    {
        assert!(shown.contains(words), "{shown}");
    }
    assert!(said(&output).contains("1 arena left by processes that ended"), "{}", said(&output));
    let output = stat(dir.path(), &["--json"]);
    let seen = objects(&output);
    assert_eq!((&seen[0]["state"], &seen[0]["written"]), (&"dead".into(), &5.into()));
    // Beside a live one, cut ones and ones that are none.
    let engine = Engine::detached(common::config(dir.path())).expect("the engine starts");
    let bytes = fs::read(&path).expect("an arena");
    let private = dir.path().join(".fastlog");
    let mut other = bytes.clone();
    other[8] = 77;
    let mut hostile = bytes.clone();
    let at = bytes.windows(4).position(|bytes| bytes == b"dead").expect("its name");
    hostile[at..at + 4].copy_from_slice(b"\x1b[2J");
    for (name, bytes) in [
        ("cut.1-0.arena", &bytes[..5_000]),
        ("cut.1-1.arena", &bytes[..700_000]),
        ("empty.1-0.arena", &[]),
        ("other.1-0.arena", &other),
        ("hostile.1-0.arena", &hostile),
        ("text.arena", b"no arena"),
        ("e\x1b[31mvil.arena", b""),
    ] {
        fs::write(private.join(name), bytes).expect("written");
    }
    let output = stat(dir.path(), &["--interval", "0"]);
    assert_eq!(output.status.code(), Some(1), "not all could be read: {output:?}");
    let shown = text(&output);
    assert!(shown.starts_with("test: live"), "{shown}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    for words in
        ["within its header", "its version is 77", "\\u{1b}[2J: dead, pid", "e\\u{1b}[31mvil"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(said(&output), "fastlog: 5 files are no arenas that can be read\n");
    let seen = objects(&stat(dir.path(), &["--json", "--interval", "0"]));
    let states: Vec<_> = seen.iter().filter_map(|seen| seen["state"].as_str()).collect();
    let count = |state| states.iter().filter(|other| **other == state).count();
    assert_eq!((count("live"), count("dead"), count("damaged")), (1, 3, 5), "{states:?}");
    drain(&engine);
}

#[test]
fn it_says_what_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    let cases: [(&Path, &[&str], i32, &str); 7] = [
        (dir.path(), &[], 3, "no live engine is here, but 0 arenas"),
        (dir.path(), &["--name", "x\x1b"], 3, "of the name `x\\u{1b}`"),
        (Path::new("/no/such"), &[], 1, "/no/such: "),
        (&file, &[], 1, "name a directory of logs"),
        (dir.path(), &["--watch", "soon"], 2, "`soon` is no length of time"),
        (dir.path(), &["--watch=0"], 2, "from 100ms"),
        (dir.path(), &["--watch", "--interval", "2"], 2, "cannot be used with"),
    ];
    for (dir, arguments, code, words) in cases {
        let output = stat(dir, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(said(&output).contains(words), "{}", said(&output));
        assert_eq!(text(&output), "");
    }
    let help = Command::new(env!("CARGO_BIN_EXE_fastlog")).args(["stat", "--help"]).output();
    let help = text(&help.expect("the binary starts"));
    assert!(help.contains("Examples:") && help.contains("Exit codes: 0"), "{help}");
}

fn watch(dir: &Path, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = command(dir, arguments);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    (child, stdout)
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(kill.expect("kill is there").success());
}

#[test]
fn a_watch_goes_on_until_it_is_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(common::config(dir.path())).expect("the engine starts");
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let (mut child, stdout) = watch(dir.path(), &["--watch", "0.1"]);
        let mut blocks = 0;
        for line in stdout.lines().map(|line| line.expect("UTF-8")) {
            blocks += u32::from(line.starts_with("test: live"));
            if blocks == 2 {
                break;
            }
        }
        assert_eq!(blocks, 2);
        signal(&child, name);
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
    }
    // Whoever read has seen enough.
    let (child, stdout) = watch(dir.path(), &["--watch=0.1", "--json"]);
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    // The last engine ends.
    let (child, mut stdout) = watch(dir.path(), &["--watch=0.1", "--json"]);
    let mut lines = String::new();
    for _ in 0..3 {
        stdout.read_line(&mut lines).expect("UTF-8");
    }
    drain(&engine);
    stdout.read_to_string(&mut lines).expect("UTF-8");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("the last engine has ended"), "{}", said(&output));
    let seen: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(seen.len() >= 3);
    assert_eq!(seen[0]["rates"], Value::Null);
    assert!(seen[1..].iter().all(|seen| seen["rates"]["seconds"].as_f64() > Some(0.0)));
}

#[test]
fn a_terminal_is_drawn_on_in_place_and_left_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(common::config(dir.path())).expect("the engine starts");
    // Gives a program a terminal.
    let watch = format!("{} stat . --watch 0.1", env!("CARGO_BIN_EXE_fastlog"));
    let mut command = Command::new("script");
    command.args(["-qec", &watch, "/dev/null"]).current_dir(dir.path()).env_remove("NO_COLOR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: there is no `script` here");
        drain(&engine);
        return;
    };
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut shown = Vec::new();
    let count =
        |shown: &[u8], what: &[u8]| shown.windows(what.len()).filter(|w| *w == what).count();
    while count(&shown, b"\x1b[H") < 2 {
        let mut bytes = [0; 4096];
        let read = stdout.read(&mut bytes).expect("it goes on");
        assert!(read > 0, "{}", String::from_utf8_lossy(&shown));
        shown.extend_from_slice(&bytes[..read]);
    }
    // Ctrl-C.
    child.stdin.as_ref().expect("a pipe").write_all(b"\x03").expect("it listens");
    stdout.read_to_end(&mut shown).expect("it ends");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(count(&shown, b"\x1b[2J"), 1, "cleared once");
    assert_eq!(count(&shown, b"\x1b[32m") % 2, 0, "live and calm are green");
    let hidden = shown.windows(6).rposition(|bytes| bytes == b"\x1b[?25l");
    let back = shown.windows(6).rposition(|bytes| bytes == b"\x1b[?25h");
    assert!(hidden < back, "the cursor is back: {}", String::from_utf8_lossy(&shown));
    drain(&engine);
}

#[test]
fn every_key_is_in_the_documents() {
    fn keys(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(key, value)| {
                found.push(key.clone());
                keys(value, found);
            }),
            Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(common::config(dir.path())).expect("the engine starts");
    log(&engine, 1);
    engine.flush().expect("published");
    let seen = objects(&stat(dir.path(), &["--json", "--interval", "0.1"]));
    let mut found = Vec::new();
    keys(&seen[0], &mut found);
    assert!(found.len() > 50, "{found:?}");
    let document = fs::read_to_string("docs/stat.md").expect("the document");
    let missing: Vec<_> =
        found.iter().filter(|key| !document.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/stat.md lacks {missing:?}");
    drain(&engine);
}

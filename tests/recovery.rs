//! Promise [P3]: what calls that returned have left in memory when their process was killed comes into
//! the log with the next start, each record once, whole, and in its thread's order; whoever lives,
//! whatever else is there, and however often the recovery is killed. Attacked by processes that
//! kill themselves with everything in their rings, by recoveries that are killed at each of their
//! steps, by arenas that are damaged, planted, of another boot, elsewhere, or somebody else's.
#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // To end a process as nothing else does.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::child::{self, Ended, Running};
use common::disk::memory_dir;
use common::{drain, wait_until};
use fastlog::{Arena, Config, Engine, Format, InUse, Io, OsIo, Preset, fastlog};
use serde_json::Value;
use tempfile::TempDir;

/// Records of each thread.
const RECORDS: u64 = 3_000;
const THREADS: u64 = 3;

/// How a child is told what it shall do.
const JOB: &str = "FASTLOG_TEST_JOB";

/// Kills this process.
fn kill_self() -> ! {
    // SAFETY: takes numbers; nothing of this process goes on.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    unreachable!("it is dead");
}

/// A child that runs a job in `dir`.
fn command(job: &str, dir: &Path) -> Command {
    let mut command = child::command("a_process", dir);
    command.env(JOB, job);
    command
}

/// Runs a job to its end.
fn run(job: &str, dir: &Path) -> Ended {
    Running::start(&mut command(job, dir), memory_dir()).end()
}

/// Runs a job that ends in its own death.
fn kill(job: &str, dir: &Path) -> Ended {
    let ended = run(job, dir);
    assert_eq!(ended.status.signal(), Some(libc::SIGKILL), "{job}: {ended}");
    ended
}

/// What the children do.
#[test]
fn a_process() {
    let Ok(job) = std::env::var(JOB) else { return };
    let dir = child::dir();
    let (job, argument) = job.split_once(' ').unwrap_or((&job, ""));
    match job {
        // Everything stays in the rings, or in the segments: nothing of it is published yet.
        "rings" => log_and_die(common::config(&dir).publish_every(Duration::from_secs(1))),
        "full" => log_and_die(common::config(&dir)),
        "logfmt" => log_and_die(common::config(&dir).format(Format::Logfmt)),
        "binary" => log_and_die(common::config(&dir).format(Format::Binary)),
        "rotates" => log_and_die(common::config(&dir).rotate_bytes(64 << 10)),
        "shared" => log_and_die(common::config(&dir).arena(Arena::SharedMemory)),
        "elsewhere" => log_and_die(common::config(&dir).arena_dir(dir.join("arenas"))),
        "once" => once(&dir, argument),
        "console" => log_and_die(container(&dir)),
        "reads_console" => drain(&start(container(&dir))).written().to_string().clear(),
        "waits" => wait_to_be_killed(&dir),
        "loses_locks" => lose_locks(&dir),
        "executes" => execute(&dir),
        "recovers" => recover_and_die(&dir, argument.parse().expect("a number")),
        "drains" => drop(drain(&start(common::config(&dir)))),
        other => panic!("no job: {other}"),
    }
}

fn start(config: Config) -> Engine {
    Engine::start(config).expect("the engine starts")
}

fn container(dir: &Path) -> Config {
    let config = Config::preset(Preset::Container).name("test").ignore_env();
    common::patient(config).arena_dir(dir.join("arenas"))
}

/// Logs from several threads, and dies when all calls have returned.
fn log_and_die(config: Config) {
    let _engine = start(config);
    std::thread::scope(|scope| {
        for by in 0..THREADS {
            let thread = std::thread::Builder::new().name(format!("thread-{by}"));
            let log = move || {
                (0..RECORDS).for_each(|n| fastlog!(INFO, "record {n} of {by}", by, n));
            };
            thread.spawn_scoped(scope, log).expect("a thread");
        }
    });
    kill_self();
}

/// A service that ends soon after its start.
fn once(dir: &Path, n: &str) {
    let _engine = start(common::config(dir));
    fastlog!(INFO, "once", by = 0, n = n.parse::<u64>().expect("a number"));
    kill_self();
}

fn wait_to_be_killed(dir: &Path) {
    let config = common::config(dir).in_use(InUse::Suffix);
    let engine = start(config.publish_every(Duration::from_secs(1)));
    (0..RECORDS).for_each(|n| fastlog!(INFO, "record {n}", by = 0, n));
    let log_path = engine.stats().log_path().expect("a file").display().to_string();
    let ready = dir.join(format!("ready-{}", std::process::id()));
    fs::write(ready.with_extension("now"), log_path).expect("written");
    fs::rename(ready.with_extension("now"), ready).expect("renamed");
    loop {
        std::thread::park();
    }
}

/// Opens and closes all files, as a backup does: the kernel takes the locks away.
fn lose_locks(dir: &Path) {
    let engine = start(common::config(dir));
    (0..RECORDS).for_each(|n| fastlog!(INFO, "record {n}", by = 0, n));
    for dir in [dir.to_owned(), dir.join(".fastlog")] {
        for entry in fs::read_dir(dir).expect("a directory") {
            drop(File::open(entry.expect("an entry").path()));
        }
    }
    fs::write(dir.join("ready"), "").expect("written");
    wait_until("the other engine's end", || dir.join("go-on").exists());
    (RECORDS..2 * RECORDS).for_each(|n| fastlog!(INFO, "record {n}", by = 0, n));
    assert_eq!(drain(&engine).written(), 2 * RECORDS);
}

fn execute(dir: &Path) {
    let _engine = start(common::config(dir).publish_every(Duration::from_secs(1)));
    (0..RECORDS).for_each(|n| fastlog!(INFO, "record {n}", by = 0, n));
    let mut next = command("drains", dir);
    panic!("not executed: {}", next.stdout(Stdio::inherit()).stderr(Stdio::inherit()).exec());
}

/// Dies at a step of its start.
fn recover_and_die(dir: &Path, step: u64) {
    let io = Arc::new(DiesAt(AtomicU64::new(step)));
    let engine = start(common::config(dir).io(io));
    drain(&engine);
}

/// Kills the process at a step, in the middle of it where it writes.
#[derive(Debug)]
struct DiesAt(AtomicU64);

impl DiesAt {
    fn is_last(&self) -> bool {
        // Not on the engine's threads, which the step of a start does not count.
        std::thread::current().name() != Some("a_process")
            || self.0.fetch_sub(1, Ordering::Relaxed) != 1
    }

    fn step(&self) {
        if !self.is_last() {
            kill_self();
        }
    }

    fn write(&self, bytes: &[u8], write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        if !self.is_last() {
            let _ = write(&bytes[..bytes.len() / 2]);
            kill_self();
        }
        write(bytes)
    }
}

impl Io for DiesAt {
    fn open_existing(&self, path: &Path) -> io::Result<File> {
        self.step();
        OsIo.open_existing(path)
    }
    fn create_log(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.step();
        OsIo.create_log(path, mode)
    }
    fn create_private(&self, path: &Path) -> io::Result<File> {
        self.step();
        OsIo.create_private(path)
    }
    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write(bytes, |bytes| OsIo.pwrite(fd, bytes, offset))
    }
    fn append(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write(bytes, |bytes| OsIo.append(fd, bytes, offset))
    }
    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.step();
        OsIo.fdatasync(fd)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        OsIo.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        OsIo.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step();
        OsIo.unlink(path)
    }
}

/// A directory in memory: the disk of a busy machine takes its time for the many syncs.
fn directory() -> TempDir {
    memory_dir()
}

/// The files of a directory, and below `.fastlog`, by name.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort_unstable();
    names
}

fn left(dir: &Path) -> Vec<String> {
    let ends = [".arena", ".segments", ".sites", ".staging", ".recovery", ".now"];
    let mut left = names(&dir.join(".fastlog"));
    left.extend(names(&dir.join("arenas")));
    left.retain(|name| ends.iter().any(|end| name.ends_with(end)));
    left
}

/// All lines of the log's files, in their order, each of which must be JSON.
fn lines(dir: &Path) -> Vec<Value> {
    let mut logs = names(dir);
    logs.retain(|name| name.ends_with(".jsonl"));
    // The live file comes last: `.` is after `-`.
    logs.iter().flat_map(|name| common::all_lines(&dir.join(name))).collect()
}

/// The numbers of each thread, in the order in which they stand.
fn numbers(lines: &[Value]) -> BTreeMap<u64, Vec<u64>> {
    let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for line in lines {
        if let (Some(by), Some(n)) = (line["by"].as_u64(), line["n"].as_u64()) {
            numbers.entry(by).or_default().push(n);
        }
    }
    numbers
}

/// Each of the records is there once, in its thread's order.
fn assert_all(lines: &[Value], threads: u64, records: u64) {
    let numbers = numbers(lines);
    assert_eq!(numbers.len() as u64, threads);
    for (by, numbers) in numbers {
        let is_all = numbers.iter().copied().eq(0..records);
        assert!(is_all, "{by}: {} of {records}: {:?}", numbers.len(), first_wrong(&numbers));
    }
}

fn first_wrong(numbers: &[u64]) -> Option<(usize, u64)> {
    numbers.iter().copied().enumerate().find(|(index, number)| *index as u64 != *number)
}

/// The engine's own records with this message.
fn own<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    let is_own = |line: &&Value| {
        line["target"] == "fastlog"
            && line["message"].as_str().is_some_and(|text| text.contains(message))
    };
    lines.iter().filter(is_own).collect()
}

// [D1]
#[test]
fn what_a_killed_process_had_in_memory_is_there_after_the_next_start() {
    for job in ["rings", "full", "rotates"] {
        let dir = directory();
        kill(job, dir.path());
        assert!(!left(dir.path()).is_empty(), "an arena");
        let before = lines_so_far(dir.path());
        let engine = start_detached(common::config(dir.path()));
        let stats = engine.stats();
        assert_eq!((stats.recovered_arenas(), stats.orphans()), (1, 0), "{job}");
        assert!(before + stats.recovered() >= THREADS * RECORDS, "{job}: {before}: {stats}");
        drain(&engine);
        let lines = lines(dir.path());
        assert_all(&lines, THREADS, RECORDS);
        let told = own(&lines, "recovered");
        assert_eq!(told.len(), 1, "{job}: {told:?}");
        let starts = own(&lines, "engine started");
        // The first may have been killed before it had written its own.
        let last = starts.last().expect("this engine's");
        assert_eq!(last["recovered"].as_u64(), Some(stats.recovered()), "{job}");
        assert_eq!(left(dir.path()), [""; 0], "{job}");
        // In the order of time: before the second start.
        let at = |line: &Value| lines.iter().position(|other| other == line);
        assert!(at(told[0]) < at(last), "{job}");
        let engine = start_detached(common::config(dir.path()));
        assert_eq!(engine.stats().recovered_arenas(), 0, "{job}");
        drain(&engine);
        assert_all(&self::lines(dir.path()), THREADS, RECORDS);
    }
}

/// Whole lines of the program that are published.
fn lines_so_far(dir: &Path) -> u64 {
    let mut logs = names(dir);
    logs.retain(|name| name.ends_with(".jsonl"));
    let texts = logs.iter().map(|name| fs::read_to_string(dir.join(name)).expect("UTF-8"));
    texts.map(|text| text.lines().filter(|line| line.contains("\"by\":")).count() as u64).sum()
}

fn start_detached(config: Config) -> Engine {
    Engine::detached(config).expect("the engine starts")
}

#[test]
fn pairs_and_binary_come_back_as_well() {
    let dir = directory();
    kill("logfmt", dir.path());
    drain(&start_detached(common::config(dir.path())));
    let text = fs::read_to_string(dir.path().join("test.jsonl")).expect("UTF-8");
    for by in 0..THREADS {
        let mine = text.lines().filter(|line| line.contains(&format!(" by={by} ")));
        let numbers = mine.map(|line| {
            let (_, number) = line.rsplit_once(" n=").expect(line);
            number.parse::<u64>().expect(line)
        });
        assert!(numbers.eq(0..RECORDS), "{by}");
    }
    let dir = directory();
    kill("binary", dir.path());
    drain(&start_detached(common::config(dir.path()).format(Format::Binary)));
    let mut logs = names(dir.path());
    logs.retain(|name| name.ends_with(".flog"));
    let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for name in logs {
        let bytes = fs::read(dir.path().join(name)).expect("a log");
        for record in common::flog::read(&bytes).records {
            if record.target == "fastlog" {
                continue;
            }
            let field = |name| record.field(name).as_u64().expect("a number");
            numbers.entry(field("by")).or_default().push(field("n"));
        }
    }
    assert_eq!(numbers.len() as u64, THREADS);
    for (by, numbers) in numbers {
        assert!(numbers.iter().copied().eq(0..RECORDS), "{by}: {}", numbers.len());
    }
}

#[test]
fn a_recovery_that_is_killed_at_any_step_is_gone_on_with() {
    let mut kills = 0;
    for step in 1.. {
        let dir = directory();
        kill("rings", dir.path());
        let ended = run(&format!("recovers {step}"), dir.path());
        let is_killed = ended.status.signal() == Some(libc::SIGKILL);
        assert!(is_killed || ended.status.success(), "{step}: {ended}");
        kills += u64::from(is_killed);
        // It may die once more, earlier or later.
        let again = run(&format!("recovers {}", 1 + step * 7 % 23), dir.path());
        kills += u64::from(!again.status.success());
        drain(&start_detached(common::config(dir.path())));
        assert_all(&lines(dir.path()), THREADS, RECORDS);
        assert_eq!(left(dir.path()), [""; 0], "{step}");
        if !is_killed {
            break;
        }
    }
    assert!(kills > 20, "{kills}");
}

#[test]
fn all_of_several_dead_processes_come_back_each_into_its_own_file() {
    const PROCESSES: usize = 4;
    let dir = directory();
    let children: Vec<_> = (0..PROCESSES)
        .map(|n| {
            let child = command("waits", dir.path()).spawn().expect("it starts");
            let ready = || names(dir.path()).iter().filter(|name| is_ready(name)).count();
            wait_until("the engine", || ready() == n + 1);
            child
        })
        .collect();
    for mut child in children {
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    let engine = start_detached(common::config(dir.path()));
    let stats = engine.stats();
    assert_eq!((stats.recovered_arenas(), stats.orphans()), (PROCESSES as u64, 0), "{stats}");
    drain(&engine);
    let mut logs = names(dir.path());
    logs.retain(|name| name.ends_with(".jsonl"));
    assert_eq!(logs.len(), PROCESSES);
    for log in logs {
        assert_all(&common::all_lines(&dir.path().join(log)), 1, RECORDS);
    }
    assert_eq!(left(dir.path()), [""; 0]);
}

fn is_ready(name: &str) -> bool {
    name.starts_with("ready-") && !name.ends_with(".now")
}

#[test]
fn a_dead_second_engine_is_recovered_while_the_first_lives() {
    let dir = directory();
    let first = start_detached(common::config(dir.path()));
    let mut second = command("waits", dir.path()).spawn().expect("it starts");
    wait_until("the engine", || names(dir.path()).iter().any(|name| is_ready(name)));
    second.kill().expect("ours");
    second.wait().expect("ours");
    let third = start_detached(common::config(dir.path()));
    let stats = third.stats();
    assert_eq!((stats.recovered_arenas(), stats.orphans()), (1, 0), "{stats}");
    let log = dir.path().join(format!("test@{}.jsonl", second.id()));
    assert_all(&common::all_lines(&log), 1, RECORDS);
    drain(&third);
    assert_eq!(left(dir.path()).len(), 2, "the first one's, which lives");
    drain(&first);
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn a_live_engine_that_has_lost_its_locks_keeps_its_name_and_its_arena() {
    let dir = directory();
    let other = Running::start(&mut command("loses_locks", dir.path()), memory_dir());
    wait_until("the engine", || dir.path().join("ready").exists());
    let engine = start_detached(common::config(dir.path()));
    let stats = engine.stats();
    assert_eq!((stats.recovered_arenas(), stats.orphans()), (0, 0), "{stats}");
    assert_ne!(stats.log_path(), Some(&*dir.path().join("test.jsonl")));
    drain(&engine);
    fs::write(dir.path().join("go-on"), "").expect("written");
    let ended = other.end();
    assert!(ended.status.success(), "{ended}");
    assert_all(&common::all_lines(&dir.path().join("test.jsonl")), 1, 2 * RECORDS);
}

// [D19]
#[test]
fn what_was_logged_before_another_program_is_executed_comes_back() {
    let dir = directory();
    let ended = run("executes", dir.path());
    assert!(ended.status.success(), "{ended}");
    assert_all(&lines(dir.path()), 1, RECORDS);
    assert_eq!(own(&lines(dir.path()), "recovered").len(), 1);
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn a_service_that_restarts_again_and_again_grows_nothing_and_loses_nothing() {
    const STARTS: u64 = 25;
    let dir = directory();
    let mut beside = Vec::new();
    for n in 0..STARTS {
        kill(&format!("once {n}"), dir.path());
        let before = std::mem::replace(&mut beside, names(&dir.path().join(".fastlog")));
        assert!(n == 0 || before.len() == beside.len(), "{before:?} {beside:?}");
    }
    drain(&start_detached(common::config(dir.path())));
    let lines = lines(dir.path());
    assert_all(&lines, 1, STARTS);
    assert_eq!(names(dir.path()), [".fastlog", "test.jsonl"]);
    assert_eq!(left(dir.path()), [""; 0]);
}

/// The one arena of a directory.
fn arena_in(dir: &Path) -> PathBuf {
    let mut arenas = names(&dir.join(".fastlog"));
    arenas.retain(|name| name.ends_with(".arena"));
    assert_eq!(arenas.len(), 1, "{arenas:?}");
    dir.join(".fastlog").join(&arenas[0])
}

/// Where the boot's number stands in an arena: `docs/architecture.md`.
const BOOT_ID_AT: usize = 40;

#[test]
fn what_is_of_another_boot_goes_into_a_file_of_its_own() {
    let dir = directory();
    kill("rings", dir.path());
    let arena = arena_in(dir.path());
    let mut bytes = fs::read(&arena).expect("an arena");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the kernel tells");
    let boot: String = boot.trim().chars().filter(|c| *c != '-').collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(hex(&bytes[BOOT_ID_AT..][..16]), boot);
    bytes[BOOT_ID_AT] ^= 1;
    fs::write(&arena, bytes).expect("written");
    let log = dir.path().join("test.jsonl");
    let before = fs::read_to_string(&log).expect("UTF-8");
    let engine = start_detached(common::config(dir.path()));
    assert_eq!((engine.stats().recovered_arenas(), engine.stats().orphans()), (1, 0));
    drain(&engine);
    let stem = arena.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8");
    let process = stem.strip_prefix("test.").expect("its base");
    let aside = dir.path().join(format!("test.unclean-{process}.jsonl"));
    let after = fs::read_to_string(&log).expect("UTF-8");
    let added = after.strip_prefix(&before).expect("what was there stays");
    assert!(!added.contains("\"by\":"), "nothing came into the log: {added}");
    assert!(added.contains(aside.to_str().expect("UTF-8")), "it is told: {added}");
    let all: Vec<Value> = before
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .chain(common::all_lines(&aside))
        .collect();
    for (by, mut numbers) in numbers(&all) {
        numbers.dedup();
        assert!(numbers.iter().copied().eq(0..RECORDS), "{by}: {}", numbers.len());
    }
    assert_eq!(left(dir.path()), [""; 0]);
    // It is one of the log's files: retention removes it.
    let engine = start_detached(common::config(dir.path()).retain_files(0));
    wait_until("retention", || !aside.exists());
    drain(&engine);
}

#[test]
fn arenas_in_shared_memory_and_elsewhere_are_found_by_whoever_starts() {
    for job in ["shared", "elsewhere"] {
        let dir = directory();
        fs::create_dir(dir.path().join("arenas")).expect("a directory");
        kill(job, dir.path());
        // The next one has its arena beside the log.
        let engine = start_detached(common::config(dir.path()));
        assert_eq!(engine.stats().recovered_arenas(), 1, "{job}");
        drain(&engine);
        assert_all(&lines(dir.path()), THREADS, RECORDS);
        assert_eq!(left(dir.path()), [""; 0], "{job}");
        let noted = names(&dir.path().join(".fastlog"));
        assert!(!noted.iter().any(|name| name.ends_with(".places")), "{job}: {noted:?}");
    }
}

// [D2]
#[test]
fn a_console_gets_what_it_lacks_at_least_once() {
    let dir = directory();
    fs::create_dir(dir.path().join("arenas")).expect("a directory");
    let first = kill("console", dir.path());
    let second = run("reads_console", dir.path());
    assert!(second.status.success(), "{second}");
    let text = first.stdout + &second.stdout;
    // The test harness writes there as well.
    let lines = text.lines().filter_map(|line| line.find('{').map(|at| &line[at..]));
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for (by, mut numbers) in numbers(&lines.collect::<Vec<_>>()) {
        numbers.sort_unstable();
        numbers.dedup();
        assert!(numbers.iter().copied().eq(0..RECORDS), "{by}: {}", numbers.len());
    }
    assert!(second.stderr.contains("written above"), "{second}");
    assert_eq!(left(dir.path()), [""; 0]);
}

// [S39]
#[test]
fn half_a_line_is_completed_where_it_stands() {
    // The log is cut in the middle of what an unfinished append has brought: as the kernel leaves
    // it when it cuts a write short.
    let dir = directory();
    kill("full", dir.path());
    let log = dir.path().join("test.jsonl");
    let text = fs::read_to_string(&log).expect("UTF-8");
    if text.ends_with('\n') {
        // The next start ends a line that somebody else has left open.
        fs::write(&log, format!("{text}half of a li")).expect("written");
    }
    drain(&start_detached(common::config(dir.path())));
    let after = fs::read_to_string(&log).expect("UTF-8");
    let whole = after.lines().filter(|line| *line != "half of a li");
    let lines: Vec<Value> = whole.map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_all(&lines, THREADS, RECORDS);
}

/// The lines of the log but for one that was cut and could not be completed in time.
fn whole_lines(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("test.jsonl")).expect("UTF-8");
    let lines: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() + 1 >= text.lines().count());
    lines
}

/// Has no room for stages.
#[derive(Debug)]
struct NoStage;

impl Io for NoStage {
    fn create_private(&self, path: &Path) -> io::Result<File> {
        if path.extension().is_some_and(|end| end == "staging") {
            return Err(io::ErrorKind::StorageFull.into());
        }
        OsIo.create_private(path)
    }
}

#[test]
fn where_nothing_can_be_staged_the_arena_waits_and_the_start_goes_on() {
    let dir = directory();
    kill("rings", dir.path());
    let engine = start_detached(common::config(dir.path()).io(Arc::new(NoStage)));
    let stats = engine.stats();
    assert_eq!((stats.recovered_arenas(), stats.orphans()), (0, 1), "{stats}");
    drain(&engine);
    assert_eq!(own(&whole_lines(dir.path()), "is not recovered").len(), 1);
    let engine = start_detached(common::config(dir.path()));
    assert_eq!((engine.stats().recovered_arenas(), engine.stats().orphans()), (1, 0));
    drain(&engine);
    assert_all(&whole_lines(dir.path()), THREADS, RECORDS);
}

#[test]
fn damaged_and_planted_arenas_hurt_nobody() {
    let dir = directory();
    kill("rings", dir.path());
    let arena = arena_in(dir.path());
    let whole = fs::read(&arena).expect("an arena");
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        // Xorshift, by Marsaglia.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..40 {
        let mut bytes = whole.clone();
        let log = fs::read(dir.path().join("test.jsonl")).expect("a log");
        for _ in 0..1 + random() % 200 {
            let at = random() as usize % bytes.len().min(1 << 20);
            bytes[at] = random() as u8;
        }
        if round % 4 == 0 {
            bytes.truncate(random() as usize % bytes.len());
        }
        fs::write(&arena, &bytes).expect("written");
        let engine = start_detached(common::config(dir.path()));
        let stats = engine.stats();
        assert!(stats.recovered_arenas() + stats.orphans() <= 1, "{round}: {stats}");
        drain(&engine);
        let after = fs::read(dir.path().join("test.jsonl")).expect("a log");
        assert!(after.starts_with(&log), "{round}: what was there stays");
        let _ = fs::remove_file(&arena);
    }
    // All of it was lines, whatever was in them.
    let _ = lines(dir.path());
}

#[test]
fn a_recovery_is_bounded_where_nothing_can_be_removed() {
    /// Removes no arena.
    #[derive(Debug)]
    struct NoRemoval;
    impl Io for NoRemoval {
        fn unlink(&self, path: &Path) -> io::Result<()> {
            if path.extension().is_some_and(|end| end == "arena") {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            OsIo.unlink(path)
        }
    }
    let dir = directory();
    kill("rings", dir.path());
    for _ in 0..3 {
        let engine = start_detached(common::config(dir.path()).io(Arc::new(NoRemoval)));
        assert_eq!(engine.stats().orphans(), 1);
        // Its own arena stays as well.
        let _ = engine.drain();
        let own = engine.stats();
        if let Some(arena) = own.arena_path() {
            let _ = fs::remove_file(arena);
        }
    }
    // Once each, however often it was tried.
    assert_all(&lines(dir.path()), THREADS, RECORDS);
    drain(&start_detached(common::config(dir.path())));
    assert_all(&lines(dir.path()), THREADS, RECORDS);
    assert_eq!(left(dir.path()), [""; 0]);
}

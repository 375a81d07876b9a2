//! Promise [P5] [D11] [D12] [D23]: however a process ends by its own will, its engines are drained,
//! within two seconds, and the end is not held up by an output that is stuck. Attacked by every way
//! to end: return from `main`, `exit` from any thread, a panic, signals, a tokio runtime; with
//! outputs that nobody reads, and without the exit hook.
//!
//! Not under the test harness: the cases need a `main` that is theirs.

#![allow(unsafe_code)] // To get a signal's default action back.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{self, Ended, Running};
use common::disk::{Disk, Faults, memory_dir};
use common::{all_lines, config, drain, give_way, wait_until};
use fastlog::{Config, Engine, ExitHook, Overflow, Preset, fastlog};
use serde_json::Value;
use tempfile::TempDir;

/// Records of each thread of a case.
const RECORDS: u64 = 2_000;
const THREADS: u64 = 4;

/// What the exit hook has for all engines.
const EXIT_BUDGET: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 10;

/// The most that a process with a stuck output may take to end: the hook's two seconds, and some
/// for a machine that is busy; and how often it may take longer, as a machine may stand still.
const EXIT_MAX: Duration = Duration::from_secs(4);
const LATE_MAX: usize = 2;

type Case = (&'static str, fn(&Path));

/// What runs in a child.
const CASES: &[Case] = &[
    ("return", |dir| log_all(&start(dir))),
    ("exit", |dir| {
        log_all(&start(dir));
        std::process::exit(7);
    }),
    ("exit_elsewhere", exit_elsewhere),
    ("exit_while_all_log", exit_while_all_log),
    ("panic", |dir| {
        log_all(&start(dir));
        panic!("on purpose");
    }),
    ("hook_none", |dir| log_all(&start_with(config(dir).exit_hook(ExitHook::None)))),
    ("orphans", orphans),
    ("detached", detached),
    ("exit_in_detached_drop", exit_in_detached_drop),
    ("drained_before", |dir| {
        let engine = start(dir);
        log_all(&engine);
        drain(&engine);
    }),
    ("stalled", |_| log_to_console()),
    ("broken_pipe", |_| log_to_console()),
    ("gone", |_| log_without_a_reader()),
    ("stopped", stopped),
    ("hung_disk", hung_disk),
    ("sigterm", sigterm),
    ("sigint", log_for_ever),
    ("tokio_block_on", tokio_block_on),
    ("tokio_spawn_blocking", tokio_spawn_blocking),
    ("tokio_inside", tokio_inside),
];

/// What starts the children and judges what they leave.
const TESTS: &[Case] = &[
    ("return_from_main", |_| ends_with_all("return", Some(0))),
    ("process_exit", |_| ends_with_all("exit", Some(7))),
    ("exit_from_another_thread", |_| ends_with_all("exit_elsewhere", Some(3))),
    ("exit_while_threads_log", |_| exit_cuts_no_line()),
    ("panic_in_main", |_| ends_with_all("panic", Some(101))),
    ("without_the_hook_records_stay_in_the_arena", |_| hook_none()),
    ("detached_engines_are_drained", |_| all_detached_are_drained()),
    ("exit_while_a_detached_engine_drains", |_| ends_with_all("exit_in_detached_drop", Some(5))),
    ("a_drained_engine_needs_no_hook", |_| ends_with_all("drained_before", Some(0))),
    ("a_stalled_output_does_not_hold_up_the_end", |_| stalled()),
    ("a_broken_pipe_does_not_hold_up_the_end", |_| broken_pipe()),
    ("a_reader_that_is_gone_is_final", |_| gone()),
    ("a_process_that_was_stopped_has_not_stalled", |_| stopped_drains()),
    ("a_hung_disk_does_not_hold_up_the_end", |_| hung_disk_ends()),
    ("a_signal_thread_drains", |_| sigterm_drains()),
    ("a_deadly_signal_cuts_the_last_line_at_most", |_| sigint_cuts_one_line()),
    ("drain_after_block_on", |_| ends_with_all("tokio_block_on", Some(0))),
    ("drain_in_spawn_blocking", |_| ends_with_all("tokio_spawn_blocking", Some(0))),
    ("drain_inside_a_task", |_| ends_with_all("tokio_inside", Some(0))),
];

fn main() {
    if let Some(case) = child::case() {
        let (_, body) = CASES.iter().find(|(name, _)| *name == case).expect("a case of this name");
        return body(&child::dir());
    }
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f));
    let wanted: Vec<&Case> = TESTS.iter().filter(|(name, _)| is_wanted(name)).collect();
    if std::env::args().any(|arg| arg == "--list") {
        wanted.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    println!("\nrunning {} tests", wanted.len());
    for (name, test) in &wanted {
        test(Path::new(""));
        println!("test {name} ... ok");
    }
    println!("\ntest result: ok. {} passed", wanted.len());
}

// The hook has two seconds, and a disk that others keep busy may take them for one sync: the logs
// of the cases stand in memory, where the end depends on the engine alone.

/// The process's engine, whose log is `test.jsonl` in the directory.
fn start(dir: &Path) -> Engine {
    start_with(config(dir))
}

fn start_with(config: Config) -> Engine {
    Engine::start(config).expect("the engine starts")
}

/// Logs from several threads; drops the handle.
fn log_all(_engine: &Engine) {
    thread::scope(|scope| {
        for by in 0..THREADS {
            scope.spawn(move || log_as(by));
        }
    });
}

fn log_as(by: u64) {
    for n in 0..RECORDS {
        fastlog!(INFO, "record {n} of {by}", n, by);
    }
}

/// Runs a case to its end.
fn run(case: &str) -> Ended {
    let dir = memory_dir();
    Running::start(&mut child::command(case, dir.path()), dir).end()
}

/// Runs a case whose engines the exit hook drains. Again where it gave up after its two seconds, as
/// a machine that others load may not give the engines' threads their turns: what it left then is in
/// the arenas, and nothing that this test asks for.
fn run_in_time(case: &str) -> Ended {
    for _ in 0..ATTEMPTS {
        let start = Instant::now();
        let ended = run(case);
        if start.elapsed() < EXIT_BUDGET || arenas(ended.dir.path()).is_empty() {
            return ended;
        }
    }
    panic!("{case}: not drained in {EXIT_BUDGET:?}, {ATTEMPTS} times in a row")
}

/// The case ends with this code, all records are in the log, and the arena is gone.
fn ends_with_all(case: &str, code: Option<i32>) {
    let ended = run_in_time(case);
    assert_eq!(ended.status.code(), code, "{case}: {ended}");
    assert_is_whole(&ended.dir.path().join("test.jsonl"), THREADS, &ended);
    assert_eq!(arenas(ended.dir.path()), Vec::<PathBuf>::new(), "{case}");
}

/// Every record of every thread is in the log, once and in order.
fn assert_is_whole(log: &Path, threads: u64, ended: &Ended) {
    let lines = of_program(log);
    for by in 0..threads {
        let of_it = lines.iter().filter(|line| line["by"] == by);
        assert!(of_it.map(|line| line["n"].as_u64().unwrap()).eq(0..RECORDS), "{by}: {ended}");
    }
    assert_eq!(lines.len() as u64, threads * RECORDS, "{ended}");
}

fn of_program(log: &Path) -> Vec<Value> {
    all_lines(log).into_iter().filter(|line| line["target"] != "fastlog").collect()
}

/// What is beside the log besides locks.
fn arenas(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join(".fastlog")).expect("the private directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_none_or(|extension| extension != "lock")).collect()
}

fn exit_elsewhere(dir: &Path) {
    log_all(&start(dir));
    let thread = thread::spawn(|| std::process::exit(3));
    // Main waits for a thread that never returns.
    let _ = thread.join();
    unreachable!("the process has ended");
}

/// Exits in the middle of everything: threads log until they are no more.
fn exit_while_all_log(dir: &Path) {
    start(dir);
    let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(THREADS as usize + 1)));
    for by in 0..THREADS {
        thread::spawn(move || {
            for n in 0_u64.. {
                if n == RECORDS {
                    barrier.wait();
                }
                fastlog!(INFO, "record {n} of {by}", n, by);
            }
        });
    }
    barrier.wait();
    std::process::exit(9);
}

fn exit_cuts_no_line() {
    let ended = run_in_time("exit_while_all_log");
    assert_eq!(ended.status.code(), Some(9), "{ended}");
    let lines = of_program(&ended.dir.path().join("test.jsonl"));
    for by in 0..THREADS {
        let numbers = lines.iter().filter(|line| line["by"] == by);
        let numbers: Vec<u64> = numbers.map(|line| line["n"].as_u64().unwrap()).collect();
        assert!(numbers.len() as u64 >= RECORDS, "all before the exit: {ended}");
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{by}: {ended}");
    }
    assert_eq!(arenas(ended.dir.path()), Vec::<PathBuf>::new());
}

fn hook_none() {
    let ended = run("hook_none");
    assert!(ended.status.success(), "{ended}");
    let dir = ended.dir.path();
    assert!(!arenas(dir).is_empty(), "the arena is kept: {ended}");
    // Published lines are in order, and perhaps not all.
    let published = lines_in_order(dir, &ended);
    assert!(published as u64 <= THREADS * RECORDS);
    // The next engine of the name finds it, and brings back what is missing.
    next_goes_on(dir);
    assert_eq!(lines_in_order(dir, &ended) as u64, THREADS * RECORDS + 1, "and the next one's");
}

/// How many of the program's lines are in the log of a process that ended while it wrote, each
/// thread's in order; all but the last of them are whole.
fn lines_in_order(dir: &Path, ended: &Ended) -> usize {
    let text = std::fs::read_to_string(dir.join("test.jsonl")).expect("the log is UTF-8");
    let lines = whole_lines(&text);
    for by in 0..THREADS {
        let numbers = lines.iter().filter(|line| line["by"] == by);
        let numbers: Vec<u64> = numbers.map(|line| line["n"].as_u64().unwrap()).collect();
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{by}: {ended}");
    }
    lines.len()
}

/// The program's lines, but for one at the end that is there in part.
fn whole_lines(text: &str) -> Vec<Value> {
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    let lines = whole.lines().map(|line| serde_json::from_str(line).expect(line));
    lines.filter(|line: &Value| line["target"] != "fastlog").collect()
}

/// The next engine of the name completes the last line where that is there in part, recovers what
/// was not published, and goes on behind it.
fn next_goes_on(dir: &Path) {
    let log = dir.join("test.jsonl");
    let text = std::fs::read_to_string(&log).expect("the log is UTF-8");
    let mut next = child::command("orphans", dir);
    let next = Running::start(&mut next, memory_dir()).end();
    assert!(next.status.success(), "{next}");
    let after = std::fs::read_to_string(&log).expect("the log is UTF-8");
    assert!(after.starts_with(&text), "what was there stays");
    let behind = whole_lines(&after).pop().expect("a line");
    assert_eq!(behind["message"], "behind what was recovered");
    assert_eq!(arenas(dir), Vec::<PathBuf>::new());
}

fn orphans(dir: &Path) {
    let engine = start(dir);
    let stats = engine.stats();
    assert_eq!((stats.recovered_arenas(), stats.orphans()), (1, 0), "{stats}");
    fastlog!(INFO, "behind what was recovered");
    drain(&engine);
}

/// Detached engines that nobody drops, in statics and leaked, with and without a default engine.
fn detached(dir: &Path) {
    for by in 0..3 {
        let engine = Engine::detached(config(dir).name(format!("detached-{by}"))).unwrap();
        let logger = engine.logger();
        for n in 0..RECORDS {
            fastlog!(logger: logger, INFO, "record {n} of {by}", n, by = 0);
        }
        std::mem::forget(engine);
    }
    log_all(&start(dir));
}

fn all_detached_are_drained() {
    let ended = run_in_time("detached");
    assert!(ended.status.success(), "{ended}");
    for by in 0..3 {
        assert_is_whole(&ended.dir.path().join(format!("detached-{by}.jsonl")), 1, &ended);
    }
    assert_is_whole(&ended.dir.path().join("test.jsonl"), THREADS, &ended);
    assert_eq!(arenas(ended.dir.path()), Vec::<PathBuf>::new());
}

/// Another thread is dropping, and so draining, a detached engine while the process ends.
fn exit_in_detached_drop(dir: &Path) {
    log_all(&start(dir));
    let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(2)));
    let engine = Engine::detached(config(dir).name("other")).unwrap();
    thread::spawn(move || {
        barrier.wait();
        drop(engine);
    });
    barrier.wait();
    std::process::exit(5);
}

/// Many more bytes than a pipe takes, with `Container`; says on the standard error when it ends.
fn log_to_console() {
    let engine = start_with(Config::preset(Preset::Container).ignore_env());
    let text = "x".repeat(500);
    for n in 0..10_000 {
        fastlog!(INFO, "record {n}", n, text);
    }
    let stats = engine.stats();
    assert_eq!(stats.submitted(), 10_000, "{stats}");
    // The standard error is read.
    eprintln!("the end begins");
}

/// Waits for the sentence, then for the end of the process.
fn time_of_end(mut child: std::process::Child, case: &str) -> Duration {
    let mut stderr = child.stderr.take().expect("it is a pipe");
    let mut said = Vec::new();
    let mut buffer = [0; 512];
    while !String::from_utf8_lossy(&said).contains("the end begins") {
        let count = stderr.read(&mut buffer).expect("the standard error");
        assert!(count > 0, "{case}: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&buffer[..count]);
    }
    let start = Instant::now();
    wait_until("the child's end", || child.try_wait().expect("it is ours").is_some());
    let took = start.elapsed();
    let status = child.wait().expect("it is ours");
    assert!(status.success(), "{case}: {status}");
    took
}

/// Starts a case until it ends in time once; gives its directory.
fn ends_in_time(case: &str, start: impl Fn(&Path) -> std::process::Child) -> TempDir {
    let mut times = Vec::new();
    while times.len() <= LATE_MAX {
        let dir = memory_dir();
        let took = time_of_end(start(dir.path()), case);
        if took < EXIT_MAX {
            return dir;
        }
        times.push(took);
    }
    panic!("{case}: {times:?}")
}

fn stalled() {
    // Its standard output is a pipe that lives as long as the child and that nobody reads.
    ends_in_time("stalled", |dir| child::command("stalled", dir).spawn().expect("it starts"));
}

fn broken_pipe() {
    ends_in_time("broken_pipe", |dir| {
        let mut child = child::command("broken_pipe", dir).spawn().expect("it starts");
        drop(child.stdout.take());
        child
    });
}

/// Logs, with `Container` and SIGPIPE's default action, to a console whose reader goes.
fn log_without_a_reader() {
    // SAFETY: no handler of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let config = Config::preset(Preset::Container).ignore_env().overflow(Overflow::BlockForever);
    let engine = start_with(config);
    fastlog!(INFO, "ready");
    engine.flush().expect("somebody reads");
    wait_until("the reader to go", || {
        fastlog!(INFO, "is anybody there?");
        engine.stats().write_failures() > 0
    });
    (0..10_000).for_each(|n| fastlog!(INFO, "record {n}", n));
    engine.flush().expect("nobody waits for a reader that is gone");
    let report = drain(&engine);
    assert!(report.also_dropped() >= 10_000, "{report}");
    assert_eq!((report.dropped(), report.unpublished_bytes()), (0, 0), "{report}");
}

/// A console, and who reads it.
fn consoles() -> Vec<(&'static str, OwnedFd, File)> {
    let mut pipe = [-1; 2];
    // SAFETY: there is room for two numbers.
    assert_eq!(unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: the call has opened them, for nobody else.
    let [reader, writer] = pipe.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut consoles = vec![
        ("pipe", writer, File::from(reader)),
        ("socket", OwnedFd::from(theirs), File::from(OwnedFd::from(ours))),
    ];
    let [mut main, mut terminal] = [-1; 2];
    let none = std::ptr::null_mut::<libc::c_char>();
    // SAFETY: both numbers are valid for the call, which may do without all else.
    if unsafe { libc::openpty(&mut main, &mut terminal, none.cast(), none.cast(), none.cast()) }
        == 0
    {
        // SAFETY: the call has opened them, for nobody else.
        let both = [main, terminal].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // Copies, which children do not inherit.
        let [main, terminal] = both.map(|fd| fd.try_clone().expect("a descriptor"));
        consoles.push(("terminal", terminal, File::from(main)));
    }
    consoles
}

fn gone() {
    for (what, console, mut reader) in consoles() {
        let dir = memory_dir();
        let mut command = child::command("gone", dir.path());
        command.stdout(console);
        let running = Running::start(&mut command, dir);
        // The command holds the console open as well.
        drop(command);
        let (mut said, mut some) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&said).contains("ready") {
            let count = reader.read(&mut some).expect("it is open");
            said.extend_from_slice(&some[..count]);
        }
        drop(reader);
        let ended = running.end();
        assert!(ended.status.success(), "{what}: {ended}");
        assert!(ended.stderr.contains("the reader of <stdout> is gone"), "{what}: {ended}");
        assert_eq!(ended.stderr.matches("is gone").count(), 1, "told once, {what}: {ended}");
    }
}

/// Longer than a machine that is busy keeps a thread from its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Drains while the disk takes nothing, until a file says that it may.
fn stopped(dir: &Path) {
    let disk = Disk::new();
    let engine = start_with(config(dir).barrier_patience(PATIENCE).io(Arc::clone(&disk) as _));
    log_all(&engine);
    engine.flush().expect("the disk works");
    disk.set(Faults { sync_blocked: true, ..Faults::default() });
    let go = dir.join("go");
    thread::spawn(move || {
        wait_until("the word", || go.exists());
        disk.set(Faults::default());
    });
    say_ready();
    let report = drain(&engine);
    assert_eq!(report.written(), THREADS * RECORDS, "{report}");
}

fn stopped_drains() {
    let running = start_until_ready("stopped");
    send(libc::SIGSTOP, &running);
    // By the clock its patience ends meanwhile.
    thread::sleep(PATIENCE + Duration::from_millis(200));
    std::fs::write(running.dir.path().join("go"), "").expect("written");
    send(libc::SIGCONT, &running);
    let ended = running.end();
    assert!(ended.status.success(), "{ended}");
    assert_is_whole(&ended.dir.path().join("test.jsonl"), THREADS, &ended);
}

/// The process's engine has a disk whose writes never return, a detached one, drained before
/// it, has not.
fn hung_disk(dir: &Path) {
    let detached = Engine::detached(config(dir).name("detached")).unwrap();
    let logger = detached.logger();
    for n in 0..RECORDS {
        fastlog!(logger: logger, INFO, "record {n} of {by}", n, by = 0);
    }
    std::mem::forget((detached, logger));
    let disk = Disk::new();
    disk.block();
    log_all(&start_with(config(dir).io(disk)));
    eprintln!("the end begins");
}

fn hung_disk_ends() {
    let dir = ends_in_time("hung_disk", |dir| {
        child::command("hung_disk", dir).spawn().expect("it starts")
    });
    assert_eq!(of_program(&dir.path().join("detached.jsonl")).len() as u64, RECORDS);
    assert_eq!(std::fs::metadata(dir.path().join("test.jsonl")).unwrap().len(), 0);
    assert!(!arenas(dir.path()).is_empty(), "what could not be written waits in the arena");
}

/// As a service does it: a thread waits for the signal and drains.
fn sigterm(dir: &Path) {
    let engine = start(dir);
    let signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM]);
    let mut signals = signals.expect("the signal can be had");
    let handle = engine.clone();
    let waiter = thread::spawn(move || {
        signals.forever().next();
        drain(&handle)
    });
    log_all(&engine);
    say_ready();
    let report = waiter.join().expect("it drains");
    assert_eq!(report.written(), THREADS * RECORDS, "{report}");
    assert!(Engine::current().is_none());
}

fn say_ready() {
    println!("ready");
    std::io::stdout().flush().expect("the standard output");
}

/// Starts a case and waits until it says that it is ready.
fn start_until_ready(case: &str) -> Running {
    let dir = memory_dir();
    let mut running = Running::start_unread(&mut child::command(case, dir.path()), dir);
    let stdout = running.child.stdout.as_mut().expect("it is a pipe");
    let mut said = [0; 6];
    stdout.read_exact(&mut said).expect("it gets ready");
    assert_eq!(&said, b"ready\n");
    running
}

fn send(signal: i32, running: &Running) {
    let pid = running.child.id().to_string();
    let kill = std::process::Command::new("kill").args([&format!("-{signal}"), &pid]).status();
    assert!(kill.expect("kill is there").success());
}

fn sigterm_drains() {
    let running = start_until_ready("sigterm");
    send(signal_hook::consts::SIGTERM, &running);
    let ended = running.end();
    assert!(ended.status.success(), "{ended}");
    assert_is_whole(&ended.dir.path().join("test.jsonl"), THREADS, &ended);
    assert_eq!(arenas(ended.dir.path()), Vec::<PathBuf>::new());
}

fn log_for_ever(dir: &Path) {
    // SAFETY: no handler of ours. A test run in the background ignores the signal, and hands that
    // on.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    let engine = start(dir);
    for by in 0..THREADS {
        thread::spawn(move || {
            for n in 0_u64.. {
                fastlog!(INFO, "record {n} of {by}", n, by);
                give_way();
            }
        });
    }
    wait_until("records", || engine.stats().written() > 1000);
    engine.flush().expect("the engine runs");
    say_ready();
    loop {
        thread::park();
    }
}

/// Ctrl-C without a handler: the engine's threads block all signals, and the process dies of it,
/// perhaps in an append, which the kernel then cuts short. The next engine ends the line.
fn sigint_cuts_one_line() {
    use std::os::unix::process::ExitStatusExt;
    let running = start_until_ready("sigint");
    send(signal_hook::consts::SIGINT, &running);
    let ended = running.end();
    assert_eq!(ended.status.signal(), Some(signal_hook::consts::SIGINT), "{ended}");
    assert!(lines_in_order(ended.dir.path(), &ended) > 1000);
    next_goes_on(ended.dir.path());
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).build().expect("a runtime")
}

/// Tasks that log, and move between threads while they do.
async fn log_in_tasks() {
    let tasks: Vec<_> = (0..THREADS)
        .map(|by| {
            tokio::spawn(async move {
                for n in 0..RECORDS {
                    fastlog!(INFO, "record {n} of {by}", n, by);
                    if n % 100 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it only logs");
    }
}

fn tokio_block_on(dir: &Path) {
    let engine = start(dir);
    runtime().block_on(log_in_tasks());
    assert_eq!(drain(&engine).written(), THREADS * RECORDS);
}

fn tokio_spawn_blocking(dir: &Path) {
    let engine = start(dir);
    runtime().block_on(async move {
        log_in_tasks().await;
        let report = tokio::task::spawn_blocking(move || drain(&engine)).await;
        assert_eq!(report.expect("it drains").written(), THREADS * RECORDS);
    });
}

/// Not good style, but no harm: the drain needs no thread of the runtime.
fn tokio_inside(dir: &Path) {
    let engine = start(dir);
    runtime().block_on(async move {
        log_in_tasks().await;
        let drained = tokio::spawn(async move { drain(&engine).written() });
        assert_eq!(drained.await.expect("it drains"), THREADS * RECORDS);
    });
}

//! Promise [P5]: a forked child hears nothing of the parent's engine and does nothing to it: its
//! calls are unheard, its handles answer that the engine does not run there, and it may start an
//! engine of its own. Attacked by forking while threads log, register callsites, set filters, start
//! and drain, so that every lock of the engine is held by somebody at some fork; by children that
//! log, start, exit, are killed, or outlive the parent.

#![allow(unsafe_code)] // fork, waitpid and _exit have no safe form.

mod common;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::child::{self, Running};
use common::{all_lines, config, drain, give_way, lines, wait_until};
use fastlog::{BarrierError, Config, Engine, InUse, fastlog, unheard};

/// What a forked child ends with when an assertion failed.
const FAILED: i32 = 99;

/// Forks; the child runs `work` and exits as processes do, through the exit hooks.
fn fork(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child goes on in this thread alone, with what `work` uses: the engine, which
    // promises to bear it, and the C library, whose memory and threads do.
    let pid = unsafe { libc::fork() };
    if pid != 0 {
        assert!(pid > 0, "fork: {}", std::io::Error::last_os_error());
        return pid;
    }
    match catch_unwind(AssertUnwindSafe(work)) {
        // SAFETY: runs the exit hooks and nothing of ours. `std::process::exit` would besides take
        // a lock of the standard library, which threads hold while they start and end: in a child
        // forked then, for ever.
        Ok(()) => unsafe { libc::exit(0) },
        // SAFETY: ends the process, whatever state the failed assertion has left.
        Err(_) => unsafe { libc::_exit(FAILED) },
    }
}

/// Makes a child by the system call itself, so that no handler of `fork` runs; goes on as [`fork`].
fn clone_without_handlers(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: as in `fork`; nobody else of this process is inside the C library for long.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as libc::pid_t;
    if pid != 0 {
        assert!(pid > 0, "clone: {}", std::io::Error::last_os_error());
        return pid;
    }
    match catch_unwind(AssertUnwindSafe(work)) {
        // SAFETY: as in `fork`.
        Ok(()) => unsafe { libc::exit(0) },
        // SAFETY: as in `fork`.
        Err(_) => unsafe { libc::_exit(FAILED) },
    }
}

/// Waits for a child's end; its status as `waitpid` has it.
fn wait_for(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    wait_until("the forked child's end", || {
        // SAFETY: `status` is valid for the call.
        let ended = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        assert!(ended >= 0, "waitpid: {}", std::io::Error::last_os_error());
        ended == pid
    });
    status
}

fn assert_ends_well(pid: libc::pid_t) {
    let status = wait_for(pid);
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "the forked child ended with {status:#x}"
    );
}

/// A configuration with small rings: a fork copies page tables, not more than need be.
fn small(dir: &Path) -> Config {
    config(dir).ring_bytes(128 << 10).staging_bytes(4 << 20)
}

/// In the child: nothing of the parent's engine is of use.
fn assert_nobody_hears(engine: &Engine) {
    let before = unheard();
    let mut evaluated = 0;
    for _ in 0..3 {
        fastlog!(
            ERROR,
            "from a forked child",
            n = {
                evaluated += 1;
                evaluated
            }
        );
    }
    let logger = engine.logger().with("child", true);
    fastlog!(logger: logger, ERROR, "from a forked child");
    assert_eq!((unheard() - before, evaluated), (4, 0));
    assert!(Engine::current().is_none());
    assert_eq!(engine.flush(), Err(BarrierError::NotRunning));
    assert_eq!(engine.sync(), Err(BarrierError::NotRunning));
    let error = engine.drain().unwrap_err();
    assert_eq!(error.reason(), &BarrierError::NotRunning);
    assert!(error.report().is_none());
    assert!(engine.drain_timeout(Duration::ZERO).is_err());
    drop(engine.clone());
}

/// An engine of the child's own, logged to by two threads; drained here or by the exit hook.
fn assert_own_engine_works(dir: &Path, is_drained_here: bool) {
    let engine = Engine::start(small(dir)).expect("the child's engine starts");
    let before = unheard();
    thread::scope(|scope| {
        for by in 0..2 {
            scope.spawn(move || log_records(by, 0..50));
        }
    });
    log_records(2, 0..50);
    engine.flush().expect("it runs here");
    assert_eq!(unheard(), before);
    if is_drained_here {
        assert_eq!(lines(&drain(&engine)).len(), 150);
    }
}

fn log_records(by: u64, numbers: impl Iterator<Item = u64>) {
    for n in numbers {
        fastlog!(INFO, "record {n} of {by}", n, by);
    }
}

/// How much each busy thread may do so far. Without a bound they fill the disk faster than it takes,
/// and each child's sync waits for all of it.
struct Allowance(AtomicU64);

impl Allowance {
    /// Enough that a thread is still busy when the fork comes.
    const PER_FORK: u64 = 4_000;

    fn new() -> Allowance {
        Allowance(AtomicU64::new(Allowance::PER_FORK))
    }

    /// Just before a fork.
    fn raise(&self) {
        self.0.fetch_add(Allowance::PER_FORK, Ordering::Relaxed);
    }

    fn is_used_up(&self, done: u64) -> bool {
        done >= self.0.load(Ordering::Relaxed)
    }
}

/// Threads that log until they are told to stop, as much as they may; gives the records of each.
fn while_threads_log(threads: u64, work: impl FnOnce(&Allowance)) -> Vec<u64> {
    let allowance = Allowance::new();
    let stop = AtomicBool::new(false);
    let counts: Vec<AtomicU64> = (0..threads).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for (by, count) in (0..).zip(&counts) {
            let (stop, allowance) = (&stop, &allowance);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let n = count.load(Ordering::Relaxed);
                    if allowance.is_used_up(n) {
                        give_way();
                        continue;
                    }
                    log_records(by, n..n + 1);
                    count.store(n + 1, Ordering::Relaxed);
                    if n % 16 == 0 {
                        give_way();
                    }
                }
            });
        }
        wait_until("all threads", || counts.iter().all(|n| n.load(Ordering::Relaxed) > 10));
        // The threads stop also when an assertion fails.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&allowance)));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    counts.into_iter().map(AtomicU64::into_inner).collect()
}

/// The log has each thread's records once, in order, and no others.
fn assert_has_exactly(lines: &[serde_json::Value], counts: &[u64]) {
    for (by, count) in counts.iter().enumerate() {
        let of_it = lines.iter().filter(|line| line["by"] == by);
        assert!(of_it.map(|line| line["n"].as_u64().unwrap()).eq(0..*count), "thread {by}");
    }
    assert_eq!(lines.len() as u64, counts.iter().sum::<u64>());
}

// [D20]
#[test]
fn a_forked_child_leaves_the_parent_alone() {
    const FORKS: u64 = 20;
    child::run("a_forked_child_leaves_the_parent_alone", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let detached = Engine::detached(small(dir).name("detached")).unwrap();
        let logger = detached.logger();
        let mut of_main = 0;
        let mut counts = while_threads_log(4, |allowance| {
            for fork_number in 0..FORKS {
                // This thread has rings of both engines when it forks.
                log_records(4, of_main..of_main + 10);
                fastlog!(logger: logger, INFO, "detached", fork_number);
                of_main += 10;
                let own_dir = dir.join(format!("child-{fork_number}"));
                allowance.raise();
                let pid = fork(|| {
                    assert_nobody_hears(&engine);
                    assert_nobody_hears(&detached);
                    assert_own_engine_works(&own_dir, fork_number % 2 == 0);
                });
                log_records(4, of_main..of_main + 10);
                of_main += 10;
                assert_ends_well(pid);
                assert_eq!(all_lines(&own_dir.join("test.jsonl")).len(), 151, "{fork_number}");
            }
        });
        counts.push(of_main);
        assert_eq!(unheard(), 0, "the parent's calls are heard");
        assert_has_exactly(&lines(&drain(&engine)), &counts);
        assert_eq!(lines(&drain(&detached)).len() as u64, FORKS);
    });
}

/// A callsite of its own for each `N`, so that registration has something to do.
fn log_from_a_new_place(n: u64) {
    macro_rules! places {
        ($($place:literal)+) => { match n {
            $($place => fastlog!(INFO, concat!("place ", $place), n),)+
            _ => fastlog!(INFO, "one of the other places", n),
        } };
    }
    places!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
}

/// Forks again and again while threads keep the engine's locks busy: each runs its work in a loop.
fn fork_often(dir: &Path, forks: u64, busy: &[&(dyn Fn() + Sync)], work: impl Fn(u64, &Path)) {
    let (stop, allowance) = (AtomicBool::new(false), Allowance::new());
    let rounds: Vec<AtomicU64> = busy.iter().map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for (work, rounds) in busy.iter().zip(&rounds) {
            let (stop, allowance) = (&stop, &allowance);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if allowance.is_used_up(rounds.load(Ordering::Relaxed)) {
                        give_way();
                        continue;
                    }
                    work();
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            wait_until("all threads", || rounds.iter().all(|n| n.load(Ordering::Relaxed) > 0));
            for fork_number in 0..forks {
                let own_dir = dir.join(format!("child-{fork_number}"));
                allowance.raise();
                let pid = fork(|| work(fork_number, &own_dir));
                // Registered only after the child was made, or before by another child's parent.
                log_from_a_new_place(fork_number);
                assert_ends_well(pid);
            }
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn fork_while_callsites_are_registered_and_filters_set() {
    const FORKS: u64 = 60;
    child::run("fork_while_callsites_are_registered_and_filters_set", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let set_filters = || {
            engine.set_filter("trace").unwrap();
            engine.set_filter("info,other=off").unwrap();
        };
        let ask = || {
            engine.flush().unwrap();
            assert!(Engine::current().is_some());
            assert!(engine.stats().to_string().contains("submitted"));
        };
        let logged = AtomicU64::new(0);
        let log = || log_from_a_new_place(logged.fetch_add(1, Ordering::Relaxed) % 40);
        fork_often(dir, FORKS, &[&set_filters, &set_filters, &ask, &log], |number, own_dir| {
            assert_nobody_hears(&engine);
            assert!(engine.set_filter("warn").is_ok());
            assert!(!engine.stats().to_string().is_empty());
            let own = Engine::start(small(own_dir)).expect("it starts");
            log_from_a_new_place(number);
            log_from_a_new_place(number + 1);
            assert_eq!(lines(&drain(&own)).len(), 2);
        });
        let report = drain(&engine);
        let sent = logged.into_inner() + FORKS;
        assert_eq!(lines(&report).len() as u64, sent, "{report}");
        assert_eq!(unheard(), 0);
    });
}

/// Here the children start no thread: where the parent's threads start and end at the moment of the
/// fork, the standard library may keep a lock of its own for ever, and no thread can start.
#[test]
fn fork_while_threads_and_engines_come_and_go() {
    const FORKS: u64 = 80;
    child::run("fork_while_threads_and_engines_come_and_go", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let logged = AtomicU64::new(0);
        let new_thread = || {
            thread::scope(|scope| {
                scope.spawn(|| fastlog!(INFO, "from a new thread"));
            });
            logged.fetch_add(1, Ordering::Relaxed);
        };
        let new_engine = || {
            drain(&Engine::detached(small(&dir.join("detached"))).unwrap());
        };
        fork_often(dir, FORKS, &[&new_thread, &new_engine, &new_engine], |number, own_dir| {
            assert_nobody_hears(&engine);
            log_from_a_new_place(number);
            // As far as a start comes without a thread: the place, the name, the orphans.
            std::fs::create_dir_all(own_dir.join("test.jsonl")).unwrap();
            for start in [Engine::start, Engine::detached] {
                let error = start(small(own_dir)).unwrap_err();
                assert!(matches!(error, fastlog::Error::NotAFile { .. }), "{error}");
            }
        });
        let report = drain(&engine);
        let sent = logged.into_inner() + FORKS;
        assert_eq!(lines(&report).len() as u64, sent, "{report}");
        assert_eq!(unheard(), 0);
    });
}

#[test]
fn fork_inside_a_value_of_a_record() {
    /// A value that forks when it is rendered.
    struct Forks<'a>(&'a Path);
    impl std::fmt::Display for Forks<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // SAFETY: as in `fork`; the child returns from here and ends below.
            match unsafe { libc::fork() } {
                0 => f.write_str("child"),
                pid => {
                    assert_ends_well(pid);
                    f.write_str(&self.0.to_string_lossy())
                }
            }
        }
    }
    child::run("fork_inside_a_value_of_a_record", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let parent = std::process::id();
        for n in 0..5 {
            fastlog!(INFO, "the record that was begun before the fork", n, value = %Forks(dir));
            if std::process::id() != parent {
                let heard = catch_unwind(AssertUnwindSafe(|| {
                    assert_eq!(unheard(), 1, "nobody hears the child's half");
                    assert_nobody_hears(&engine);
                }));
                // SAFETY: ends the child.
                unsafe { libc::_exit(if heard.is_ok() { 0 } else { FAILED }) };
            }
        }
        let lines = lines(&drain(&engine));
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line["value"] == *dir.to_string_lossy()));
        assert_eq!(unheard(), 0);
    });
}

#[test]
fn a_killed_child_harms_nobody() {
    child::run("a_killed_child_harms_nobody", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let mut killed = 0;
        let counts = while_threads_log(4, |allowance| {
            for fork_number in 0..5 {
                let own_dir = dir.join(format!("child-{fork_number}"));
                let log = own_dir.join("test.jsonl");
                allowance.raise();
                let pid = fork(|| {
                    let own = Engine::start(small(&own_dir)).expect("it starts");
                    log_records(0, 0..);
                    drop(own);
                });
                wait_until("the child's records", || {
                    std::fs::metadata(&log).is_ok_and(|log| log.len() > 10_000)
                });
                // SAFETY: a child of ours that was not waited for.
                assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
                let status = wait_for(pid);
                assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
                let text = std::fs::read_to_string(&log).expect("text");
                let whole = &text[..text.rfind('\n').expect("a line") + 1];
                let records = whole.lines().skip(1).enumerate();
                for (n, line) in records {
                    let line: serde_json::Value = serde_json::from_str(line).expect(line);
                    assert_eq!(line["n"], n);
                }
                killed += 1;
            }
        });
        assert_eq!(killed, 5);
        assert_has_exactly(&lines(&drain(&engine)), &counts);
    });
}

#[test]
fn a_child_of_a_child_forks_too() {
    child::run("a_child_of_a_child_forks_too", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        log_records(0, 0..10);
        let pid = fork(|| {
            let own = Engine::start(small(&dir.join("child"))).expect("it starts");
            log_records(0, 0..20);
            let grandchild = fork(|| {
                assert_nobody_hears(&engine);
                assert_nobody_hears(&own);
                assert_own_engine_works(&dir.join("grandchild"), true);
            });
            log_records(0, 20..30);
            assert_ends_well(grandchild);
            assert_eq!(lines(&drain(&own)).len(), 30);
        });
        assert_ends_well(pid);
        assert_eq!(lines(&drain(&engine)).len(), 10);
    });
}

/// While the parent runs, its log's name is taken, for the child as well; the child's engine must
/// neither write into the parent's file nor take away its lock.
#[test]
fn a_child_finds_the_name_taken_by_its_parent() {
    child::run("a_child_finds_the_name_taken_by_its_parent", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let parent = std::process::id();
        for n in 0..2 {
            log_records(0, n..n + 1);
            let pid = fork(|| {
                let error = Engine::start(small(dir).in_use(InUse::Fail)).unwrap_err();
                let sentence = format!("is being written by process {parent}: ");
                assert!(error.to_string().contains(&sentence), "{error}");
                let own = Engine::start(small(dir)).expect("it takes another name");
                log_records(0, 0..5);
                let report = drain(&own);
                let name = format!("test@{}.jsonl", std::process::id());
                assert_eq!(report.log_path(), Some(&*dir.canonicalize().unwrap().join(name)));
                assert_eq!(lines(&report).len(), 5);
            });
            assert_ends_well(pid);
        }
        // The lock is still the parent's: a stranger is refused.
        let stranger = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["take_the_name", "--exact", "--nocapture"])
            .env("FASTLOG_TEST_CASE", "take_the_name")
            .env("FASTLOG_TEST_DIR", dir)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&stranger.stdout).into_owned();
        assert!(text.contains(&format!("taken by {parent}")), "{text}");
        assert_eq!(lines(&drain(&engine)).len(), 2);
    });
}

/// Not a test but what a stranger runs: takes the name `test` of the directory, or says whose it
/// is.
#[test]
fn take_the_name() {
    if child::case().as_deref() != Some("take_the_name") {
        return;
    }
    match Engine::start(small(&child::dir()).in_use(InUse::Fail)) {
        Ok(engine) => {
            let arenas = engine.stats().recovered_arenas();
            fastlog!(INFO, "the name is free");
            drain(&engine);
            println!("free, with {arenas} arenas recovered");
        }
        Err(fastlog::Error::LockedBy { pid, .. }) => println!("taken by {}", pid.unwrap_or(0)),
        Err(other) => panic!("{other}"),
    }
}

/// Starts a process that forks a child, logs, and ends while the child lives on until its standard
/// input ends. Then a stranger takes the name.
fn the_name_is_free_while_the_child_lives(case: &str, arenas: u64) {
    let dir = tempfile::tempdir().unwrap();
    let kept: PathBuf = dir.path().to_owned();
    let mut command = child::command(case, dir.path());
    let mut parent = Running::start(command.stdin(Stdio::piped()), dir);
    let release = parent.child.stdin.take();
    let ended = parent.end();
    let pid = std::fs::read_to_string(kept.join("pid")).unwrap_or_else(|_| panic!("{ended}"));
    let pid: libc::pid_t = pid.parse().unwrap();
    let mut stranger = child::command("take_the_name", &kept);
    let stranger = Running::start(&mut stranger, tempfile::tempdir().unwrap()).end();
    let free = format!("free, with {arenas} arenas recovered");
    assert!(stranger.stdout.contains(&free), "{stranger}\nbefore: {ended}");
    // SAFETY: signal 0 only asks whether the process is there.
    assert_eq!(unsafe { libc::kill(pid, 0) }, 0, "the child lives on");
    drop(release);
    let log = all_lines(&kept.join("test.jsonl"));
    let of_program = log.iter().filter(|line| line["target"] != "fastlog").count();
    assert_eq!(of_program, 101, "all of the parent's, one of the stranger's");
}

/// In the process that forks.
fn fork_a_child_that_stays(dir: &Path) -> Engine {
    let engine = Engine::start(small(dir)).unwrap();
    log_records(0, 0..100);
    engine.flush().unwrap();
    let pid = fork(|| {
        // Its output would keep the test waiting for the end of the stream.
        for stream in [1, 2] {
            // SAFETY: closes descriptors that this process uses no more.
            unsafe { libc::close(stream) };
        }
        assert_nobody_hears(&engine);
        let mut rest = Vec::new();
        std::io::stdin().read_to_end(&mut rest).unwrap();
    });
    std::fs::write(dir.join("pid"), pid.to_string()).unwrap();
    engine
}

#[test]
fn the_name_is_free_after_a_drain() {
    let case = "the_name_is_free_after_a_drain";
    if child::case().as_deref() == Some(case) {
        drain(&fork_a_child_that_stays(&child::dir()));
        return;
    }
    the_name_is_free_while_the_child_lives(case, 0);
}

// [D21]
#[test]
fn the_name_is_free_after_a_kill() {
    let case = "the_name_is_free_after_a_kill";
    if child::case().as_deref() == Some(case) {
        let _engine = fork_a_child_that_stays(&child::dir());
        // SAFETY: this process ends here.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
    the_name_is_free_while_the_child_lives(case, 1);
}

/// What a child does, by its number, and with a handle that may be dropped.
type Work<'a> = dyn Fn(usize, &mut Option<Engine>) + 'a;
/// A way to make a child.
type Way = fn(&dyn Fn()) -> libc::pid_t;

/// The call that finds out has evaluated its arguments; from then on all is as after a `fork`.
#[cfg(target_os = "linux")]
#[test]
fn a_child_that_no_handler_tells_leaves_the_parent_alone() {
    child::run("a_child_that_no_handler_tells_leaves_the_parent_alone", |dir| {
        let engine = Engine::start(small(dir)).unwrap();
        let audit = Engine::detached(small(dir).name("detached")).unwrap();
        let (logger, mut detached) = (audit.logger(), Some(audit.clone()));
        let own_dir = |number: usize| dir.join(format!("child-{number}"));
        let works: [&Work; 8] = [
            &|_, _| {
                log_records(0, 0..50);
                assert_eq!(unheard(), 50);
                assert_nobody_hears(&engine);
            },
            &|_, _| {
                (0..50).for_each(|n| fastlog!(logger: logger, INFO, "from the child", n));
                assert_eq!(unheard(), 50);
                assert_nobody_hears(&audit);
            },
            &|_, _| {
                assert!(Engine::current().is_none());
                assert_eq!(engine.flush(), Err(BarrierError::NotRunning));
                assert!(audit.sync().is_err() && engine.drain().is_err());
                assert!(!engine.stats().to_string().is_empty());
            },
            &|_, _| assert!(engine.drain_timeout(Duration::ZERO).is_err()),
            &|number, _| {
                assert_own_engine_works(&own_dir(number), true);
                assert_nobody_hears(&engine);
            },
            // Nothing but the end: the exit hook, or the last handle.
            &|_, detached| drop(detached.take()),
            &|number, _| {
                thread::spawn(|| log_records(0, 0..10)).join().unwrap();
                log_records(0, 0..10);
                assert_eq!(unheard(), 20);
                assert_own_engine_works(&own_dir(number), false);
            },
            &|number, _| {
                let own = Engine::start(small(&own_dir(number))).expect("it starts");
                log_records(0, 0..5);
                let ways: [Way; 2] = [|work| fork(work), |work| clone_without_handlers(work)];
                for way in ways {
                    let grandchild = way(&|| {
                        log_records(0, 0..5);
                        assert_nobody_hears(&own);
                        assert_nobody_hears(&engine);
                    });
                    log_records(0, 0..5);
                    assert_ends_well(grandchild);
                }
                assert_eq!(lines(&drain(&own)).len(), 15);
            },
        ];
        let mut of_main = 0;
        for (number, work) in works.into_iter().enumerate() {
            log_records(0, of_main..of_main + 10);
            fastlog!(logger: logger, INFO, "detached", number);
            engine.flush().unwrap();
            audit.flush().unwrap();
            let pid = clone_without_handlers(|| work(number, &mut detached));
            log_records(0, of_main + 10..of_main + 20);
            of_main += 20;
            assert_ends_well(pid);
            log_records(0, of_main..of_main + 10);
            of_main += 10;
            engine.flush().unwrap();
            let log = all_lines(&dir.join("test.jsonl"));
            let of_program = log.iter().filter(|line| line["target"] != "fastlog").count();
            assert_eq!(of_program as u64, of_main, "after child {number}");
        }
        assert_eq!(unheard(), 0, "the parent's calls are heard");
        assert_has_exactly(&lines(&drain(&engine)), &[of_main]);
        drop(detached);
        assert_eq!(lines(&drain(&audit)).len(), works.len());
    });
}

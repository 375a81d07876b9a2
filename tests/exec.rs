//! Promise [P5]: a program that becomes another one by `exec`, or a daemon by forking twice, leaves
//! its log whole: what was published is there, what was committed lies in the arena, no descriptor
//! goes along, and whoever logs next under the name finds it free.

#![allow(unsafe_code)] // fork and _exit have no safe form.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use common::child::{self, Running};
use common::{all_lines, config, drain, wait_until};
use fastlog::{Engine, InUse, fastlog};

const RECORDS: u64 = 1_000;

fn log(from: u64) {
    for n in from..from + RECORDS {
        fastlog!(INFO, "a line", n);
    }
}

/// The numbers of the program's lines; those of a thread are in order.
fn numbers(log: &Path) -> Vec<u64> {
    let lines = all_lines(log).into_iter().filter(|line| line["message"] == "a line");
    lines.map(|line| line["n"].as_u64().expect("a number")).collect()
}

/// What the program becomes: a shell that says which descriptors it has.
fn become_a_shell(dir: &Path) -> ! {
    let script = "ls -l /proc/self/fd > fds; : > became";
    let error = Command::new("/bin/sh").args(["-c", script]).current_dir(dir).exec();
    panic!("exec: {error}");
}

// [D19]
#[test]
fn exec_in_the_middle_leaves_whole_lines_and_takes_no_descriptor_along() {
    const CASE: &str = "exec_in_the_middle_leaves_whole_lines_and_takes_no_descriptor_along";
    if child::case().as_deref() == Some(CASE) {
        static DONE: AtomicU64 = AtomicU64::new(0);
        let dir = child::dir();
        let engine = Engine::start(config(&dir)).expect("the engine starts");
        log(0);
        engine.flush().expect("what was logged is published");
        for _ in 0..2 {
            thread::spawn(|| {
                loop {
                    fastlog!(
                        INFO,
                        "of another thread",
                        done = DONE.fetch_add(1, Ordering::Relaxed)
                    );
                }
            });
        }
        wait_until("others that log", || DONE.load(Ordering::Relaxed) > 1_000);
        become_a_shell(&dir);
    }
    for _ in 0..5 {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = dir.path().to_owned();
        let ended = Running::start(&mut child::command(CASE, dir.path()), dir).end();
        assert!(ended.status.success() && kept.join("became").exists(), "{ended}");
        let fds = fs::read_to_string(kept.join("fds")).expect("the shell said so");
        let of_engine =
            fds.lines().filter(|line| line.contains(".fastlog") || line.contains("jsonl"));
        assert_eq!(of_engine.count(), 0, "{fds}");
        let log = kept.join("test.jsonl");
        let text = fs::read_to_string(&log).expect("the log");
        // An append that the kernel cut short is the only line that may be no line.
        let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
        for line in whole.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect(line);
        }
        assert_eq!(whole.matches("\"a line\"").count() as u64, RECORDS, "what was published");
        // Nobody holds the name: another engine goes on in the same file.
        let next = Engine::detached(config(&kept)).expect("the name is free");
        let logger = next.logger();
        fastlog!(logger: logger, INFO, "next");
        let report = drain(&next);
        assert_eq!(report.log_path(), Some(&*log));
        let text = fs::read_to_string(&log).expect("the log");
        assert_eq!(text.matches("\"message\":\"next\"").count(), 1);
        assert!(text.starts_with(whole), "what was there stays as it was");
    }
}

/// Forks, ends the parent without any hook, and goes on in the child.
fn leave_the_parent() {
    // SAFETY: the child goes on in this thread alone, which uses the engine and the C library.
    match unsafe { libc::fork() } {
        0 => {}
        // SAFETY: ends the process.
        pid => unsafe { libc::_exit(i32::from(pid < 0)) },
    }
}

/// What daemons do: fork, lead a session, fork, let go of the standard streams.
fn become_a_daemon() {
    leave_the_parent();
    // SAFETY: takes nothing.
    assert!(unsafe { libc::setsid() } > 0);
    leave_the_parent();
    for stream in 0..3 {
        // SAFETY: closes what this process uses no more.
        unsafe { libc::close(stream) };
    }
    for _ in 0..3 {
        // The lowest numbers there are: the streams again.
        let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null");
        std::mem::forget(null.expect("it is there"));
    }
}

fn wait_for_daemon(case: &str) -> child::Ended {
    let dir = tempfile::tempdir().expect("a directory");
    let done = dir.path().join("done");
    let mut command = child::command(case, dir.path());
    // Nobody reads what a daemon holds open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let ended = Running::start(&mut command, dir).end();
    assert!(ended.status.success(), "{ended}");
    wait_until("the daemon", || done.exists());
    ended
}

// [D22]
#[test]
fn a_daemon_that_starts_its_engine_afterwards_logs_as_any_other() {
    const CASE: &str = "a_daemon_that_starts_its_engine_afterwards_logs_as_any_other";
    if child::case().as_deref() == Some(CASE) {
        let dir = child::dir();
        become_a_daemon();
        let engine = Engine::start(config(&dir)).expect("the engine starts");
        log(0);
        drain(&engine);
        fs::write(dir.join("done"), "").expect("written");
        // SAFETY: ends the process, whose other threads are its parent's.
        unsafe { libc::_exit(0) };
    }
    let ended = wait_for_daemon(CASE);
    let expected: Vec<u64> = (0..RECORDS).collect();
    assert_eq!(numbers(&ended.dir.path().join("test.jsonl")), expected);
}

// [D22]
#[test]
fn a_daemon_whose_engine_ran_before_starts_another_and_goes_on_in_its_log() {
    const CASE: &str = "a_daemon_whose_engine_ran_before_starts_another_and_goes_on_in_its_log";
    if child::case().as_deref() == Some(CASE) {
        let dir = child::dir();
        let engine = Engine::start(config(&dir)).expect("the engine starts");
        log(0);
        engine.flush().expect("what was logged is published");
        become_a_daemon();
        // Unheard, and no harm.
        log(7 * RECORDS);
        // Its parent's parent has the name until the last of its threads has ended.
        let mut own = None;
        wait_until("the name", || {
            own = Engine::start(config(&dir).in_use(InUse::Fail)).ok();
            own.is_some()
        });
        let own = own.expect("the daemon's own engine starts");
        log(RECORDS);
        drain(&own);
        fs::write(dir.join("done"), "").expect("written");
        // SAFETY: ends the process, whose other threads are its parent's.
        unsafe { libc::_exit(0) };
    }
    let ended = wait_for_daemon(CASE);
    let expected: Vec<u64> = (0..2 * RECORDS).collect();
    assert_eq!(numbers(&ended.dir.path().join("test.jsonl")), expected);
}

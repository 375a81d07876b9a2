//! Promise: a filter of system calls that is older than a call costs the log nothing, as the older
//! call is made; one that leaves no other way costs what the start record says, and no line.
//!
//! Each case is a process of its own that forbids itself the calls, with the answers that profiles
//! of systemd, Docker and others give.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // A filter has no safe form.

mod common;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{child, config, drain, numbers};
use fastlog::{Engine, fastlog};

const LINES: u64 = 5_000;
const LOG_BYTES: u64 = 64 << 10;
/// Shorter than other tests': what is refused for good does not come by waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tells a child what its filter answers.
const ANSWER: &str = "FASTLOG_TEST_ANSWER";

/// Calls of the last fifteen years, most of which the engine makes, or what it stands on.
const YOUNG: [libc::c_long; 13] = [
    libc::SYS_pwritev2,
    libc::SYS_preadv2,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_copy_file_range,
    libc::SYS_process_vm_readv,
    libc::SYS_mlock2,
    libc::SYS_memfd_create,
    libc::SYS_membarrier,
    libc::SYS_openat2,
    libc::SYS_faccessat2,
    libc::SYS_close_range,
    libc::SYS_ioprio_set,
];

/// A program of the kernel's that answers these calls with an error.
fn filter(calls: &[libc::c_long], error: i32) -> Vec<libc::sock_filter> {
    let step = |code: u32, k: u32, jump: usize| libc::sock_filter {
        code: u16::try_from(code).expect("16 bits"),
        jt: u8::try_from(jump).expect("few calls"),
        jf: 0,
        k,
    };
    // The call's number comes first in what the filter is given.
    let mut program = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (n, call) in calls.iter().enumerate() {
        let number = u32::try_from(*call).expect("a number");
        let is_it = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        program.push(step(is_it, number, calls.len() - n));
    }
    let answer = libc::SECCOMP_RET_ERRNO | error.unsigned_abs();
    for outcome in [libc::SECCOMP_RET_ALLOW, answer] {
        program.push(step(libc::BPF_RET | libc::BPF_K, outcome, 0));
    }
    program
}

/// The command's process has the filter from its first instruction on, as one in a container.
fn forbid(command: &mut Command, mut program: Vec<libc::sock_filter>) {
    let len = u16::try_from(program.len()).expect("few");
    let install = move || {
        let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
        // SAFETY: the kernel copies the program, which is as long as it says.
        let is_installed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    == 0
        };
        if is_installed { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: two system calls, without allocation.
    unsafe { command.pre_exec(install) };
}

/// Runs the case once for each answer: what it is forbidden, and whether records survive then.
fn with_each_answer(case: &str, calls: &[libc::c_long], is_crash_safe: bool) {
    for error in [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::EACCES] {
        let change = |command: &mut Command| {
            forbid(command.env(ANSWER, error.to_string()), filter(calls, error));
        };
        let is_parent = child::run_with(case, change, |dir| log_all(dir, calls, is_crash_safe));
        if is_parent.is_none() {
            return;
        }
    }
}

fn log_all(dir: &Path, calls: &[libc::c_long], is_crash_safe: bool) {
    let answer = std::env::var(ANSWER).expect("the parent says it");
    for call in calls {
        // SAFETY: refused before anything is looked at.
        assert_eq!(unsafe { libc::syscall(*call, -1, 0, 0, 0, 0, 0) }, -1);
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!(error.map(|error| error.to_string()).as_ref(), Some(&answer));
    }
    let config = config(dir).rotate_bytes(LOG_BYTES).stall_after(PATIENCE);
    let engine = Engine::detached(config.barrier_patience(PATIENCE)).expect("it starts");
    let logger = engine.logger();
    for n in 0..LINES {
        fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
    }
    drop(logger);
    engine.sync().expect("on the device");
    let stats = engine.stats();
    assert!(stats.rotations() >= 5 && stats.rotation_failures() == 0, "{stats}");
    assert_eq!((stats.write_failures(), stats.last_failure()), (0, None), "{stats}");
    assert_eq!(stats.crash_safe(), is_crash_safe, "{stats}");
    assert_eq!(drain(&engine).written(), LINES);
    assert!(numbers(dir).into_iter().eq(0..LINES));
}

#[test]
fn a_filter_older_than_the_calls_costs_nothing() {
    with_each_answer("a_filter_older_than_the_calls_costs_nothing", &YOUNG, true);
}

/// Links as well: then the rename without replacing is asked for, and refused.
#[test]
fn one_without_links_leaves_the_older_rename() {
    let calls = [&YOUNG[..], &[libc::SYS_link, libc::SYS_linkat]].concat();
    with_each_answer("one_without_links_leaves_the_older_rename", &calls, true);
}

#[test]
fn one_that_refuses_blocks_leaves_memory() {
    with_each_answer("one_that_refuses_blocks_leaves_memory", &[libc::SYS_fallocate], false);
}

//! Promise [P5]: where there is no memory for a thread's ring, its calls return at once, dropped
//! and counted, and are no load on the system: one of them asks again now and then. When there is
//! memory, the thread is heard. Attacked with a limit on the process's address space.

#![cfg(all(target_os = "linux", not(fastlog_portable)))]
#![allow(unsafe_code)] // Limits have no safe form.

mod common;

use std::fs;

use common::{child, config, drain, give_way, lines, wait_until};
use fastlog::{DropReason, Engine, fastlog};

/// Bytes that this process has written to files so far.
fn written_bytes() -> u64 {
    let io = fs::read_to_string("/proc/self/io").expect("the kernel tells");
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    written.and_then(|bytes| bytes.parse().ok()).expect("a number")
}

/// Limits the address space to so much more than is used.
fn limit_address_space(more: u64) {
    let pages = fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let used = pages.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    let used = used.expect("pages") * 4096;
    let limit = libc::rlimit { rlim_cur: used.saturating_add(more), rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

#[test]
fn calls_of_a_thread_without_a_ring_are_cheap() {
    const CALLS: u64 = 500;
    const RING_BYTES: usize = 1 << 20;
    child::run("calls_of_a_thread_without_a_ring_are_cheap", |dir| {
        let engine = Engine::start(config(dir).ring_bytes(RING_BYTES)).expect("it starts");
        fastlog!(INFO, "this thread has its ring");
        engine.flush().expect("it runs");
        let copy = engine.clone();
        let work = move || {
            limit_address_space(600_000);
            let before = written_bytes();
            (0..CALLS).for_each(|n| fastlog!(INFO, "no ring", n));
            let written = written_bytes() - before;
            assert!(written < RING_BYTES as u64, "{written} bytes for calls that were dropped");
            let stats = copy.stats();
            assert_eq!(stats.losses().by_reason(DropReason::NoRing), CALLS, "{stats}");
            limit_address_space(u64::MAX / 2);
            let mut asked = 0;
            wait_until("a ring", || {
                asked += 1;
                fastlog!(INFO, "a ring", asked);
                give_way();
                copy.stats().rings() == 2
            });
            asked
        };
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(work);
        let asked: u64 = thread.expect("a thread").join().expect("no panic");
        let report = drain(&engine);
        let dropped = report.losses().by_reason(DropReason::NoRing);
        assert_eq!(dropped, CALLS + asked - 1, "{report}");
        let messages = lines(&report);
        let last = messages.iter().rfind(|line| line["message"] == "a ring").expect("it is heard");
        assert_eq!(last["asked"], asked);
    });
}

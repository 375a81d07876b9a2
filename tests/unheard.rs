//! Promise: every call that no engine hears is counted, exactly, on however many threads at once,
//! also in the destructors of thread locals, and for threads that have ended.

use std::sync::Barrier;
use std::thread;

use fastlog::{fastlog, unheard};

/// More than can count without sharing.
const THREADS: u64 = 100;
const CALLS_EACH: u64 = 1_000;
const TURNS: u64 = 3;

struct LogsLast;

impl Drop for LogsLast {
    fn drop(&mut self) {
        fastlog!(INFO, "after the thread's last statement");
    }
}

thread_local! {
    static LAST: LogsLast = const { LogsLast };
}

#[test]
fn no_call_is_lost_or_counted_twice() {
    let before = unheard();
    for turn in 1..=TURNS {
        let all = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    // Its destructor runs behind those that the first call registers, or before.
                    if turn % 2 == 0 {
                        LAST.with(|_| ());
                    }
                    all.wait();
                    (0..CALLS_EACH).for_each(|number| fastlog!(INFO, "nobody listens", number));
                    LAST.with(|_| ());
                });
            }
        });
        // A scope ends before its threads' destructors do.
        let expected = before + turn * THREADS * (CALLS_EACH + 1);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while unheard() < expected && std::time::Instant::now() < end {
            thread::yield_now();
        }
        assert_eq!(unheard(), expected);
    }
}

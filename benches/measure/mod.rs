//! What several benches measure with; each uses a part of it.
#![allow(dead_code, reason = "each bench uses some of it")]

#[cfg(feature = "bench-internals")]
pub mod burst;
#[cfg(feature = "bench-internals")]
pub mod tick_rate;

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long a bench runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Full,
    /// `--test`: does it run at all?
    Short,
}

/// What the command line asks of this bench; none if it names others.
pub fn length(bench: &str) -> Option<Length> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    if filter.is_some_and(|filter| !bench.contains(filter.as_str())) {
        return None;
    }
    Some(if is_test { Length::Short } else { Length::Full })
}

/// CPU time of the process so far.
pub fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

/// CPU time of the calling thread so far.
pub fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What the process has in memory; 0 where the system does not say.
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// The smallest value that this part of the values does not exceed; they get sorted.
pub fn quantile<T: Copy + PartialOrd>(values: &mut [T], part: f64) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    values[(part * (values.len() - 1) as f64) as usize]
}

/// Calls `log` a hundred times each millisecond; gives how often.
pub fn steady(length: Duration, mut log: impl FnMut(u64)) -> u64 {
    let (start, mut n) = (Instant::now(), 0);
    while start.elapsed() < length {
        (0..100).for_each(|_| {
            log(n);
            n += 1;
        });
        sleep_until(start + Duration::from_millis(n / 100));
    }
    n
}

/// Returns at once when the moment is past.
pub fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

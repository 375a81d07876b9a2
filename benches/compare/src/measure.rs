//! Clocks, processor time, pinning and quantiles.

// The processor's counter is read by intrinsics.
#![allow(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("the comparison reads the TSC and /proc: it runs on Linux on x86-64");

use std::arch::x86_64::{__rdtscp, _mm_lfence, _rdtsc};
use std::fs;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

const CALIBRATION: Duration = Duration::from_millis(200);
const TIMED_PAIRS: usize = 10_001;

/// Reads the TSC before the measured code: nothing earlier is still running.
#[inline(always)]
pub fn tsc_begin() -> u64 {
    // SAFETY: both exist on every x86-64.
    unsafe {
        _mm_lfence();
        _rdtsc()
    }
}

/// Reads the TSC after the measured code: all of it has run, nothing later has started.
#[inline(always)]
pub fn tsc_end() -> u64 {
    let mut core = 0;
    // SAFETY: both exist on every x86-64 that a server has; `core` is writable.
    unsafe {
        let now = __rdtscp(&mut core);
        _mm_lfence();
        now
    }
}

/// The TSC's rate and what it costs to time a call with it.
pub struct Tsc {
    ns_per_tick: f64,
    /// The median of timing nothing.
    pub overhead_ns: f64,
}

impl Tsc {
    /// Measures the rate against the monotonic clock; takes 200 ms.
    pub fn calibrate() -> Tsc {
        let (start, start_ticks) = (Instant::now(), tsc_begin());
        while start.elapsed() < CALIBRATION {}
        let (elapsed, end_ticks) = (start.elapsed(), tsc_end());
        let ns_per_tick = elapsed.as_nanos() as f64 / (end_ticks - start_ticks) as f64;

        let time_nothing = |_| {
            let begin = tsc_begin();
            tsc_end() - begin
        };
        let mut pairs: Vec<u64> = (0..TIMED_PAIRS).map(time_nothing).collect();
        pairs.sort_unstable();
        Tsc { ns_per_tick, overhead_ns: quantile(&pairs, 0.5) as f64 * ns_per_tick }
    }

    pub fn ns(&self, ticks: u64) -> f64 {
        ticks as f64 * self.ns_per_tick
    }

    /// Waits without giving up the CPU, as a sleep would.
    pub fn spin(&self, pause: Duration) {
        let until = tsc_begin() + (pause.as_nanos() as f64 / self.ns_per_tick) as u64;
        while tsc_begin() < until {
            std::hint::spin_loop();
        }
    }
}

/// The value below which `share` of the sorted values lie (nearest rank).
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Pins the calling thread. Threads that it starts afterwards inherit the CPU.
pub fn pin_to(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
        .unwrap_or_else(|cause| panic!("cannot pin to CPU {cpu}: {cause}"));
}

/// User and system time of the process so far, ended threads included.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that was resident at once, in MiB.
pub fn peak_resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.expect("the kernel tells the peak") / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sorted: Vec<u64> = (1..=1_000).collect();
        assert_eq!(
            [0.0, 0.5, 0.99, 0.999, 1.0].map(|share| quantile(&sorted, share)),
            [1, 500, 990, 999, 1_000]
        );
        assert_eq!(quantile(&[7], 0.5), 7);
    }

    #[test]
    fn a_pause_takes_its_time() {
        let tsc = Tsc::calibrate();
        let start = Instant::now();
        tsc.spin(Duration::from_millis(5));
        let elapsed = start.elapsed();
        assert!(elapsed > Duration::from_micros(4_900), "{elapsed:?}");
    }
}

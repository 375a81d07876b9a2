//! Raw clocks: the processor's counter and the kernel's. Read on every thread; turned into UTC
//! elsewhere. Nothing here keeps state.
#![allow(unsafe_code)]

use rustix::time::{ClockId, Timespec, clock_gettime};

const NS_PER_S: i64 = 1_000_000_000;

/// The processor's time-stamp counter: `rdtsc` on x86-64, `cntvct_el0` on aarch64 (neither waits
/// for earlier instructions to end), [`monotonic_ns`] elsewhere. Its unit must be measured.
#[inline(always)]
pub(crate) fn ticks_tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 has the instruction; an operating system that forbids it to
        // programs (`PR_SET_TSC`) does so only on request.
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: reads a register that the kernel lets programs read, and touches no memory.
        unsafe {
            std::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks,
                options(nomem, nostack, preserves_flags));
        }
        ticks
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        monotonic_ns()
    }
}

/// Whether [`ticks_tsc`] counts at one rate in every power state: on x86-64 as the processor says
/// (CPUID 8000_0007h, EDX bit 8: Intel SDM 18.17.1, AMD APM vol. 3), always on aarch64, never
/// elsewhere. CPUID traps in a virtual machine (some 20 us): ask once.
pub(crate) fn tsc_is_invariant() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        const HIGHEST_EXTENDED_LEAF: u32 = 0x8000_0000;
        const POWER_MANAGEMENT_LEAF: u32 = 0x8000_0007;
        const INVARIANT_TSC: u32 = 1 << 8;
        cpuid(HIGHEST_EXTENDED_LEAF).eax >= POWER_MANAGEMENT_LEAF
            && cpuid(POWER_MANAGEMENT_LEAF).edx & INVARIANT_TSC != 0
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}

/// Whether [`ticks_tsc`] can be relied on: it is invariant, and the kernel has it among its clocks.
/// It takes one away that it found to be unstable: processors that differ, a counter that stops.
/// Where it does not say (a container without `/sys`), the processor's word counts. Reads a file:
/// ask once.
pub(crate) fn tsc_is_fit() -> bool {
    const KERNELS: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    let listed = std::fs::read_to_string(KERNELS).unwrap_or_default();
    tsc_is_invariant() && kernel_has_tsc(&listed) != Some(false)
}

/// Whether the counter is in the kernel's list of clocks; none when there is no list.
fn kernel_has_tsc(listed: &str) -> Option<bool> {
    let name = if cfg!(target_arch = "aarch64") { "arch_sys_counter" } else { "tsc" };
    let mut clocks = listed.split_whitespace().peekable();
    clocks.peek()?;
    Some(clocks.any(|clock| clock == name))
}

#[cfg(target_arch = "x86_64")]
#[allow(unused_unsafe, reason = "unsafe to call in Rust 1.85, safe in later ones")]
fn cpuid(leaf: u32) -> std::arch::x86_64::CpuidResult {
    // SAFETY: every x86-64 has the instruction.
    unsafe { std::arch::x86_64::__cpuid(leaf) }
}

/// Nanoseconds since some point in the past (`CLOCK_MONOTONIC`); never goes back.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic)) as u64
}

/// As [`monotonic_ns`], as of the kernel's last tick (`CLOCK_MONOTONIC_COARSE`): cheaper to read.
#[inline]
pub(crate) fn monotonic_coarse_ns() -> u64 {
    #[cfg(target_os = "linux")]
    return ns(clock_gettime(ClockId::MonotonicCoarse)) as u64;
    #[cfg(not(target_os = "linux"))]
    monotonic_ns()
}

/// Nanoseconds since 1970 UTC (`CLOCK_REALTIME`), as the administrator set it; valid until 2262.
#[inline]
pub(crate) fn realtime_ns() -> i64 {
    ns(clock_gettime(ClockId::Realtime))
}

#[inline]
fn ns(time: Timespec) -> i64 {
    #[allow(clippy::unnecessary_cast, reason = "32 bits on some systems")]
    let (seconds, rest) = (time.tv_sec as i64, time.tv_nsec as i64);
    seconds.saturating_mul(NS_PER_S).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    #[test]
    fn clocks_advance_and_never_go_back_on_one_thread() {
        let (mut ticks, mut time) = (ticks_tsc(), monotonic_ns());
        let (first_ticks, first_time) = (ticks, time);
        for _ in 0..10_000 {
            let (next_ticks, next_time) = (ticks_tsc(), monotonic_ns());
            assert!(next_time >= time);
            assert!(!tsc_is_invariant_once() || next_ticks >= ticks);
            (ticks, time) = (next_ticks, next_time);
        }
        assert!(ticks > first_ticks && time > first_time);
    }

    fn tsc_is_invariant_once() -> bool {
        static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *ANSWER.get_or_init(tsc_is_invariant)
    }

    #[test]
    fn real_time_is_std_time() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Duration::from_nanos(realtime_ns() as u64);
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(before <= now && now <= after, "{before:?} {now:?} {after:?}");
    }

    #[test]
    fn invariance_is_what_the_kernel_found() {
        let Ok(info) = std::fs::read_to_string("/proc/cpuinfo") else { return };
        if cfg!(target_arch = "x86_64") {
            assert_eq!(tsc_is_invariant(), info.contains("nonstop_tsc"));
        }
    }

    /// Lists of real machines; the last one of a container that shows nothing.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_counter_that_the_kernel_has_given_up_is_not_fit() {
        let lists = [
            ("tsc hpet acpi_pm \n", Some(true)),
            ("kvm-clock tsc acpi_pm \n", Some(true)),
            ("hpet acpi_pm \n", Some(false)),
            ("hyperv_clocksource_tsc_page acpi_pm \n", Some(false)),
            ("\n", None),
            ("", None),
        ];
        for (list, expected) in lists {
            assert_eq!(kernel_has_tsc(list), expected, "{list:?}");
        }
        assert!(!tsc_is_fit() || tsc_is_invariant());
    }

    #[test]
    fn absurd_times_saturate() {
        let far = Timespec { tv_sec: i64::MAX, tv_nsec: 999_999_999 };
        assert_eq!(ns(far), i64::MAX);
        assert_eq!(ns(Timespec { tv_sec: -1, tv_nsec: 999_999_999 }), -1);
    }
}

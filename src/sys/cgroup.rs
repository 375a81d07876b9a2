//! How many CPUs' time this process may use: the quotas of its control groups. Read once, on the
//! owner's thread. The parsers are total: what they do not understand sets no limit.

// Tests run the parsers wherever they are built.
#![cfg_attr(any(not(target_os = "linux"), fastlog_portable), allow(dead_code))]

#[cfg(all(target_os = "linux", not(fastlog_portable)))]
use std::fs;
use std::path::{Component, Path, PathBuf};

/// CPUs' worth of time that the tightest of this process's control groups and their ancestors
/// allows (1.5 = one and a half); None = no limit that it can see.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
pub(crate) fn cpu_quota() -> Option<f64> {
    let text = |path: &Path| Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned());
    let groups = text(Path::new("/proc/self/cgroup"))?;
    let mounts = text(Path::new("/proc/self/mountinfo"))?;
    tightest(&groups, &mounts, &text)
}

/// Always None: only Linux has control groups.
#[cfg(any(not(target_os = "linux"), fastlog_portable))]
pub(crate) fn cpu_quota() -> Option<f64> {
    None
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    V1,
    V2,
}

/// `read` is the file system, so that a test can be it.
fn tightest(groups: &str, mounts: &str, read: &dyn Fn(&Path) -> Option<String>) -> Option<f64> {
    let mut limit: Option<f64> = None;
    for (version, group) in groups.lines().filter_map(cpu_group) {
        for (_, root, mount) in mounts.lines().filter_map(cpu_mount).filter(|m| m.0 == version) {
            let mut dir = below_mount(&mount, &root, group);
            loop {
                let here = match version {
                    Version::V1 => cfs_quota(&dir, read),
                    Version::V2 => read(&dir.join("cpu.max")).and_then(|text| cpu_max(&text)),
                };
                limit = match (limit, here) {
                    (Some(limit), Some(here)) => Some(limit.min(here)),
                    (limit, here) => limit.or(here),
                };
                if dir == mount || !dir.pop() {
                    break;
                }
            }
        }
    }
    limit
}

/// A line of /proc/self/cgroup: `0::/path` (version 2), `4:cpu,cpuacct:/path` (version 1).
fn cpu_group(line: &str) -> Option<(Version, &str)> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    match (number, controllers) {
        ("0", "") => Some((Version::V2, path)),
        _ if controllers.split(',').any(|name| name == "cpu") => Some((Version::V1, path)),
        _ => None,
    }
}

/// A line of /proc/self/mountinfo (proc(5)): the root of the mount in its file system, and where
/// it is mounted.
fn cpu_mount(line: &str) -> Option<(Version, PathBuf, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, mount) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    let version = match kind {
        "cgroup2" => Version::V2,
        "cgroup" if options.split(',').any(|name| name == "cpu") => Version::V1,
        _ => return None,
    };
    Some((version, unescaped(root), unescaped(mount)))
}

/// The kernel writes space, tab, newline and backslash in a path as `\ooo`.
fn unescaped(text: &str) -> PathBuf {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, byte)| text.replace(code, byte)).into()
}

/// Where `group` is seen below `mount`, which shows `root`. A group outside of the mount's root or
/// of this process's namespace (`/../..`) is not seen: then its nearest visible ancestor, the
/// mount.
fn below_mount(mount: &Path, root: &Path, group: &str) -> PathBuf {
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    if below.components().all(|part| matches!(part, Component::Normal(_))) {
        mount.components().chain(below.components()).collect()
    } else {
        mount.to_owned()
    }
}

/// `cpu.max`: "quota period" in microseconds, or "max period".
fn cpu_max(text: &str) -> Option<f64> {
    let mut words = text.split_ascii_whitespace();
    cpus(words.next()?, words.next()?)
}

fn cfs_quota(dir: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Option<f64> {
    let quota = read(&dir.join("cpu.cfs_quota_us"))?;
    let period = read(&dir.join("cpu.cfs_period_us"))?;
    cpus(quota.trim_ascii(), period.trim_ascii())
}

/// None for "max", "-1" and whatever else is no positive number.
fn cpus(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw";

    fn quota(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<f64> {
        tightest(groups, mounts, &|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn the_tightest_ancestor_counts_in_version_2() {
        let files = [
            ("/sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a.slice/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/cpu.max", "400000 100000\n"),
            ("/sys/fs/cpu.max", "1 100000\n"),
        ];
        assert_eq!(quota("0::/a.slice/b.service\n", V2_MOUNT, &files), Some(1.5));
        assert_eq!(quota("0::/\n", V2_MOUNT, &files), Some(4.0));
        assert_eq!(quota("0::/../..\n", V2_MOUNT, &files), Some(4.0));
        assert_eq!(quota("0::/nowhere\n", V2_MOUNT, &[]), None);
    }

    #[test]
    fn version_1_names_its_controller_and_may_show_a_subtree() {
        let groups = "5:cpuset:/x\n4:cpu,cpuacct:/docker/c0\n1:name=systemd:/docker/c0\n0::/\n";
        let mounts = "\
            31 30 0:27 /docker/c0 /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
            32 30 0:28 /docker/c0 /sys/fs/c\\040g/cpu rw master:1 - cgroup cgroup rw,cpu,cpuacct\n";
        let files = [
            ("/sys/fs/c g/cpu/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/c g/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota(groups, mounts, &files), Some(0.5));
        let unlimited = [
            ("/sys/fs/c g/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/c g/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota(groups, mounts, &unlimited), None);
        assert_eq!(quota(groups, mounts, &files[..1]), None);
    }

    #[test]
    fn garbage_is_no_limit() {
        for text in [
            "",
            " ",
            "max",
            "100000",
            "max 100000",
            "-1 100000",
            "0 100000",
            "100000 0",
            "1e3 1",
            "nan nan",
            "99999999999999999999999 1",
            "1 -1",
            "\u{0}\u{0}",
        ] {
            assert_eq!(cpu_max(text), None, "{text:?}");
        }
        assert_eq!(cpu_max("  200000\t100000 extra\n"), Some(2.0));
        assert_eq!(cpu_max("18446744073709551615 1"), Some(u64::MAX as f64));
        let files = [("/sys/fs/cgroup/cpu.max", "100000 100000")];
        for groups in ["", ":", "::", "0:", "0::", "0::relative", "0:::::", "\n\n", "1:cpu"] {
            let _ = quota(groups, V2_MOUNT, &files);
        }
        for mounts in ["", " - ", "a b c d e - cgroup2", "1 2 3 4 - cgroup2 x y", "- - - -"] {
            assert_eq!(quota("0::/", mounts, &files), None, "{mounts:?}");
        }
    }

    #[test]
    fn this_process_has_a_sane_answer() {
        assert!(cpu_quota().is_none_or(|cpus| cpus > 0.0 && cpus.is_finite()));
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(
            groups in "(0|4):(cpu,x|)?:[ -~/.\n]{0,40}",
            mounts in "[0-9 /.\\\\]{0,30} - (cgroup|cgroup2) x (cpu|rw)[ -~\n]{0,9}",
            file in "[ -~]{0,24}",
        ) {
            let answer = tightest(&groups, &mounts, &|_| Some(file.clone()));
            prop_assert!(answer.is_none_or(|cpus| cpus > 0.0));
        }
    }
}

//! Promise: where a control group of either version leaves the process less than two CPUs' time, the
//! collector is not tied to one: it would take that from the program. Attacked with quotas of the
//! process's group and of the one above it. Skipped, with a message, where groups cannot be made.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use common::child::run;
use common::{config, drain};
use fastlog::{Engine, Pin};

/// In microseconds, as quotas are.
const PERIOD: u32 = 100_000;

/// How a version says what a group may use of each period.
struct Version {
    root: &'static str,
    /// Files of the group, and what is written to them.
    quota: fn(Option<u32>) -> Vec<(&'static str, String)>,
}

fn version_1(quota: Option<u32>) -> Vec<(&'static str, String)> {
    let quota = quota.map_or("-1".to_owned(), |quota| quota.to_string());
    vec![("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", quota)]
}

fn version_2(quota: Option<u32>) -> Vec<(&'static str, String)> {
    let quota = quota.map_or("max".to_owned(), |quota| quota.to_string());
    vec![("cpu.max", format!("{quota} {PERIOD}"))]
}

const VERSIONS: [Version; 2] = [
    Version { root: "/sys/fs/cgroup/cpu", quota: version_1 },
    Version { root: "/sys/fs/cgroup", quota: version_2 },
];

/// A group with one in it, removed at the end; what was in them has to have left by then.
struct Groups {
    outer: PathBuf,
    inner: PathBuf,
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in [&self.inner, &self.outer] {
            // Where that fails, an empty group stays behind, which does nothing.
            let _ = fs::remove_dir(group);
        }
    }
}

impl Version {
    fn groups(&self, name: &str) -> io::Result<Groups> {
        let outer = Path::new(self.root).join(name);
        let groups = Groups { inner: outer.join("inner"), outer };
        fs::create_dir(&groups.outer)?;
        // Of version 2 only: lets the inner one have a quota.
        let control = groups.outer.join("cgroup.subtree_control");
        if control.exists() {
            fs::write(control, "+cpu")?;
        }
        fs::create_dir(&groups.inner)?;
        Ok(groups)
    }

    fn limit(&self, group: &Path, quota: Option<u32>) -> io::Result<()> {
        (self.quota)(quota).into_iter().try_for_each(|(file, text)| {
            // Not created, where there is no group but a mere directory.
            let mut file = fs::OpenOptions::new().write(true).open(group.join(file))?;
            file.write_all(text.as_bytes())
        })
    }
}

fn enter(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}

/// Whether a new engine's collector is tied to a CPU.
fn is_pinned(dir: &Path) -> bool {
    let engine = Engine::detached(config(dir).pin(Pin::Auto)).expect("the engine starts");
    // Its thread says so before anything else.
    engine.flush().expect("published");
    let pinned_to = engine.stats().pinned_to();
    drain(&engine);
    pinned_to.is_some()
}

/// Goes through the cases within the groups, and leaves them.
fn check(version: &Version, groups: &Groups, dir: &Path) -> io::Result<()> {
    // Of the outer group, of the inner one.
    let limits = [
        (None, None, true),
        (None, Some(2 * PERIOD), true),
        (None, Some(2 * PERIOD - 1_000), false),
        (None, Some(PERIOD / 2), false),
        (Some(PERIOD + PERIOD / 2), None, false),
        (Some(3 * PERIOD), Some(2 * PERIOD), true),
    ];
    enter(&groups.inner)?;
    for (index, (outer, inner, expected)) in limits.into_iter().enumerate() {
        // The inner one may never have more than the outer.
        version.limit(&groups.inner, None)?;
        version.limit(&groups.outer, outer)?;
        version.limit(&groups.inner, inner)?;
        assert_eq!(
            is_pinned(&dir.join(index.to_string())),
            expected,
            "{}: {outer:?} {inner:?}",
            version.root
        );
    }
    enter(Path::new(version.root))
}

#[test]
fn a_quota_below_two_leaves_the_collector_free() {
    let ended = run("a_quota_below_two_leaves_the_collector_free", |dir| {
        if !is_pinned(&dir.join("free")) {
            println!("not tested: there is less than two CPUs' time already");
            return;
        }
        let mut tested = 0;
        for version in &VERSIONS {
            let name = format!("fastlog-test-{}", std::process::id());
            let checked = version.groups(&name).and_then(|groups| {
                version.limit(&groups.outer, None)?;
                check(version, &groups, dir)
            });
            match checked {
                Ok(()) => tested += 1,
                Err(error) => println!("not tested: no group in {}: {error}", version.root),
            }
        }
        println!("{tested} versions tested");
    });
    if let Some(ended) = ended {
        println!("{}", ended.stdout);
    }
}

//! One life of a process that logs, as its parent sees it: it tells how far it has come, keeps
//! account of what was acknowledged, and is killed.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use super::acks::Acks;
use super::wait_until;

/// How far a child has come: it starts its engine, has started it, and has drained it.
pub const STARTING: u64 = 1;
pub const RUNNING: u64 = 2;
pub const DRAINED: u64 = 3;

/// A child at work. Ends with its group when it is dropped.
pub struct Life {
    child: Child,
    acks: Acks,
    said: PathBuf,
    started: SystemTime,
}

/// What became of one.
#[derive(Debug)]
pub struct Lived {
    /// How many calls of each thread returned.
    pub counts: Vec<u64>,
    /// When it began, and when it was over.
    pub times: (SystemTime, SystemTime),
    pub status: ExitStatus,
}

/// Where the `number`th life of a run keeps its account.
pub fn acks_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("acks-{number}"))
}

/// What there is of a log in shared memory, where all logs of a user have their arenas.
pub fn in_shared_memory(name: &str) -> Vec<PathBuf> {
    let dir = format!("/dev/shm/fastlog-{}", rustix::process::geteuid().as_raw());
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let of_it = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(name));
    of_it.map(|entry| entry.path()).collect()
}

/// Removes it: it goes neither with a directory nor with a disk.
pub fn clear_shared_memory(name: &str) {
    for path in in_shared_memory(name) {
        // Gone meanwhile, perhaps.
        let _ = std::fs::remove_file(path);
    }
}

/// The child's part: it ends with its parent, or with who runs it for that one.
pub fn end_with_parent() {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).expect("Linux can");
}

impl Life {
    /// Starts the `number`th life of a run in `dir`.
    pub fn start(mut command: Command, dir: &Path, number: usize) -> Life {
        let said = dir.join(format!("said-{number}"));
        let open = || File::options().append(true).create(true).open(&said).expect("a file");
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        let acks = Acks::open(&acks_path(dir, number));
        let started = SystemTime::now();
        let child = command.spawn().expect("the child starts");
        Life { child, acks, said, started }
    }

    /// Waits until it has come so far.
    pub fn wait_for(&mut self, stage: u64) {
        wait_until("the child", || {
            let ended = self.child.try_wait().expect("it is ours");
            let is_there = self.acks.stage() >= stage;
            assert!(is_there || ended.is_none(), "{ended:?}: {}", self.said());
            is_there
        });
    }

    /// How many calls of each thread have returned by now.
    pub fn counts(&self) -> Vec<u64> {
        self.acks.counts()
    }

    /// Kills it so long after it has come so far.
    pub fn kill(mut self, stage: u64, delay: Duration) -> Lived {
        self.wait_for(stage);
        std::thread::sleep(delay);
        self.child.kill().expect("it is ours");
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Lived {
        let mut status = None;
        wait_until("the child's end", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        let status = status.expect("it has ended");
        Lived { counts: self.acks.counts(), times: (self.started, SystemTime::now()), status }
    }

    /// Waits for the end of one that drains.
    pub fn drain(self) -> Lived {
        let said = self.said.clone();
        let lived = self.end();
        assert!(lived.status.success(), "{}: {}", lived.status, read(&said));
        lived
    }

    /// What it said.
    pub fn said(&self) -> String {
        read(&self.said)
    }
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Lived {
    pub fn is_killed(&self) -> bool {
        self.status.signal() == Some(Signal::KILL.as_raw())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // With whoever runs it.
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = self.child.wait();
        }
    }
}

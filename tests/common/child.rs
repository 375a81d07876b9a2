//! Runs one case of a test executable in a process of its own: what it does to the process's
//! engine, its exit, its signals or its allocator concerns nobody else.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Names the case that a child is to run.
const CASE: &str = "FASTLOG_TEST_CASE";
/// The directory that a child may use.
const DIR: &str = "FASTLOG_TEST_DIR";

/// The user who may do least, where this process can become one.
pub const NOBODY: u32 = 65534;

/// How long a child may take: much longer than any needs.
const LIMIT: Duration = Duration::from_secs(600);

/// The case that this process is to run, if it is a child.
pub fn case() -> Option<String> {
    std::env::var(CASE).ok()
}

/// The directory that a child may use.
pub fn dir() -> PathBuf {
    std::env::var_os(DIR).expect("a child has a directory").into()
}

/// This executable, to run a case in `dir`, which is also its current directory. Of the variables
/// that an engine looks at, it has none.
pub fn command(case: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has an executable"));
    // For the test harness, where the executable has one.
    command.args([case, "--exact", "--nocapture", "--test-threads=1"]);
    command.process_group(0).env(CASE, case).env(DIR, dir).current_dir(dir);
    command.env_remove("FASTLOG").env_remove("NO_COLOR").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command, run by another one that is given as far as the arguments before it.
pub fn within(mut outer: Command, command: &Command) -> Command {
    outer.process_group(0).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(key, value),
            None => outer.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        outer.current_dir(dir);
    }
    outer
}

/// The body of a test of this name: runs `body` in a child, with a directory that is there for it.
/// Gives what the child left to the parent, and nothing in the child.
pub fn run(case: &str, body: impl FnOnce(&Path)) -> Option<Ended> {
    run_with(case, |_| {}, body)
}

/// As [`run`], with a command that is changed first.
pub fn run_with(
    case: &str,
    change: impl FnOnce(&mut Command),
    body: impl FnOnce(&Path),
) -> Option<Ended> {
    if self::case().as_deref() == Some(case) {
        body(&dir());
        return None;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = command(case, dir.path());
    change(&mut command);
    let ended = Running::start(&mut command, dir).end();
    assert!(ended.status.success(), "{case}: {ended}");
    Some(ended)
}

/// What becomes of a command whose standard output nobody reads.
pub fn unread(command: &mut Command) -> Output {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the child starts");
    drop(child.stdout.take());
    child.wait_with_output().expect("it ends")
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs a case as somebody who may do less, if this process may choose; else as who this is.
pub fn run_as_nobody(case: &str, dir: TempDir) -> Ended {
    let inner = command(case, dir.path());
    if !is_root() {
        return Running::start(&mut { inner }, dir).end();
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir("/");
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(&mut command, dir).end()
}

/// A child at work.
pub struct Running {
    pub child: Child,
    pub dir: TempDir,
    streams: [Option<Receiver<String>>; 2],
}

/// A child that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub dir: TempDir,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ended { status, stdout, stderr, .. } = self;
        write!(f, "{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

impl Running {
    /// Starts the command. Its standard output and error are read to their ends, unless the
    /// command has them elsewhere.
    pub fn start(command: &mut Command, dir: TempDir) -> Running {
        let mut child = command.spawn().expect("the child starts");
        let streams = [child.stdout.take().map(read_all), child.stderr.take().map(read_all)];
        Running { child, dir, streams }
    }

    /// Starts the command, and leaves its standard output to the caller, who may well not read it.
    pub fn start_unread(command: &mut Command, dir: TempDir) -> Running {
        let mut child = command.spawn().expect("the child starts");
        let streams = [None, child.stderr.take().map(read_all)];
        Running { child, dir, streams }
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let mut is_killed = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                break status;
            }
            if start.elapsed() > LIMIT && !is_killed {
                is_killed = true;
                // With all that it has forked.
                let group = format!("-{}", self.child.id());
                let kill = Command::new("kill").args(["-KILL", "--", &group]).status();
                assert!(kill.expect("kill is there").success());
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let [stdout, stderr] = self.streams.map(|stream| {
            // Where the child was killed, a process that it has left behind may hold it open.
            let limit = if is_killed { Duration::from_secs(1) } else { LIMIT };
            let text = stream.map(|stream| stream.recv_timeout(limit));
            text.map_or(String::new(), |text| text.unwrap_or("(still open)".to_owned()))
        });
        let ended = Ended { status, stdout, stderr, dir: self.dir };
        assert!(!is_killed, "the child hung: {ended}");
        ended
    }
}

fn read_all(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is as good as any.
        let _ = stream.read_to_end(&mut bytes);
        // Nobody may be waiting any more.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

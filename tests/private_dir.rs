//! Promise: what is private to a user lies in a directory of that user, several users may log into
//! one directory, no two engines write one file, and what others have put there is not trusted.
//! Needs root, which becomes two users in turn.
#![allow(unsafe_code)]

mod common;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use common::{config, drain, wait_until};
use fastlog::{Config, Engine, InUse, fastlog};
use rustix::fs::{CWD, RenameFlags, renameat_with};

const USERS: [u32; 2] = [1001, 1002];

fn may_choose_users() -> bool {
    let is_root = common::child::is_root();
    if !is_root {
        eprintln!("skipped: not root");
    }
    is_root
}

/// A directory in which everybody may make files.
fn shared_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).expect("ours");
    dir
}

/// A forked process of a user, which logs until it is told to end.
struct Other {
    pid: libc::pid_t,
    line: UnixStream,
    /// Where it writes, or why it does not.
    said: String,
}

impl Other {
    fn start(uid: u32, config: Config) -> Other {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        // SAFETY: the child goes on to where it ends; this test's other threads are not needed
        // there.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            drop(ours);
            Other::run(uid, config, theirs);
        }
        drop(theirs);
        let mut other = Other { pid, line: ours, said: String::new() };
        let mut byte = [0];
        while other.line.read(&mut byte).expect("it says something") > 0 && byte[0] != b'\n' {
            other.said.push(char::from(byte[0]));
        }
        other
    }

    fn run(uid: u32, config: Config, mut line: UnixStream) -> ! {
        // SAFETY: takes numbers.
        let is_user =
            unsafe { libc::setresgid(uid, uid, uid) == 0 && libc::setresuid(uid, uid, uid) == 0 };
        let engine = if is_user {
            Engine::detached(config).map_err(|e| e.to_string())
        } else {
            Err("no user".into())
        };
        let said = match &engine {
            Ok(engine) => {
                let logger = engine.logger();
                fastlog!(logger: logger, INFO, "a line", uid);
                let _ = engine.flush();
                engine.stats().log_path().map(|path| path.display().to_string()).unwrap_or_default()
            }
            Err(error) => error.clone(),
        };
        let _ = line.write_all(format!("{said}\n").as_bytes());
        let _ = line.read(&mut [0]);
        if let Ok(engine) = &engine {
            let _ = engine.drain();
        }
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(engine.is_err())) }
    }

    fn end(mut self) -> bool {
        let _ = self.line.write_all(b"x");
        let mut status = 0;
        // SAFETY: writes to `status`.
        assert_eq!(unsafe { libc::waitpid(self.pid, &raw mut status, 0) }, self.pid);
        status == 0
    }
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").uid()
}

#[test]
fn users_share_a_directory_and_each_has_a_private_one() {
    if !may_choose_users() {
        return;
    }
    let dir = shared_dir();
    let others = USERS.map(|uid| Other::start(uid, config(dir.path()).name(format!("of{uid}"))));
    // A service that is run once by hand, as root.
    let engine = Engine::detached(config(dir.path()).name("root")).expect("root starts as well");
    drain(&engine);
    for (other, uid) in others.into_iter().zip(USERS) {
        assert_eq!(other.said, dir.path().join(format!("of{uid}.jsonl")).display().to_string());
        assert!(other.end());
    }
    let private = [(".fastlog", USERS[0]), (".fastlog-1002", USERS[1]), (".fastlog-0", 0)];
    for (name, uid) in private {
        let path = dir.path().join(name);
        assert_eq!((owner(&path), fs::metadata(&path).expect("it").mode() & 0o777), (uid, 0o700));
    }
}

#[test]
fn no_two_users_write_one_file() {
    if !may_choose_users() {
        return;
    }
    for (first, second) in [(USERS[0], USERS[1]), (USERS[0], 0), (0, USERS[0])] {
        for mode in [0o640, 0o666] {
            let dir = shared_dir();
            let config = |in_use| config(dir.path()).file_mode(mode).in_use(in_use);
            let live = dir.path().join("test.jsonl");
            let one = Other::start(first, config(InUse::Suffix));
            assert_eq!(one.said, live.display().to_string());
            let other = Other::start(second, config(InUse::Suffix));
            let refused = Other::start(second, config(InUse::Fail));
            let what = format!("{first}, {second}, {mode:o}: {} {}", other.said, refused.said);
            assert!(other.said.contains("test@"), "{what}");
            let by = [format!("by process {}", one.pid), format!("to user {first}")];
            assert!(by.iter().any(|by| refused.said.contains(by)), "{what}");
            assert!(!refused.end() && other.end() && one.end());
            let text = fs::read_to_string(&live).expect("the log");
            assert!(!text.contains(&format!("\"uid\":{second}")), "{what}");
        }
    }
}

#[test]
fn what_others_put_in_its_place_is_refused_by_name_and_owner() {
    let refused = |dir: &Path| {
        let error = Engine::detached(config(dir)).expect_err("not to be trusted").to_string();
        assert!(error.contains("cannot be trusted") && error.contains("remove it"), "{error}");
        error
    };
    let (dir, elsewhere) = (shared_dir(), shared_dir());
    let private = dir.path().join(".fastlog");
    symlink(elsewhere.path(), &private).expect("a link");
    let owner_of_link = format!("a symbolic link of user {}", owner(&private));
    assert!(refused(dir.path()).contains(&owner_of_link));
    assert_eq!(fs::read_dir(elsewhere.path()).expect("a directory").count(), 0);
    fs::remove_file(&private).expect("ours");
    // Its own, too wide: closed, and told.
    fs::create_dir(&private).expect("a directory");
    fs::set_permissions(&private, Permissions::from_mode(0o777)).expect("ours");
    let engine = Engine::detached(config(dir.path())).expect("it starts");
    assert_eq!(fs::metadata(&private).expect("it").mode() & 0o777, 0o700);
    let report = drain(&engine);
    let text = fs::read_to_string(report.log_path().expect("a file")).expect("UTF-8");
    assert!(text.contains("was open to others (0o777)"), "{text}");
    if !may_choose_users() {
        return;
    }
    let dir = shared_dir();
    for (name, uid) in [(".fastlog", USERS[0]), (".fastlog-0", USERS[1])] {
        let path = dir.path().join(name);
        fs::create_dir(&path).expect("a directory");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("ours so far");
        chown(&path, Some(uid), Some(uid)).expect("root may");
    }
    let error = refused(dir.path());
    assert!(error.contains(".fastlog-0") && error.contains("user 1002"), "{error}");
}

/// Pipes, links and directories under names that the engine uses: nothing hangs, nothing is followed,
/// and the log goes on.
#[test]
fn planted_files_stop_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let private = dir.path().join(".fastlog");
    fs::create_dir(&private).expect("a directory");
    fs::set_permissions(&private, Permissions::from_mode(0o700)).expect("ours");
    let precious = dir.path().join("precious");
    fs::write(&precious, "precious").expect("a file");
    let make_pipe = |path: &Path| {
        assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
    };
    for name in ["test.now", "test.next", "test.packing"] {
        symlink(&precious, private.join(name)).expect("a link");
    }
    let start = "test-20261120T213300Z-00000";
    make_pipe(&dir.path().join(format!("{start}1.jsonl")));
    symlink(&precious, dir.path().join(format!("{start}2.jsonl"))).expect("a link");
    fs::create_dir(dir.path().join(format!("{start}3.jsonl"))).expect("a directory");
    make_pipe(&dir.path().join(format!("{start}1.jsonl.zst")));
    let config = config(dir.path()).rotate_bytes(64 << 10).retain_files(2);
    let engine = Engine::detached(config).expect("it starts");
    let logger = engine.logger();
    wait_until("rotations and removals", || {
        for n in 0..500_u64 {
            fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
        }
        engine.flush().expect("published");
        let stats = engine.stats();
        stats.rotations() >= 5 && stats.removed_files() >= 2
    });
    // While it runs, in the place of the log itself.
    let live = dir.path().join("test.jsonl");
    for plant in [make_pipe as fn(&Path), |path| fs::create_dir(path).expect("a directory")] {
        let moved = dir.path().join("moved");
        // The one left by the last turn, if any.
        let _ = fs::remove_file(&moved);
        // With room for what follows, so that no rotation is due meanwhile.
        wait_until("a file that has just begun", || {
            fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n = 0);
            engine.flush().expect("published");
            fs::metadata(&live).is_ok_and(|found| found.len() < 16 << 10)
        });
        plant(&moved);
        // At one instant: what the engine has still to tell would make the log anew in between.
        renameat_with(CWD, &live, CWD, &moved, RenameFlags::EXCHANGE).expect("exchanged");
        for n in 0..100_u64 {
            fastlog!(logger: logger, INFO, "while something else has the name", n);
        }
        engine.flush().expect("into the open file");
        let failure = engine.stats().last_failure().unwrap_or_default().to_owned();
        assert!(failure.contains("its open file is written on"), "{failure}");
        if live.is_dir() { fs::remove_dir(&live) } else { fs::remove_file(&live) }.expect("ours");
        let moved = fs::read_to_string(moved).expect("the log");
        assert!(moved.matches("while something else has the name").count() >= 100);
        wait_until("the name again", || {
            fastlog!(logger: logger, INFO, "a line");
            engine.flush().expect("published");
            live.is_file()
        });
    }
    drain(&engine);
    assert_eq!(fs::read(&precious).expect("a file"), b"precious");
}

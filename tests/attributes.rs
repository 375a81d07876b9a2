//! Promise: a new file of the log has mode, and where the system allows it owner and group, of the
//! file that it takes the place of; what is configured holds exactly, whatever the umask.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use common::child::is_root;
use common::{config, drain, wait_until};
use fastlog::{Engine, Rotate, fastlog};

const LOG_BYTES: u64 = 64 << 10;
const OTHER_GROUP: u32 = 4;
const OTHER_USER: u32 = 1;

/// Mode, owner and group.
fn attributes(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).expect("it is there");
    (found.mode() & 0o7777, found.uid(), found.gid())
}

fn fill(engine: &Engine) {
    let logger = engine.logger();
    let rotations = engine.stats().rotations();
    wait_until("a rotation", || {
        for n in 0..500_u64 {
            fastlog!(logger: logger, INFO, "a line of some length, so that files fill", n);
        }
        engine.flush().expect("published");
        engine.stats().rotations() > rotations
    });
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("it").path());
    entries.filter(|path| path.is_file()).collect()
}

// [S24]
#[test]
fn rotation_and_renames_keep_mode_owner_and_group() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = dir.path().join("test.jsonl");
    fs::write(&live, "").expect("a file of the package");
    // Set-user-id and so on are handed on to nobody.
    fs::set_permissions(&live, Permissions::from_mode(0o664)).expect("ours");
    if is_root() {
        chown(&live, Some(OTHER_USER), Some(OTHER_GROUP)).expect("root may");
    } else {
        eprintln!("not root: owner and group stay");
    }
    let wanted = attributes(&live);
    let engine = Engine::detached(config(dir.path()).rotate_bytes(LOG_BYTES)).expect("it starts");
    fill(&engine);
    assert_eq!(attributes(&live), wanted, "rotated");
    // As an administrator who changes his mind, and then logrotate without `create`.
    fs::set_permissions(&live, Permissions::from_mode(0o2604)).expect("ours");
    let wanted = (0o604, wanted.1, wanted.2);
    fs::rename(&live, dir.path().join("moved")).expect("renamed");
    let logger = engine.logger();
    wait_until("a new file", || {
        fastlog!(logger: logger, INFO, "a line");
        engine.flush().expect("published");
        live.exists()
    });
    assert_eq!(attributes(&live), wanted, "made anew");
    fill(&engine);
    assert_eq!(attributes(&live), wanted, "rotated again");
    assert_eq!(engine.stats().last_failure(), None);
    drain(&engine);
}

// [S25]
#[test]
fn configured_modes_are_exact() {
    let parent = tempfile::tempdir().expect("a directory");
    let dir = parent.path().join("logs");
    let config = || config(&dir).rotate_bytes(LOG_BYTES).file_mode(0o666).dir_mode(0o2755);
    let engine = Engine::detached(config()).expect("it starts");
    assert_eq!(attributes(&dir).0, 0o2755);
    fill(&engine);
    drain(&engine);
    let made = files(&dir);
    assert!(made.len() >= 2, "{made:?}");
    for path in &made {
        assert_eq!(attributes(path).0, 0o666, "{path:?}");
    }
    assert_eq!(attributes(&dir.join(".fastlog")).0 & 0o077, 0, "that is the owner's alone");
    // What is there already stays as it is; what takes its place does not.
    let live = dir.join("test.jsonl");
    for (path, mode) in [(&live, 0o600), (&dir, 0o700)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    }
    let engine = Engine::detached(config()).expect("it starts");
    assert_eq!((attributes(&live).0, attributes(&dir).0), (0o600, 0o700));
    fill(&engine);
    assert_eq!(attributes(&live).0, 0o666);
    drain(&engine);
    for (engine, option) in [
        (Engine::detached(config().file_mode(0o4640)), "file_mode"),
        (Engine::detached(config().file_mode(0o040)), "file_mode"),
        (Engine::detached(config().dir_mode(0o600)), "dir_mode"),
    ] {
        let error = engine.expect_err("no such mode").to_string();
        assert!(error.contains(&format!("the option `{option}` cannot be `0o")), "{error}");
    }
}

#[test]
fn a_directory_that_is_made_again_is_like_the_one_before() {
    let parent = tempfile::tempdir().expect("a directory");
    let dir = parent.path().join("logs");
    fs::create_dir(&dir).expect("a directory");
    fs::set_permissions(&dir, Permissions::from_mode(0o1777)).expect("ours");
    if is_root() {
        chown(&dir, None, Some(OTHER_GROUP)).expect("root may");
    }
    let wanted = attributes(&dir);
    let engine = Engine::detached(config(&dir).rotate(Rotate::Never)).expect("it starts");
    fs::rename(&dir, parent.path().join("gone")).expect("moved away");
    let logger = engine.logger();
    wait_until("a new directory", || {
        fastlog!(logger: logger, INFO, "a line");
        engine.flush().expect("published");
        dir.exists()
    });
    assert_eq!(attributes(&dir), wanted);
    drain(&engine);
}

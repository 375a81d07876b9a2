//! Promise: whatever file or directory a running engine makes is its owner's as the documents say,
//! closed at `exec`, and no link that somebody has planted in its place is followed.

#![allow(unsafe_code)] // The umask has no safe form.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::{child, config, drain, wait_until};
use fastlog::{Config, Engine, Format, Preset, fastlog};

/// What lies below a directory, the directory itself included: mode and owner by kind of name.
fn all(dir: &Path) -> BTreeMap<PathBuf, fs::Metadata> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        found.insert(dir.clone(), fs::symlink_metadata(&dir).expect("there"));
        for entry in fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            // The engine's threads may remove it meanwhile.
            let Ok(status) = fs::symlink_metadata(&path) else { continue };
            if status.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path, status);
            }
        }
    }
    found
}

/// What the mode of a path has to be: what is the log's own by name, all else its owner's alone.
fn wanted(path: &Path, is_dir: bool, root: &Path) -> u32 {
    let is_private = path.strip_prefix(root).expect("below it").starts_with(".fastlog");
    match (is_dir, is_private) {
        (true, true) => 0o700,
        (true, false) => 0o750,
        (false, true) => 0o600,
        (false, false) => 0o640,
    }
}

fn check_modes(root: &Path) -> usize {
    // SAFETY: takes nothing.
    let uid = unsafe { libc::geteuid() };
    let all = all(root);
    for (path, status) in &all {
        assert!(status.is_file() || status.is_dir(), "{path:?} is neither");
        let mode = status.permissions().mode() & 0o7777;
        let wanted = wanted(path, status.is_dir(), root);
        assert_eq!(format!("{mode:o}"), format!("{wanted:o}"), "{path:?}");
        assert_eq!(status.uid(), uid, "{path:?}");
        assert!(status.is_dir() || status.nlink() == 1, "{path:?} has another name");
    }
    all.len()
}

/// As many kinds of files as an engine makes: log, next file, rotated ones, lock, arena, segments.
fn busy(config: Config) -> Engine {
    let engine = Engine::detached(config.rotate_bytes(64 << 10)).expect("the engine starts");
    let logger = engine.logger();
    let text = "x".repeat(1000);
    for n in 0..2_000 {
        fastlog!(logger: logger, INFO, "a line", n, text);
        if n % 200 == 0 {
            engine.sync().expect("it works");
        }
    }
    wait_until("a rotation", || engine.stats().rotations() > 0);
    engine
}

#[test]
fn all_that_a_running_engine_makes_has_its_mode_and_owner() {
    child::run("all_that_a_running_engine_makes_has_its_mode_and_owner", |dir| {
        // The most open of all: what is narrower is the engine's doing. The umask is the process's.
        // SAFETY: takes a number.
        unsafe { libc::umask(0) };
        for (name, format) in [("lines", Format::Json), ("segments", Format::Binary)] {
            let root = dir.join(name);
            let preset = Config::preset(Preset::Production).dir(&root).name("test").ignore_env();
            let engine = busy(preset.format(format));
            let kinds = check_modes(&root);
            assert!(kinds >= 7, "{name}: {kinds} of directories, log, lock, arena and segments");
            drain(&engine);
            check_modes(&root);
            let left = all(&root).into_keys().filter(|path| {
                let name = path.to_string_lossy();
                name.contains(".arena") || name.contains(".segments")
            });
            assert_eq!(left.collect::<Vec<_>>(), [] as [PathBuf; 0], "gone with a clean drain");
        }
        // In shared memory: a directory for the user, which nobody else enters.
        let root = dir.join("shared");
        let low = Config::preset(Preset::LowLatency).dir(&root).name("test").ignore_env();
        let engine = Engine::detached(low).expect("the engine starts");
        if let Some(arena) = engine.stats().arena_path() {
            let mode = |path: &Path| {
                let status = fs::symlink_metadata(path).expect("there");
                status.permissions().mode() & 0o7777
            };
            assert_eq!(mode(arena), 0o600, "{arena:?}");
            assert_eq!(mode(arena.parent().expect("a directory")), 0o700, "{arena:?}");
        }
        let arena = engine.stats().arena_path().map(Path::to_owned);
        drain(&engine);
        assert!(arena.is_none_or(|arena| !arena.exists()), "gone with a clean drain");
    });
}

#[test]
fn every_descriptor_of_the_engine_is_closed_at_exec() {
    child::run("every_descriptor_of_the_engine_is_closed_at_exec", |dir| {
        let open = || -> BTreeMap<i32, PathBuf> {
            let entries = fs::read_dir("/proc/self/fd").expect("the kernel tells");
            let numbers = entries.filter_map(|entry| {
                let entry = entry.ok()?;
                let number = entry.file_name().to_str()?.parse().ok()?;
                Some((number, fs::read_link(entry.path()).ok()?))
            });
            numbers.collect()
        };
        let before = open();
        let production = Config::preset(Preset::Production).dir(dir.join("logs")).ignore_env();
        let engine = busy(production);
        let low = Config::preset(Preset::LowLatency).dir(dir.join("low")).ignore_env();
        let second = Engine::detached(low).expect("the engine starts");
        let mut checked = 0;
        for (number, path) in open() {
            if before.contains_key(&number) || path.starts_with("/proc") {
                continue;
            }
            // SAFETY: asks for flags; closed meanwhile, it answers -1.
            let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
            assert!(flags == -1 || flags & libc::FD_CLOEXEC != 0, "{number} leads to {path:?}");
            checked += 1;
        }
        assert!(checked >= 4, "logs and locks: {checked}");
        drain(&second);
        drain(&engine);
    });
}

/// Links to a file of somebody else's, under every name that the engine is about to use.
#[test]
fn no_link_is_followed_whatever_file_it_takes_the_place_of() {
    let dir = tempfile::tempdir().expect("a directory");
    // What names there are, by an engine that is there for it.
    let model = dir.path().join("model");
    let engine = busy(config(&model).format(Format::Json));
    let names: Vec<PathBuf> = all(&model)
        .into_iter()
        .filter(|(_, status)| status.is_file())
        .map(|(path, _)| path.strip_prefix(&model).expect("below it").to_owned())
        .collect();
    drain(&engine);
    let precious = dir.path().join("precious");
    let mut kinds = 0;
    for name in &names {
        fs::write(&precious, "precious").expect("written");
        let root = dir.path().join(format!("planted-{kinds}"));
        let planted = root.join(name);
        fs::create_dir_all(planted.parent().expect("a directory")).expect("made");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o750)).expect("ours");
        symlink(&precious, &planted).expect("planted");
        // Some it needs, and says so; some it puts aside, or does without.
        match Engine::detached(config(&root).rotate_bytes(64 << 10)) {
            Ok(engine) => {
                let logger = engine.logger();
                let text = "x".repeat(1000);
                (0..200).for_each(|n| fastlog!(logger: logger, INFO, "a line", n, text));
                // What an engine without its file reports is its business here.
                let _ = engine.drain();
            }
            Err(error) => assert!(error.to_string().contains("test"), "{name:?}: {error}"),
        }
        let kept = fs::read_to_string(&precious).expect("it is there");
        assert_eq!(kept, "precious", "written to by way of {name:?}");
        kinds += 1;
    }
    assert!(kinds >= 5, "{names:?}");
}

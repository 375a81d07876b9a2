//! Promise: every preset starts, logs and drains as its table says, with private files; and a start
//! that cannot be is a sentence that names the option or path and the way out, never a panic, and
//! leaves nothing behind. Attacked with directories and files that cannot be used, names that are
//! taken, terminals and pipes.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::child::{self, Ended, Running, run, run_with};
use common::{all_lines, config, drain, lines, wait_until};
use fastlog::{
    Arena, Config, Engine, Error, InUse, OpenFailure, Output, Overflow, Preset, SyncPolicy, fastlog,
};
use serde_json::Value;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// The names in a directory, sorted; none when there is no directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The engine's threads of this process.
fn engine_threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.filter_map(|task| name(task.unwrap()));
    names.filter(|name| name.starts_with("fastlog")).collect()
}

/// The JSON lines in a console's text; the harness may have begun the first one's line.
fn messages(text: &str) -> Vec<Value> {
    const BEGIN: &str = "{\"timestamp\"";
    let lines = text.lines().filter_map(|line| line.find(BEGIN).map(|at| &line[at..]));
    lines.map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Starts a file preset with its own directory default, and looks at everything while it runs and
/// when it has ended.
fn file_preset(dir: &Path, preset: Preset) {
    let engine = Engine::start(Config::from(preset).name("app")).unwrap();
    fastlog!(DEBUG, "below the preset's level");
    fastlog!(INFO, "hello", n = 1);
    fastlog!(ERROR, "urgent", n = 2);
    engine.sync().unwrap();
    let stats = engine.stats();
    let logs = dir.canonicalize().unwrap().join("logs");
    assert_eq!(stats.log_path(), Some(&*logs.join("app.jsonl")), "`./logs`, shown absolute");
    assert!(stats.crash_safe(), "{stats}");
    assert!(stats.syncs() >= 1, "{stats}");
    assert_eq!(engine_threads().len(), 3);
    assert_eq!(mode(&logs), 0o750);
    assert_eq!(mode(&logs.join("app.jsonl")), 0o640);
    assert_eq!(mode(&logs.join(".fastlog")), 0o700);
    let private = match preset {
        Preset::LowLatency => PathBuf::from(format!("/dev/shm/fastlog-{}", uid())),
        _ => logs.join(".fastlog"),
    };
    assert_eq!(mode(&private), 0o700);
    let pid = std::process::id().to_string();
    let arenas = || names(&private).into_iter().filter(|name| !name.ends_with(".lock"));
    for name in names(&private) {
        assert_eq!(mode(&private.join(&name)), 0o600, "{name}");
    }
    assert!(arenas().any(|name| name.contains(&pid)), "{:?}", names(&private));
    let report = drain(&engine);
    // The system may list a thread for a moment after it was joined.
    wait_until("threads to vanish", || engine_threads().is_empty());
    assert!(!arenas().any(|name| name.contains(&pid)), "{:?}", names(&private));
    assert_eq!(lines(&report).len(), 2);
    let all = all_lines(&logs.join("app.jsonl"));
    assert_eq!(all.len(), 3);
    let time = |line: &Value| line["timestamp"].as_str().unwrap().to_owned();
    assert!(all.is_sorted_by_key(time), "{all:?}");
    let start = &all[0];
    assert_eq!((&start["target"], &start["level"]), (&"fastlog".into(), &"INFO".into()));
    let message = format!("engine started, log {}", logs.join("app.jsonl").display());
    assert_eq!(start["message"], *message);
    assert_eq!(start["pid"], std::process::id());
    assert_eq!(start["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&start["crash_safe"], &start["orphans"]), (&true.into(), &0.into()));
    assert_eq!(names(&logs), [".fastlog", "app.jsonl"]);
}

fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").expect("Linux").uid()
}

#[test]
fn production() {
    run("production", |dir| file_preset(dir, Preset::Production));
}

#[test]
fn durable() {
    run("durable", |dir| file_preset(dir, Preset::Durable));
}

#[test]
fn low_latency() {
    run("low_latency", |dir| file_preset(dir, Preset::LowLatency));
}

#[test]
fn archive() {
    run("archive", |dir| {
        let engine = Engine::start(Config::from(Preset::Archive).name("app")).unwrap();
        fastlog!(DEBUG, "below the preset's level");
        fastlog!(INFO, "hello", n = 1);
        fastlog!(ERROR, "urgent", n = 2);
        let logs = dir.canonicalize().unwrap().join("logs");
        let file = logs.join("app.flog");
        let stats = engine.stats();
        assert_eq!(stats.log_path(), Some(&*file));
        assert!(stats.crash_safe(), "{stats}");
        assert_eq!(engine_threads().len(), 3);
        let report = drain(&engine);
        assert_eq!(report.written(), 2);
        assert_eq!(names(&logs), [".fastlog", "app.flog"]);
        assert_eq!(names(&logs.join(".fastlog")), ["app.lock"]);
        let content = common::flog::read(&fs::read(&file).unwrap());
        let templates: Vec<_> = content.records.iter().map(|record| &*record.template).collect();
        assert_eq!(templates, ["engine started, log {log}", "hello", "urgent"]);
        assert_eq!((content.cut, mode(&file)), (0, 0o640));
    });
}

#[test]
fn an_archive_that_cannot_be_opened_can_go_to_the_standard_error_as_lines() {
    let name = "an_archive_that_cannot_be_opened_can_go_to_the_standard_error_as_lines";
    let ended = run(name, |dir| {
        let file = dir.join("file");
        fs::write(&file, "").unwrap();
        let config = Config::preset(Preset::Archive).dir(&file).ignore_env();
        let engine = Engine::start(config.on_open_failure(OpenFailure::Stderr)).unwrap();
        fastlog!(INFO, "seen", n = 1);
        assert_eq!(drain(&engine).written(), 1);
    });
    if let Some(ended) = ended {
        let lines = messages(&ended.stderr);
        assert_eq!((&lines[2]["message"], &lines[2]["n"]), (&"seen".into(), &1.into()));
    }
}

#[test]
fn container() {
    let ended = run("container", |dir| {
        let engine = Engine::start(Preset::Container).unwrap();
        fastlog!(DEBUG, "below the preset's level");
        fastlog!(INFO, "hello", n = 1);
        assert_eq!(engine_threads().len(), 2, "nothing to sync, no keeper");
        engine.sync().unwrap();
        let report = drain(&engine);
        assert_eq!((report.written(), report.log_path()), (1, None));
        assert_eq!(names(dir), Vec::<String>::new(), "no directory is made");
    });
    if let Some(ended) = ended {
        let lines = messages(&ended.stdout);
        assert_eq!(lines.len(), 2, "{ended}");
        assert_eq!(lines[0]["message"], "engine started, log <stdout>");
        assert_eq!((&lines[1]["message"], &lines[1]["n"]), (&"hello".into(), &1.into()));
        assert_eq!(ended.stderr, "");
    }
}

/// What `Development` prints.
fn log_as_developer(dir: &Path) {
    let engine = Engine::start(Preset::Development).unwrap();
    fastlog!(TRACE, "below the preset's level");
    fastlog!(DEBUG, "hello {name}", name = "\u{1b}[31mann");
    fastlog!(ERROR, "broken");
    assert_eq!(drain(&engine).written(), 2);
    assert_eq!(names(dir), Vec::<String>::new(), "no directory is made");
}

fn assert_is_text(text: &str) {
    assert!(text.contains("engine started, log <stderr>"), "{text}");
    assert!(text.contains("DEBUG") && text.contains("ERROR") && text.contains("broken"), "{text}");
    assert!(!text.contains("below the preset's level"), "{text}");
    assert!(!text.contains("\u{1b}[31mann"), "a value stays data: {text}");
}

#[test]
fn development_without_a_terminal() {
    if let Some(ended) = run("development_without_a_terminal", log_as_developer) {
        assert_is_text(&ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 3, "{ended}");
        assert!(!ended.stderr.contains('\u{1b}'), "no colour in a pipe: {ended}");
    }
}

/// Runs the case of `development_on_a_terminal` under a pseudo-terminal.
fn on_a_terminal(no_colour: Option<&str>) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let inner = child::command("development_on_a_terminal", dir.path());
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    script.current_dir(dir.path()).env_remove("FASTLOG").env_remove("NO_COLOR");
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            script.env(name, value);
        }
    }
    if let Some(value) = no_colour {
        script.env("NO_COLOR", value);
    }
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Running::start(&mut script, dir).end();
    assert!(ended.status.success(), "{ended}");
    ended
}

#[test]
fn development_on_a_terminal() {
    if child::case().as_deref() == Some("development_on_a_terminal") {
        return log_as_developer(&child::dir());
    }
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("no `script` here: colours on a terminal are not tested");
        return;
    }
    for (no_colour, is_coloured) in [(None, true), (Some(""), true), (Some("1"), false)] {
        let ended = on_a_terminal(no_colour);
        // The terminal shows the harness's lines as well; those are not coloured here.
        let ours: Vec<&str> = ended
            .stdout
            .lines()
            .filter(|line| line.contains("broken") || line.contains("hello"))
            .collect();
        assert_eq!(ours.len(), 2, "{ended}");
        for line in ours {
            assert_eq!(line.contains('\u{1b}'), is_coloured, "NO_COLOR={no_colour:?}: {line:?}");
            assert!(!line.contains("\u{1b}[31mann"), "a value stays data: {line:?}");
        }
    }
}

/// Both kinds of start fail with this sentence; nothing is left in the directory or the process.
fn assert_fails(config: &Config, sentence: &str) {
    for start in [Engine::start, Engine::detached] {
        let error = start(config.clone()).expect_err(sentence);
        let text = error.to_string();
        assert!(text.contains(sentence), "{text}\ndoes not contain\n{sentence}");
        assert!(!text.contains('\n') && text.len() < 600, "{text}");
        assert_eq!(engine_threads(), Vec::<String>::new());
        assert!(Engine::current().is_none());
    }
}

/// The name's lock is not held: a strict start takes it once the obstacle is gone.
fn assert_name_is_free(dir: &Path) {
    let engine = Engine::start(config(dir).in_use(InUse::Fail)).unwrap();
    fastlog!(INFO, "at last");
    let orphans = engine.stats().orphans();
    assert_eq!((orphans, lines(&drain(&engine)).len()), (0, 1));
    assert_eq!(names(dir), [".fastlog", "test.jsonl"]);
    assert_eq!(names(&dir.join(".fastlog")), ["test.lock"]);
}

#[test]
fn configurations_that_cannot_be() {
    run("configurations_that_cannot_be", |dir| {
        let nowhere = dir.join("never-made");
        let base = || config(&nowhere);
        let cases: [(Config, &str); 14] = [
            (base().name(""), "the option `name` cannot be ``: use 1 to 64 letters"),
            (base().name("a/b"), "the option `name` cannot be `a/b`: use"),
            (base().name(".hidden"), "the option `name` cannot be `.hidden`: use"),
            (base().dir(""), "the option `dir` cannot be ``: use the path of a directory"),
            (base().dir("a\0b"), "the option `dir` cannot be `a\\0b`: use"),
            (base().ring_bytes(100_000), "the option `ring_bytes` cannot be `"),
            (base().record_bytes(7), "the option `record_bytes` cannot be `"),
            (base().staging_bytes(0), "the option `staging_bytes` cannot be `"),
            (base().max_rings(1), "the option `max_rings` cannot be `1`: use 16 to 4096"),
            (base().publish_every(Duration::ZERO), "the option `publish_every` cannot be `"),
            (base().sync_every(Duration::MAX), "the option `sync` cannot be `"),
            (base().overflow(Overflow::BlockFor(Duration::ZERO)), "the option `overflow` cannot"),
            (base().filter("info,,x"), "the filter directive `x` is no level"),
            (base().arena(Arena::InLogDir).output(Output::Null), "the option `arena` cannot be"),
        ];
        for (config, sentence) in &cases {
            assert_fails(config, sentence);
        }
        let durable = Config::preset(Preset::Durable).ignore_env().output(Output::Stdout);
        assert_fails(
            &durable,
            "the option `sync` cannot be `EachBatch` while `output` is `Stdout`",
        );
        drop(durable.sync(SyncPolicy::Never));
        assert_eq!(names(dir), Vec::<String>::new(), "nothing was touched");
    });
}

#[test]
fn directories_that_cannot_be_used() {
    run("directories_that_cannot_be_used", |dir| {
        let file = dir.join("file");
        fs::write(&file, "not a directory").unwrap();
        let file_text = format!("{:?}", file.display().to_string());
        assert_fails(&config(&file), &format!("{file_text} is not a directory: move away"));
        let below = file.join("logs");
        assert_fails(&config(&below), "logs\" cannot be used: Not a directory");
        let missing = dir.join("missing").join("logs");
        assert_fails(&config(&missing), "missing/logs\" cannot be used: No such file or directory");
        let dangling = dir.join("dangling");
        symlink(dir.join("nothing"), &dangling).unwrap();
        assert_fails(&config(&dangling), "dangling\"");
        let long = dir.join("x".repeat(300));
        assert_fails(&config(&long), "cannot be used: File name too long");
        let logs = dir.join("logs");
        fs::create_dir(&logs).unwrap();
        fs::write(logs.join(".fastlog"), "a file where the private directory belongs").unwrap();
        assert_fails(&config(&logs), ".fastlog\" is not a directory: move away");
        fs::remove_file(logs.join(".fastlog")).unwrap();
        fs::create_dir_all(logs.join(".fastlog/test.lock")).unwrap();
        assert_fails(&config(&logs), "test.lock\" cannot be taken: ");
        fs::remove_dir(logs.join(".fastlog/test.lock")).unwrap();
        assert_eq!(names(dir), ["dangling", "file", "logs"]);
        assert_name_is_free(&logs);
        // A directory behind a link is as good as any.
        let link = dir.join("link");
        symlink(&logs, &link).unwrap();
        let engine = Engine::start(config(&link).name("linked")).unwrap();
        let path = drain(&engine).log_path().unwrap().to_owned();
        assert_eq!(path, logs.canonicalize().unwrap().join("linked.jsonl"));
    });
}

#[test]
fn things_at_the_log_path() {
    run("things_at_the_log_path", |dir| {
        let log = dir.join("test.jsonl");
        let target = dir.join("elsewhere");
        fs::write(&target, "precious").unwrap();
        let make_fifo = |path: &Path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        };
        type Make<'a> = (&'a str, &'a dyn Fn(&Path));
        let makes: [Make; 4] = [
            ("directory", &|path| fs::create_dir(path).unwrap()),
            ("pipe", &make_fifo),
            ("link", &|path| symlink(&target, path).unwrap()),
            ("dangling link", &|path| symlink(dir.join("nothing"), path).unwrap()),
        ];
        for (what, make) in makes {
            make(&log);
            let before = fs::symlink_metadata(&log).unwrap().file_type();
            assert_fails(
                &config(dir),
                "test.jsonl\" is not a regular file: move away what is there",
            );
            assert_eq!(fs::symlink_metadata(&log).unwrap().file_type(), before, "{what}");
            assert_eq!(fs::read_to_string(&target).unwrap(), "precious", "{what}");
            assert_eq!(names(&dir.join(".fastlog")), ["test.lock"], "{what}");
            if before.is_dir() { fs::remove_dir(&log) } else { fs::remove_file(&log) }.unwrap();
        }
        fs::remove_file(&target).unwrap();
        assert_name_is_free(dir);
    });
}

#[test]
fn what_this_user_may_not_write() {
    let case = "what_this_user_may_not_write";
    if child::case().as_deref() == Some(case) {
        let dir = child::dir();
        for path in [dir.join("closed"), dir.join("closed/new")] {
            assert_fails(
                &config(&path),
                "cannot be used: Permission denied (os error 13); make it",
            );
        }
        assert_fails(
            &config(&dir.join("open")),
            "test.jsonl\" cannot be opened: Permission denied (os error 13); make it writable for \
             this user, or choose another with `dir` and `name`",
        );
        let degraded = config(&dir.join("closed")).on_open_failure(OpenFailure::Stderr);
        let engine = Engine::start(degraded).unwrap();
        fastlog!(INFO, "visible all the same");
        assert_eq!(drain(&engine).written(), 1);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let (closed, open) = (dir.path().join("closed"), dir.path().join("open"));
    fs::create_dir(&closed).unwrap();
    fs::create_dir(&open).unwrap();
    fs::write(open.join("test.jsonl"), "not yours\n").unwrap();
    set(&open.join("test.jsonl"), 0o400).unwrap();
    if child::is_root() {
        // Another user's would count as written by that user: see `tests/private_dir.rs`.
        chown(open.join("test.jsonl"), Some(child::NOBODY), None).unwrap();
    }
    set(&open, 0o777).unwrap();
    set(dir.path(), 0o755).unwrap();
    set(&closed, 0o555).unwrap();
    let ended = child::run_as_nobody(case, dir);
    assert!(ended.status.success(), "{ended}");
    let dir = ended.dir.path();
    assert_eq!(names(&dir.join("closed")), Vec::<String>::new());
    assert_eq!(names(&dir.join("open/.fastlog")), ["test.lock"]);
    assert_eq!(fs::read_to_string(dir.join("open/test.jsonl")).unwrap(), "not yours\n");
    assert!(ended.stderr.contains("visible all the same"), "{ended}");
    assert!(ended.stderr.contains("the log goes to the standard error instead"), "{ended}");
    set(&dir.join("closed"), 0o755).unwrap();
}

#[test]
fn a_failed_open_can_go_to_the_standard_error() {
    let ended = run("a_failed_open_can_go_to_the_standard_error", |dir| {
        let file = dir.join("file");
        fs::write(&file, "").unwrap();
        let degraded = config(&file).on_open_failure(OpenFailure::Stderr);
        let engine = Engine::start(degraded.clone()).unwrap();
        fastlog!(INFO, "seen");
        assert!(matches!(Engine::start(degraded), Err(Error::AlreadyRunning)));
        let stats = engine.stats();
        assert!(!stats.crash_safe() && stats.log_path().is_none(), "{stats}");
        engine.sync().unwrap();
        assert_eq!(drain(&engine).written(), 1);
        // What is no matter of files stays an error.
        let bad = config(&file).on_open_failure(OpenFailure::Stderr).name("/");
        assert!(matches!(Engine::start(bad), Err(Error::Config(_))));
        assert_eq!(names(dir), ["file"]);
    });
    if let Some(ended) = ended {
        let said: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!(said.len(), 4, "{ended}");
        // Whether the owner or the publisher speaks first is open.
        let sentence = said.iter().find(|line| line.starts_with("fastlog: \"/"));
        let lines = messages(&ended.stderr);
        assert_eq!(lines[0]["message"], "engine started, log <stderr>");
        assert_eq!(lines[1]["level"], "WARN");
        let warning = lines[1]["message"].as_str().unwrap();
        assert_eq!(sentence, Some(&&*format!("fastlog: {warning}")), "{ended}");
        assert!(warning.ends_with("; the log goes to the standard error instead"), "{warning}");
        assert_eq!(lines[2]["message"], "seen");
    }
}

#[test]
fn a_name_in_use_within_one_process() {
    let ended = run("a_name_in_use_within_one_process", |dir| {
        let pid = std::process::id();
        let first = Engine::start(config(dir)).unwrap();
        let error = Engine::detached(config(dir).in_use(InUse::Fail)).unwrap_err();
        assert!(matches!(&error, Error::LockedBy { pid: Some(by), .. } if *by == pid), "{error:?}");
        let sentence = format!("test.jsonl\" is being written by process {pid}: stop it, choose");
        assert!(error.to_string().contains(&sentence), "{error}");
        let others: Vec<Engine> = (0..3).map(|_| Engine::detached(config(dir)).unwrap()).collect();
        let expected = [format!("{pid}"), format!("{pid}-2"), format!("{pid}-3")];
        for (n, (engine, suffix)) in others.iter().zip(&expected).enumerate() {
            fastlog!(logger: engine.logger(), INFO, "mine", n);
            let report = drain(engine);
            let path = report.log_path().unwrap();
            let name = format!("test@{suffix}.jsonl");
            assert_eq!(path.file_name().unwrap().to_str(), Some(&*name));
            assert_eq!(lines(&report)[0]["n"], n);
            let all = all_lines(path);
            assert_eq!((all.len(), &all[1]["level"]), (3, &"WARN".into()), "said once in the log");
            let warning = all[1]["message"].as_str().unwrap();
            let begin = format!("process {pid} writes the log ");
            assert!(warning.starts_with(&begin) && warning.contains(&name), "{warning}");
        }
        fastlog!(INFO, "still here");
        assert_eq!(lines(&drain(&first)).len(), 1);
        // The name is free after the drain, though handles and other engines are there.
        let again = Engine::start(config(dir).in_use(InUse::Fail)).unwrap();
        drop(first);
        fastlog!(INFO, "still here");
        assert_eq!(drain(&again).written(), 1);
    });
    if let Some(ended) = ended {
        assert_eq!(ended.stderr.matches(": this engine writes ").count(), 3, "{ended}");
    }
}

// [S3]
#[test]
fn a_name_in_use_by_another_process() {
    let case = "a_name_in_use_by_another_process";
    let holder = std::env::var("HOLDER").ok();
    let with_holder = |command: &mut Command| {
        command.env("HOLDER", std::process::id().to_string());
    };
    let held = tempfile::tempdir().unwrap();
    let engine = holder.is_none().then(|| Engine::detached(config(held.path())).unwrap());
    let place = |command: &mut Command| {
        with_holder(command);
        command.env("HELD", held.path());
    };
    let ended = run_with(case, place, |_| {
        let (pid, holder) = (std::process::id(), holder.clone().unwrap());
        let held = PathBuf::from(std::env::var_os("HELD").unwrap());
        let error = Engine::start(config(&held).in_use(InUse::Fail)).unwrap_err();
        let sentence = format!("is being written by process {holder}: stop it, choose another");
        assert!(error.to_string().contains(&sentence), "{error}");
        assert_eq!(engine_threads(), Vec::<String>::new());
        let engine = Engine::start(config(&held)).unwrap();
        fastlog!(INFO, "beside");
        let report = drain(&engine);
        let name = format!("test@{pid}.jsonl");
        assert_eq!(report.log_path().unwrap().file_name().unwrap().to_str(), Some(&*name));
        assert_eq!(lines(&report).len(), 1);
        assert_eq!(engine.stats().orphans(), 0, "a living process's arena is no orphan");
    });
    let (Some(ended), Some(engine)) = (ended, engine) else { return };
    let pid = std::process::id();
    let said = format!("fastlog: process {pid} writes the log ");
    assert_eq!(ended.stderr.lines().filter(|line| line.starts_with(&said)).count(), 1, "{ended}");
    fastlog!(logger: engine.logger(), INFO, "undisturbed");
    assert_eq!(lines(&drain(&engine)).len(), 1);
}

use std::path::Path;
use std::time::Duration;

use super::*;

fn denied() -> io::Error {
    io::Error::from_raw_os_error(13)
}

const DENIED: &str = "Permission denied (os error 13)";

fn path() -> PathBuf {
    PathBuf::from("/srv/a\nb")
}

#[test]
fn each_start_error_names_what_why_and_the_way_out() {
    let texts = [
        (
            Error::AlreadyRunning,
            "this process already has a running engine: use `Engine::current()`, drain it first, \
             or start this one with `Engine::detached`"
                .to_owned(),
        ),
        (
            Error::Directory { path: path(), source: denied() },
            format!(
                "the directory \"/srv/a\\nb\" cannot be used: {DENIED}; make it one that this \
                 user can write to, or name another with `dir` (or `arena_dir`, if it is the \
                 arena's)"
            ),
        ),
        (
            Error::NotADirectory { path: path() },
            "\"/srv/a\\nb\" is not a directory: move away what is there, or name another \
             directory with `dir`"
                .to_owned(),
        ),
        (
            Error::LogFile { path: path(), source: denied() },
            format!(
                "the log file \"/srv/a\\nb\" cannot be opened: {DENIED}; make it writable for \
                 this user, or choose another with `dir` and `name`"
            ),
        ),
        (
            Error::NotAFile { path: path() },
            "\"/srv/a\\nb\" is not a regular file: move away what is there, or choose another \
             log with `dir` and `name`"
                .to_owned(),
        ),
        (
            Error::LockFile { path: path(), source: denied() },
            format!(
                "the lock \"/srv/a\\nb\" cannot be taken: {DENIED}; make its directory one that \
                 this user can write to, on a file system that has locks, or name another with \
                 `dir`"
            ),
        ),
        (
            Error::LockedBy { path: path(), pid: Some(71) },
            "the log \"/srv/a\\nb\" is being written by process 71: stop it, choose another \
             `name`, or use `InUse::Suffix`"
                .to_owned(),
        ),
        (
            Error::LockedBy { path: path(), pid: None },
            "the log \"/srv/a\\nb\" is being written by a process that the system does not \
             name: stop it, choose another `name`, or use `InUse::Suffix`"
                .to_owned(),
        ),
        (
            Error::NotPrivate { path: path(), what: "a symbolic link", owner: 1001 },
            "\"/srv/a\\nb\" cannot be trusted: it is a symbolic link of user 1001, where the \
             private directory of this user belongs; remove it, or name another directory with \
             `dir`"
                .to_owned(),
        ),
        (
            Error::OwnedBy { path: path(), owner: 1001 },
            "the log \"/srv/a\\nb\" belongs to user 1001, and this user may not write it: choose \
             another `name`, give the file to this user, or use `InUse::Suffix`"
                .to_owned(),
        ),
        (
            Error::Memory { bytes: 4096, source: denied() },
            format!(
                "the system gave no 4096 bytes of memory: {DENIED}; raise the process's limit, \
                 or lower `ring_bytes` or `staging_bytes`"
            ),
        ),
        (
            Error::Thread { name: "keeper", source: denied() },
            format!(
                "the engine's thread `keeper` cannot be started: {DENIED}; raise the limit on \
                 threads of this user or container"
            ),
        ),
        (
            Error::Hook { name: "atexit", source: denied() },
            format!("`atexit` took no handler: {DENIED}; free memory, and start the engine again"),
        ),
        (
            Error::Sync { path: path(), source: denied() },
            format!(
                "\"/srv/a\\nb\" cannot be synced to its device: {DENIED}; check the disk, or \
                 choose a `sync` policy that does not need it"
            ),
        ),
        (
            Error::Forked,
            "the process forked while the engine was starting: start it again in each process \
             that is to log"
                .to_owned(),
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
        let source = error.source().map(ToString::to_string);
        assert_eq!(source.as_deref(), text.contains(DENIED).then_some(DENIED), "{error:?}");
    }
}

#[test]
fn each_barrier_error_names_what_why_and_the_way_out() {
    let waited = Duration::from_millis(1500);
    let texts = [
        (
            BarrierError::NotRunning,
            "the engine is not running here (it was drained, or started before a fork): start \
             one in this process",
        ),
        (
            BarrierError::Stalled { waited },
            "the output made no progress for 1.5s: see `stats()` for its last error, clear the \
             disk or the pipe, or raise `barrier_patience`",
        ),
        (
            BarrierError::Timeout { waited },
            "the call's time limit passed after 1.5s: the records are still on their way; call \
             again, or allow more time",
        ),
        (
            BarrierError::EngineThread,
            "a thread of the engine would wait for itself: call this from a thread of the program",
        ),
        (
            BarrierError::Sync {
                path: Path::new("/logs/app.jsonl").to_owned(),
                kind: io::ErrorKind::PermissionDenied,
                text: DENIED.to_owned(),
            },
            "\"/logs/app.jsonl\" could not be synced to its device: Permission denied (os error \
             13); a power cut may lose what was written since the last good sync: check the \
             disk, then replace the file",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_wrapped_error_keeps_its_sentence_and_is_the_source() {
    let filter = FilterError::NotALevel { directive: "loud".to_owned() };
    let config = ConfigError::from(filter.clone());
    let wrapped: [(Error, &dyn StdError); 3] = [
        (Error::from(filter.clone()), &config),
        (Error::from(config.clone()), &config),
        (Error::from(BarrierError::EngineThread), &BarrierError::EngineThread),
    ];
    for (error, inner) in wrapped {
        assert_eq!(error.to_string(), inner.to_string());
        assert_eq!(error.source().unwrap().to_string(), inner.to_string());
    }
    let drain = Error::Drain(Box::new(BarrierError::EngineThread));
    assert_eq!(drain.to_string(), BarrierError::EngineThread.to_string());
    assert!(drain.source().unwrap().is::<BarrierError>());
    assert_eq!(config.to_string(), filter.to_string());
    assert!(config.source().unwrap().is::<FilterError>());
}

#[test]
fn hostile_values_stay_short_and_on_one_line() {
    let error = ConfigError::Value {
        option: "name",
        value: "\u{1b}[2J\r\n".repeat(1000),
        allowed: "letters".to_owned(),
    };
    let text = error.to_string();
    assert!(text.len() < 1000, "{} bytes", text.len());
    assert!(!text.contains(char::is_control), "{text}");
    assert_eq!(Quoted(&"é".repeat(101)).to_string(), format!("`{}...`", "é".repeat(100)));
    assert_eq!(Quoted(&"é".repeat(100)).to_string(), format!("`{}`", "é".repeat(100)));
}

#[test]
fn errors_can_cross_threads() {
    fn crosses<T: StdError + Send + Sync + 'static>() {}
    crosses::<Error>();
    crosses::<ConfigError>();
    crosses::<FilterError>();
    crosses::<BarrierError>();
}

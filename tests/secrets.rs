//! Promise: the value of a field with a denied name is copied nowhere. Whatever way it was logged,
//! it shows as `[redacted]` in every format, what would render it does not run, and after a kill or
//! a drain no byte of it is in a ring, an arena, a segment or a log.

#![allow(unsafe_code)] // Kills itself.

mod common;

use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::child::{self, Running};
use common::{config, drain, flog};
use fastlog::{
    Config, Engine, Format, Level, Logger, Preset, UrlPasswords, Value, debug, display, fastlog,
};

/// What must be nowhere.
const SECRET: &str = "hunter2-correct-horse-battery";
/// What must be somewhere: else nothing was looked at.
const PUBLIC: &str = "this-may-be-seen-by-all";

/// How often a secret was rendered.
static RENDERED: AtomicU64 = AtomicU64::new(0);

struct Secret(String);

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RENDERED.fetch_add(1, Ordering::Relaxed);
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value of the program's own, which renders itself.
struct Key(Secret);

impl Value for Key {
    type Encoded<'a> = fastlog::value::Rendered<'a>;

    fn encode<'a>(&'a self, scratch: &'a fastlog::value::Scratch) -> Self::Encoded<'a> {
        scratch.format(format_args!("{}", self.0))
    }
}

struct Database {
    password: String,
}

/// Calls of [`log_all`] and [`log_to`], each.
const CALLS: u64 = 11;

/// Every way in which a call of the process's engine takes a secret along.
fn log_all(secret: &str) {
    let (password, shown) = (secret.to_owned(), Secret(secret.to_owned()));
    let db = Database { password: password.clone() };
    let some = Some(secret);
    let list = vec![secret, "b", secret];
    let long = PUBLIC.repeat(2_000);
    fastlog!(INFO, "plain", user = PUBLIC, password, after = PUBLIC);
    fastlog!(INFO, "a hole {password} and {user}", password = secret, user = PUBLIC);
    fastlog!(INFO, "by order {} {:>60}", user = PUBLIC, token = secret);
    fastlog!(WARN, "rendered", token = %shown, secret = ?shown, user = %PUBLIC);
    fastlog!(ERROR, "rendered too", "api-key" = display(&shown), cookie = debug(&shown));
    fastlog!(level: Level::INFO, "named by a place", db.password, user = PUBLIC);
    fastlog!(INFO, "any key", "http.request.header.Authorization" = secret, "Set-Cookie" = some);
    fastlog!(INFO, "list and bytes", apiKey = list, private_key = secret.as_bytes());
    fastlog!(INFO, "its own value", jwt = Key(Secret(secret.to_owned())), user = PUBLIC);
    fastlog!(CRITICAL, "too long", passphrase = long, user = long, passwd = secret, n = 7);
    fastlog!(
        INFO,
        "many",
        a = 1,
        b = 2,
        c = 3,
        d = 4,
        e = 5,
        f = 6,
        g = 7,
        h = 8,
        pwd = secret,
        j = 10
    );
}

/// The same through a logger, which has bound one more.
fn log_to(logger: &Logger, secret: &str) {
    let (password, shown) = (secret.to_owned(), Secret(secret.to_owned()));
    let db = Database { password: password.clone() };
    let long = PUBLIC.repeat(2_000);
    let l = logger.with("user.session_token", secret).with("id_token", display(&shown));
    let l = l.with("region", PUBLIC).with("client-secret", Key(Secret(secret.to_owned())));
    fastlog!(logger: l, INFO, "plain", user = PUBLIC, password, after = PUBLIC);
    fastlog!(logger: l, INFO, "a hole {password} and {user}", password = secret, user = PUBLIC);
    fastlog!(logger: l, INFO, "by order {} {:>60}", user = PUBLIC, token = secret);
    fastlog!(logger: l, WARN, "rendered", token = %shown, secret = ?shown, user = %PUBLIC);
    fastlog!(logger: l, ERROR, "rendered too", "api-key" = %shown, cookie = ?shown);
    fastlog!(logger: l, level: Level::INFO, "named by a place", db.password, user = PUBLIC);
    fastlog!(logger: l, INFO, "any key", "http.request.header.Authorization" = secret);
    fastlog!(logger: l, INFO, "list and bytes", private_key = secret.as_bytes());
    fastlog!(logger: l, INFO, "its own value", jwt = Key(Secret(secret.to_owned())));
    fastlog!(logger: l, CRITICAL, "too long", passphrase = long, user = long, passwd = secret);
    fastlog!(logger: l, INFO, "many", a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, pwd = secret);
}

/// The files below a directory, links not followed.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its type").is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// Where below a directory the text stands, as it is or in hexadecimal.
fn places(dir: &Path, text: &str) -> Vec<PathBuf> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = Vec::new();
    files(dir, &mut all);
    all.retain(|path| {
        let bytes = fs::read(path).expect("a file of ours");
        [text, &hex].iter().any(|text| find(&bytes, text.as_bytes()))
    });
    all
}

fn find(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// A child's engine: what it is like, and where it keeps what.
fn variant(name: &str, dir: &Path) -> Config {
    let config = |preset| Config::preset(preset).dir(dir.join("logs")).ignore_env();
    match name {
        "production" | "shown" => config(Preset::Production),
        "durable" => config(Preset::Durable),
        "archive" => config(Preset::Archive),
        "low-latency" => config(Preset::LowLatency).arena_dir(dir.join("shm")),
        "logfmt" => config(Preset::Production).format(Format::Logfmt),
        other => panic!("{other} is no variant"),
    }
}

const VARIANT: &str = "FASTLOG_TEST_VARIANT";

/// Logs secrets on three threads, and is killed; or drains.
fn child(end: impl FnOnce(&Engine)) {
    let dir = child::dir();
    let name = std::env::var(VARIANT).expect("a variant");
    let config = variant(&name, &dir);
    let config = if name == "shown" { config.redact_only([""; 0]) } else { config };
    let engine = Engine::start(config).expect("the engine starts");
    let logger = engine.logger();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20 {
                    log_all(SECRET);
                    log_to(&logger, SECRET);
                }
            });
        }
    });
    log_all(SECRET);
    end(&engine);
}

/// What is left of a child that was run as `case`.
fn left_by(case: &str, name: &str) -> child::Ended {
    // In memory: a killed process's arena in shared memory is looked at as well.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.expect("a directory");
    for sub in ["logs", "shm"] {
        fs::create_dir(dir.path().join(sub)).expect("made");
    }
    let mut command = child::command(case, dir.path());
    Running::start(command.env(VARIANT, name), dir).end()
}

#[test]
fn no_byte_of_a_secret_is_left_by_a_process_that_is_killed() {
    const CASE: &str = "no_byte_of_a_secret_is_left_by_a_process_that_is_killed";
    if child::case().as_deref() == Some(CASE) {
        child(|_| {
            // SAFETY: takes numbers.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        });
        unreachable!("killed");
    }
    for name in ["production", "durable", "archive", "low-latency", "logfmt", "shown"] {
        let ended = left_by(CASE, name);
        assert_eq!(ended.status.signal(), Some(libc::SIGKILL), "{ended}");
        let dir = ended.dir.path();
        let seen = places(dir, PUBLIC);
        let in_arena = seen.iter().filter(|path| path.to_string_lossy().contains(".arena"));
        assert!(in_arena.count() >= 1, "{name}: rings were looked at: {seen:?}");
        let found = places(dir, SECRET);
        // The control: where nothing is hidden, it is found.
        assert_eq!(found.is_empty(), name != "shown", "{name}: {found:?}");
    }
}

#[test]
fn no_byte_of_a_secret_is_left_after_a_drain() {
    const CASE: &str = "no_byte_of_a_secret_is_left_after_a_drain";
    if child::case().as_deref() == Some(CASE) {
        return child(|engine| {
            let report = drain(engine);
            assert_eq!(report.written(), 40 * 2 * CALLS + CALLS, "{report}");
            assert_eq!(RENDERED.load(Ordering::Relaxed), 0, "none was rendered");
        });
    }
    for name in ["production", "durable", "archive", "low-latency", "logfmt"] {
        let ended = left_by(CASE, name);
        assert!(ended.status.success(), "{ended}");
        let dir = ended.dir.path();
        let mut all = Vec::new();
        files(dir, &mut all);
        let arenas: Vec<_> =
            all.iter().filter(|path| path.to_string_lossy().contains(".arena")).collect();
        assert!(arenas.is_empty(), "{name}: the arena goes with a clean drain: {arenas:?}");
        assert_eq!(places(dir, PUBLIC).len(), 1, "{name}: the log");
        assert_eq!(places(dir, SECRET), <[PathBuf; 0]>::default(), "{name}");
    }
}

/// The lines of a log in this format, binary ones decoded.
fn lines_of(format: Format, redact: impl FnOnce(Config) -> Config) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let config = redact(config(dir.path()).format(format));
    let engine = Engine::detached(config).expect("the engine starts");
    log_to(&engine.logger(), SECRET);
    let report = drain(&engine);
    let path = report.log_path().expect("a file");
    let text = match format {
        Format::Binary => {
            let content = flog::read(&fs::read(path).expect("the log"));
            content.records.iter().map(|record| format!("{record:?}\n")).collect()
        }
        _ => fs::read_to_string(path).expect("UTF-8"),
    };
    text.lines().filter(|line| !line.contains("engine started")).map(str::to_owned).collect()
}

#[test]
fn a_hidden_value_reads_redacted_in_every_format() {
    for format in [Format::Json, Format::Logfmt, Format::Text, Format::Binary] {
        let lines = lines_of(format, |config| config);
        assert_eq!(lines.len() as u64, CALLS, "{format:?}");
        for line in &lines {
            assert!(!line.contains(SECRET), "{format:?}: {line}");
            let count = line.matches("[redacted]").count() + line.matches("<redacted>").count();
            // Three bound ones, and at least one of the call's own.
            assert!(count >= 4, "{format:?}: {count} in {line}");
        }
    }
    let lines = lines_of(Format::Json, |config| config);
    assert!(lines[0].contains(r#""password":"[redacted]""#), "{}", lines[0]);
    let hole = format!(r#""message":"a hole [redacted] and {PUBLIC}""#);
    assert!(lines[1].contains(&hole), "{}", lines[1]);
    assert!(lines[9].contains(r#""truncated":true"#), "what is shown is still cut: {}", lines[9]);
}

#[test]
fn each_engine_goes_by_its_own_names() {
    let shown = lines_of(Format::Json, |config| config.redact_only(["region"]));
    assert!(shown[0].contains(&format!(r#""password":"{SECRET}""#)), "{}", shown[0]);
    assert!(shown[0].contains(r#""region":"[redacted]""#), "{}", shown[0]);
    // One call, two engines.
    let dir = tempfile::tempdir().expect("a directory");
    let start = |name: &str, change: fn(Config) -> Config| {
        let config = change(config(dir.path()).name(name));
        Engine::detached(config).expect("the engine starts")
    };
    let open = start("open", |config| config.redact_only([""; 0]));
    let strict = start("strict", |config| config.redact(["user", "IBAN"]));
    for engine in [&open, &strict, &open, &strict] {
        let logger = engine.logger();
        fastlog!(logger: logger, INFO, "{user} {n}", user = %PUBLIC, password = SECRET, n = 5);
    }
    let line = |engine: &Engine| {
        let report = drain(engine);
        let lines = common::lines(&report);
        assert_eq!(lines.len(), 2);
        lines[1].clone()
    };
    let (open, strict) = (line(&open), line(&strict));
    assert_eq!((&open["user"], &open["password"]), (&PUBLIC.into(), &SECRET.into()));
    assert_eq!(open["message"], format!("{PUBLIC} 5"));
    let redacted = "[redacted]".into();
    assert_eq!((&strict["user"], &strict["password"]), (&redacted, &redacted));
    assert_eq!((&strict["message"], &strict["n"]), (&"[redacted] 5".into(), &5.into()));
}

#[test]
fn passwords_in_addresses_are_masked_in_every_value_and_format() {
    let address = format!("postgres://ann:{SECRET}@db:5432/shop?to=a:b@c");
    let stars = "*".repeat(SECRET.len());
    for format in [Format::Json, Format::Logfmt, Format::Text, Format::Binary] {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config(dir.path()).format(format).url_passwords(UrlPasswords::Masked);
        let engine = Engine::detached(config).expect("the engine starts");
        let logger = engine.logger().with("home", address.as_str());
        let list = vec![PUBLIC, &*address];
        let long = format!("{}{address}", PUBLIC.repeat(500));
        for n in 0..3 {
            fastlog!(logger: logger, INFO, "at {address} and {n}", address, n);
            fastlog!(logger: logger, INFO, "rendered", %address, debug = ?Some(&address), n);
            fastlog!(logger: logger, INFO, "{list:?} and {address:>90}", list, address);
            fastlog!(logger: logger, INFO, "many", a = n, b = n, c = n, d = n, e = n, f = n, g = n, h = n, address);
            fastlog!(logger: logger, INFO, "long {long}", long, bytes = address.as_bytes());
            fastlog!(logger: logger, WARN, "none", text = "a/b:c://d@e", ratio = 2.5, n);
        }
        let report = drain(&engine);
        assert_eq!(report.written(), 3 * 6);
        let bytes = fs::read(report.log_path().expect("a file")).expect("the log");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET), "{format:?}");
        // The first call twice, where the message is rendered, and bound with each.
        let least = if format == Format::Binary { 3 * 9 } else { 3 * 13 };
        let count = text.matches(&format!("ann:{stars}@db:5432/shop?to=a:b@c")).count();
        assert!(count >= least, "{format:?}: {count} of {least}");
        assert_eq!(text.matches("a/b:c://d@e").count(), 3, "what is no password stays");
    }
}

#[test]
fn durable_masks_passwords_in_addresses_by_itself() {
    for (preset, is_masked) in [(Preset::Durable, true), (Preset::Production, false)] {
        let dir = tempfile::tempdir().expect("a directory");
        let config = Config::preset(preset).dir(dir.path()).name("test").ignore_env();
        let engine = Engine::detached(config).expect("the engine starts");
        fastlog!(logger: engine.logger(), INFO, "in", address = "http://ann:hunter2@host");
        let report = drain(&engine);
        let address = common::lines(&report)[0]["address"].clone();
        let expected =
            if is_masked { "http://ann:*******@host" } else { "http://ann:hunter2@host" };
        assert_eq!(address, expected, "{preset:?}");
    }
}

#[test]
fn what_is_cut_of_an_address_shows_no_part_of_its_password() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path()).record_bytes(1024).url_passwords(UrlPasswords::Masked);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    for before in 0..1200 {
        let text = format!("{} http://ann:{SECRET}@host", "x".repeat(before));
        fastlog!(logger: logger, INFO, "cut", text);
    }
    let lines = common::lines(&drain(&engine));
    let cut = lines.iter().filter(|line| line["truncated"] == true).count();
    assert!(lines.len() == 1200 && cut > 100, "{cut}");
    let shows =
        |line: &&serde_json::Value| line["text"].as_str().is_some_and(|t| t.contains("hun"));
    assert_eq!(lines.iter().find(shows), None);
}

#[test]
fn a_name_that_no_field_can_have_is_refused_at_start() {
    let error = Engine::detached(Config::default().ignore_env().redact([""])).expect_err("empty");
    assert!(error.to_string().contains("`redact`"), "{error}");
}

#[test]
fn what_is_recovered_is_masked_as_the_killed_engine_would_have() {
    const CASE: &str = "what_is_recovered_is_masked_as_the_killed_engine_would_have";
    const RECORDS: u64 = 500;
    let config = |dir: &Path, format| {
        // Nothing comes into the log by itself: all of it is recovered.
        let config = config(dir).format(format).publish_every(Duration::from_secs(10));
        config.url_passwords(UrlPasswords::Masked)
    };
    let formats = [("json", Format::Json), ("binary", Format::Binary)];
    if child::case().as_deref() == Some(CASE) {
        let name = std::env::var(VARIANT).expect("a variant");
        let (_, format) = formats[usize::from(name == "binary")];
        let engine = Engine::start(config(&child::dir().join("logs"), format)).expect("it starts");
        let logger = engine.logger().with("home", format!("ftp://ann:{SECRET}@host"));
        for n in 0..RECORDS {
            let address = format!("http://ann:{SECRET}@host/{n}");
            fastlog!(logger: logger, INFO, "at {address}", address, n);
        }
        // SAFETY: takes numbers.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
    for (name, format) in formats {
        let ended = left_by(CASE, name);
        assert_eq!(ended.status.signal(), Some(libc::SIGKILL), "{ended}");
        let logs = ended.dir.path().join("logs");
        let engine = Engine::detached(config(&logs, format)).expect("it starts");
        assert!(engine.stats().recovered() > 0, "{name}: some of it lay in rings");
        drain(&engine);
        assert_eq!(places(ended.dir.path(), SECRET), <[PathBuf; 0]>::default(), "{name}");
        assert!(!places(&logs, &format!("ann:{}@host", "*".repeat(SECRET.len()))).is_empty());
    }
}

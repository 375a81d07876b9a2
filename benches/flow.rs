//! What an engine costs that has little to do, and how long a record is under way: CPU while idle,
//! the time until a record is visible in the log out of idle and under load, and what a slow sync
//! does to the caller. `cargo bench --bench flow -- 10` takes ten seconds for each part; without a
//! number, or with `--test`, one. Prints medians and tails; asserts the account.

mod measure;

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Io, OsIo, Preset, fastlog};
use measure::{process_cpu, steady};

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let length = Duration::from_secs(seconds);
    idle(length);
    trickle(length);
    loaded(length);
    slow_sync(length);
}

fn config(dir: &Path) -> Config {
    Config::preset(Preset::Production).dir(dir).name("flow").ignore_env()
}

fn idle(length: Duration) {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    engine.flush().expect("published");
    let before = process_cpu();
    let start = Instant::now();
    thread::sleep(length);
    let used = process_cpu() - before;
    let part = used.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    println!("idle: {used:?} of CPU in {length:?}, {part:.2} % of a core");
    engine.drain().expect("the engine drains");
}

/// Waits until the log has grown, and gives the time.
fn visible(log: &File, from: u64, start: Instant) -> (Duration, u64) {
    loop {
        let len = log.metadata().expect("the log").size();
        if len > from {
            return (start.elapsed(), len);
        }
        thread::yield_now();
    }
}

/// In turns, so that each engine has been idle for as long as its collector needs to park as long
/// as it may.
const ENGINES: usize = 8;
const IDLE_FOR: Duration = Duration::from_millis(640);

fn trickle(length: Duration) {
    let engines: Vec<_> = (0..ENGINES).map(|_| Watched::start()).collect();
    let (mut times, start) = (Vec::new(), Instant::now());
    while start.elapsed() < length {
        for engine in &engines {
            thread::sleep(IDLE_FOR / ENGINES as u32);
            times.push(engine.log_one());
        }
    }
    show("out of idle, visible after", &mut times);
    for Watched { engine, .. } in engines {
        engine.drain().expect("the engine drains");
    }
}

/// An engine and its log, opened for reading.
struct Watched {
    engine: Engine,
    log: File,
    _dir: tempfile::TempDir,
}

impl Watched {
    fn start() -> Watched {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config(dir.path())).expect("the engine starts");
        engine.flush().expect("published");
        let stats = engine.stats();
        let log = File::open(stats.log_path().expect("a file")).expect("the log");
        Watched { engine, log, _dir: dir }
    }

    /// How long until the record is in the log.
    fn log_one(&self) -> Duration {
        let (logger, from) = (self.engine.logger(), self.log.metadata().expect("the log").size());
        let at = Instant::now();
        fastlog!(logger: logger, INFO, "out of idle");
        visible(&self.log, from, at).0
    }
}

/// 100,000 records a second from another thread; marked ones are looked for in the log.
fn loaded(length: Duration) {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path())).expect("the engine starts");
    let stats = engine.stats();
    let log = File::open(stats.log_path().expect("a file")).expect("the log");
    let logger = engine.logger();
    let load = {
        let logger = logger.clone();
        thread::spawn(move || steady(length, |n| fastlog!(logger: logger, INFO, "steady", n)))
    };
    let (mut times, start) = (Vec::new(), Instant::now());
    while start.elapsed() < length * 9 / 10 {
        thread::sleep(Duration::from_millis(7));
        let from = log.metadata().expect("the log").size();
        let (at, number) = (Instant::now(), times.len());
        fastlog!(logger: logger, INFO, "marked", number);
        times.push(found(&log, from, &format!("\"number\":{number}}}"), at));
    }
    let records = load.join().expect("the load");
    show("among 100,000 records/s, visible after", &mut times);
    let report = engine.drain().expect("the engine drains");
    assert_eq!(report.written() + report.dropped(), records + times.len() as u64);
}

fn found(log: &File, mut from: u64, mark: &str, start: Instant) -> Duration {
    let mut text = Vec::new();
    loop {
        let (at, len) = visible(log, from, start);
        let mut new = vec![0; (len - from) as usize];
        log.read_exact_at(&mut new, from).expect("the log");
        text.extend_from_slice(&new);
        if text.windows(mark.len()).any(|window| window == mark.as_bytes()) {
            return at;
        }
        from = len;
    }
}

/// A device whose syncs take two seconds.
#[derive(Debug)]
struct Slow;

impl Io for Slow {
    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        thread::sleep(Duration::from_secs(2));
        OsIo.fdatasync(fd)
    }
}

fn slow_sync(length: Duration) {
    let devices: [(&str, Arc<dyn Io>); 2] =
        [("syncs as they are", Arc::new(OsIo)), ("syncs of 2 s", Arc::new(Slow))];
    for (name, io) in devices {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config(dir.path()).io(io)).expect("the engine starts");
        let logger = engine.logger();
        let mut times = Vec::new();
        let records = steady(length.max(Duration::from_secs(3)), |n| {
            let start = Instant::now();
            fastlog!(logger: logger, INFO, "steady", n);
            times.push(start.elapsed());
        });
        show(&format!("100,000 records/s, {name}, a call"), &mut times);
        let stats = engine.stats();
        let (dropped, waits) = (stats.dropped(), stats.waits());
        println!(
            "  {dropped} dropped, {waits} waits, sync latency {:?}",
            stats.flow().sync_latency()
        );
        let report = engine.drain().expect("the engine drains");
        assert_eq!((report.written(), report.dropped()), (records, 0));
    }
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let (median, p99, p999) = (at(0.5), at(0.99), at(0.999));
    let worst = at(1.0);
    println!(
        "{what}: median {median:?}, p99 {p99:?}, p99.9 {p999:?}, worst {worst:?} ({} times)",
        times.len()
    );
}

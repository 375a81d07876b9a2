//! One run: an engine with one setting, a load, and whoever looks at the log meanwhile. Gives what
//! the caller, the reader, the disk and the CPU saw of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastlog::bench_support::ticks;
use fastlog::{Config, Engine, Flow, FlushControl, Io, OsIo, Overflow, Preset, fastlog};

use super::measure::tick_rate::TickRate;
use super::measure::{process_cpu, quantile, sleep_until, steady, thread_cpu};

/// How often the reader looks at the log's length.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// After the last record, so that it becomes visible by itself: more than any publish interval.
const SETTLE: Duration = Duration::from_millis(150);
const SLOW_SYNC: Duration = Duration::from_millis(200);
/// Never reached: offsets in the log are those of one file.
const ROTATE_BYTES: u64 = 1 << 40;

/// What the program does, and on which disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Load {
    Trickle,
    Steady,
    SlowSync,
    /// So many records each second, as fast as they can be logged.
    Bursts(u64, Overflow),
}

impl Load {
    /// Of so many records one is looked for in the log.
    fn marked_each(self) -> u64 {
        if self == Load::Trickle { 1 } else { 64 }
    }
}

/// What is configured.
#[derive(Clone, Copy)]
pub struct Setting {
    pub publish_every: Duration,
    pub sync_every: Duration,
    pub control: FlushControl,
}

/// What a run is judged by, with its digits after the point; the less the better.
pub const METRICS: [(&str, usize); 9] = [
    ("p50 ns", 0),
    ("p99 ns", 0),
    ("p99.9 ns", 0),
    ("in calls ms/s", 2),
    ("seen p50 ms", 2),
    ("seen p99 ms", 2),
    ("fsyncs/s", 2),
    ("CPU %", 2),
    ("dropped", 0),
];
pub type Outcome = [f64; METRICS.len()];

/// A disk that does one thing at a time, and syncs in 200 ms.
#[derive(Debug, Default)]
struct SlowDisk {
    busy: Mutex<()>,
}

impl Io for SlowDisk {
    fn fdatasync(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        thread::sleep(SLOW_SYNC);
        OsIo.fdatasync(fd)
    }

    fn pwrite(&self, fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        OsIo.pwrite(fd, bytes, offset)
    }
}

/// What the thread that logs saw.
#[derive(Default)]
struct Calls {
    /// How long each took, in ticks.
    took: Vec<u64>,
    /// When those that are looked for began, with their number.
    marked: Vec<(u64, u64)>,
    cpu: Duration,
}

impl Calls {
    #[inline]
    fn call(&mut self, load: Load) {
        let n = self.took.len() as u64;
        let price = 1.0 + n as f64 * 0.25;
        let start = ticks();
        fastlog!(INFO, "order accepted", price, symbol = "ACME.NYS", n);
        self.took.push(ticks() - start);
        if n % load.marked_each() == 0 {
            self.marked.push((n, start));
        }
    }
}

/// What it was judged by, and how the pressure went.
pub fn run(load: Load, setting: &Setting, length: Duration) -> (Outcome, Flow) {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::start(config(load, setting, dir.path())).expect("the engine starts");
    engine.flush().expect("published");
    let stats = engine.stats();
    let path = stats.log_path().expect("a file");
    let log = File::open(path).expect("the log");
    let is_over = AtomicBool::new(false);
    let (rate, start, cpu) = (TickRate::start(), Instant::now(), process_cpu());
    let (calls, (seen, watcher_cpu)) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&log, &is_over));
        let producer = scope.spawn(|| produce(&engine, load, length));
        let calls = producer.join().expect("no panic");
        thread::sleep(SETTLE);
        engine.flush().expect("published");
        is_over.store(true, Ordering::Relaxed);
        (calls, watcher.join().expect("no panic"))
    });
    let (elapsed, cpu) = (start.elapsed(), process_cpu() - cpu);
    let (ns_per_tick, syncs) = (rate.ns_per_tick(), engine.stats().syncs() - stats.syncs());
    let report = engine.drain().expect("the engine drains");
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    assert_eq!(report.submitted(), calls.took.len() as u64, "{report}");

    let engine_cpu = cpu.saturating_sub(calls.cpu + watcher_cpu);
    let mut delays = delays(&calls.marked, &ends(path), &seen);
    let mut took = calls.took;
    let in_calls_s = took.iter().sum::<u64>() as f64 * ns_per_tick / 1e9;
    let call = |took: &mut [u64], part| quantile(took, part) as f64 * ns_per_tick;
    let delay = |delays: &mut [u64], part| quantile(delays, part) as f64 * ns_per_tick / 1e6;
    let outcome = [
        call(&mut took, 0.5),
        call(&mut took, 0.99),
        call(&mut took, 0.999),
        in_calls_s * 1e3 / elapsed.as_secs_f64(),
        delay(&mut delays, 0.5),
        delay(&mut delays, 0.99),
        syncs as f64 / elapsed.as_secs_f64(),
        engine_cpu.as_secs_f64() / elapsed.as_secs_f64() * 100.0,
        report.dropped() as f64,
    ];
    (outcome, report.flow().clone())
}

fn config(load: Load, setting: &Setting, dir: &Path) -> Config {
    let config = Config::preset(Preset::Production)
        .dir(dir)
        .name("actuators")
        .publish_every(setting.publish_every)
        .sync_every(setting.sync_every)
        .flush_control(setting.control)
        .rotate_bytes(ROTATE_BYTES)
        .ignore_env();
    match load {
        Load::SlowSync => config.io(Arc::new(SlowDisk::default())),
        Load::Bursts(_, overflow) => config.overflow(overflow),
        Load::Trickle | Load::Steady => config,
    }
}

fn produce(engine: &Engine, load: Load, length: Duration) -> Calls {
    engine.prepare_thread();
    let (mut calls, start, cpu) = (Calls::default(), Instant::now(), thread_cpu());
    match load {
        Load::Trickle => {
            while start.elapsed() < length {
                calls.call(load);
                // About ten a second, in no step with any interval of the engine.
                let n = calls.took.len() as u64;
                sleep_until(start + Duration::from_micros(100_000 * n + n * 7_919 % 20_000));
            }
        }
        Load::Steady | Load::SlowSync => _ = steady(length, |_| calls.call(load)),
        Load::Bursts(records, _) => {
            let mut next = start;
            while start.elapsed() < length {
                (0..records).for_each(|_| calls.call(load));
                next += Duration::from_secs(1).min(length);
                sleep_until(next);
            }
        }
    }
    calls.cpu = thread_cpu() - cpu;
    calls
}

/// Looks at the log's length until it is over; when it was seen to have grown, and to what. Reading
/// it as well would take the engine's CPU.
fn watch(log: &File, is_over: &AtomicBool) -> (Vec<(u64, u64)>, Duration) {
    let (mut seen, mut last, cpu) = (Vec::new(), 0, thread_cpu());
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        let len = log.metadata().expect("the log").size();
        if len > last {
            seen.push((len, ticks()));
            last = len;
        }
        if is_last {
            return (seen, thread_cpu() - cpu);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Where in the log each record's line ends, by number; those that are not there were dropped.
fn ends(path: &Path) -> Vec<(u64, u64)> {
    let mut log = BufReader::with_capacity(1 << 20, File::open(path).expect("the log"));
    let (mut line, mut end, mut ends) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        match log.read_until(b'\n', &mut line).expect("the log") {
            0 => return ends,
            len => end += len as u64,
        }
        if let Some(n) = number(&line) {
            ends.push((n, end));
        }
    }
}

/// The number at the end of a line of this bench's; the engine's own have none.
fn number(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\n")?;
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, digits) = line.split_at(line.len() - digits);
    std::str::from_utf8(digits).ok().filter(|_| head.ends_with(b"\"n\":"))?.parse().ok()
}

/// Ticks from the call to the moment at which its line was seen, of those marked that were written.
fn delays(marked: &[(u64, u64)], ends: &[(u64, u64)], seen: &[(u64, u64)]) -> Vec<u64> {
    let (mut ends, mut seen) = (ends.iter().peekable(), seen.iter().peekable());
    let delay = |(number, start): &(u64, u64)| {
        while ends.next_if(|(n, _)| n < number).is_some() {}
        let (_, end) = ends.peek().filter(|(n, _)| n == number)?;
        while seen.next_if(|(len, _)| len < end).is_some() {}
        let (_, at) = seen.peek().expect("all that is written was seen");
        Some(at.saturating_sub(*start))
    };
    marked.iter().filter_map(delay).collect()
}

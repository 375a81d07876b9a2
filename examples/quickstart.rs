//! The README's first command: several threads, all kinds of values, an error with its sources, and
//! at the end the report, where the log is, and its last lines. Each run adds some 40 MB to
//! `logs/quickstart.jsonl`; the directory `logs` may be removed afterwards.
//!
//! `cargo run --release --example quickstart`

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Overflow, Preset, Redacted, chain, error, fastlog, info};

const WORKERS: u64 = 4;
const ORDERS_EACH: u64 = 50_000;

/// An error with a source, as services have them.
#[derive(Debug)]
struct CannotLoad {
    source: std::io::Error,
}

impl fmt::Display for CannotLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot load the price list")
    }
}

impl std::error::Error for CannotLoad {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `Production` drops what a full ring has no room for within 10 ms. Here nothing is to be lost:
    // four threads that do nothing but log are faster than one that formats.
    let config = Config::preset(Preset::Production).name("quickstart").overflow(Overflow::Block);
    let engine = Engine::start(config)?;

    let start = Instant::now();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            thread::Builder::new().name(format!("worker-{worker}")).spawn(move || work(worker))
        })
        .collect::<Result<_, _>>()?;
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    let took = start.elapsed();

    log_all_kinds_of_values();
    if let Err(source) = std::fs::read("/no/such/price-list") {
        let failure = CannotLoad { source };
        error!("start-up failed", error = chain(&failure), retry_in = Duration::from_secs(5));
    }

    // One request's records share its fields.
    let request = engine.logger().with("request", "r-17").with("user_id", 42);
    fastlog!(logger: request, INFO, "accepted", items = 3);

    let report = engine.drain()?;
    let calls = WORKERS * ORDERS_EACH;
    println!("{calls} calls on {WORKERS} threads took {took:.0?}, waits for room included");
    println!("{report}");
    if let Some(log) = report.log_path() {
        println!("\nThe log is {}. Its last lines:\n", log.display());
        for line in last_lines(log, 4)? {
            println!("{line}");
        }
        println!("\nFollow it with `tail -F`, read it with `jq`.");
    }
    Ok(())
}

/// What a worker of a service might log.
fn work(worker: u64) {
    for order in 0..ORDERS_EACH {
        let price = 100.0 + (order % 400) as f64 * 0.25;
        fastlog!(
            INFO,
            "order {order_id} accepted",
            order_id = order,
            worker,
            price,
            symbol = "ACME.NYS"
        );
    }
}

fn log_all_kinds_of_values() {
    let peer: SocketAddr = ([127, 0, 0, 1], 8080).into();
    let missing: Option<u32> = None;
    info!(
        "all kinds of values, {ratio:.1} % of them",
        ratio = 99.9,
        big = u128::MAX,
        flag = true,
        letter = 'ß',
        missing,
        peer,
        took = Duration::from_micros(1_250),
        bytes = [0xde_u8, 0xad],
        codes = [200_u16, 404],
        names = ["ann", "bob \"the\" builder"],
        password = Redacted("hunter2"),
        debugged = ?Some("text\nwith a line break"),
        "http.status" = 200,
    );
}

/// The last lines of a file, read from its last 16 KiB.
fn last_lines(path: &Path, count: usize) -> io::Result<Vec<String>> {
    const TAIL_BYTES: u64 = 16 << 10;
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = tail.lines().collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    Ok(last.iter().map(ToString::to_string).collect())
}

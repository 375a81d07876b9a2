//! Full load for as long as one likes, through rotations with retention: do memory, disk and file
//! descriptors stay flat? `cargo bench --bench soak -- 600` runs for ten minutes; without a number, or
//! with `--test`, for five seconds. Asserts the account; prints what it saw, a row every tenth.

mod measure;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastlog::{Config, Engine, Overflow, Preset, fastlog};
use measure::resident_bytes;

const THREADS: u64 = 2;
const ROWS: u32 = 10;
const ROTATE_BYTES: u64 = 64 << 20;
const RETAINED: usize = 4;

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let duration = Duration::from_secs(seconds);
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::preset(Preset::Production)
        .dir(dir.path())
        .name("soak")
        .overflow(Overflow::Block)
        // A device that is written to at full speed stands still for seconds at times.
        .stall_after(Duration::from_secs(300))
        .barrier_patience(Duration::from_secs(300))
        .rotate_bytes(ROTATE_BYTES)
        .retain_files(RETAINED)
        .ignore_env();
    let engine = Engine::start(config).expect("the engine starts");
    let is_over = AtomicBool::new(false);
    println!("   time     records  rotations  resident MiB  disk MiB  descriptors");
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let is_over = &is_over;
            scope.spawn(move || {
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let price = n as f64 * 0.25;
                    fastlog!(
                        INFO,
                        "order accepted",
                        user_id = n,
                        price,
                        symbol = "ACME.NYS",
                        worker
                    );
                }
            });
        }
        let start = Instant::now();
        for row in 1..=ROWS {
            thread::sleep((duration * row / ROWS).saturating_sub(start.elapsed()));
            show(&engine, dir.path(), start.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let report = engine.drain().expect("the engine drains");
    println!("{report}");
    assert!(report.is_balanced() && report.dropped() == 0 && report.pending() == 0, "{report}");
}

fn show(engine: &Engine, dir: &Path, time: Duration) {
    let stats = engine.stats();
    println!(
        "{:>5.0} s {:>11} {:>10} {:>13} {:>9} {:>12}",
        time.as_secs_f64(),
        stats.written(),
        stats.rotations(),
        resident_bytes() >> 20,
        disk_bytes(dir) >> 20,
        fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
    );
}

/// What the files take, the reserve behind the last one included.
fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.blocks() * 512).sum()
}

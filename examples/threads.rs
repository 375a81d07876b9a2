//! Many threads, one log: `cargo run --release --example threads`.
//!
//! Each thread has a ring of its own, so that calls never meet. The engine merges them by time; a
//! thread that ends leaves its ring to the next. Writes to `./logs` and ends in a second.

use std::thread;
use std::time::Instant;

use fastlog::{Config, Detail, Engine, Overflow, Preset, info};

const THREADS: usize = 8;
const RECORDS: u64 = 50_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::preset(Preset::Production)
        .name("threads")
        .include(Detail::Thread) // each line names the thread that made it
        .overflow(Overflow::Block); // a full ring makes its thread wait, so that nothing is dropped
    let engine = Engine::start(config)?;

    let start = Instant::now();
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let builder = thread::Builder::new().name(format!("worker-{worker}"));
            let handle = builder.spawn_scoped(scope, move || {
                for job in 0..RECORDS {
                    info!("job {job} is done", job, worker);
                }
            });
            handle.expect("a thread");
        }
    });
    let logged = start.elapsed();

    let report = engine.drain()?;
    println!("{THREADS} threads logged {} records in {logged:.1?}", report.submitted());
    println!("{report}");
    println!("late: {}, for threads that lost the CPU between clock and commit", report.late());
    Ok(())
}

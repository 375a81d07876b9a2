//! Logs from several threads and kills itself as `kill -9` does, with lines that are in no file yet.
//! The second run shows every one of them in the log.
//!
//! ```text
//! cargo run --release --example crash        it ends: Killed
//! cargo run --release --example crash        100000 calls had returned, 100000 lines are there
//! ```

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fastlog::{Config, Engine, Overflow, fastlog};
use rustix::process::{Signal, getpid, kill_process};

const THREADS: u64 = 4;
const CALLS: u64 = 25_000;

fn main() -> Result<(), Box<dyn Error>> {
    // Published each second only, so that there is something to lose.
    let config = Config::default()
        .name("crash")
        .overflow(Overflow::Block)
        .publish_every(Duration::from_secs(1));
    let engine = Engine::start(config)?;
    let stats = engine.stats();
    if stats.recovered_arenas() > 0 {
        let log = stats.log_path().ok_or("the log is a file")?;
        let (calls, lines) = (THREADS * CALLS, lines_of_last_run(log)?);
        println!("{calls} calls had returned, {lines} lines are there: {}", log.display());
        println!("{} of them came back with this start", stats.recovered());
        engine.drain()?;
        return if lines == calls { Ok(()) } else { Err("lines are missing".into()) };
    }
    let run = std::process::id();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in 0..CALLS {
                    fastlog!(INFO, "call {n} of thread {thread}", n, thread, run);
                }
            });
        }
    });
    println!(
        "{} calls have returned, and now this process is killed: start it again",
        THREADS * CALLS
    );
    kill_process(getpid(), Signal::KILL)?;
    Ok(())
}

/// How many lines the log has of the run that was killed.
fn lines_of_last_run(log: &Path) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(log)?;
    let run_of = |line: &str| {
        let (_, run) = line.rsplit_once("\"run\":")?;
        run.strip_suffix('}').map(str::to_owned)
    };
    let last = text.lines().rev().find_map(run_of).ok_or("a line of the program")?;
    Ok(text.lines().filter(|line| run_of(line).as_deref() == Some(&last)).count() as u64)
}

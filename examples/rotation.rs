//! The log goes on in new files, and old ones go: `cargo run --release --example rotation`.
//!
//! Writes to `./logs`, ends in a second, and shows which files there were and which are left.

use std::fs;
use std::path::Path;

use fastlog::{Config, Engine, Overflow, Preset, Rotate, info};

const LINES: u64 = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::preset(Preset::Production)
        .name("rotation")
        .overflow(Overflow::Block)
        .rotate(Rotate::Daily) // at midnight, UTC
        .rotate_bytes(4 << 20) // and whenever the next line would make it longer than 4 MiB
        .retain_files(3); // three old files stay beside the one that is written
    let engine = Engine::start(config)?;
    for n in 0..LINES {
        info!("order {n} accepted", n, price = n as f64 * 0.25, symbol = "ACME.NYS");
    }
    engine.sync()?;
    let stats = engine.stats();
    let report = engine.drain()?;

    println!("{report}");
    println!("rotated {} times, removed {} files; left:", stats.rotations(), stats.removed_files());
    let log = report.log_path().ok_or("a file")?;
    for (name, bytes) in files(log.parent().ok_or("a directory")?)? {
        println!("{bytes:>10} bytes  {name}");
    }
    Ok(())
}

/// The files of this log by name, with their lengths.
fn files(dir: &Path) -> std::io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("rotation") {
            files.push((name, entry.metadata()?.len()));
        }
    }
    files.sort();
    Ok(files)
}

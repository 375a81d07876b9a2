//! Promise: rotated files are compressed without loss, one copy at a time, and never at the cost of a
//! sync; a process that died in between leaves nothing that the next start does not put right.

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use common::{drain, wait_until};
use fastlog::{Compression, Config, Engine, fastlog};

const LINES: u64 = 30_000;

fn config(dir: &Path, compression: Compression) -> Config {
    common::config(dir).rotate_bytes(256 << 10).compress(compression)
}

/// All names in the directory but the private one, the numbers of rotated files in order.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<_> = names.filter(|name| name != ".fastlog").collect();
    let number = |name: &String| name.split(['-', '.']).nth(2).and_then(|n| n.parse::<u64>().ok());
    // The live file has no number and comes last.
    names.sort_by_key(|name| number(name).unwrap_or(u64::MAX));
    names
}

/// A file's text, unpacked by its name.
fn text(path: &Path) -> String {
    let file = File::open(path).expect("a file");
    let mut text = String::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => zstd::Decoder::new(file).and_then(|mut file| file.read_to_string(&mut text)),
        Some("gz") => flate2::read::GzDecoder::new(file).read_to_string(&mut text),
        _ => { file }.read_to_string(&mut text),
    }
    .expect("whole and UTF-8");
    text
}

/// The program's numbers in all files.
fn numbers(dir: &Path) -> Vec<u64> {
    let texts: Vec<_> = names(dir).iter().map(|name| text(&dir.join(name))).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    lines.filter_map(|line| line["n"].as_u64()).collect()
}

fn log(engine: &Engine, numbers: std::ops::Range<u64>) {
    let logger = engine.logger();
    numbers.for_each(|n| fastlog!(logger: logger, INFO, "a line that packs well", n));
}

#[test]
fn every_line_is_there_once_in_what_is_packed() {
    for (compression, suffix) in [(Compression::Zstd, ".zst"), (Compression::Gzip, ".gz")] {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::detached(config(dir.path(), compression)).expect("it starts");
        log(&engine, 0..LINES);
        engine.sync().expect("a sync comes first");
        let rotations = engine.stats().rotations();
        assert!(rotations > 5, "{rotations}");
        wait_until("the keeper", || engine.stats().compressed_files() == rotations);
        drain(&engine);
        let names = names(dir.path());
        let packed = names.iter().filter(|name| name.ends_with(suffix)).count() as u64;
        assert_eq!((packed, names.len() as u64), (rotations, rotations + 1), "{names:?}");
        assert!(numbers(dir.path()).into_iter().eq(0..LINES));
        let len = fs::metadata(dir.path().join(&names[0])).expect("a file").len();
        assert!(len < 64 << 10, "{len} bytes");
    }
}

#[test]
fn what_was_left_half_done_is_put_right() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::detached(config(dir.path(), Compression::None)).expect("it starts");
    log(&engine, 0..LINES);
    drain(&engine);
    let plain = names(dir.path());
    assert!(plain.len() > 5);
    // Died after the packed file had its name, before the original went.
    let first = dir.path().join(&plain[0]);
    let packed = zstd::encode_all(&*fs::read(&first).expect("a file"), 3).expect("packed");
    fs::write(dir.path().join(format!("{}.zst", plain[0])), packed).expect("a file");
    // Died while it packed.
    fs::write(dir.path().join(".fastlog/test.packing"), b"half").expect("a file");
    let engine = Engine::detached(config(dir.path(), Compression::Zstd)).expect("it starts");
    let expected = plain.len() as u64 - 2;
    log(&engine, LINES..LINES + 1);
    wait_until("the keeper", || engine.stats().compressed_files() >= expected);
    drain(&engine);
    assert!(!first.exists());
    assert!(numbers(dir.path()).into_iter().eq(0..LINES + 1));
    assert!(!dir.path().join(".fastlog/test.packing").exists());
}

#[test]
fn packed_files_are_kept_and_removed_like_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(dir.path(), Compression::Zstd).retain_files(3);
    let engine = Engine::detached(config).expect("it starts");
    log(&engine, 0..LINES);
    engine.sync().expect("synced");
    let files = || names(dir.path());
    wait_until("the keeper", || {
        files().len() == 4 && files().iter().filter(|name| name.ends_with(".zst")).count() == 3
    });
    drain(&engine);
    let left = numbers(dir.path());
    assert!(left.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert_eq!(left.last(), Some(&(LINES - 1)));
}

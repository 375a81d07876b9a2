//! What any logger's throughput is held against: a loop of `pwrite` over fastlog's lines, made
//! before the clock starts.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use crate::order::{MESSAGE, Order};
use crate::peers::FASTLOG_TARGET;

/// More lines do not change the rate, and take memory.
pub const LINES_MAX: u64 = 1_000_000;

/// Bytes of one `pwrite`.
const CHUNK_BYTES: usize = 256 * 1024;

/// The lines that fastlog writes for orders `0..records`; the times are made up.
pub fn lines(records: u64) -> Vec<u8> {
    let mut lines = Vec::new();
    for order in (0..records).map(Order::number) {
        writeln!(
            lines,
            "{{\"timestamp\":\"2026-11-20T21:33:00.{:09}Z\",\"level\":\"INFO\",\
             \"target\":\"{FASTLOG_TARGET}\",\"message\":\"{MESSAGE}\",\"user_id\":{},\
             \"price\":{:?},\"symbol\":\"{}\"}}",
            order.user_id, order.user_id, order.price, order.symbol
        )
        .expect("a vector takes everything");
    }
    lines
}

/// Writes the bytes to a new file.
pub fn write(path: &Path, bytes: &[u8]) {
    let file = File::create_new(path).expect("the directory is writable");
    let mut at = 0;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        file.write_all_at(chunk, at).expect("the disk has room");
        at += chunk.len() as u64;
    }
}

/// The loop's records a second here and now, with this many records or as many as matter.
pub fn records_per_s(dir: &Path, records: u64) -> f64 {
    let records = records.min(LINES_MAX);
    let bytes = lines(records);
    let path = dir.join("raw");
    let start = Instant::now();
    write(&path, &bytes);
    let seconds = start.elapsed().as_secs_f64();
    fs::remove_file(&path).expect("it was just written");
    records as f64 / seconds
}

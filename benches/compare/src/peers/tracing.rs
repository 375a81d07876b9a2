//! `tracing` with tracing-subscriber's JSON layer, the writer in three ways.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_appender::non_blocking::{DEFAULT_BUFFERED_LINES_LIMIT, NonBlockingBuilder};

use crate::bench::{Bench, Closed};
use crate::order::Order;
use crate::peers::BUFFER_BYTES;
use crate::run::Outcome;

fn log(order: &Order) {
    tracing::info!(
        user_id = order.user_id,
        price = order.price,
        symbol = order.symbol,
        "order accepted"
    );
}

pub fn non_blocking_lossless(bench: &Bench) -> Outcome {
    non_blocking(bench, false, 1 << 20)
}

/// tracing-appender's defaults.
pub fn non_blocking_lossy(bench: &Bench) -> Outcome {
    non_blocking(bench, true, DEFAULT_BUFFERED_LINES_LIMIT)
}

fn non_blocking(bench: &Bench, lossy: bool, lines: usize) -> Outcome {
    let file = tracing_appender::rolling::never(bench.dir(), "peer.log");
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(lossy).buffered_lines_limit(lines).finish(file);
    let errors = writer.error_counter();
    tracing_subscriber::fmt().json().with_writer(writer).init();
    bench.drive(log, || {
        // Waits a second for the worker at most, then leaves it with what is queued.
        drop(guard);
        Closed::unfinished().dropped(errors.dropped_lines() as u64)
    })
}

struct Locked(MutexGuard<'static, BufWriter<File>>);

impl Write for Locked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

pub fn sync_buffered(bench: &Bench) -> Outcome {
    let file = File::create(bench.file()).expect("log file");
    let file = Mutex::new(BufWriter::with_capacity(BUFFER_BYTES, file));
    // The subscriber is global and never dropped, so the file is flushed by hand.
    let file: &'static Mutex<_> = Box::leak(Box::new(file));
    let lock = move || Locked(file.lock().unwrap_or_else(PoisonError::into_inner));
    tracing_subscriber::fmt().json().with_writer(lock).init();
    bench.drive(log, || {
        lock().flush().expect("log file");
        Closed::flushed()
    })
}

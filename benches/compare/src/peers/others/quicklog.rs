//! quicklog: boxes the values, the user's own thread formats and writes them.
//!
//! Its queue takes one producer thread and drops in silence when full. Its own `FileFlusher`
//! opens the file anew for each record, so this one keeps it open.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use quicklog::{Log, info};
use quicklog_flush::Flush;

use crate::bench::{Bench, Closed};
use crate::peers::BUFFER_BYTES;
use crate::run::Outcome;

struct FileFlusher(BufWriter<File>);

impl Flush for FileFlusher {
    fn flush_one(&mut self, line: String) {
        self.0.write_all(line.as_bytes()).expect("log file");
    }
}

static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(bench: &Bench) -> Outcome {
    let file = File::create(bench.file()).expect("log file");
    quicklog::init!();
    quicklog::with_flush!(FileFlusher(BufWriter::with_capacity(BUFFER_BYTES, file)));
    let flusher = thread::spawn(|| {
        loop {
            // Pairs with the Release below: what was logged before is in the queue.
            let stop = STOP.load(Ordering::Acquire);
            while quicklog::logger().flush_one().is_ok() {}
            if stop {
                break;
            }
            thread::yield_now();
        }
        // Dropping the flusher in use writes its buffer out.
        quicklog::with_flush!(quicklog_flush::noop_flusher::NoopFlusher);
    });
    bench.drive(
        |order| {
            info!(
                "order accepted user_id={} price={} symbol={}",
                order.user_id, order.price, order.symbol
            );
        },
        || {
            STOP.store(true, Ordering::Release);
            flusher.join().expect("flusher");
            Closed::flushed()
        },
    )
}

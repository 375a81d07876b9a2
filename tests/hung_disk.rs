//! Promise [P5]: a disk that hangs in a system call holds up the thread that made it, and nobody
//! else: other threads log on, and a drain with a limit ends.

mod common;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastlog::{Engine, Io, OsIo, Reserve, fastlog};

/// Hangs in the allocation of a chunk of rings until it is let go.
#[derive(Debug, Default)]
struct Hangs {
    hangs: AtomicBool,
    is_let_go: AtomicBool,
}

/// Longer than segments and the arena's fixed part, shorter than a chunk of rings.
const CHUNK_BYTES_MIN: u64 = 4 << 20;

impl Io for Hangs {
    fn fallocate(
        &self,
        fd: BorrowedFd<'_>,
        reserve: Reserve,
        offset: u64,
        len: u64,
    ) -> io::Result<()> {
        if reserve == Reserve::Extend && len >= CHUNK_BYTES_MIN {
            self.hangs.store(true, Ordering::SeqCst);
            common::wait_until("the disk", || self.is_let_go.load(Ordering::SeqCst));
        }
        OsIo.fallocate(fd, reserve, offset, len)
    }
}

#[test]
fn a_drain_with_a_limit_ends_while_a_first_record_hangs() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Arc::new(Hangs::default());
    let config = common::config(dir.path()).io(Arc::clone(&disk) as Arc<dyn Io>);
    let engine = Engine::detached(config).expect("the engine starts");
    let logger = engine.logger();
    let hung = std::thread::spawn(move || fastlog!(logger: logger, INFO, "first of its thread"));
    common::wait_until("the hang", || disk.hangs.load(Ordering::SeqCst));

    let start = Instant::now();
    engine.flush_timeout(Duration::from_secs(5)).expect("the collector does not wait");
    let stats = engine.stats();
    assert_eq!((stats.submitted(), stats.rings()), (0, 0));
    let report = engine.drain_timeout(Duration::from_secs(5)).expect("nothing is pending");
    assert!(report.is_balanced() && report.submitted() == 0, "{report}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());

    let unheard = fastlog::unheard();
    disk.is_let_go.store(true, Ordering::SeqCst);
    hung.join().expect("the thread ends");
    assert_eq!(fastlog::unheard(), unheard + 1);
}

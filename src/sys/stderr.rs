//! A sentence to the host, on its standard error. On any thread; waits for a tenth of a second at
//! most for whoever reads it.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use super::write_signals::WriteSignalsHeld;

/// How long a reader may be busy. In nanoseconds.
const PATIENCE_NS: i64 = 100_000_000;

/// Writes `fastlog: <sentence>` as one line, past std's lock: a forked child may find that held for
/// ever, by a thread that it has not.
pub(crate) fn say(sentence: &str) {
    let line = format!("fastlog: {sentence}\n");
    let stderr = io::stderr();
    let _held = WriteSignalsHeld::hold();
    let patience = Timespec { tv_sec: 0, tv_nsec: PATIENCE_NS };
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let is_ready = poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0);
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    if !is_ready || fds[0].revents().intersects(gone) {
        // To write to a pipe without a reader would end a host that has SIGPIPE's default action.
        return;
    }
    // A host that closed it has nobody to tell, and half a line is not worth a second try.
    let _ = retry_on_intr(|| rustix::io::write(stderr.as_fd(), line.as_bytes()));
}

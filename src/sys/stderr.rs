//! A sentence to the host, on its standard error. On any thread; may wait as long as whatever reads
//! it does.

use std::io;
use std::os::fd::AsFd;

use rustix::io::retry_on_intr;

/// Writes `fastlog: <sentence>` as one line, past std's lock: a forked child may find that held for
/// ever, by a thread that it has not.
pub(crate) fn say(sentence: &str) {
    let line = format!("fastlog: {sentence}\n");
    let stderr = io::stderr();
    // A host that closed it has nobody to tell, and half a line is not worth a second try.
    let _ = retry_on_intr(|| rustix::io::write(stderr.as_fd(), line.as_bytes()));
}

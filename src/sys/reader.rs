//! Whether anybody reads what a pipe takes. Called from the command line's thread.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Waits for the reader of a pipe, a socket or a terminal to go; says whether it has. A file has
/// none that could: then this is a sleep. A signal ends the wait.
///
/// # Errors
/// The system's.
pub fn is_gone_within(output: impl AsFd, patience: Duration) -> io::Result<bool> {
    let patience = Timespec::try_from(patience).ok();
    // Errors and the end are reported without being asked for.
    let mut fds = [PollFd::new(&output, PollFlags::empty())];
    match poll(&mut fds, patience.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn only_a_pipe_without_a_reader_says_so() {
        let at_once = Duration::ZERO;
        let (reader, writer) = io::pipe().expect("a pipe");
        assert!(!is_gone_within(&writer, at_once).expect("polled"));
        drop(reader);
        assert!(is_gone_within(&writer, Duration::from_secs(60)).expect("polled"));
        let file = File::open("/dev/null").expect("opened");
        assert!(!is_gone_within(&file, at_once).expect("polled"));
    }
}

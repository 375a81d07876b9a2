//! What the command line asks of the system about its streams, signals and limits. Called from its
//! own threads.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// Waits until there is something to read, or the input has ended; false when `stop` came first.
///
/// # Errors
/// The system's.
pub fn is_readable_before(input: impl AsFd, stop: impl AsFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(&stop, PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
    loop {
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => return Ok(false),
            Ok(_) if !fds[1].revents().is_empty() => return Ok(true),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets this process open as many files as it may.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, fewer logs are read at a time.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Whether whoever started this process lets it ignore the signal, as `nohup` does. False where the
/// system does not say.
pub fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
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

    #[test]
    fn what_comes_first_is_told() {
        let (reader, mut writer) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let (stop, mut stopper) = std::os::unix::net::UnixStream::pair().expect("a pair");
        io::Write::write_all(&mut writer, b"x").expect("there is room");
        assert!(is_readable_before(&reader, &stop).expect("polled"));
        io::Write::write_all(&mut stopper, b"x").expect("there is room");
        assert!(!is_readable_before(&reader, &stop).expect("polled"));
        drop(writer);
        let (silent, _open) = std::os::unix::net::UnixStream::pair().expect("a pair");
        assert!(is_readable_before(&reader, &silent).expect("polled"), "its end, too");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_ignored_signal_is_known() {
        const SIGPIPE: i32 = 13;
        const SIGKILL: i32 = 9;
        // Rust's own start-up ignores it.
        assert!(is_ignored(SIGPIPE) && !is_ignored(SIGKILL));
    }
}

//! Which failures of a stream are final. Pure; used on the threads that write to consoles, and by
//! the command line.

use std::io;

use rustix::io::Errno;

/// Whether nobody will ever take what is written there: the reader of a pipe or a socket has gone,
/// a terminal has vanished or was hung up, or the descriptor was closed. To be asked of streams: to
/// a file on a disk some of these mean something else.
pub fn is_gone(error: &io::Error) -> bool {
    let Some(error) = Errno::from_io_error(error) else {
        return error.kind() == io::ErrorKind::BrokenPipe;
    };
    let finals = [
        Errno::PIPE,
        // Of sockets.
        Errno::CONNRESET,
        Errno::CONNABORTED,
        Errno::NOTCONN,
        // Of terminals and other devices.
        Errno::IO,
        Errno::NXIO,
        Errno::NODEV,
        // What is opened under the number later is somebody else's.
        Errno::BADF,
    ];
    finals.contains(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_reader_that_is_slow_may_recover() {
        for error in [Errno::NOSPC, Errno::AGAIN, Errno::NOBUFS, Errno::FBIG, Errno::TIMEDOUT] {
            assert!(!is_gone(&error.into()), "{error}");
        }
        for error in [Errno::PIPE, Errno::CONNRESET, Errno::NOTCONN, Errno::IO, Errno::BADF] {
            assert!(is_gone(&error.into()), "{error}");
        }
        assert!(is_gone(&io::ErrorKind::BrokenPipe.into()));
        assert!(!is_gone(&io::ErrorKind::WouldBlock.into()));
    }
}

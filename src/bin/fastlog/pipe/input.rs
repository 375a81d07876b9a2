//! The standard input, until it ends or a signal asks for the end.

use std::fs::File;
use std::io::{self, ErrorKind, Read, stdin};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use fastlog::cli_support::is_readable_before;

/// Reads it without a buffer: what is read is handed on.
pub struct Input<'a> {
    file: File,
    stop: &'a UnixStream,
}

impl Input<'_> {
    /// Ends where `stop` can be read.
    ///
    /// # Errors
    /// The system's.
    pub fn new(stop: &UnixStream) -> io::Result<Input<'_>> {
        Ok(Input { file: File::from(stdin().as_fd().try_clone_to_owned()?), stop })
    }
}

impl Read for Input<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if !is_readable_before(&self.file, self.stop)? {
                return Ok(0);
            }
            match self.file.read(to) {
                // Somebody else has read it, or shares an input that does not wait.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                other => return other,
            }
        }
    }
}

//! The standard output and error, whoever reads them: a reader that is gone ends what is written
//! and nothing else.

use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, Write, stderr, stdout};
use std::os::fd::AsFd;

use fastlog::cli_support::is_gone;

/// Says a sentence on the standard error, if somebody is there: `eprintln!` panics if not.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => { $crate::output::say(format_args!($($words)*)) };
}

/// See [`say!`].
pub fn say(sentence: Arguments<'_>) {
    let line = format!("fastlog: {sentence}\n");
    // Nobody else could be told.
    let _ = stderr().write_all(line.as_bytes());
}

/// Whether all went out, or somebody has seen enough of it; else says what is wrong.
pub fn is_written(outcome: io::Result<()>) -> bool {
    match outcome {
        Err(error) if is_left(&error) => true,
        Err(error) => {
            say!("the standard output takes nothing: {error}");
            false
        }
        Ok(()) => true,
    }
}

/// Whether whoever read is gone. What a disk says so may be a loss.
pub fn is_left(error: &io::Error) -> bool {
    let file = stdout().as_fd().try_clone_to_owned().map(File::from);
    let is_file = file.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file());
    error.kind() == io::ErrorKind::BrokenPipe || !is_file && is_gone(error)
}

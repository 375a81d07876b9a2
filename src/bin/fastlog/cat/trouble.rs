//! Files that cannot be read, or not to their ends: each is named on the standard error, once, and
//! the exit code tells of them. The rest is printed.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::print::escape;
use crate::say;

/// What was said.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Names a file, and what is wrong with it.
pub fn tell(path: &Path, what: &dyn Display) {
    let mut sentence = String::new();
    escape(&mut sentence, &format!("{}: {what}", path.display()));
    // Followed files are looked at again and again.
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(sentence.clone()) {
        say!("{sentence}");
    }
}

/// Whether there was any.
pub fn is_any() -> bool {
    !TOLD.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// The bytes of a file. One that cannot be read on ends there, and is told.
pub struct Telling<R> {
    input: R,
    path: PathBuf,
    is_over: bool,
}

impl<R> Telling<R> {
    pub fn new(input: R, path: &Path) -> Telling<R> {
        Telling { input, path: path.to_owned(), is_over: false }
    }

    pub fn input(&self) -> &R {
        &self.input
    }

    pub fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }
}

impl<R: BufRead> BufRead for Telling<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.is_over {
            return Ok(&[]);
        }
        match self.input.fill_buf() {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.is_over = true;
                tell(&self.path, &error);
                Ok(&[])
            }
            other => other,
        }
    }

    fn consume(&mut self, count: usize) {
        if !self.is_over {
            self.input.consume(count);
        }
    }
}

impl<R: BufRead> Read for Telling<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(to)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_failure_is_read() {
        // Of several blocks, of which the last is cut.
        let text: String = (0..40_000).map(|n| format!("line {n}\n")).collect();
        let cut = zstd::encode_all(text.as_bytes(), 1).expect("packed");
        let decoder = zstd::Decoder::new(&cut[..cut.len() - 5]).expect("a decoder");
        let path = Path::new("cut\u{1b}.zst");
        let mut telling = Telling::new(io::BufReader::new(decoder), path);
        let mut read = String::new();
        telling.read_to_string(&mut read).expect("told, not given");
        assert!(text.starts_with(&read) && !read.is_empty() && read.len() < text.len());
        assert_eq!(telling.fill_buf().expect("the end"), b"");
        assert!(is_any());
        let told = TOLD.lock().expect("no panic");
        assert!(told.iter().any(|told| told.starts_with("cut\\u{1b}.zst: ")), "{told:?}");
    }
}

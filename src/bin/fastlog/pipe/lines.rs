//! The lines of the input: whole up to a length, and in parts beyond it.

use std::io::{self, BufRead, BufReader, Read};

const INPUT_BYTES: usize = 256 << 10;
/// How many bytes a character has at most after its first.
const CONTINUATION_MAX: usize = 3;

/// Reads lines; holds what is there of the present one and was not taken yet.
pub struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    is_end: bool,
    /// Why there is no more, to be told behind the line that was begun.
    failure: Option<io::Error>,
}

impl<R: Read> Lines<R> {
    pub fn new(input: R) -> Lines<R> {
        let input = BufReader::with_capacity(INPUT_BYTES, input);
        Lines { input, line: Vec::new(), is_end: false, failure: None }
    }

    /// Goes to the next line. Says whether there is one.
    pub fn begin(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.is_end = false;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        Ok(!self.input.fill_buf()?.is_empty())
    }

    /// The line, without what ends it, if it is no longer than `max`.
    pub fn whole(&mut self, max: usize) -> io::Result<Option<&[u8]>> {
        self.fill(max)?;
        Ok((self.is_end && self.line.len() <= max).then_some(&*self.line))
    }

    /// Moves the next part of the line to `part`: at most `max` bytes, and whole characters. Says
    /// whether there is more of the line.
    pub fn take_part(&mut self, max: usize, part: &mut Vec<u8>) -> io::Result<bool> {
        self.fill(max)?;
        let end = if self.line.len() > max { boundary(&self.line, max) } else { self.line.len() };
        part.clear();
        part.extend(self.line.drain(..end));
        Ok(!self.line.is_empty())
    }

    /// Reads on until the line ends or more than `max` bytes are there: two more, so that what
    /// ends the line is not taken for a part of it.
    fn fill(&mut self, max: usize) -> io::Result<()> {
        let enough = max + 2;
        while !self.is_end && self.line.len() < enough {
            let most = (enough - self.line.len()) as u64;
            let before = self.line.len();
            let outcome = self.input.by_ref().take(most).read_until(b'\n', &mut self.line);
            let read = self.line.len() - before;
            self.failure = outcome.err();
            self.is_end = read == 0 || self.failure.is_some();
            if read > 0 && self.line.last() == Some(&b'\n') {
                self.is_end = true;
                self.line.pop();
                if self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
            }
        }
        Ok(())
    }
}

/// The last place up to `max` that does not stand inside a character, or `max` itself in bytes
/// that are no text.
fn boundary(bytes: &[u8], max: usize) -> usize {
    let is_boundary = |at: &usize| bytes[*at] & 0b1100_0000 != 0b1000_0000;
    (max - CONTINUATION_MAX..=max).rev().find(is_boundary).unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines, each as its parts.
    fn read(input: &[u8], max: usize) -> Vec<Vec<String>> {
        let mut lines = Lines::new(input);
        let (mut all, mut part) = (Vec::new(), Vec::new());
        while lines.begin().expect("memory") {
            let mut parts = Vec::new();
            loop {
                let more = lines.take_part(max, &mut part).expect("memory");
                parts.push(String::from_utf8_lossy(&part).into_owned());
                if !more {
                    break;
                }
            }
            all.push(parts);
        }
        all
    }

    #[test]
    fn parts_are_whole_characters_and_ends_no_part() {
        let cases: [(&str, &[&[&str]]); 9] = [
            ("", &[]),
            ("\n\r\n", &[&[""], &[""]]),
            ("a\n\nb", &[&["a"], &[""], &["b"]]),
            ("12345\n", &[&["12345"]]),
            ("12345\r\n6", &[&["12345"], &["6"]]),
            ("123456", &[&["12345", "6"]]),
            ("1234567890\r\n", &[&["12345", "67890"]]),
            ("1234\u{e9}5\n", &[&["1234", "\u{e9}5"]]),
            ("12\u{10ffff}\u{10ffff}", &[&["12", "\u{10ffff}", "\u{10ffff}"]]),
        ];
        for (input, expected) in cases {
            assert_eq!(read(input.as_bytes(), 5), expected, "{input:?}");
        }
    }

    #[test]
    fn what_was_read_of_a_line_comes_before_the_failure() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let mut lines = Lines::new((&b"one\npart"[..]).chain(Failing));
        let mut part = Vec::new();
        for expected in ["one", "part"] {
            assert!(lines.begin().expect("memory"));
            assert!(!lines.take_part(8, &mut part).expect("told later"));
            assert_eq!(part, expected.as_bytes());
        }
        let error = lines.begin().expect_err("it failed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_line_is_whole_up_to_its_length() {
        let mut lines = Lines::new(&b"12345\r\n123456\nx"[..]);
        assert!(lines.begin().expect("memory"));
        assert_eq!(lines.whole(5).expect("memory"), Some(&b"12345"[..]));
        assert!(lines.begin().expect("memory"));
        assert_eq!(lines.whole(5).expect("memory"), None);
        let mut part = Vec::new();
        assert!(!lines.take_part(8, &mut part).expect("memory"));
        assert_eq!(part, b"123456");
        assert!(lines.begin().expect("memory"));
        assert_eq!(lines.whole(5).expect("memory"), Some(&b"x"[..]));
        assert!(!lines.begin().expect("memory"));
    }
}

//! How records look. Whatever they hold, nothing that drives a terminal gets to one.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use super::record::Record;

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";
const COLOURS: [(&str, &str); 6] = [
    ("TRACE", "\x1b[35m"),
    ("DEBUG", "\x1b[34m"),
    ("INFO", "\x1b[32m"),
    ("WARN", "\x1b[33m"),
    ("ERROR", "\x1b[31m"),
    ("CRITICAL", "\x1b[1;31m"),
];

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// To be read by people, rather than the line as it is.
    pub is_pretty: bool,
    pub is_coloured: bool,
    /// Whether a terminal shows it.
    pub is_terminal: bool,
}

impl Look {
    /// Whether lines are printed as they are, whatever they hold.
    pub fn is_raw(self) -> bool {
        !self.is_pretty && !self.is_terminal
    }
}

/// Prints lines.
pub struct Printer {
    look: Look,
    text: String,
}

impl Printer {
    pub fn new(look: Look) -> Printer {
        Printer { look, text: String::new() }
    }

    /// Prints a record, which stood in the line as it is.
    pub fn record(&mut self, out: &mut impl Write, record: &Record, line: &[u8]) -> io::Result<()> {
        if !self.look.is_pretty {
            return self.raw(out, line);
        }
        self.text.clear();
        let (dim, reset) = if self.look.is_coloured { (DIM, RESET) } else { ("", "") };
        let part = |key| record.text(key).unwrap_or_default();
        // `2026-11-20T21:33:00.123456789Z` to the millisecond.
        let time: String = part("timestamp").chars().take(23).filter(|c| *c != 'Z').collect();
        self.text.push_str(dim);
        escape(&mut self.text, &time.replacen('T', " ", 1));
        self.text.push_str(reset);
        self.text.push(' ');
        let level = part("level");
        let colour = COLOURS.iter().find(|(name, _)| *name == level && self.look.is_coloured);
        self.text.push_str(colour.map_or("", |(_, colour)| colour));
        escape(&mut self.text, level);
        self.text.push_str(colour.map_or("", |_| RESET));
        let missing = 6_usize.saturating_sub(level.chars().count()).max(1);
        self.text.extend(std::iter::repeat_n(' ', missing));
        self.text.push_str(dim);
        escape(&mut self.text, part("target"));
        self.text.push_str(reset);
        self.text.push(' ');
        escape(&mut self.text, part("message"));
        for (index, (key, value)) in record.fields().enumerate() {
            self.text.push_str(if index == 0 { "  " } else { " " });
            self.text.push_str(dim);
            escape(&mut self.text, key);
            self.text.push('=');
            self.text.push_str(reset);
            match value {
                Value::String(text) if is_plain(text) => self.text.push_str(text),
                value => escape(&mut self.text, &value.to_string()),
            }
        }
        self.text.push('\n');
        out.write_all(self.text.as_bytes())
    }

    /// Prints a line that is no record.
    pub fn foreign(&mut self, out: &mut impl Write, line: &[u8]) -> io::Result<()> {
        self.raw(out, line)
    }

    fn raw(&mut self, out: &mut impl Write, line: &[u8]) -> io::Result<()> {
        if self.look.is_terminal || self.look.is_pretty {
            self.text.clear();
            escape(&mut self.text, &String::from_utf8_lossy(line));
            out.write_all(self.text.as_bytes())?;
        } else {
            out.write_all(line)?;
        }
        out.write_all(b"\n")
    }
}

/// Whether a text is clear without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_.:/+@%,".contains(c))
}

/// Appends text with `\u{1b}` for what a terminal would obey, and for what reverses text.
pub fn escape(to: &mut String, text: &str) {
    for char in text.chars() {
        let is_bidi = matches!(
            char,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if char.is_control() && char != '\t' || is_bidi {
            let _ = write!(to, "\\u{{{:x}}}", char as u32);
        } else {
            to.push(char);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_is_printed() {
        let line = "{\"timestamp\":\"2026-11-20T21:33:00.123456789Z\",\"level\":\"INFO\",\
            \"target\":\"a\\u001b[2J\",\"message\":\"m\\u0007\\u009b1m\",\
            \"k\\u001b\":\"v\\u202e\\n\"}";
        let record = Record::parse(line.as_bytes()).expect("a record");
        for (is_pretty, is_terminal) in [(true, true), (true, false), (false, true)] {
            let look = Look { is_pretty, is_coloured: false, is_terminal };
            let mut out = Vec::new();
            let mut printer = Printer::new(look);
            printer.record(&mut out, &record, line.as_bytes()).expect("memory");
            printer.foreign(&mut out, b"\x1b]0;title\x07 \xff\x9b").expect("memory");
            let text = String::from_utf8(out).expect("UTF-8");
            assert_eq!(text.lines().count(), 2, "{text:?}");
            let bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!text.contains(bad), "{text:?}");
        }
    }
}

//! Where what is shown appears: in place on a terminal that is watched, behind what was shown
//! before elsewhere.

use std::io::{self, Write, stdout};

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const CLEAR: &str = "\x1b[2J";
const HOME: &str = "\x1b[H";
const CLEAR_TO_LINE_END: &str = "\x1b[K";
const CLEAR_TO_END: &str = "\x1b[J";

/// The standard output.
pub struct Screen {
    is_in_place: bool,
    is_drawn: bool,
}

impl Screen {
    pub fn new(is_in_place: bool) -> Screen {
        Screen { is_in_place, is_drawn: false }
    }

    /// Shows whole lines.
    ///
    /// # Errors
    /// The system's; `BrokenPipe` when nobody reads any more.
    pub fn show(&mut self, lines: &str) -> io::Result<()> {
        let mut out = stdout().lock();
        if self.is_in_place {
            out.write_all(in_place(lines, self.is_drawn).as_bytes())?;
        } else {
            out.write_all(lines.as_bytes())?;
        }
        self.is_drawn = true;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_in_place && self.is_drawn {
            // A terminal that is gone needs no cursor.
            let _ = stdout().write_all(SHOW_CURSOR.as_bytes()).and_then(|()| stdout().flush());
        }
    }
}

/// Over what was drawn before, line by line, so that nothing flickers.
fn in_place(lines: &str, is_drawn: bool) -> String {
    let mut text = String::from(HIDE_CURSOR);
    if !is_drawn {
        text.push_str(CLEAR);
    }
    text.push_str(HOME);
    for line in lines.lines() {
        text.push_str(line);
        text.push_str(CLEAR_TO_LINE_END);
        text.push('\n');
    }
    text.push_str(CLEAR_TO_END);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shorter_leaves_nothing_of_what_was_there() {
        assert_eq!(in_place("a\n", false), "\x1b[?25l\x1b[2J\x1b[Ha\x1b[K\n\x1b[J");
        assert_eq!(in_place("a\nb\n", true), "\x1b[?25l\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    }
}

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
    place: Place,
}

/// Where the next lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind all that was shown.
    Behind,
    /// On a terminal as others left it.
    Fresh,
    /// Over what was drawn there before.
    Over,
}

impl Screen {
    /// Shows everything behind what was shown before.
    pub fn scrolling() -> Screen {
        Screen { place: Place::Behind }
    }

    /// Shows everything in the place of what was shown before: for a terminal.
    pub fn in_place() -> Screen {
        Screen { place: Place::Fresh }
    }

    /// Shows whole lines.
    ///
    /// # Errors
    /// The system's; `BrokenPipe` when nobody reads any more.
    pub fn show(&mut self, lines: &str) -> io::Result<()> {
        let mut out = stdout().lock();
        match self.place {
            Place::Behind => out.write_all(lines.as_bytes())?,
            Place::Fresh => {
                out.write_all(CLEAR.as_bytes())?;
                self.place = Place::Over;
                out.write_all(over(lines).as_bytes())?;
            }
            Place::Over => out.write_all(over(lines).as_bytes())?,
        }
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.place == Place::Over {
            // A terminal that is gone needs no cursor.
            let _ = stdout().write_all(SHOW_CURSOR.as_bytes()).and_then(|()| stdout().flush());
        }
    }
}

/// Over what was drawn before, line by line, so that nothing flickers.
fn over(lines: &str) -> String {
    let mut text = [HIDE_CURSOR, HOME].concat();
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
        assert_eq!(over("a\n"), "\x1b[?25l\x1b[Ha\x1b[K\n\x1b[J");
        assert_eq!(over("a\nb\n"), "\x1b[?25l\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    }
}

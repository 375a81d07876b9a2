//! The message's template: one scanner, used twice. While the program is compiled it finds
//! mistakes ([`enforce`], in the const evaluator); on the collector, once per callsite, it yields
//! the pieces of the message ([`Template::parse`]). Both see the same text the same way: what
//! `enforce` accepts is parsed without a remainder, and what it refuses becomes literal text.
//!
//! A program evaluates `enforce` once for each of its calls, and in the const evaluator std's
//! functions are dear (rustc 1.95: a turn of an index loop 2 us, `str::len` 10 us, `split_at`
//! 45 us): hence loops over indexes here, and lengths read once.
//!
//! Grammar: text, `{{`, `}}`, and holes `{[name][:spec]}`; the specs are in [`spec`].

mod accept;
mod enforce;
mod spec;
#[cfg(test)]
mod tests;

pub(crate) use enforce::{FIELDS_MAX, TEXT_MAX};
pub use enforce::{checked, enforce, join, joined_len, joined_str, key};
pub(crate) use spec::{Align, Kind, Sign, Spec};

/// A stretch of the template's bytes, `start..end`. Both are character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: usize,
    end: usize,
}

/// What the scanner met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Text as it stands; of an escape `{{` or `}}`, the second brace.
    Text(Range),
    /// A hole that shows this field.
    Hole {
        field: usize,
        spec: Spec,
    },
    /// A mistake; the range is what becomes literal text.
    Fault(Fault, Range),
    End,
}

/// What is wrong with a hole or a brace. Ranges point into the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `{` without `}`.
    Unclosed,
    /// `}` without `{`.
    StrayClose,
    /// A name that is no field of the record.
    NoField(Range),
    /// `{0}`, which is no key of the record.
    Numbered(Range),
    /// The n-th `{}` of a record with fewer fields.
    TooMany,
    /// `{}` beside `{name}`.
    Mixed,
    /// A spec that is none.
    BadSpec(Range),
    /// A width or precision above [`spec::NUMBER_MAX`].
    TooWide(Range),
}

/// How a template fills its holes: the first hole decides.
#[derive(Clone, Copy)]
enum Style {
    Open,
    ByOrder { used: usize },
    ByName,
}

/// Reads a template from left to right.
struct Scanner<'a> {
    text: &'a [u8],
    len: usize,
    names: &'a [&'a str],
    at: usize,
    style: Style,
}

impl<'a> Scanner<'a> {
    const fn new(template: &'a str, names: &'a [&'a str]) -> Scanner<'a> {
        let text = template.as_bytes();
        Scanner { text, len: text.len(), names, at: 0, style: Style::Open }
    }

    /// The next token. Every token but the end moves on by a byte or more.
    const fn next(&mut self) -> Token {
        let start = self.at;
        if start == self.len {
            return Token::End;
        }
        let byte = self.text[start];
        if byte != b'{' && byte != b'}' {
            self.at = self.skip_to_brace(start);
            return Token::Text(Range { start, end: self.at });
        }
        if start + 1 < self.len && self.text[start + 1] == byte {
            self.at = start + 2;
            return Token::Text(Range { start: start + 1, end: start + 2 });
        }
        self.at = start + 1;
        let brace = Range { start, end: start + 1 };
        if byte == b'}' {
            return Token::Fault(Fault::StrayClose, brace);
        }
        let close = self.skip_to_brace(start + 1);
        if close == self.len || self.text[close] == b'{' {
            return Token::Fault(Fault::Unclosed, brace);
        }
        self.at = close + 1;
        match self.hole(Range { start: start + 1, end: close }) {
            Ok((field, spec)) => Token::Hole { field, spec },
            Err(fault) => Token::Fault(fault, Range { start, end: close + 1 }),
        }
    }

    /// The next brace at or after `at`, or the end.
    const fn skip_to_brace(&self, mut at: usize) -> usize {
        let (text, len) = (self.text, self.len);
        while at < len && text[at] != b'{' && text[at] != b'}' {
            at += 1;
        }
        at
    }

    /// The field and the spec of the hole whose braces enclose `inner`.
    const fn hole(&mut self, inner: Range) -> Result<(usize, Spec), Fault> {
        let mut colon = inner.start;
        while colon < inner.end && self.text[colon] != b':' {
            colon += 1;
        }
        let spec = if colon == inner.end {
            Spec::PLAIN
        } else {
            let spec = Range { start: colon + 1, end: inner.end };
            match spec::scan(self.text, spec.start, spec.end) {
                spec::Scan::Spec(found) => found,
                spec::Scan::TooWide => return Err(Fault::TooWide(spec)),
                spec::Scan::Bad => return Err(Fault::BadSpec(spec)),
            }
        };
        match self.field(Range { start: inner.start, end: colon }) {
            Ok(field) => Ok((field, spec)),
            Err(fault) => Err(fault),
        }
    }

    /// The number of the field that a hole of this name shows. A hole in error leaves the style
    /// as it is.
    const fn field(&mut self, name: Range) -> Result<usize, Fault> {
        if name.start == name.end {
            let used = match self.style {
                Style::Open => 0,
                Style::ByOrder { used } => used,
                Style::ByName => return Err(Fault::Mixed),
            };
            if used == self.names.len() {
                return Err(Fault::TooMany);
            }
            self.style = Style::ByOrder { used: used + 1 };
            return Ok(used);
        }
        if let Style::ByOrder { .. } = self.style {
            return Err(Fault::Mixed);
        }
        let mut field = 0;
        let mut rest = self.names;
        while let [key, tail @ ..] = rest {
            if same(self.text, name, key.as_bytes()) {
                self.style = Style::ByName;
                return Ok(field);
            }
            rest = tail;
            field += 1;
        }
        let mut at = name.start;
        while at < name.end && self.text[at].is_ascii_digit() {
            at += 1;
        }
        Err(if at == name.end { Fault::Numbered(name) } else { Fault::NoField(name) })
    }
}

/// Whether the range of `text` reads `other`. From the end, where keys differ most.
const fn same(text: &[u8], range: Range, other: &[u8]) -> bool {
    let mut left = range.end - range.start;
    if left != other.len() {
        return false;
    }
    while left > 0 {
        left -= 1;
        if text[range.start + left] != other[left] {
            return false;
        }
    }
    true
}

/// A template taken apart, for whoever renders the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Box<[Piece]>,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text, braces unescaped. Never empty, never followed by another.
    Literal(Box<str>),
    /// The value of the field with this number, in the record's order; below `names.len()`.
    Hole { field: usize, spec: Spec },
}

impl Template {
    /// Takes a template apart. Total: what is no valid hole (in a file of unknown origin, say)
    /// becomes literal text.
    pub(crate) fn parse(template: &str, names: &[&str]) -> Template {
        let mut scanner = Scanner::new(template, names);
        let mut pieces = Vec::new();
        let mut literal = String::new();
        loop {
            match scanner.next() {
                Token::Text(range) | Token::Fault(_, range) => {
                    literal.push_str(&template[range.start..range.end]);
                }
                Token::Hole { field, spec } => {
                    push_literal(&mut pieces, &mut literal);
                    pieces.push(Piece::Hole { field, spec });
                }
                Token::End => break,
            }
        }
        push_literal(&mut pieces, &mut literal);
        Template { pieces: pieces.into_boxed_slice() }
    }

    /// The parts of the message, in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.as_str().into()));
        literal.clear();
    }
}

//! What the const evaluator runs for every call: it refuses a template, a key or a text that
//! would be wrong at run time, in a sentence of its own.

use super::accept::is_surely_sound;
use super::{Fault, Range, Scanner, Token, same, spec};

/// The most fields of a record.
pub(crate) const FIELDS_MAX: usize = 255;
/// The most bytes of a callsite's target, template, keys and file name together.
pub(crate) const TEXT_MAX: usize = 16 * 1024;

/// The text of a callsite, checked.
#[derive(Clone, Copy, Debug)]
pub struct StaticText {
    /// Where the record comes from.
    pub target: &'static str,
    /// The message with its holes.
    pub template: &'static str,
    /// The keys, in the order of the fields.
    pub names: &'static [&'static str],
    /// The source file.
    pub file: &'static str,
}

/// Takes a callsite's text and refuses what is wrong with it.
///
/// # Panics
///
/// As [`enforce`], and if all the text together is longer than 16 KiB.
#[track_caller]
pub const fn checked(
    target: &'static str,
    template: &'static str,
    names: &'static [&'static str],
    file: &'static str,
) -> StaticText {
    let mut len = target.len() + template.len() + file.len();
    let mut rest = names;
    while let [name, tail @ ..] = rest {
        len += name.len();
        rest = tail;
    }
    if len > TEXT_MAX {
        Sentence::new()
            .text("the text of this call (target, message, names, file) is longer than ")
            .number(TEXT_MAX)
            .text(" bytes: pass the longest part as a field's value")
            .refuse();
    }
    enforce(template, names);
    StaticText { target, template, names, file }
}

/// Refuses keys and templates that are wrong.
///
/// # Panics
///
/// If a key is empty or given twice, if there are more than 255, or if the template has a hole
/// that no field fills, a spec that is none, or a brace without its partner. In a constant, which
/// is where macros call this, a panic is a compile error.
#[track_caller]
pub const fn enforce(template: &str, names: &[&str]) {
    enforce_names(names);
    if is_surely_sound(template, names) {
        return;
    }
    let mut scanner = Scanner::new(template, names);
    loop {
        match scanner.next() {
            Token::End => return,
            Token::Fault(fault, range) => refuse(fault, range, template.as_bytes(), names.len()),
            Token::Text(_) | Token::Hole { .. } => {}
        }
    }
}

#[track_caller]
const fn enforce_names(names: &[&str]) {
    if names.len() > FIELDS_MAX {
        Sentence::new()
            .text("this call has ")
            .number(names.len())
            .text(" fields, at most ")
            .number(FIELDS_MAX)
            .text(" are possible: log a list or a `?value` as one field")
            .refuse();
    }
    let mut rest = names;
    while let [first, others @ ..] = rest {
        rest = others;
        let bytes = first.as_bytes();
        let whole = Range { start: 0, end: bytes.len() };
        if whole.end == 0 {
            Sentence::new().text("a key is empty: write a name before the `=`").refuse();
        }
        let mut others = others;
        while let [other, tail @ ..] = others {
            others = tail;
            if same(bytes, whole, other.as_bytes()) {
                refuse_twice(bytes, whole);
            }
        }
    }
}

#[track_caller]
const fn refuse_twice(name: &[u8], whole: Range) -> ! {
    Sentence::new()
        .text("the field `")
        .part(name, whole)
        .text("` is given twice: rename one or leave it out")
        .refuse()
}

#[track_caller]
const fn refuse(fault: Fault, range: Range, text: &[u8], fields: usize) -> ! {
    let sentence = Sentence::new();
    match fault {
        Fault::Unclosed => sentence
            .text("the `{` at byte ")
            .number(range.start)
            .text(" of the message has no `}`: write `{{` for a brace"),
        Fault::StrayClose => sentence
            .text("the `}` at byte ")
            .number(range.start)
            .text(" of the message has no `{`: write `}}` for a brace"),
        Fault::NoField(name) => sentence
            .text("the hole `{")
            .part(text, name)
            .text("}` is no field of this record (locals are not captured): add `")
            .part(text, name)
            .text("` or `")
            .part(text, name)
            .text(" = ...` after the message"),
        Fault::Numbered(name) => sentence
            .text("the hole `{")
            .part(text, name)
            .text("}` names a field by number: write `{}` to take the fields in order, or a name"),
        Fault::TooMany => sentence
            .text("the message has more `{}` than this call has fields (")
            .number(fields)
            .text("): add `name = value` after the message, or write `{{}}` for braces"),
        Fault::Mixed => sentence
            .text("the hole `")
            .part(text, range)
            .text("` mixes holes by order `{}` with holes by name `{name}`: keep to one kind"),
        Fault::BadSpec(spec) => sentence
            .text("`")
            .part(text, spec)
            .text("` in the hole `")
            .part(text, range)
            .text("` is no format: use `[[fill]<^>][+][#][0][width][.precision][? x X b o e]`"),
        Fault::TooWide(spec) => sentence
            .text("`")
            .part(text, spec)
            .text("` in the hole `")
            .part(text, range)
            .text("` has a width or precision above ")
            .number(spec::NUMBER_MAX as usize),
    }
    .refuse()
}

/// A key as the log shows it: `type` for `r#type`.
pub const fn key(name: &str) -> &str {
    match name.as_bytes() {
        [b'r', b'#', rest @ ..] => utf8(rest),
        _ => name,
    }
}

/// How many bytes [`join`] needs for these parts.
pub const fn joined_len(parts: &[&str]) -> usize {
    let mut len = parts.len() - 1;
    let mut i = 0;
    while i < parts.len() {
        len += key(parts[i]).len();
        i += 1;
    }
    len
}

/// The parts of a dotted key with a dot between them, each as [`key`] has it.
///
/// # Panics
///
/// If `LEN` is not [`joined_len`] of the parts.
pub const fn join<const LEN: usize>(parts: &[&str]) -> [u8; LEN] {
    let mut bytes = [b'.'; LEN];
    let mut len = 0;
    let mut i = 0;
    while i < parts.len() {
        let part = key(parts[i]).as_bytes();
        let mut from = 0;
        while from < part.len() {
            bytes[len] = part[from];
            len += 1;
            from += 1;
        }
        len += 1;
        i += 1;
    }
    assert!(len == LEN + 1, "the length is not that of the parts");
    bytes
}

/// What [`join`] made, as text.
pub const fn joined_str(bytes: &[u8]) -> &str {
    utf8(bytes)
}

const fn utf8(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// A sentence put together in a constant.
struct Sentence {
    bytes: [u8; Sentence::MAX],
    len: usize,
}

impl Sentence {
    /// Room for the longest sentence with three long parts.
    const MAX: usize = 512;
    /// A longer part of the user's text is cut and marked, so that the way out has room.
    const PART_MAX: usize = 96;

    const fn new() -> Sentence {
        Sentence { bytes: [0; Sentence::MAX], len: 0 }.text("fastlog: ")
    }

    const fn text(self, text: &str) -> Sentence {
        self.put(text.as_bytes(), Range { start: 0, end: text.len() })
    }

    /// A part of the user's text.
    const fn part(self, text: &[u8], range: Range) -> Sentence {
        if range.end - range.start <= Sentence::PART_MAX {
            return self.put(text, range);
        }
        let mut end = range.start + Sentence::PART_MAX;
        while text[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        self.put(text, Range { start: range.start, end }).text("...")
    }

    const fn put(mut self, text: &[u8], range: Range) -> Sentence {
        let mut at = range.start;
        while at < range.end && self.len < Sentence::MAX {
            self.bytes[self.len] = text[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    const fn number(self, number: usize) -> Sentence {
        let sentence = if number >= 10 { self.number(number / 10) } else { self };
        let digit = [b'0' + (number % 10) as u8];
        sentence.put(&digit, Range { start: 0, end: 1 })
    }

    #[track_caller]
    const fn refuse(self) -> ! {
        let (text, _) = self.bytes.split_at(self.len);
        panic!("{}", utf8(text))
    }
}

//! What is the same in all lines of a callsite, escaped once. Made on the collector, when a
//! callsite's first record arrives; the one part of `format` that allocates.

use super::escape::{Escape, Set};
use super::line::Stamp;
use super::{Format, Style, json, logfmt, text};
use crate::envelope::site::Site;
use crate::template::{Piece, Spec, Template};

/// A callsite's share of its lines, for the [`Formatter`](super::Formatter) that made it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// From behind the timestamp to the message, and the message up to its first hole; in JSON, if
    /// it has none and no thread follows it, also what stands behind it, up to the fields.
    pub(super) head: Stamp<128>,
    /// Whether `head` goes up to the fields.
    pub(super) is_plain: bool,
    /// How much of `head` belongs to the message.
    pub(super) lead: usize,
    has_holes: bool,
    /// The rest of the message.
    pub(super) parts: Box<[Part]>,
    /// File and line, if they are shown.
    pub(super) site: Stamp<32>,
    /// The call's fields.
    pub(super) keys: Box<[Key]>,
}

/// A part of the message.
#[derive(Debug)]
pub(super) enum Part {
    /// Text that needs no escape.
    Literal(Stamp<32>),
    Escape(Escape),
    /// A hole `{}`.
    Plain {
        field: usize,
    },
    /// A hole that says how to show its value.
    Formatted {
        field: usize,
        spec: Spec,
    },
}

impl Part {
    fn is_hole(&self) -> bool {
        matches!(self, Part::Plain { .. } | Part::Formatted { .. })
    }
}

/// A field's key.
#[derive(Debug)]
pub(super) struct Key {
    name: Box<str>,
    /// All that stands before the value. Empty if a later field has the same key: it is shown.
    pub(super) written: Stamp<32>,
}

impl Plan {
    pub(super) fn new(site: &Site<'_>, style: &Style) -> Plan {
        let set = style.set();
        let mut parts = parts(&Template::parse(site.template, site.names), set);
        let mut head = match style.format {
            Format::Json | Format::Binary => json::head(site),
            Format::Logfmt => logfmt::head(site),
            Format::Text => text::head(site, style.colour),
        };
        let mut lead = 0;
        if let Some(Part::Literal(text)) = parts.first() {
            let text = text.as_bytes();
            if text.len() <= style.message_max {
                lead = text.len();
                head.extend_from_slice(text);
                parts.remove(0);
            }
        }
        let shown_site = match style.format {
            Format::Json | Format::Binary => json::site(site, style.details),
            Format::Logfmt => logfmt::site(site, style.details),
            Format::Text => text::site(site, style.details, style.colour),
        };
        let is_plain = style.format == Format::Json && parts.is_empty() && !style.details.thread;
        if is_plain {
            head.push(b'"');
            head.extend_from_slice(&shown_site);
        }
        let keys = site.names.iter().enumerate().map(|(index, name)| {
            let written = match style.format {
                _ if site.names[index + 1..].contains(name) => Vec::new(),
                // The whole message is this field: it is shown there, and not once more.
                _ if *name == MESSAGE && site.template == MESSAGE_ALONE => Vec::new(),
                Format::Json | Format::Binary => json::key(name),
                Format::Logfmt => logfmt::key(name),
                Format::Text => text::key(name, style.colour),
            };
            Key { name: (*name).into(), written: Stamp::from(&written[..]) }
        });
        Plan {
            head: Stamp::from(&head[..]),
            is_plain,
            lead,
            has_holes: parts.iter().any(Part::is_hole),
            parts: parts.into(),
            site: Stamp::from(&shown_site[..]),
            keys: keys.collect(),
        }
    }

    /// Whether the message shows fields.
    pub(super) fn has_holes(&self) -> bool {
        self.has_holes
    }

    /// How many fields the call has.
    pub(crate) fn fields(&self) -> usize {
        self.keys.len()
    }

    /// Whether the call itself has a field of this name: one that shows, not the one that is the
    /// message.
    pub(super) fn has_key(&self, name: &str) -> bool {
        self.keys.iter().any(|key| *key.name == *name && !key.written.is_empty())
    }
}

fn parts(template: &Template, set: Set) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in template.pieces() {
        match piece {
            Piece::Literal(text) => push_literal(&mut parts, text, set),
            Piece::Hole { field, spec } if *spec == Spec::PLAIN => {
                parts.push(Part::Plain { field: *field });
            }
            Piece::Hole { field, spec } => {
                parts.push(Part::Formatted { field: *field, spec: *spec });
            }
        }
    }
    parts
}

/// Takes a text apart at its escapes, so that a message is never cut inside one.
fn push_literal(parts: &mut Vec<Part>, text: &str, set: Set) {
    let mut run = 0;
    for (at, char) in text.char_indices() {
        if let Some(escape) = Escape::of(char, set) {
            push_run(parts, &text[run..at]);
            parts.push(Part::Escape(escape));
            run = at + char.len_utf8();
        }
    }
    push_run(parts, &text[run..]);
}

fn push_run(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.as_bytes().into()));
    }
}

/// The key of a field that is the message, where the template is nothing but that.
const MESSAGE: &str = "message";
const MESSAGE_ALONE: &str = "{message}";

/// Keys that no field may have: they are the line's own, shown or not.
const RESERVED: [&str; 8] =
    ["timestamp", "level", "target", "message", "thread", "file", "line", "truncated"];

/// What is written before a field's key. Reserved keys move to `fields.level`, and what stands
/// there moves to `fields.fields.level`, so that different keys stay different.
pub(super) fn key_prefix(key: &str) -> &'static str {
    if RESERVED.contains(&key.trim_start_matches(FIELDS)) { FIELDS } else { "" }
}

const FIELDS: &str = "fields.";

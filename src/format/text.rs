//! A record as a line to be read by people, on a terminal. Runs on the collector.

use super::escape::{self, Escape, Set, chars_lossy, clean_len};
use super::fields::Fields;
use super::line::{Extent, LineBuffer};
use super::plan::{Plan, key_prefix};
use super::timestamp::Timestamp;
use super::{Colour, Details, Head, Style, message};
use crate::envelope::decode::Malformed;
use crate::envelope::site::Site;
use crate::level::Level;
use crate::value::{ListRef, ValueRef};

/// Stands where something was cut off.
const ELLIPSIS: &str = "\u{2026}";

/// Where the time of day to the millisecond stands in an RFC 3339 timestamp.
const TIME_OF_DAY: std::ops::Range<usize> = 11..23;

/// Columns for the level. `CRITICAL` takes more.
const LEVEL_COLUMNS: usize = 5;

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Appends a line.
pub(super) fn put_line(
    out: &mut LineBuffer<'_>,
    style: &Style,
    plan: &Plan,
    fields: &Fields<'_, '_>,
    head: &mut Head<'_>,
    times: &mut Timestamp,
) -> Result<(), Malformed> {
    out.put(&head.now.format(head.utc_ns)[TIME_OF_DAY]);
    out.put_stamp(&plan.head);
    let extent = out.within(style.message_max.saturating_sub(plan.lead), |out| {
        message::put(out, &plan.parts, fields, Set::Terminal, times);
    });
    if extent == Extent::Cut {
        out.put(ELLIPSIS.as_bytes());
    }
    let anything = style.details.thread || !plan.site.is_empty() || fields.has_bound();
    if anything || fields.len() > 0 {
        out.put_byte(b' ');
    }
    if style.details.thread {
        put_key(out, "", "thread", style.colour);
        head.thread.with_text(|text| put_text(out, text));
    }
    out.put_stamp(&plan.site);
    if fields.has_bound() {
        for (key, value) in fields.shown_bound(plan) {
            put_key(out, key_prefix(key), key, style.colour);
            put_value(out, value, times);
        }
    }
    fields.for_each(|index, value| {
        let key = &plan.keys[index].written;
        if !key.is_empty() {
            out.put_stamp(key);
            put_value(out, value, times);
        }
    })?;
    if head.truncated {
        out.put_byte(b' ');
        out.put(ELLIPSIS.as_bytes());
    }
    out.put_byte(b'\n');
    Ok(())
}

fn put_value(out: &mut LineBuffer<'_>, value: ValueRef<'_>, times: &mut Timestamp) {
    match value {
        ValueRef::List(list) => put_list(out, list, times),
        _ => put_scalar(out, value, times),
    }
}

/// Appends a value that is no list.
pub(super) fn put_scalar(out: &mut LineBuffer<'_>, value: ValueRef<'_>, times: &mut Timestamp) {
    match value {
        ValueRef::Text(text) | ValueRef::Json(text) => put_text(out, text),
        ValueRef::Char(char) => put_text(out, char.encode_utf8(&mut [0; 4]).as_bytes()),
        _ => message::put_plain(out, value, Set::Terminal, times),
    }
}

fn put_list(out: &mut LineBuffer<'_>, list: ListRef<'_>, times: &mut Timestamp) {
    out.put_byte(b'[');
    for (index, element) in list.iter().enumerate() {
        if index > 0 {
            out.put_byte(b',');
        }
        match element {
            ValueRef::Text(text) => escape::put_quoted(out, text, Set::Quoted),
            ValueRef::Char(char) => {
                escape::put_quoted(out, char.encode_utf8(&mut [0; 4]).as_bytes(), Set::Quoted);
            }
            _ => put_value(out, element, times),
        }
    }
    out.put_byte(b']');
}

/// Appends text, quoted if it could be taken for something else without.
pub(super) fn put_text(out: &mut LineBuffer<'_>, text: &[u8]) {
    if needs_quotes(text) {
        escape::put_quoted(out, text, Set::Quoted);
    } else {
        escape::put(out, text, Set::Terminal);
    }
}

fn needs_quotes(text: &[u8]) -> bool {
    let separates = |char: char| char.is_whitespace() || matches!(char, '"' | '=');
    if clean_len(text) == text.len() {
        return text.is_empty() || text.iter().any(|byte| separates(char::from(*byte)));
    }
    chars_lossy(text).any(|char| separates(char) || Escape::of(char, Set::Terminal).is_some())
}

fn put_key(out: &mut LineBuffer<'_>, prefix: &str, key: &str, colour: Colour) {
    out.put_byte(b' ');
    if colour == Colour::On {
        out.put(DIM.as_bytes());
    }
    out.put(prefix.as_bytes());
    put_text(out, key.as_bytes());
    out.put_byte(b'=');
    if colour == Colour::On {
        out.put(RESET.as_bytes());
    }
}

/// From behind the time of day to the message.
pub(super) fn head(site: &Site<'_>, colour: Colour) -> Vec<u8> {
    let mut head = vec![b' '];
    let level = format!("{:LEVEL_COLUMNS$}", site.level);
    match colour {
        Colour::Off => head.extend_from_slice(level.as_bytes()),
        Colour::On => {
            let coloured = [level_colour(site.level), &level, RESET].concat();
            head.extend_from_slice(coloured.as_bytes());
        }
    }
    head.push(b' ');
    escape::extend(&mut head, site.target, Set::Terminal);
    head.push(b' ');
    head
}

fn level_colour(level: Level) -> &'static str {
    match level {
        Level::Trace => "\x1b[35m",
        Level::Debug => "\x1b[34m",
        Level::Info => "\x1b[32m",
        Level::Warn => "\x1b[33m",
        Level::Error => "\x1b[31m",
        Level::Critical => "\x1b[1;31m",
    }
}

/// File and line, if they are shown.
pub(super) fn site(site: &Site<'_>, details: Details, colour: Colour) -> Vec<u8> {
    let mut shown = Vec::new();
    if details.file {
        shown.extend(written(6 * site.file.len() + KEY_BYTES_MAX, |out| {
            put_key(out, "", "file", colour);
            put_text(out, site.file.as_bytes());
        }));
    }
    if details.line {
        shown.extend(written(KEY_BYTES_MAX, |out| {
            put_key(out, "", "line", colour);
            out.put(site.line.to_string().as_bytes());
        }));
    }
    shown
}

/// A field up to its value.
pub(super) fn key(key: &str, colour: Colour) -> Vec<u8> {
    written(6 * key.len() + KEY_BYTES_MAX, |out| put_key(out, key_prefix(key), key, colour))
}

/// What a key takes beside its name, a line's number included.
const KEY_BYTES_MAX: usize = 64;

/// What `write` writes, for which `max` bytes are enough.
fn written(max: usize, write: impl FnOnce(&mut LineBuffer<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; max];
    let mut out = LineBuffer::new(&mut bytes);
    write(&mut out);
    let len = out.len();
    bytes.truncate(len);
    bytes
}

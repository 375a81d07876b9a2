//! A record as one line of JSON (RFC 8259). Runs on the collector.

use std::fmt::Write;

use super::digits;
use super::escape::{self, Set};
use super::fields::Fields;
use super::line::{Extent, LineBuffer};
use super::number::{self, Seconds};
use super::plan::{Plan, key_prefix};
use super::timestamp::Timestamp;
use super::{Details, Head, Style, ThreadLabel, message, raw_json};
use crate::envelope::decode::Malformed;
use crate::envelope::site::Site;
use crate::value::{ListRef, RawValue, Redacted, ValueRef};

/// Appends a line.
#[inline]
pub(super) fn put_line(
    out: &mut LineBuffer<'_>,
    style: &Style,
    plan: &Plan,
    fields: &Fields<'_, '_>,
    head: &mut Head<'_>,
    times: &mut Timestamp,
) -> Result<(), Malformed> {
    out.apart(|out| {
        let (second, fraction, last) = head.now.parts(head.utc_ns);
        out.put_array(br#"{"timestamp":""#);
        out.put_array(second);
        out.put_array(&fraction);
        out.put_byte(last);
        out.put_stamp(&plan.head);
        let mut extent = Extent::Whole;
        if !plan.is_plain {
            extent = out.apart(|out| put_message(out, style, plan, fields, head.thread, times));
        }
        if fields.has_bound() {
            out.apart(|out| put_bound(out, plan, fields, times));
        }
        let mut keys = plan.keys.iter();
        fields.for_each_raw(|value| {
            let key = &keys.next()?.written;
            if key.is_empty() {
                return skip(value.tag, value.bytes);
            }
            out.put_stamp(key);
            put_field(out, value, times)
        })?;
        if head.truncated || extent == Extent::Cut {
            out.put(br#","truncated":true"#);
        }
        out.put_array(b"}\n");
        Ok(())
    })
}

/// Appends a field's value and says how many granules it takes.
#[inline(always)]
fn put_field(
    out: &mut LineBuffer<'_>,
    value: RawValue<'_>,
    times: &mut Timestamp,
) -> Option<usize> {
    match value.tag {
        RawValue::U64 => digits::put_u64(out, value.word()?),
        RawValue::I64 => digits::put_i64(out, value.word()? as i64),
        RawValue::F64 => put_f64(out, f64::from_bits(value.word()?)),
        RawValue::TEXT => {
            let (text, granules) = value.text()?;
            escape::put_quoted(out, text, Set::Json);
            return Some(granules);
        }
        tag => return out.apart(|out| put_other(out, tag, value.bytes, times)),
    }
    Some(1)
}

/// Passes over a value that is not shown.
#[cold]
#[inline(never)]
fn skip(tag: u8, bytes: &[u8]) -> Option<usize> {
    RawValue { tag, bytes }.decode().map(|(_, granules)| granules)
}

#[inline(never)]
fn put_other(
    out: &mut LineBuffer<'_>,
    tag: u8,
    bytes: &[u8],
    times: &mut Timestamp,
) -> Option<usize> {
    let (value, granules) = RawValue { tag, bytes }.decode()?;
    put_value(out, value, times);
    Some(granules)
}

/// JSON has no number for floats that are not finite.
#[inline(always)]
fn put_f64(out: &mut LineBuffer<'_>, value: f64) {
    if value.is_finite() { number::put_f64(out, value) } else { out.put_array(b"null") }
}

/// Appends the message behind its lead, and what stands between it and the fields.
#[inline(never)]
fn put_message(
    out: &mut LineBuffer<'_>,
    style: &Style,
    plan: &Plan,
    fields: &Fields<'_, '_>,
    thread: &ThreadLabel<'_>,
    times: &mut Timestamp,
) -> Extent {
    let extent = out.within(style.message_max.saturating_sub(plan.lead), |out| {
        message::put(out, &plan.parts, fields, Set::Json, times);
    });
    out.put_byte(b'"');
    if style.details.thread {
        out.put(br#","thread":"#);
        thread.with_text(|text| escape::put_quoted(out, text, Set::Json));
    }
    out.put_stamp(&plan.site);
    extent
}

#[cold]
fn put_bound(
    out: &mut LineBuffer<'_>,
    plan: &Plan,
    fields: &Fields<'_, '_>,
    times: &mut Timestamp,
) {
    for (key, value) in fields.shown_bound(plan) {
        out.put(b",\"");
        out.put(key_prefix(key).as_bytes());
        escape::put(out, key.as_bytes(), Set::Json);
        out.put(b"\":");
        put_value(out, value, times);
    }
}

/// Appends a value.
fn put_value(out: &mut LineBuffer<'_>, value: ValueRef<'_>, times: &mut Timestamp) {
    match value {
        ValueRef::Text(text) => escape::put_quoted(out, text, Set::Json),
        ValueRef::U64(value) => digits::put_u64(out, value),
        ValueRef::I64(value) => digits::put_i64(out, value),
        ValueRef::F64(value) => put_f64(out, value),
        ValueRef::F32(value) if value.is_finite() => number::put_float(out, value),
        ValueRef::Null | ValueRef::F32(_) => out.put(b"null"),
        ValueRef::Bool(true) => out.put(b"true"),
        ValueRef::Bool(false) => out.put(b"false"),
        _ => put_rare(out, value, times),
    }
}

#[inline(never)]
fn put_rare(out: &mut LineBuffer<'_>, value: ValueRef<'_>, times: &mut Timestamp) {
    // An error of `fmt` says that the buffer is full, which the buffer remembers.
    let _ = match value {
        ValueRef::U128(value) => return number::put_integer(out, value),
        ValueRef::I128(value) => return number::put_integer(out, value),
        ValueRef::List(list) => return put_list(out, list, times),
        ValueRef::Char(char) => {
            let mut buffer = [0; 4];
            let text = char.encode_utf8(&mut buffer);
            return escape::put_quoted(out, text.as_bytes(), Set::Json);
        }
        ValueRef::Duration { seconds, nanos } => Seconds::new(seconds, nanos).write(out),
        ValueRef::Time { seconds, nanos } => {
            out.put_byte(b'"');
            let _ = number::write_time(out, times, seconds, nanos);
            out.write_char('"')
        }
        ValueRef::Bytes(bytes) => {
            out.put_byte(b'"');
            let _ = number::write_hex(out, bytes);
            out.write_char('"')
        }
        ValueRef::Uuid(bytes) => {
            out.put_byte(b'"');
            let _ = number::write_uuid(out, bytes);
            out.write_char('"')
        }
        ValueRef::Json(text) if raw_json::is_clean(text) => return out.put(text),
        ValueRef::Json(text) => return escape::put_quoted(out, text, Set::Json),
        ValueRef::Ip(address) => write!(out, "\"{address}\""),
        ValueRef::Socket(address) => write!(out, "\"{address}\""),
        _ => write!(out, "\"{}\"", Redacted(())),
    };
}

fn put_list(out: &mut LineBuffer<'_>, list: ListRef<'_>, times: &mut Timestamp) {
    out.put_byte(b'[');
    for (index, element) in list.iter().enumerate() {
        if index > 0 {
            out.put_byte(b',');
        }
        put_value(out, element, times);
    }
    out.put_byte(b']');
}

/// From behind the timestamp to the message.
pub(super) fn head(site: &Site<'_>) -> Vec<u8> {
    let mut head = Vec::new();
    head.extend_from_slice(br#"Z","level":""#);
    head.extend_from_slice(site.level.as_str().as_bytes());
    head.extend_from_slice(br#"","target":""#);
    escape::extend(&mut head, site.target, Set::Json);
    head.extend_from_slice(br#"","message":""#);
    head
}

/// File and line, if they are shown.
pub(super) fn site(site: &Site<'_>, details: Details) -> Vec<u8> {
    let mut shown = Vec::new();
    if details.file {
        shown.extend_from_slice(br#","file":""#);
        escape::extend(&mut shown, site.file, Set::Json);
        shown.push(b'"');
    }
    if details.line {
        shown.extend_from_slice(br#","line":"#);
        shown.extend_from_slice(site.line.to_string().as_bytes());
    }
    shown
}

/// A field up to its value.
pub(super) fn key(key: &str) -> Vec<u8> {
    let mut written = Vec::new();
    written.extend_from_slice(b",\"");
    written.extend_from_slice(key_prefix(key).as_bytes());
    escape::extend(&mut written, key, Set::Json);
    written.extend_from_slice(b"\":");
    written
}

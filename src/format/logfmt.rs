//! A record as one line of `key=value` pairs. Runs on the collector.
//!
//! There is no standard; this is what the common parsers agree on: pairs separated by one space,
//! keys without quotes, values between `"` where they need it, with `\"`, `\\`, `\n` and `\u00xx`
//! inside.

use super::escape::{self, Escape, Set};
use super::fields::Fields;
use super::line::{Extent, LineBuffer};
use super::plan::{Plan, key_prefix};
use super::text::{put_scalar, put_text};
use super::timestamp::Timestamp;
use super::{Details, Head, Style, message, number};
use crate::envelope::decode::Malformed;
use crate::envelope::site::Site;
use crate::value::{ListRef, ValueRef};

/// Stands before the digits of a byte that a key may not have.
const ESCAPE: u8 = b'%';

/// Appends a line.
pub(super) fn put_line(
    out: &mut LineBuffer<'_>,
    style: &Style,
    plan: &Plan,
    fields: &Fields<'_, '_>,
    head: &mut Head<'_>,
    times: &mut Timestamp,
) -> Result<(), Malformed> {
    out.put(b"timestamp=");
    out.put_array(head.now.format(head.utc_ns));
    out.put_stamp(&plan.head);
    let extent = out.within(style.message_max.saturating_sub(plan.lead), |out| {
        message::put(out, &plan.parts, fields, Set::Quoted, times);
    });
    out.put_byte(b'"');
    if style.details.thread {
        out.put(b" thread=");
        head.thread.with_text(|text| put_text(out, text));
    }
    out.put_stamp(&plan.site);
    if fields.has_bound() {
        for (name, value) in fields.shown_bound(plan) {
            put_key(out, name);
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
    if head.truncated || extent == Extent::Cut {
        out.put(b" truncated=true");
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

/// A list is one quoted text, its texts bare: `"[1,2,ab]"`.
fn put_list(out: &mut LineBuffer<'_>, list: ListRef<'_>, times: &mut Timestamp) {
    out.put(b"\"[");
    for (index, element) in list.iter().enumerate() {
        if index > 0 {
            out.put_byte(b',');
        }
        message::put_plain(out, element, Set::Quoted, times);
    }
    out.put(b"]\"");
}

fn put_key(out: &mut LineBuffer<'_>, name: &str) {
    out.put_byte(b' ');
    out.put(key_prefix(name).as_bytes());
    bare(name, |bytes| out.put(bytes));
    out.put_byte(b'=');
}

/// Hands on the key as it is written: what would end it, and what says that something did, as the
/// `%20` of addresses, so that different keys stay different. None at all is `%`, as no other is.
fn bare(name: &str, mut put: impl FnMut(&[u8])) {
    let mut run = 0;
    for (at, char) in name.char_indices() {
        let is_fit = !char.is_whitespace()
            && !matches!(char, '=' | '"' | '%')
            && Escape::of(char, Set::Terminal).is_none();
        if is_fit {
            continue;
        }
        put(&name.as_bytes()[run..at]);
        run = at + char.len_utf8();
        for byte in &name.as_bytes()[at..run] {
            put(&[&[ESCAPE][..], &number::hex(*byte)].concat());
        }
    }
    put(&name.as_bytes()[run..]);
    if name.is_empty() {
        put(&[ESCAPE]);
    }
}

/// From behind the timestamp to the message.
pub(super) fn head(site: &Site<'_>) -> Vec<u8> {
    let mut head = Vec::new();
    head.extend_from_slice(b" level=");
    head.extend_from_slice(site.level.as_str().as_bytes());
    head.extend_from_slice(b" target=\"");
    let target = head.len();
    escape::extend(&mut head, site.target, Set::Quoted);
    // A target is a path of modules, as a rule.
    if &head[target..] == site.target.as_bytes() && !needs_quotes(site.target) {
        head.remove(target - 1);
    } else {
        head.push(b'"');
    }
    head.extend_from_slice(b" message=\"");
    head
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.chars().any(|char| char.is_whitespace() || char == '=')
}

/// File and line, if they are shown.
pub(super) fn site(site: &Site<'_>, details: Details) -> Vec<u8> {
    let mut shown = Vec::new();
    if details.file {
        shown.extend_from_slice(b" file=\"");
        escape::extend(&mut shown, site.file, Set::Quoted);
        shown.push(b'"');
    }
    if details.line {
        shown.extend_from_slice(b" line=");
        shown.extend_from_slice(site.line.to_string().as_bytes());
    }
    shown
}

/// A field up to its value.
pub(super) fn key(name: &str) -> Vec<u8> {
    let mut key = [" ", key_prefix(name)].concat().into_bytes();
    bare(name, |bytes| key.extend_from_slice(bytes));
    key.push(b'=');
    key
}

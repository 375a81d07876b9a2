//! The message: literal text, and holes filled with this record's own values as std's formatting
//! shows them. Runs on the collector.
//!
//! `{}` shows an integer or float as std does (`1.25`, `100`, `NaN`), text as it is, null as
//! `null`, a `Duration` in the form of its `Debug` (`1.25s`), a time as RFC 3339, bytes as
//! hexadecimal, a list as `[1, 2]` and `["a"]`. A spec acts as it does in std on the same value, on
//! a list on each of its elements; what std refuses (`{:x}` of a text) is ignored, and so is `#`
//! in `{:#?}` of a list. Integers travel as 64 or 128 bits: `{:x}` of `-1_i8` has sixteen digits.

use std::fmt::{self, Binary, Debug, Display, LowerExp, LowerHex, Octal, UpperHex, Write};
use std::time::Duration;

use super::decimal::Decimal;
use super::digits;
use super::escape::{self, Escaped, Set, chars_lossy};
use super::fields::Fields;
use super::line::LineBuffer;
use super::number;
use super::plan::Part;
use super::timestamp::Timestamp;
use crate::template::{Align, Kind, Sign, Spec};
use crate::value::{ListRef, RawValue, Redacted, ValueRef};

/// Appends the parts of a message.
#[inline(always)]
pub(super) fn put(
    out: &mut LineBuffer<'_>,
    parts: &[Part],
    fields: &Fields<'_, '_>,
    set: Set,
    times: &mut Timestamp,
) {
    for part in parts {
        match part {
            Part::Literal(text) => out.put_stamp(text),
            Part::Escape(escape) => out.put_whole(escape.as_bytes()),
            Part::Plain { field } => {
                // Who writes the fields finds what is malformed, and takes the line back.
                let _ = put_hole(out, fields.get(*field), set, times);
            }
            Part::Formatted { field, spec } => {
                let RawValue { tag, bytes } = fields.get(*field);
                out.apart(|out| put_other(out, tag, bytes, spec, set, times));
            }
        }
        if out.is_full() {
            return;
        }
    }
}

/// Appends a value as `{}` shows it; none: it is malformed.
#[inline(always)]
fn put_hole(
    out: &mut LineBuffer<'_>,
    value: RawValue<'_>,
    set: Set,
    times: &mut Timestamp,
) -> Option<()> {
    match value.tag {
        RawValue::U64 => digits::put_u64(out, value.word()?),
        RawValue::I64 => digits::put_i64(out, value.word()? as i64),
        RawValue::F64 if put_short(out, f64::from_bits(value.word()?)) => {}
        RawValue::TEXT => escape::put(out, value.text()?.0, set),
        tag => out.apart(|out| put_other(out, tag, value.bytes, &Spec::PLAIN, set, times)),
    }
    Some(())
}

/// Appends a float that has a short decimal; whether it has.
#[inline(always)]
fn put_short(out: &mut LineBuffer<'_>, value: f64) -> bool {
    Decimal::of(value).map(|decimal| decimal.put_plain(out)).is_some()
}

#[inline(never)]
fn put_other(
    out: &mut LineBuffer<'_>,
    tag: u8,
    bytes: &[u8],
    spec: &Spec,
    set: Set,
    times: &mut Timestamp,
) {
    match (RawValue { tag, bytes }).decode() {
        Some((value, _)) if *spec == Spec::PLAIN => put_plain(out, value, set, times),
        Some((value, _)) => put_formatted(out, value, spec, set, times),
        None => {}
    }
}

/// Appends a value as `{}` shows it.
#[inline(never)]
pub(super) fn put_plain(
    out: &mut LineBuffer<'_>,
    value: ValueRef<'_>,
    set: Set,
    times: &mut Timestamp,
) {
    match value {
        ValueRef::Text(text) => escape::put(out, text, set),
        ValueRef::U64(value) => digits::put_u64(out, value),
        ValueRef::I64(value) => digits::put_i64(out, value),
        ValueRef::F64(value) if value.is_finite() && number::put_f64_display(out, value) => {}
        ValueRef::F32(value)
            if value.is_finite() && number::put_float_display(out, value, f32::DIGITS) => {}
        _ => put_formatted(out, value, &Spec::PLAIN, set, times),
    }
}

#[inline(never)]
fn put_formatted(
    out: &mut LineBuffer<'_>,
    value: ValueRef<'_>,
    spec: &Spec,
    set: Set,
    times: &mut Timestamp,
) {
    // The error says that the buffer is full, which the buffer remembers.
    let _ = write_padded(&mut Escaped { out, set }, value, spec, times);
}

fn write_padded(
    out: &mut dyn Write,
    value: ValueRef<'_>,
    spec: &Spec,
    times: &mut Timestamp,
) -> fmt::Result {
    if let ValueRef::List(list) = value {
        return write_list(out, list, spec, times);
    }
    let Some(width) = width_to_fill(value, spec) else { return write(out, value, spec, times) };
    let mut counter = Counter { chars: 0 };
    write(&mut counter, value, spec, times)?;
    let missing = width.saturating_sub(counter.chars);
    let before = match spec.align.unwrap_or(default_align(value)) {
        Align::Left => 0,
        Align::Centre => missing / 2,
        Align::Right => missing,
    };
    (0..before).try_for_each(|_| out.write_char(spec.fill))?;
    write(out, value, spec, times)?;
    (before..missing).try_for_each(|_| out.write_char(spec.fill))
}

/// The width, unless the value does without or fills it with zeros by itself.
fn width_to_fill(value: ValueRef<'_>, spec: &Spec) -> Option<usize> {
    let quoted = spec.kind == Kind::Debug && matches!(value, ValueRef::Text(_) | ValueRef::Char(_));
    if quoted || spec.zero && is_number(value) {
        return None;
    }
    spec.width.map(usize::from)
}

fn default_align(value: ValueRef<'_>) -> Align {
    if is_number(value) { Align::Right } else { Align::Left }
}

fn is_number(value: ValueRef<'_>) -> bool {
    use ValueRef::{F32, F64, I64, I128, U64, U128};
    matches!(value, U64(_) | I64(_) | U128(_) | I128(_) | F64(_) | F32(_))
}

/// Counts what is written.
struct Counter {
    chars: usize,
}

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.chars += text.chars().count();
        Ok(())
    }
}

fn write_list(
    out: &mut dyn Write,
    list: ListRef<'_>,
    spec: &Spec,
    times: &mut Timestamp,
) -> fmt::Result {
    out.write_char('[')?;
    for (index, element) in list.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        match element {
            ValueRef::Text(text) => write_quoted(out, text)?,
            ValueRef::Char(char) => write!(out, "{char:?}")?,
            _ => write_padded(out, element, spec, times)?,
        }
    }
    out.write_char(']')
}

/// Writes a value without padding, but for the zeros that a number has after its sign.
fn write(
    out: &mut dyn Write,
    value: ValueRef<'_>,
    spec: &Spec,
    times: &mut Timestamp,
) -> fmt::Result {
    match value {
        ValueRef::Null => write_text(out, b"null", spec),
        ValueRef::Bool(value) => write_text(out, if value { b"true" } else { b"false" }, spec),
        ValueRef::U64(value) => write_integer(out, value, spec),
        ValueRef::I64(value) => write_integer(out, value, spec),
        ValueRef::U128(value) => write_integer(out, value, spec),
        ValueRef::I128(value) => write_integer(out, value, spec),
        ValueRef::F64(value) => write_float(out, value, spec),
        ValueRef::F32(value) => write_float(out, value, spec),
        ValueRef::Char(char) if spec.kind == Kind::Debug => write!(out, "{char:?}"),
        ValueRef::Char(char) => write_text(out, char.encode_utf8(&mut [0; 4]).as_bytes(), spec),
        ValueRef::Text(text) if spec.kind == Kind::Debug => write_quoted(out, text),
        ValueRef::Text(text) | ValueRef::Json(text) => write_text(out, text, spec),
        ValueRef::Bytes(bytes) => number::write_hex(out, bytes),
        ValueRef::Duration { seconds, nanos } => {
            write_duration(out, Duration::new(seconds, nanos), spec)
        }
        ValueRef::Time { seconds, nanos } => number::write_time(out, times, seconds, nanos),
        ValueRef::Ip(address) => write!(out, "{address}"),
        ValueRef::Socket(address) => write!(out, "{address}"),
        ValueRef::Uuid(bytes) => number::write_uuid(out, bytes),
        ValueRef::List(list) => write_list(out, list, spec, times),
        ValueRef::Redacted => write!(out, "{}", Redacted(())),
    }
}

fn write_text(out: &mut dyn Write, text: &[u8], spec: &Spec) -> fmt::Result {
    let max = spec.precision.map_or(usize::MAX, usize::from);
    match std::str::from_utf8(text) {
        Ok(text) if text.len() <= max => out.write_str(text),
        _ => chars_lossy(text).take(max).try_for_each(|char| out.write_char(char)),
    }
}

/// As `Debug` of a `str`, which escapes all that `char::escape_debug` does but a single quote.
fn write_quoted(out: &mut dyn Write, text: &[u8]) -> fmt::Result {
    out.write_char('"')?;
    for char in chars_lossy(text) {
        match char {
            '\'' => out.write_char(char)?,
            _ => write!(out, "{}", char.escape_debug())?,
        }
    }
    out.write_char('"')
}

/// The width that zeros fill. Without a flag 0 it is none: `{:00}` is `{}`.
fn zeros(spec: &Spec) -> usize {
    if spec.zero { spec.width.map_or(0, usize::from) } else { 0 }
}

fn write_integer<T>(out: &mut dyn Write, value: T, spec: &Spec) -> fmt::Result
where
    T: Display + LowerHex + UpperHex + Binary + Octal + LowerExp,
{
    let (w, plus) = (zeros(spec), spec.sign == Sign::Always);
    match (spec.kind, plus, spec.alternate, spec.precision.map(usize::from)) {
        (Kind::Display | Kind::Debug, false, _, _) => write!(out, "{value:0w$}"),
        (Kind::Display | Kind::Debug, true, _, _) => write!(out, "{value:+0w$}"),
        (Kind::LowerHex, false, false, _) => write!(out, "{value:0w$x}"),
        (Kind::LowerHex, false, true, _) => write!(out, "{value:#0w$x}"),
        (Kind::LowerHex, true, false, _) => write!(out, "{value:+0w$x}"),
        (Kind::LowerHex, true, true, _) => write!(out, "{value:+#0w$x}"),
        (Kind::UpperHex, false, false, _) => write!(out, "{value:0w$X}"),
        (Kind::UpperHex, false, true, _) => write!(out, "{value:#0w$X}"),
        (Kind::UpperHex, true, false, _) => write!(out, "{value:+0w$X}"),
        (Kind::UpperHex, true, true, _) => write!(out, "{value:+#0w$X}"),
        (Kind::Binary, false, false, _) => write!(out, "{value:0w$b}"),
        (Kind::Binary, false, true, _) => write!(out, "{value:#0w$b}"),
        (Kind::Binary, true, false, _) => write!(out, "{value:+0w$b}"),
        (Kind::Binary, true, true, _) => write!(out, "{value:+#0w$b}"),
        (Kind::Octal, false, false, _) => write!(out, "{value:0w$o}"),
        (Kind::Octal, false, true, _) => write!(out, "{value:#0w$o}"),
        (Kind::Octal, true, false, _) => write!(out, "{value:+0w$o}"),
        (Kind::Octal, true, true, _) => write!(out, "{value:+#0w$o}"),
        (Kind::LowerExp, false, _, None) => write!(out, "{value:0w$e}"),
        (Kind::LowerExp, false, _, Some(p)) => write!(out, "{value:0w$.p$e}"),
        (Kind::LowerExp, true, _, None) => write!(out, "{value:+0w$e}"),
        (Kind::LowerExp, true, _, Some(p)) => write!(out, "{value:+0w$.p$e}"),
    }
}

fn write_float<T>(out: &mut dyn Write, value: T, spec: &Spec) -> fmt::Result
where
    T: Display + Debug + LowerExp,
{
    let (w, plus) = (zeros(spec), spec.sign == Sign::Always);
    match (spec.kind, plus, spec.precision.map(usize::from)) {
        (Kind::Debug, false, None) => write!(out, "{value:0w$?}"),
        (Kind::Debug, false, Some(p)) => write!(out, "{value:0w$.p$?}"),
        (Kind::Debug, true, None) => write!(out, "{value:+0w$?}"),
        (Kind::Debug, true, Some(p)) => write!(out, "{value:+0w$.p$?}"),
        (Kind::LowerExp, false, None) => write!(out, "{value:0w$e}"),
        (Kind::LowerExp, false, Some(p)) => write!(out, "{value:0w$.p$e}"),
        (Kind::LowerExp, true, None) => write!(out, "{value:+0w$e}"),
        (Kind::LowerExp, true, Some(p)) => write!(out, "{value:+0w$.p$e}"),
        (_, false, None) => write!(out, "{value:0w$}"),
        (_, false, Some(p)) => write!(out, "{value:0w$.p$}"),
        (_, true, None) => write!(out, "{value:+0w$}"),
        (_, true, Some(p)) => write!(out, "{value:+0w$.p$}"),
    }
}

fn write_duration(out: &mut dyn Write, value: Duration, spec: &Spec) -> fmt::Result {
    match (spec.sign, spec.precision.map(usize::from)) {
        (Sign::Minus, None) => write!(out, "{value:?}"),
        (Sign::Minus, Some(p)) => write!(out, "{value:.p$?}"),
        (Sign::Always, None) => write!(out, "{value:+?}"),
        (Sign::Always, Some(p)) => write!(out, "{value:+.p$?}"),
    }
}

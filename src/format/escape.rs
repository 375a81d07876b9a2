//! Text made harmless: no control character, and in JSON no quote, leaves this module raw. Runs on
//! the collector, over bytes that are never trusted to be UTF-8.
//!
//! What is not UTF-8 becomes U+FFFD, grouped as by [`String::from_utf8_lossy`].

use std::fmt;

use super::line::LineBuffer;

/// What is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// `"`, `\`, C0, DEL, C1, U+2028 and U+2029: the inside of a JSON string.
    Json,
    /// C0, DEL, C1, U+2028, U+2029 and what reverses text: fit for a terminal.
    Terminal,
    /// As [`Set::Terminal`], and `"` and `\`: the inside of quotes on a terminal.
    Quoted,
}

/// An escape sequence of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Escape {
    bytes: [u8; 6],
    len: u8,
}

impl Escape {
    /// What stands for `char`, if it may not stand for itself.
    pub(crate) fn of(char: char, set: Set) -> Option<Escape> {
        let short = match char {
            '"' | '\\' if set == Set::Terminal => return None,
            '"' | '\\' => char as u8,
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                return Some(Escape::hex(char));
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' if set != Set::Json => {
                return Some(Escape::hex(char));
            }
            _ => return None,
        };
        Some(Escape { bytes: [b'\\', short, 0, 0, 0, 0], len: 2 })
    }

    /// `\u2028`, for a character of the basic plane.
    fn hex(char: char) -> Escape {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |shift: u32| DIGITS[(char as usize >> shift) & 15];
        Escape { bytes: [b'\\', b'u', digit(12), digit(8), digit(4), digit(0)], len: 6 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Appends text.
#[inline(always)]
pub(crate) fn put(out: &mut LineBuffer<'_>, bytes: &[u8], set: Set) {
    if !out.put_with(bytes.len(), |room| copy_clean(room, bytes)) {
        out.apart(|out| put_from(out, bytes, clean_len(bytes), set));
    }
}

/// Appends text between quotes.
#[inline(always)]
pub(crate) fn put_quoted(out: &mut LineBuffer<'_>, bytes: &[u8], set: Set) {
    let is_put = out.put_with(bytes.len() + 2, |room| match room {
        [first, text @ .., last] => {
            (*first, *last) = (b'"', b'"');
            copy_clean(text, bytes)
        }
        _ => false,
    });
    if !is_put {
        out.apart(|out| put_quoted_from(out, bytes, set));
    }
}

#[inline(never)]
fn put_quoted_from(out: &mut LineBuffer<'_>, bytes: &[u8], set: Set) {
    out.put_byte(b'"');
    put_from(out, bytes, clean_len(bytes), set);
    out.put_byte(b'"');
}

/// Copies text to a place of its length as long as it is clean; whether it was to its end.
#[inline(always)]
fn copy_clean(to: &mut [u8], bytes: &[u8]) -> bool {
    let mut is_clean = true;
    let mut copy = |to: &mut [u8; 8], word: [u8; 8]| {
        is_clean = dirty_bytes(u64::from_le_bytes(word)) == 0;
        *to = word;
        is_clean
    };
    let (mut left, mut from) = (&mut *to, bytes);
    while let (Some((place, more)), Some((word, rest))) =
        (std::mem::take(&mut left).split_first_chunk_mut::<8>(), from.split_first_chunk::<8>())
    {
        if !copy(place, *word) {
            return false;
        }
        (left, from) = (more, rest);
    }
    if from.is_empty() {
        return true;
    }
    // The last eight bytes overlap those that are copied already.
    match (to.last_chunk_mut::<8>(), bytes.last_chunk::<8>()) {
        (Some(place), Some(word)) => copy(place, *word),
        _ => copy_clean_short(to, bytes),
    }
}

/// As [`copy_clean`], of fewer than eight bytes.
#[inline(always)]
fn copy_clean_short(to: &mut [u8], bytes: &[u8]) -> bool {
    let ends = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>());
    if let (Some(first), Some(last)) = ends {
        let word =
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
        if let Some(place) = to.first_chunk_mut() {
            *place = *first;
        }
        if let Some(place) = to.last_chunk_mut() {
            *place = *last;
        }
        return dirty_bytes(word) == 0;
    }
    let mut dirty = 0;
    for (to, byte) in to.iter_mut().zip(bytes) {
        *to = *byte;
        dirty |= dirty_bytes(u64::from(*byte) | FILL);
    }
    dirty == 0
}

/// As [`put`], of text whose first `clean` bytes are known to be clean.
#[cold]
#[inline(never)]
fn put_from(out: &mut LineBuffer<'_>, bytes: &[u8], clean: usize, set: Set) {
    let (head, rest) = bytes.split_at(clean);
    out.put(head);
    // The check of a whole text is several times faster than going through it in chunks.
    if let Ok(text) = std::str::from_utf8(rest) {
        return put_valid(out, text, set);
    }
    for chunk in rest.utf8_chunks() {
        put_valid(out, chunk.valid(), set);
        if !chunk.invalid().is_empty() {
            out.put("\u{fffd}".as_bytes());
        }
    }
}

fn put_valid(out: &mut LineBuffer<'_>, text: &str, set: Set) {
    let (mut run, mut at) = (0, 0);
    while at < text.len() && !out.is_full() {
        at += clean_len(&text.as_bytes()[at..]);
        let Some(char) = text[at..].chars().next() else { break };
        let end = at + char.len_utf8();
        if let Some(escape) = Escape::of(char, set) {
            out.put(&text.as_bytes()[run..at]);
            out.put_whole(escape.as_bytes());
            run = end;
        }
        at = end;
    }
    out.put(&text.as_bytes()[run..at]);
}

const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// How many of the first bytes are ASCII that no [`Set`] escapes.
#[inline(always)]
pub(crate) fn clean_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let dirty = dirty_bytes(u64::from_le_bytes(*chunk));
        if dirty != 0 {
            return at + first_byte(dirty);
        }
        at += 8;
    }
    if at == bytes.len() {
        return at;
    }
    // The last eight bytes overlap those that are known to be clean.
    if let Some(chunk) = bytes.last_chunk::<8>() {
        let dirty = dirty_bytes(u64::from_le_bytes(*chunk));
        return if dirty != 0 { bytes.len() - 8 + first_byte(dirty) } else { bytes.len() };
    }
    bytes.iter().position(|byte| dirty_bytes(u64::from(*byte) | FILL) != 0).unwrap_or(bytes.len())
}

/// Seven clean bytes above a byte to be looked at.
const FILL: u64 = u64::from_le_bytes(*b"\0aaaaaaa");

/// Marks, in the high bit of its byte, the first byte that is not clean; bytes after it may be
/// marked wrongly, as a borrow runs upwards. "Bit Twiddling Hacks", "Determine if a word has a byte
/// less than n" (<https://graphics.stanford.edu/~seander/bithacks.html>).
#[inline(always)]
fn dirty_bytes(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(LOW_BITS);
    let control = word.wrapping_sub(LOW_BITS * 0x20);
    let quote = zero(word ^ (LOW_BITS * u64::from(b'"')));
    let backslash = zero(word ^ (LOW_BITS * u64::from(b'\\')));
    let delete = zero(word ^ (LOW_BITS * 0x7f));
    (word | control | quote | backslash | delete) & HIGH_BITS
}

#[inline(always)]
fn first_byte(mask: u64) -> usize {
    mask.trailing_zeros() as usize / 8
}

/// The characters of bytes that should be UTF-8.
pub(crate) fn chars_lossy(bytes: &[u8]) -> impl Iterator<Item = char> + Clone {
    bytes.utf8_chunks().flat_map(|chunk| {
        let replacement = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(replacement)
    })
}

/// Escapes what std's formatting writes.
pub(crate) struct Escaped<'o, 'a> {
    pub(crate) out: &'o mut LineBuffer<'a>,
    pub(crate) set: Set,
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        put(self.out, text.as_bytes(), self.set);
        if self.out.is_full() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Appends text to what is computed once.
pub(crate) fn extend(out: &mut Vec<u8>, text: &str, set: Set) {
    for char in text.chars() {
        match Escape::of(char, set) {
            Some(escape) => out.extend_from_slice(escape.as_bytes()),
            None => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

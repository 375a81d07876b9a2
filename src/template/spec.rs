//! Format specs, as in [`std::fmt`] without `$` arguments:
//! `[[fill]align]['+']['#']['0'][width]['.' precision][kind]`, kind one of `? x X b o e`.

/// The greatest width and the greatest precision. Both cost space in a line of bounded length.
pub(super) const NUMBER_MAX: u16 = 255;

/// How a hole shows its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) fill: char,
    /// `None`: numbers to the right, all else to the left.
    pub(crate) align: Option<Align>,
    pub(crate) sign: Sign,
    /// `#`: `0x`, `0o`, `0b`; Debug on several lines.
    pub(crate) alternate: bool,
    /// `0`: numbers are filled with zeros after the sign and the prefix; fill and align are idle.
    pub(crate) zero: bool,
    /// The least number of characters, at most 255.
    pub(crate) width: Option<u16>,
    /// Digits after the point; of a text, the most characters. At most 255.
    pub(crate) precision: Option<u16>,
    pub(crate) kind: Kind,
}

/// Where a value shorter than the width stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// Which numbers get a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Negative ones.
    Minus,
    /// All: `+`.
    Always,
}

/// The notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Display,
    Debug,
    LowerHex,
    UpperHex,
    Binary,
    Octal,
    LowerExp,
}

impl Spec {
    /// The spec of `{}`.
    pub(crate) const PLAIN: Spec = Spec {
        fill: ' ',
        align: None,
        sign: Sign::Minus,
        alternate: false,
        zero: false,
        width: None,
        precision: None,
        kind: Kind::Display,
    };
}

/// What [`scan`] found.
pub(super) enum Scan {
    Spec(Spec),
    TooWide,
    Bad,
}

/// Reads `text[start..end]`, which begins and ends at character boundaries, as a spec.
pub(super) const fn scan(text: &[u8], start: usize, end: usize) -> Scan {
    let mut spec = Spec::PLAIN;
    let mut at = start;
    if start < end {
        let (fill, after) = first_char(text, start);
        if after < end && align(text[after]).is_some() {
            spec.fill = fill;
            spec.align = align(text[after]);
            at = after + 1;
        } else if align(text[start]).is_some() {
            spec.align = align(text[start]);
            at = start + 1;
        }
    }
    if at < end && text[at] == b'+' {
        spec.sign = Sign::Always;
        at += 1;
    }
    if at < end && text[at] == b'#' {
        spec.alternate = true;
        at += 1;
    }
    if at < end && text[at] == b'0' {
        spec.zero = true;
        at += 1;
    }
    let (width, after) = number(text, at, end);
    spec.width = width;
    at = after;
    if at < end && text[at] == b'.' {
        let (precision, after) = number(text, at + 1, end);
        if precision.is_none() {
            return Scan::Bad;
        }
        spec.precision = precision;
        at = after;
    }
    if at < end {
        spec.kind = match text[at] {
            b'?' => Kind::Debug,
            b'x' => Kind::LowerHex,
            b'X' => Kind::UpperHex,
            b'b' => Kind::Binary,
            b'o' => Kind::Octal,
            b'e' => Kind::LowerExp,
            _ => return Scan::Bad,
        };
        at += 1;
    }
    if at != end {
        return Scan::Bad;
    }
    if too_wide(spec.width) || too_wide(spec.precision) { Scan::TooWide } else { Scan::Spec(spec) }
}

const fn too_wide(number: Option<u16>) -> bool {
    matches!(number, Some(n) if n > NUMBER_MAX)
}

const fn align(byte: u8) -> Option<Align> {
    match byte {
        b'<' => Some(Align::Left),
        b'^' => Some(Align::Centre),
        b'>' => Some(Align::Right),
        _ => None,
    }
}

/// The digits at `at`, if there are any, and where they end. Stops growing above [`NUMBER_MAX`].
const fn number(text: &[u8], mut at: usize, end: usize) -> (Option<u16>, usize) {
    let start = at;
    let mut value: u16 = 0;
    while at < end && text[at].is_ascii_digit() {
        if value <= NUMBER_MAX {
            value = value * 10 + (text[at] - b'0') as u16;
        }
        at += 1;
    }
    (if at == start { None } else { Some(value) }, at)
}

/// The character at `at`, and where it ends. `text` is UTF-8 and `at` a character boundary.
const fn first_char(text: &[u8], at: usize) -> (char, usize) {
    let lead = text[at];
    let (mut code, len) = match lead {
        0x00..=0x7F => (lead as u32, 1),
        0x80..=0xDF => (lead as u32 & 0x1F, 2),
        0xE0..=0xEF => (lead as u32 & 0x0F, 3),
        0xF0..=0xFF => (lead as u32 & 0x07, 4),
    };
    let end = at + len;
    let mut next = at + 1;
    while next < end {
        code = (code << 6) | (text[next] as u32 & 0x3F);
        next += 1;
    }
    match char::from_u32(code) {
        Some(char) => (char, end),
        None => (char::REPLACEMENT_CHARACTER, end),
    }
}

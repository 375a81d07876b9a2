//! Whether bytes are a JSON value (RFC 8259) that may stand in a line as it is. Runs on the
//! collector, over bytes that are never trusted: total, without recursion and allocation.

use super::escape::{Escape, Set};

/// How deep arrays and objects may be nested: the line's own object makes 127, the most that
/// serde_json reads.
const DEPTH_MAX: u32 = 126;

/// Whether it is one value, without space between its parts, of strings that hold nothing which
/// the other texts of a line would have escaped.
pub(super) fn is_clean(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    Scanner { text, at: 0, objects: 0, depth: 0, depth_max: DEPTH_MAX }.value().is_some()
}

/// Whether it is an object that a line may be, without its newline.
pub(super) fn is_line(line: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(line) else { return false };
    let mut scanner = Scanner { text, at: 0, objects: 0, depth: 0, depth_max: DEPTH_MAX + 1 };
    text.starts_with('{') && scanner.value().is_some()
}

/// What a bracket encloses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enclosed {
    Object,
    Array,
}

/// Reads from left to right; each step is `None` where the text is not what it should be.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Which of the open brackets are those of objects, the innermost in the lowest bit.
    objects: u128,
    depth: u32,
    depth_max: u32,
}

impl Scanner<'_> {
    /// One value, and nothing behind it.
    fn value(&mut self) -> Option<()> {
        loop {
            let is_open = match self.peek()? {
                b'{' => self.open(Enclosed::Object)?,
                b'[' => self.open(Enclosed::Array)?,
                _ => {
                    self.scalar()?;
                    false
                }
            };
            if !is_open && self.close()? {
                return Some(());
            }
        }
    }

    /// Enters an array or object; says whether a value stands in it.
    fn open(&mut self, enclosed: Enclosed) -> Option<bool> {
        if self.depth == self.depth_max {
            return None;
        }
        let is_object = enclosed == Enclosed::Object;
        self.at += 1;
        if self.peek()? == if is_object { b'}' } else { b']' } {
            self.at += 1;
            return Some(false);
        }
        self.objects = self.objects << 1 | u128::from(is_object);
        self.depth += 1;
        if is_object {
            self.key()?;
        }
        Some(true)
    }

    /// Behind a value: closes what ends here, and stands before the next value, or says that all
    /// is read.
    fn close(&mut self) -> Option<bool> {
        while self.depth > 0 {
            let is_object = self.objects & 1 == 1;
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' if is_object => return self.key().map(|()| false),
                b',' => return Some(false),
                b'}' if is_object => {}
                b']' if !is_object => {}
                _ => return None,
            }
            self.objects >>= 1;
            self.depth -= 1;
        }
        (self.at == self.text.len()).then_some(true)
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.take(b':')
    }

    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let words = ["true", "false", "null"];
                let word = words.iter().find(|word| self.text[self.at..].starts_with(**word))?;
                self.at += word.len();
                Some(())
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            let char = self.text[self.at..].chars().next()?;
            self.at += char.len_utf8();
            match char {
                '"' => return Some(()),
                '\\' => self.escape()?,
                _ if Escape::of(char, Set::Json).is_some() => return None,
                _ => {}
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Option<()> {
        let kind = self.peek()?;
        self.at += 1;
        if kind != b'u' {
            return b"\"\\/bfnrt".contains(&kind).then_some(());
        }
        match self.unit()? {
            0xd800..0xdc00 => {
                self.take(b'\\')?;
                self.take(b'u')?;
                matches!(self.unit()?, 0xdc00..0xe000).then_some(())
            }
            0xdc00..0xe000 => None,
            _ => Some(()),
        }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    }

    fn number(&mut self) -> Option<()> {
        self.skip(b"-");
        if self.skip(b"0") {
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return None;
            }
        } else {
            self.digits()?;
        }
        if self.skip(b".") {
            self.digits()?;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let digits = self.text.as_bytes()[self.at..].iter().take_while(|b| b.is_ascii_digit());
        let count = digits.count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip(&[byte]).then_some(())
    }

    /// Passes one of these bytes, if one of them comes.
    fn skip(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(is_there);
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value as Json;

    #[test]
    fn clean_values_are_told_from_others() {
        let clean = [
            "0",
            "-0",
            "12",
            "-1.50",
            "1e999",
            "1E+2",
            "0.1e-7",
            "true",
            "null",
            "\"\"",
            "[]",
            "{}",
            "[[],{}]",
            "{\"a\":[1,{\"b\":null}],\"\":\"\\u00e9\\n\\/\"}",
            "\"\\ud83d\\ude00 \u{e9}\"",
            "[1,\"a\",false]",
        ];
        for text in clean {
            assert!(is_clean(text.as_bytes()), "{text}");
            assert!(serde_json::from_str::<Json>(text).is_ok(), "{text}");
        }
        let others = [
            "",
            " ",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "0x1",
            "NaN",
            "tru",
            "\"",
            "\"\\",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1]",
            "1 ",
            "[1, 2]",
            "{\"a\": 1}",
            "1,2",
            "{}{}",
            "\"\n\"",
            "\"\x7f\"",
            "\"\u{85}\"",
            "\"\u{2028}\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\\u+123\"",
            "\"\\u12\"",
            "\"\\x\"",
            "{1:2}",
            "{\"a\":1,2}",
            "-01",
        ];
        for text in others {
            assert!(!is_clean(text.as_bytes()), "{text}");
        }
        assert!(!is_clean(b"\"\xff\""));
    }

    #[test]
    fn what_is_nested_as_deep_as_a_line_may_be_is_clean() {
        for (depth, is) in [(1, true), (126, true), (127, false), (100_000, false)] {
            for inner in ["1", ""] {
                let nested = "[".repeat(depth) + inner + &"]".repeat(depth);
                assert_eq!(is_clean(nested.as_bytes()), is, "{depth}");
                let line = format!("{{\"v\":{nested}}}");
                assert_eq!(serde_json::from_str::<Json>(&line).is_ok(), is, "{depth}");
            }
        }
        assert!(!is_clean("[".repeat(1 << 20).as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// From bytes of which JSON is made, so that many of the texts are values.
        #[test]
        fn what_is_clean_is_json_and_the_other_way_round(
            parts in prop::collection::vec(prop::sample::select(vec![
                "[", "]", "{", "}", ",", ":", "\"a\":", "\"\"", "\"\\n\"", "1", "-", "0", ".5",
                "e3", "true", "null", "\"", "\\u00", "\\ud8", "00", "\u{e9}", "\u{2028}", " ",
            ]), 0..9),
        ) {
            let text = parts.concat();
            let is_json = serde_json::from_str::<Json>(&text).is_ok();
            let is_spaced = text.contains([' ', '\u{2028}']);
            if is_clean(text.as_bytes()) {
                prop_assert!(is_json, "{}", text);
            } else if !is_spaced {
                prop_assert!(!is_json, "{}", text);
            }
        }

        #[test]
        fn any_bytes_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if is_clean(&bytes) {
                prop_assert!(serde_json::from_slice::<Json>(&bytes).is_ok());
            }
        }
    }
}

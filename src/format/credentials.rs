//! Passwords in addresses, `scheme://user:password@host`, made unreadable where they stand. Runs on
//! the collector, over texts as they travel.
//!
//! An address is what RFC 3986, 3.2, calls one with an authority: that begins behind `://` and ends
//! before `/`, `?` or `#`; the user's part of it ends at its last `@`, and his password begins
//! behind the first `:`. Besides, what no address may hold ends it: space, controls, quotes, `<`,
//! `>`, `\`.

/// Each byte of a password becomes one of these: a text keeps its length.
const MASK: u8 = b'*';

/// The filter looks at whole multiples of so many bytes; what is behind the last is not looked at.
pub(crate) const FILTER_STEP: usize = 32;

/// Whether there may be an address somewhere in the bytes: a filter that most records leave after
/// its first question.
#[inline(always)]
pub(crate) fn may_have_address(bytes: &[u8]) -> bool {
    // Without a branch in it, a chunk becomes a few instructions on vectors.
    let has_colon = |chunk: &[u8]| chunk.iter().fold(false, |found, byte| found | (*byte == b':'));
    bytes.chunks_exact(FILTER_STEP).any(has_colon) && has_slashes(bytes)
}

/// Looks at pairs that begin at even places: of `://` one of them is `:/` or `//`. So are some
/// others, by the bits that are left out: `./`, `;/`, `?/` and the like.
#[inline(never)]
fn has_slashes(bytes: &[u8]) -> bool {
    const LEFT_OUT: u16 = u16::from_le_bytes([b':' ^ b'/', 0]);
    const WANTED: u16 = u16::from_le_bytes(*b"//") & !LEFT_OUT;
    bytes.chunks_exact(FILTER_STEP).any(|chunk| {
        chunk.chunks_exact(2).fold(false, |found, pair| {
            found | (u16::from_le_bytes([pair[0], pair[1]]) & !LEFT_OUT == WANTED)
        })
    })
}

/// Masks all passwords of the text; says whether there was one. Of a text that `is_cut`, an address
/// without its end counts as one whose password was cut.
pub(crate) fn mask(text: &mut [u8], is_cut: bool) -> bool {
    let (mut at, mut is_any) = (0, false);
    while let Some(found) = find(&text[at..], b"://") {
        let start = at + found + 3;
        let is_scheme = at + found > 0 && is_scheme_byte(text[at + found - 1]);
        let len = text[start..].iter().position(|byte| ends_authority(*byte));
        let authority = start..start + len.unwrap_or(text.len() - start);
        let is_open = is_cut && authority.end == text.len();
        if let Some(password) = password(&text[authority.clone()], is_open).filter(|_| is_scheme) {
            text[authority][password].fill(MASK);
            is_any = true;
        }
        at = start;
    }
    is_any
}

/// Where in the authority the password is, if it is not empty.
fn password(authority: &[u8], is_open: bool) -> Option<std::ops::Range<usize>> {
    let from = authority.iter().position(|byte| *byte == b':')? + 1;
    let until = authority.iter().rposition(|byte| *byte == b'@');
    let to = match until {
        Some(at) => at,
        // What is cut may be a port, of five digits at most.
        None if is_open && !is_port(&authority[from..]) => authority.len(),
        None => return None,
    };
    (from < to).then_some(from..to)
}

fn is_port(text: &[u8]) -> bool {
    text.len() <= 5 && text.iter().all(u8::is_ascii_digit)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn ends_authority(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes, false);
        String::from_utf8(bytes).expect("characters are masked whole")
    }

    #[test]
    fn passwords_are_masked_and_nothing_else_is() {
        let cases = [
            ("postgres://ann:hunter2@db:5432/shop", "postgres://ann:*******@db:5432/shop"),
            ("see http://a:b@c and ftp://d:ef@g.", "see http://a:*@c and ftp://d:**@g."),
            ("redis://:secret@h", "redis://:******@h"),
            ("http://a:b:c@d@e/f@g", "http://a:*****@e/f@g"),
            ("x://a:\u{e9}\u{e9}@h", "x://a:****@h"),
            ("[\"amqp+ssl://u:p@h\"]", "[\"amqp+ssl://u:*@h\"]"),
            ("a://b:c://d:e@f", "a://b:c://d:*@f"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected, "{text}");
        }
        let plain = [
            "",
            "://",
            "http://host:8080/a?b=c@d",
            "http://host/a:b@c",
            "ssh://git@host:22/x",
            "http://a:@b",
            " ://a:b@c",
            "a:b@c",
            "http:/a:b@c",
            "x://a:b c@d",
            "x://a\":b@c",
        ];
        for text in plain {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn of_a_text_that_was_cut_the_rest_of_a_password_is_masked() {
        let mut cut = b"see http://h:80 and db://ann:hunt".to_vec();
        assert!(mask(&mut cut, true));
        assert_eq!(cut, b"see http://h:80 and db://ann:****");
        let mut port = b"http://host:8080".to_vec();
        assert!(!mask(&mut port, true));
        let mut whole = b"db://ann:hunt".to_vec();
        assert!(!mask(&mut whole, false));
    }

    /// As the words of the standard have it, with parts taken off one after the other.
    fn oracle(text: &str) -> String {
        let mut shown = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("://") {
            shown.push_str(before);
            shown.push_str("://");
            let is_end = |c: char| c.is_ascii_control() || " /?#\"'<>\\".contains(c);
            let authority = after.split(is_end).next().unwrap_or_default();
            let is_address = shown.strip_suffix("://").is_some_and(|head| {
                head.ends_with(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c))
            });
            let user = authority.rsplit_once('@').map(|(user, _)| user);
            let password = user.and_then(|user| user.split_once(':')).map(|(_, text)| text);
            rest = after;
            if let Some(password) = password.filter(|_| is_address) {
                let user = user.map_or(0, str::len) - password.len();
                shown.push_str(&after[..user]);
                shown.push_str(&"*".repeat(password.len()));
                rest = &after[user + password.len()..];
            }
        }
        shown + rest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn masking_does_as_the_oracle(
            text in "[a:/@ #\u{e9}\"+0]{0,40}|([a-z]{0,3}(://|:|/|@|\\?| )){0,12}",
        ) {
            prop_assert_eq!(masked(&text), oracle(&text));
        }

        #[test]
        fn what_is_masked_has_passed_the_filter(mut bytes in "[:/@a]{0,80}") {
            let before = bytes.clone().into_bytes();
            let mut after = std::mem::take(&mut bytes).into_bytes();
            if mask(&mut after, false) {
                let mut padded = before.clone();
                padded.resize(before.len().next_multiple_of(FILTER_STEP), 0);
                prop_assert!(may_have_address(&padded), "{:?}", before);
            }
            prop_assert_eq!(before.len(), after.len());
        }
    }
}

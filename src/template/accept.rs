//! Templates that are surely sound, in as few steps as the const evaluator can take: most are, and
//! the scanner, which also knows what is wrong with the others, takes three times as long.
//!
//! Slices are walked by patterns: a step by an index costs the evaluator twice as much, for the
//! checks of bound and overflow.

/// Whether a template has no mistake. False for one that has, and for one with a rare spec.
pub(super) const fn is_surely_sound(template: &str, names: &[&str]) -> bool {
    let mut text = template.as_bytes();
    let mut unused = names;
    let (mut is_by_order, mut is_by_name) = (false, false);
    while let [byte, rest @ ..] = text {
        text = rest;
        if *byte == b'{' {
            let end = match (rest, unused) {
                ([b'{', escaped @ ..], _) => Some(escaped),
                ([b'}' | b':', ..], [_, others @ ..]) => {
                    is_by_order = true;
                    unused = others;
                    after_name(rest)
                }
                ([b'}' | b':', ..], []) => None,
                _ => {
                    is_by_name = true;
                    after_hole(rest, names)
                }
            };
            match end {
                Some(rest) => text = rest,
                None => return false,
            }
        } else if *byte == b'}' {
            match rest {
                [b'}', escaped @ ..] => text = escaped,
                _ => return false,
            }
        }
    }
    !(is_by_order && is_by_name)
}

/// What follows a hole with the name of a field.
const fn after_hole<'t>(hole: &'t [u8], mut names: &[&str]) -> Option<&'t [u8]> {
    while let [name, others @ ..] = names {
        let (mut text, mut key) = (hole, name.as_bytes());
        loop {
            match (text, key) {
                ([b'}' | b':', ..], []) => return after_name(text),
                // The name ends here, whatever a key goes on with.
                ([b'{' | b'}' | b':', ..], _) => break,
                ([a, text_rest @ ..], [b, key_rest @ ..]) if *a == *b => {
                    (text, key) = (text_rest, key_rest);
                }
                _ => break,
            }
        }
        names = others;
    }
    None
}

/// What follows the brace behind a hole's name and its spec: the rare ones are not known here.
const fn after_name(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'}', rest @ ..]
        | [b':', b'?' | b'x' | b'X' | b'0'..=b'9', b'}', rest @ ..]
        | [b':', b'.' | b'0'..=b'9', b'0'..=b'9', b'}', rest @ ..] => Some(rest),
        _ => None,
    }
}

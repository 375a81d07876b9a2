//! Lines of pairs, read back by a strict parser.

use super::hostile::{hostile_bytes, hostile_text};
use super::*;

fn logfmt<F: value::Fields>(template: &str, names: &[&str], fields: F) -> String {
    let envelope = encode(fields, 0, &BoundBlock::default());
    let mut formatter = Formatter::new(Format::Logfmt, Colour::Off, Details::default(), CAP);
    line(&mut formatter, &site(template, names), &envelope)
}

/// The pairs of a line; anything but `key=value` or `key="value"` between single spaces is an
/// error. What is between quotes has the escapes of JSON.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut rest = line.strip_suffix('\n').expect("a newline at the end");
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').expect("a pair");
        let is_bare = |text: &str| {
            !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '=')
        };
        assert!(is_bare(key), "{key:?}");
        let end = match value.strip_prefix('"') {
            Some(inner) => {
                let mut is_escaped = false;
                let close = inner.find(|c| {
                    let closes = c == '"' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                    closes
                });
                close.expect("a closing quote") + 2
            }
            None => value.find(' ').unwrap_or(value.len()),
        };
        let (shown, after) = value.split_at(end);
        let text = if shown.starts_with('"') {
            serde_json::from_str(shown).unwrap_or_else(|error| panic!("{error}: {shown}"))
        } else {
            assert!(is_bare(shown), "{shown:?}");
            shown.to_owned()
        };
        pairs.push((key.to_owned(), text));
        rest = match after.strip_prefix(' ') {
            Some(rest) => rest,
            None => {
                assert_eq!(after, "", "one space between pairs");
                after
            }
        };
    }
    pairs
}

#[test]
fn the_example_of_the_documentation() {
    assert_eq!(
        logfmt("user {user_id} signed in", &["user_id"], (&42_u64, ())),
        "timestamp=2026-11-20T21:33:00.123456789Z level=INFO target=app::db \
         message=\"user 42 signed in\" user_id=42\n"
    );
}

#[test]
fn details_and_bound_fields_are_pairs_as_well() {
    let details = Details::of(&[Detail::Line, Detail::Thread, Detail::File]);
    let mut formatter = Formatter::new(Format::Logfmt, Colour::Off, details, CAP);
    let envelope = encode((&[1_u16, 2], ()), flag::TRUNCATED, &BoundBlock::default());
    let shown = line(&mut formatter, &site("m", &["v"]), &envelope);
    assert!(
        shown.ends_with(
            " message=\"m\" thread=main file=\"src/a.rs\" line=9 v=\"[1,2]\" truncated=true\n"
        ),
        "{shown}"
    );
}

#[test]
fn different_keys_stay_different() {
    let names =
        ["x y", "x_y", "x=y", "x%20y", "x\"y", "x\ny", "", "%", "_", "x\u{85}y", "x\u{202e}y"];
    let fields = (&1, (&2, (&3, (&4, (&5, (&6, (&7, (&8, (&9, (&10, (&11, ())))))))))));
    let mut bound = BoundBlock::default();
    let scratch = value::Scratch::new();
    for (number, key) in ["a b", "a_b", "x y", "level", "fields.level"].into_iter().enumerate() {
        bound.bind(key, &value::Value::encode(&(number as u64), &scratch), 99);
    }
    let envelope = encode(fields, 0, &bound);
    let mut formatter = Formatter::new(Format::Logfmt, Colour::Off, Details::default(), CAP);
    let line = line(&mut formatter, &site("m", &names), &envelope);
    let keys: Vec<_> = pairs(&line).into_iter().map(|(key, _)| key).skip(4).collect();
    assert_eq!(
        keys.join(" "),
        "a%20b a_b fields.level fields.fields.level x%20y x_y x%3dy x%2520y x%22y x%0ay % %25 _ \
         x%c2%85y x%e2%80%aey"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_key_that_was_rewritten_reads_back(key in hostile_text()) {
        let written = crate::format::logfmt::key(&format!("a{key}"));
        let written = String::from_utf8(written).expect("UTF-8");
        let key_of = |text: &str| text.strip_prefix(" a")?.strip_suffix("=").map(str::to_owned);
        let written = key_of(&written).expect("a key");
        let mut bytes = Vec::new();
        let mut rest = written.as_bytes();
        while let [first, after @ ..] = rest {
            if *first == b'%' {
                let digits = std::str::from_utf8(&after[..2]).expect("digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("digits"));
                rest = &after[2..];
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        prop_assert_eq!(String::from_utf8(bytes).expect("UTF-8"), key);
    }

    #[test]
    fn a_line_is_pairs_and_says_what_was_logged(
        (text, bytes) in (hostile_text(), hostile_bytes()),
        (key, target) in (hostile_text(), hostile_text()),
        number in any::<i64>(),
        list in prop::collection::vec(any::<i32>(), 0..4),
    ) {
        let key = format!("a{key}");
        let names = [&*key, "lossy", "number", "list"];
        let lossy = String::from_utf8_lossy(&bytes).into_owned();
        let bytes = OsStr::from_bytes(&bytes);
        let fields = (&text, (bytes, (&number, (&list, ()))));
        let envelope = encode(fields, 0, &BoundBlock::default());
        let mut formatter = Formatter::new(Format::Logfmt, Colour::Off, Details::default(), CAP);
        let site = Site { target: &target, ..site("{number} {lossy}", &names) };
        let pairs = pairs(&line(&mut formatter, &site, &envelope));
        let keys: Vec<_> = pairs.iter().map(|(key, _)| &**key).collect();
        prop_assert_eq!(&keys[..4], ["timestamp", "level", "target", "message"]);
        prop_assert_eq!(&keys[5..], ["lossy", "number", "list"]);
        let values: Vec<_> = pairs.iter().map(|(_, value)| &**value).collect();
        let message = format!("{number} {lossy}");
        let list = serde_json::to_string(&list).expect("a list");
        prop_assert_eq!(values[2], &target);
        prop_assert_eq!(values[3], &message);
        prop_assert_eq!(&values[4..], [&*text, &*lossy, &*number.to_string(), &*list]);
    }
}

//! Whatever a value, a key or an envelope holds, a record is one clean line.

use super::*;

/// Characters that have broken loggers before, among others.
pub(super) fn hostile_text() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        3 => prop::char::range('\0', '\u{a5}'),
        1 => prop::sample::select(vec![
            '"', '\\', '\x1b', '\u{2028}', '\u{2029}', '\u{85}', '\u{202e}', '\u{2069}', '\u{c2}',
            '\u{feff}', '\u{fffd}', '\u{10ffff}', '{', '}', '=', '\u{e000}', '\u{2027}', '\u{a0}',
        ]),
        1 => any::<char>(),
    ];
    prop::collection::vec(char, 0..40).prop_map(String::from_iter)
}

/// Bytes some of which are no UTF-8.
pub(super) fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        hostile_text().prop_map(String::into_bytes),
        prop::collection::vec(0x70_u8..=255, 0..6),
        Just(b"\xe2\x80".to_vec()),
        Just(b"\xed\xa0\x80".to_vec()),
        Just(b"\xf0\x9f\x98".to_vec()),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn expected_key(key: &str) -> String {
    let reserved =
        ["timestamp", "level", "target", "message", "thread", "file", "line", "truncated"];
    let mut stem = key;
    while let Some(rest) = stem.strip_prefix("fields.") {
        stem = rest;
    }
    if reserved.contains(&stem) { format!("fields.{key}") } else { key.to_owned() }
}

fn key() -> impl Strategy<Value = String> {
    let special = ["", "level", "fields.level", "fields.fields.level", "\"", "a\nb", "line", "v"];
    prop_oneof![hostile_text(), prop::sample::select(special.map(String::from).to_vec())]
}

/// Braces doubled, so that a template shows them.
fn literal(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    // [P6]
    #[test]
    fn a_line_is_json_and_says_what_was_logged(
        keys in prop::collection::vec(key(), 4),
        bound_keys in prop::collection::vec(key(), 0..4),
        (text, bytes) in (hostile_text(), hostile_bytes()),
        list in prop::collection::vec(hostile_text(), 0..4),
        number in any::<Option<i128>>(),
        (target, before, after) in (hostile_text(), hostile_text(), hostile_text()),
        thread in hostile_bytes(),
    ) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let template = [literal(&before), "{}{}".to_owned(), literal(&after)].concat();
        let site = Site { target: &target, file: &text, ..site(&template, &keys) };
        let mut bound = BoundBlock::default();
        let mut expected = serde_json::Map::new();
        for (index, key) in bound_keys.iter().enumerate() {
            bound.bind(key, &index.encode(&Scratch::new()), usize::MAX);
            expected.insert(expected_key(key), index.into());
        }
        let path = OsStr::from_bytes(&bytes);
        let lossy = String::from_utf8_lossy(&bytes);
        let envelope = encode((&text, (&path, (&list, (&number, ())))), 0, &bound);
        let number = number.map_or(Json::Null, |number| number.to_string().parse().expect("JSON"));
        let values: [Json; 4] = [(&*text).into(), (&*lossy).into(), list.into(), number];
        for (key, value) in keys.iter().zip(values) {
            expected.insert(expected_key(key), value);
        }
        expected.insert("timestamp".into(), "2026-11-20T21:33:00.123456789Z".into());
        expected.insert("level".into(), "INFO".into());
        expected.insert("target".into(), (&*target).into());
        expected.insert("message".into(), format!("{before}{text}{lossy}{after}").into());
        expected.insert("thread".into(), (&*String::from_utf8_lossy(&thread)).into());
        expected.insert("file".into(), (&*text).into());
        expected.insert("line".into(), 9.into());

        let details = [Detail::Thread, Detail::File, Detail::Line];
        let mut formatter = Formatter::new(Format::Json, Colour::Off, Details::of(&details), CAP);
        let plan = formatter.plan(&site);
        let mut memory = vec![0; 1 << 16];
        let mut out = LineBuffer::new(&mut memory);
        let label = ThreadLabel { id: 1, name: Some(&thread) };
        let envelope = Envelope::parse(&envelope).expect("an envelope");
        formatter.line(&mut out, &plan, &envelope, UTC_NS, label).expect("a line");
        let len = out.len();
        let shown = std::str::from_utf8(&memory[..len]).expect("UTF-8");
        prop_assert_eq!(top_level_keys(shown), expected.len());
        prop_assert_eq!(parse(shown), Json::Object(expected));
    }

    #[test]
    fn floats_read_back_as_they_were(bits: u64, small: u32) {
        let (value, small) = (f64::from_bits(bits), f32::from_bits(small));
        if value.is_finite() {
            let read: f64 = shown(value).parse().expect("a number");
            prop_assert_eq!(read.to_bits(), bits);
        }
        if small.is_finite() {
            let read: f32 = shown(small).parse().expect("a number");
            prop_assert_eq!(read.to_bits(), small.to_bits());
        }
    }

    #[test]
    fn a_line_of_text_leaves_the_terminal_alone(
        key in key(),
        (text, bytes) in (hostile_text(), hostile_bytes()),
        list in prop::collection::vec(hostile_text(), 0..4),
        (target, template) in (hostile_text(), hostile_text()),
    ) {
        let names = [&*key, "path", "list"];
        let site = Site { target: &target, ..site(&template, &names) };
        let path = OsStr::from_bytes(&bytes);
        let envelope = encode((&text, (&path, (&list, ()))), 0, &BoundBlock::default());
        let shown = line(&mut text_formatter(), &site, &envelope);
        let harmful = |char: char| {
            char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let body = shown.strip_suffix('\n').expect("a newline at the end");
        prop_assert!(!body.contains(harmful), "{:?}", body);
        let quoted = body.split_once(" path=").expect("the field").1;
        if quoted.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
            let value = values.next().expect("a string").expect("as in JSON");
            prop_assert_eq!(value, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_a_prefix(
        text in hostile_text(),
        literal_text in hostile_text(),
        max in 0_usize..120,
    ) {
        let template = format!("{}{{v}}", literal(&literal_text));
        let envelope = encode((&text, ()), 0, &BoundBlock::default());
        let mut formatter = Formatter::new(Format::Json, Colour::Off, Details::default(), max);
        let shown = parse(&line(&mut formatter, &site(&template, &["v"]), &envelope));
        let whole = literal_text + &text;
        let message = shown["message"].as_str().expect("a message");
        prop_assert!(whole.starts_with(message));
        prop_assert_eq!(shown.get("truncated").is_some(), message.len() < whole.len());
    }

    #[test]
    fn an_envelope_of_any_bytes_is_a_line_or_an_error(
        mut bytes in prop::collection::vec(any::<u8>(), 24..200),
        tags in prop::collection::vec(0_u8..22, 8),
        flags in 0_u8..8,
        lengths in prop::collection::vec((0_usize..22, 0_u8..40), 0..12),
    ) {
        let names = ["a", "b", "c"];
        for (granule, length) in lengths {
            let at = 32 + granule * 8;
            if let Some(word) = bytes.get_mut(at..at + 8) {
                word.copy_from_slice(&[length, 0, 0, 0, length % 3, 0, 0, 0]);
            }
        }
        (bytes[20], bytes[22]) = (3, flags);
        if let Some(room) = bytes.get_mut(24..32) {
            room.copy_from_slice(&tags);
        }
        let Ok(envelope) = Envelope::parse(&bytes) else { return Ok(()) };
        for format in [Format::Json, Format::Text] {
            let details = Details::of(&[Detail::Thread]);
            let mut formatter = Formatter::new(format, Colour::Off, details, CAP);
            let plan = formatter.plan(&site("{a} {b:>9?} {c:#010x}", &names));
            let mut memory = vec![0; 1 << 16];
            let mut out = LineBuffer::new(&mut memory);
            let result = formatter.line(&mut out, &plan, &envelope, UTC_NS, MAIN);
            let len = out.len();
            match result {
                Ok(()) if format == Format::Json => {
                    let shown = std::str::from_utf8(&memory[..len]).expect("UTF-8");
                    let parsed = parse(shown);
                    let keys = parsed.as_object().expect("an object").len();
                    prop_assert_eq!(top_level_keys(shown), keys);
                }
                Ok(()) => {
                    let newlines = memory[..len].iter().filter(|byte| **byte < b' ').count();
                    prop_assert_eq!(newlines, 1);
                }
                Err(error) => {
                    prop_assert!(matches!(error, LineError::Malformed { .. }), "{error:?}");
                    prop_assert_eq!(len, 0);
                }
            }
        }
    }
}

/// How many keys the object of a line has, repeated ones counted each time.
fn top_level_keys(line: &str) -> usize {
    let (mut depth, mut in_string, mut escaped, mut keys) = (0, false, false, 0);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            b':' if !in_string && depth == 1 => keys += 1,
            _ => {}
        }
    }
    keys
}

#[test]
fn another_number_of_fields_is_an_error() {
    let envelope = encode((&1, ()), 0, &BoundBlock::default());
    let envelope = Envelope::parse(&envelope).expect("an envelope");
    let mut formatter = json_formatter();
    let plan = formatter.plan(&site("m", &["a", "b"]));
    let mut memory = [0; 256];
    let mut out = LineBuffer::new(&mut memory);
    let result = formatter.line(&mut out, &plan, &envelope, UTC_NS, MAIN);
    assert_eq!((result, out.len()), (Err(LineError::Malformed { offset: 20 }), 0));
}

//! Lines against serde_json, holes against std, and both against hostile bytes.

mod hole;
mod hostile;
mod logfmt;
mod raw;

use super::*;
use crate::envelope::bound::BoundBlock;
use crate::envelope::encode;
use crate::level::Level;
use crate::value::{self, FieldSet, Redacted, Scratch, Value};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const UTC_NS: i64 = 1_795_210_380_123_456_789;
const MAIN: ThreadLabel<'static> = ThreadLabel { id: 12, name: Some(b"main") };
const CAP: usize = 16 * 1024;

/// An envelope as a call writes it.
fn encode<F: value::Fields>(fields: F, flags: u16, bound: &BoundBlock) -> Vec<u8> {
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let mut words = vec![0_u64; encode::granules(&encoded)];
    let flags = if bound.words().is_empty() { flags } else { flags | flag::BOUND };
    let meta = encode::meta::<F::Encoded<'_>>(7, Level::Info as u8, flags);
    #[allow(unsafe_code)]
    // SAFETY: as many words as `granules` says.
    unsafe {
        encode::put(words.as_mut_ptr(), 1, meta, &encoded);
    }
    words.extend_from_slice(bound.words());
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn site<'a>(template: &'a str, names: &'a [&'a str]) -> Site<'a> {
    Site {
        id: 7,
        level: Level::Info,
        target: "app::db",
        template,
        file: "src/a.rs",
        line: 9,
        names,
    }
}

/// The line of an envelope.
#[track_caller]
fn line(formatter: &mut Formatter, site: &Site<'_>, envelope: &[u8]) -> String {
    let plan = formatter.plan(site);
    let envelope = Envelope::parse(envelope).expect("an envelope");
    let mut memory = vec![0; 1 << 20];
    let mut out = LineBuffer::new(&mut memory);
    formatter.line(&mut out, &plan, &envelope, UTC_NS, MAIN).expect("a line");
    let len = out.len();
    memory.truncate(len);
    String::from_utf8(memory).expect("a line is UTF-8")
}

fn json_formatter() -> Formatter {
    Formatter::new(Format::Json, Colour::Off, Details::default(), CAP)
}

fn text_formatter() -> Formatter {
    Formatter::new(Format::Text, Colour::Off, Details::default(), CAP)
}

/// The JSON line of a call.
#[track_caller]
fn json<F: value::Fields>(template: &str, names: &[&str], fields: F) -> String {
    let envelope = encode(fields, 0, &BoundBlock::default());
    line(&mut json_formatter(), &site(template, names), &envelope)
}

/// The text line of a call.
#[track_caller]
fn text<F: value::Fields>(template: &str, names: &[&str], fields: F) -> String {
    let envelope = encode(fields, 0, &BoundBlock::default());
    line(&mut text_formatter(), &site(template, names), &envelope)
}

/// Checks that a line is one, clean, and JSON; gives it parsed.
#[track_caller]
fn parse(line: &str) -> Json {
    let body = line.strip_suffix('\n').expect("a newline at the end");
    let raw =
        |char: char| matches!(char, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}');
    assert!(!body.contains(raw), "{body:?} holds a raw control character");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// The one field's value in a line, as it stands there.
#[track_caller]
fn shown<V: Value>(value: V) -> String {
    let line = json("m", &["v"], (&value, ()));
    parse(&line);
    let (_, rest) = line.split_once(r#""v":"#).expect("the field");
    rest.strip_suffix("}\n").expect("the end").to_owned()
}

#[test]
fn the_example_of_the_documentation() {
    let names = ["user_id", "latency_ms"];
    let template = "user {user_id} signed in after {latency_ms:.1} ms";
    assert_eq!(
        json(template, &names, (&42_u64, (&1.25_f64, ()))),
        concat!(
            r#"{"timestamp":"2026-11-20T21:33:00.123456789Z","level":"INFO","target":"app::db","#,
            r#""message":"user 42 signed in after 1.2 ms","user_id":42,"latency_ms":1.25}"#,
            "\n"
        )
    );
    assert_eq!(
        text("user {user_id} signed in", &names, (&42_u64, (&1.25_f64, ()))),
        "21:33:00.123 INFO  app::db user 42 signed in  user_id=42 latency_ms=1.25\n"
    );
}

#[test]
fn details_stand_between_message_and_fields() {
    let details = [Detail::Line, Detail::Thread, Detail::File];
    let envelope = encode((&1_u8, ()), 0, &BoundBlock::default());
    let site = site("m", &["v"]);
    let shown = line(
        &mut Formatter::new(Format::Json, Colour::Off, Details::of(&details), CAP),
        &site,
        &envelope,
    );
    assert!(
        shown.ends_with(
            "\"message\":\"m\",\"thread\":\"main\",\"file\":\"src/a.rs\",\"line\":9,\"v\":1}\n"
        ),
        "{shown}"
    );
    let shown = line(
        &mut Formatter::new(Format::Text, Colour::Off, Details::of(&details), CAP),
        &site,
        &envelope,
    );
    assert_eq!(shown, "21:33:00.123 INFO  app::db m  thread=main file=src/a.rs line=9 v=1\n");

    let mut formatter = Formatter::new(Format::Json, Colour::Off, Details::of(&details), CAP);
    let plan = formatter.plan(&site);
    let mut memory = [0; 512];
    let mut out = LineBuffer::new(&mut memory);
    let nameless = ThreadLabel { id: 12, name: None };
    let envelope = Envelope::parse(&envelope).expect("an envelope");
    formatter.line(&mut out, &plan, &envelope, UTC_NS, nameless).expect("a line");
    let len = out.len();
    let shown = std::str::from_utf8(&memory[..len]).expect("UTF-8");
    assert!(shown.contains(r#""thread":"12""#), "{shown}");
}

#[test]
fn every_kind_of_value_in_json() {
    assert_eq!(shown(u128::MAX), u128::MAX.to_string());
    assert_eq!(shown(i128::MIN), i128::MIN.to_string());
    assert_eq!(shown(i64::MIN), i64::MIN.to_string());
    assert_eq!(shown(1e16), "1e16");
    assert_eq!(shown(100.0), "100.0");
    assert_eq!(shown(-0.0), "-0.0");
    assert_eq!(shown(0.1_f32), "0.1");
    assert_eq!(shown(5e-324), "5e-324");
    assert_eq!(shown(f64::NAN), "null");
    assert_eq!(shown(f32::NEG_INFINITY), "null");
    assert_eq!(shown([1.5, f64::INFINITY, f64::NAN]), "[1.5,null,null]");
    assert_eq!(shown([0.1_f32]), "[0.1]");
    assert_eq!(shown(vec!["a\"", "", "\u{2028}"]), r#"["a\"","","\u2028"]"#);
    assert_eq!(shown(['x', '\x1b']), r#"["x","\u001b"]"#);
    assert_eq!(shown([true, false]), "[true,false]");
    assert_eq!(shown(Vec::<u64>::new()), "[]");
    assert_eq!(shown(Some(Some(true))), "true");
    assert_eq!(shown(Some(None::<u8>)), "null");
    assert_eq!(shown('"'), r#""\"""#);
    assert_eq!(shown([0_u8, 255, 16]), r#""00ff10""#);
    assert_eq!(shown([7_u8; 40]), format!("\"{}\"", "07".repeat(40)));
    assert_eq!(shown(std::net::Ipv4Addr::LOCALHOST), r#""127.0.0.1""#);
    assert_eq!(shown("[::1%3]:80".parse::<std::net::SocketAddr>().unwrap()), r#""[::1%3]:80""#);
    assert_eq!(shown(Redacted("secret")), r#""[redacted]""#);
    assert_eq!(shown(OsStr::from_bytes(b"a\xff\xe2\x80b")), "\"a\u{fffd}\u{fffd}b\"");
}

#[test]
fn durations_and_times() {
    assert_eq!(shown(Duration::from_millis(1250)), "1.25");
    assert_eq!(shown(Duration::from_nanos(1)), "0.000000001");
    assert_eq!(shown(Duration::from_secs(5)), "5");
    assert_eq!(shown(Duration::MAX), "18446744073709551615.999999999");
    let rfc3339 = |ns| jiff::Timestamp::from_nanosecond(ns).unwrap().strftime("\"%FT%T.%9fZ\"");
    let at = |ns: u64| UNIX_EPOCH + Duration::from_nanos(ns);
    assert_eq!(shown(at(1)), rfc3339(1).to_string());
    assert_eq!(shown(at(i64::MAX as u64)), rfc3339(i64::MAX.into()).to_string());
    assert_eq!(shown(at(i64::MAX as u64 + 1)), rfc3339(i128::from(i64::MAX) + 1).to_string());
    let before = |ns: u64| UNIX_EPOCH - Duration::from_nanos(ns);
    assert_eq!(shown(before(1 << 63)), rfc3339(i64::MIN.into()).to_string());
    assert_eq!(shown(before((1 << 63) + 1)), rfc3339(i128::from(i64::MIN) - 1).to_string());
    // A text as all others, whatever the year.
    let far = SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40);
    assert_eq!(shown(far), r#""-032873-11-12T23:23:44.000000000Z""#);
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    assert_eq!(shown(far), r#""+010000-01-01T00:00:00.000000000Z""#);
}

#[cfg(feature = "uuid")]
#[test]
fn a_uuid_has_hyphens() {
    let id = uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
    assert_eq!(shown(id), r#""01234567-89ab-cdef-fedc-ba9876543210""#);
}

#[test]
fn keys_never_appear_twice_and_reserved_ones_move() {
    let names = ["level", "fields.level", "fields", "fields.fields.file", "fields.x", "truncated"];
    let fields = (&0, (&1, (&2, (&3, (&4, (&5, ()))))));
    let line = json("m", &names, fields);
    assert!(
        line.ends_with(concat!(
            r#""message":"m","fields.level":0,"fields.fields.level":1,"fields":2,"#,
            r#""fields.fields.fields.file":3,"fields.x":4,"fields.truncated":5}"#,
            "\n"
        )),
        "{line}"
    );
    let line = json("m", &["k", "o", "k"], (&0, (&1, (&2, ()))));
    assert!(line.ends_with("\"message\":\"m\",\"o\":1,\"k\":2}\n"), "{line}");
}

#[test]
fn bound_fields_come_first_and_give_way() {
    let scratch = Scratch::new();
    let mut bound = BoundBlock::default();
    bound.bind("a", &1_u8.encode(&scratch), usize::MAX);
    bound.bind("call", &2_u8.encode(&scratch), usize::MAX);
    bound.bind("level", &"x\n".encode(&scratch), usize::MAX);
    bound.bind("a", &3_u8.encode(&scratch), usize::MAX);
    bound.bind("", &None::<u8>.encode(&scratch), usize::MAX);
    let envelope = encode((&9_u8, ()), 0, &bound);
    let shown = line(&mut json_formatter(), &site("m", &["call"]), &envelope);
    assert!(
        shown.ends_with(
            "\"message\":\"m\",\"fields.level\":\"x\\n\",\"a\":3,\"\":null,\"call\":9}\n"
        ),
        "{shown}"
    );
    parse(&shown);
    let shown = line(&mut text_formatter(), &site("m", &["call"]), &envelope);
    assert!(shown.ends_with(" m  fields.level=\"x\\n\" a=3 \"\"=null call=9\n"), "{shown}");
}

#[test]
fn more_fields_than_are_kept_at_hand() {
    let names: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rest = (&16, (&17, (&18, (&"last", ()))));
    let rest = (&12, (&13, (&14, (&15, rest))));
    let fields = (&0, (&1, (&2, (&3, (&4, (&5, (&6, (&7, (&8, (&9, (&10, (&11, rest))))))))))));
    let line = json("{k19} {k15} {k16} {k0}", &names, fields);
    let parsed = parse(&line);
    assert_eq!(parsed["message"], "last 15 16 0");
    assert_eq!(parsed["k18"], 18);
    assert_eq!(parsed.as_object().map(|map| map.len()), Some(24));
}

#[test]
fn a_cut_record_says_so() {
    let envelope = encode((&1_u8, ()), flag::TRUNCATED, &BoundBlock::default());
    let shown = line(&mut json_formatter(), &site("m", &["v"]), &envelope);
    assert!(shown.ends_with("\"v\":1,\"truncated\":true}\n"), "{shown}");
    let shown = line(&mut text_formatter(), &site("m", &["v"]), &envelope);
    assert!(shown.ends_with(" m  v=1 …\n"), "{shown}");
}

#[test]
fn a_message_is_cut_at_whole_characters_and_escapes() {
    let template = "a\n{v}\u{e9}\u{1f600}\u{7f}z";
    let text_value = "\"\\";
    let envelope = encode((&text_value, ()), 0, &BoundBlock::default());
    let expected = format!("a\n{text_value}\u{e9}\u{1f600}\u{7f}z");
    let mut lengths = Vec::new();
    for max in 0..40 {
        let mut formatter = Formatter::new(Format::Json, Colour::Off, Details::default(), max);
        let shown = line(&mut formatter, &site(template, &["v"]), &envelope);
        let parsed = parse(&shown);
        let message = parsed["message"].as_str().expect("a message");
        assert!(expected.starts_with(message), "{max}: {message:?}");
        assert_eq!(parsed["v"], text_value);
        assert_eq!(parsed.get("truncated").is_some(), message != expected, "{max}: {shown}");
        let escaped = serde_json::to_string(message).expect("text").replace('\u{7f}', "\\u007f");
        assert!(escaped.len() - 2 <= max);
        lengths.push(message.chars().count());
    }
    lengths.dedup();
    assert_eq!(lengths, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let mut formatter = Formatter::new(Format::Text, Colour::Off, Details::default(), 3);
    let shown = line(&mut formatter, &site("abcde{v}", &["v"]), &envelope);
    assert_eq!(shown, "21:33:00.123 INFO  app::db abc…  v=\"\\\"\\\\\"\n");
}

#[test]
fn text_values_cannot_be_mistaken() {
    let names = ["a", "b", "c", "d", "e f"];
    let list = ["x y", "\u{202e}"];
    let fields = (&"plain\\", (&"two words", (&"", (&list, (&"\x1b[2J\u{2066}", ())))));
    assert_eq!(
        text("{e f} {a}", &names, fields),
        concat!(
            r#"21:33:00.123 INFO  app::db \u001b[2J\u2066 plain\  a=plain\ b="two words" c="" "#,
            r#"d=["x y","\u202e"] "e f"="\u001b[2J\u2066""#,
            "\n"
        )
    );
    let fields = (&1.0, (&f64::NAN, (&Duration::from_millis(5), (&None::<u8>, (&'=', ())))));
    assert!(text("m", &names, fields).ends_with("a=1 b=NaN c=5ms d=null \"e f\"=\"=\"\n"));
}

#[test]
fn colour_touches_level_and_keys_only() {
    let envelope = encode((&1_u8, ()), 0, &BoundBlock::default());
    let mut formatter = Formatter::new(Format::Text, Colour::On, Details::default(), CAP);
    let shown = line(&mut formatter, &site("m", &["v"]), &envelope);
    assert_eq!(shown, "21:33:00.123 \x1b[32mINFO \x1b[0m app::db m  \x1b[2mv=\x1b[0m1\n");
}

#[test]
fn a_buffer_of_any_length_is_full_or_enough() {
    let template = "{a:?} {b:>9.2} {c} text\n";
    let names = ["a", "b", "c", "d"];
    let mut bound = BoundBlock::default();
    bound.bind("request", &"r\u{85}".encode(&Scratch::new()), usize::MAX);
    let site = site(template, &names);
    let fields = (&"q\"\u{e9}", (&1.5, (&[1_u8; 9], (&Duration::from_nanos(9), ()))));
    let bytes = encode(fields, flag::TRUNCATED, &bound);
    let envelope = Envelope::parse(&bytes).expect("an envelope");
    let details = [Detail::Thread, Detail::File, Detail::Line];
    for format in [Format::Json, Format::Text] {
        let mut formatter = Formatter::new(format, Colour::On, Details::of(&details), CAP);
        let plan = formatter.plan(&site);
        let whole = line(&mut formatter, &site, &bytes);
        for room in 0..=whole.len() {
            let mut memory = vec![0xaa; whole.len() + 64];
            let mut out = LineBuffer::new(&mut memory[8..8 + room]);
            let result = formatter.line(&mut out, &plan, &envelope, UTC_NS, MAIN);
            let (len, full) = (out.len(), out.is_full());
            if room < whole.len() {
                assert_eq!((result, len, full), (Err(LineError::Full), 0, true), "{room}");
            } else {
                assert_eq!((result, len, full), (Ok(()), whole.len(), false));
                assert_eq!(&memory[8..8 + room], whole.as_bytes());
            }
            assert!(memory[..8].iter().chain(&memory[8 + room..]).all(|byte| *byte == 0xaa));
        }
    }
}

#[test]
fn a_message_that_is_one_field_is_not_shown_twice() {
    let bytes = encode((&"all of it", (&1_u64, ())), 0, &BoundBlock::default());
    let lines = |template: &str, names: &[&str]| {
        [Format::Json, Format::Text].map(|format| {
            let mut formatter = Formatter::new(format, Colour::Off, Details::default(), CAP);
            line(&mut formatter, &site(template, names), &bytes)
        })
    };
    let [json, text] = lines("{message}", &["message", "n"]);
    assert!(json.ends_with("\"message\":\"all of it\",\"n\":1}\n"), "{json}");
    assert!(text.ends_with("all of it  n=1\n"), "{text}");
    for (template, names) in [("{message}!", ["message", "n"]), ("{text}", ["text", "n"])] {
        let [json, _] = lines(template, &names);
        assert_eq!(json.matches("all of it").count(), 2, "{json}");
    }
}

#[test]
fn a_full_buffer_takes_nothing_more() {
    let mut memory = [0; 8];
    let mut out = LineBuffer::new(&mut memory);
    out.put(b"abc");
    out.put(b"defghi");
    assert!(out.is_full());
    out.put(b"x");
    out.put_byte(b'y');
    out.truncate_to(1);
    out.put_whole(b"z");
    assert_eq!((out.len(), out.is_full()), (1, true));
    assert_eq!(&memory, b"abc\0\0\0\0\0");
}

proptest! {
    #[test]
    fn a_buffer_holds_what_was_put(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..9)) {
        let whole = pieces.concat();
        let mut memory = vec![0; whole.len()];
        let mut out = LineBuffer::new(&mut memory);
        pieces.iter().for_each(|piece| out.put(piece));
        prop_assert!(!out.is_full());
        prop_assert_eq!(out.len(), whole.len());
        prop_assert_eq!(memory, whole);
    }
}

//! JSON that travels as it is stays that JSON, or becomes a text: a line stays a line.

use super::*;
use crate::value::Text;

/// A value of JSON, or what claims to be one.
struct Raw(String);

impl Value for Raw {
    type Encoded<'a> = Text<'a>;

    fn encode<'a>(&'a self, _: &'a Scratch) -> Text<'a> {
        Text::json(&self.0)
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "-?[1-9][0-9]{0,40}(\\.[0-9]{1,20})?(e[1-9][0-9]?)?"
            .prop_map(|text| text.parse().expect("a number")),
        hostile::hostile_text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((hostile::hostile_text(), inner), 0..4)
                .prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
        ]
    })
}

/// As it has to be written to be copied.
fn clean(value: &Json) -> String {
    let mut clean = Vec::new();
    let text = value.to_string();
    for char in text.chars() {
        match char {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                clean.extend_from_slice(format!("\\u{:04x}", char as u32).as_bytes());
            }
            _ => clean.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8(clean).expect("UTF-8")
}

/// An envelope of at most `room` granules, cut if need be.
fn encode_cut<F: value::Fields>(fields: F, room: usize) -> Vec<u8> {
    let scratch = Scratch::new();
    let encoded = fields.encode(&scratch);
    let mut words = vec![0_u64; room];
    let meta = encode::meta::<F::Encoded<'_>>(7, Level::Info as u8, flag::TRUNCATED);
    #[allow(unsafe_code)]
    // SAFETY: `room` granules, which are more than header and tags.
    unsafe {
        encode::put_cut(words.as_mut_ptr(), 1, meta, &encoded, room, &FieldSet::NONE);
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn numbers_keep_their_digits_and_objects_their_order() {
    for text in ["1.50", "-0", "1e400", "0.10000000000000000000000001", r#"{"b":[1.0,{}],"a":{}}"#]
    {
        assert_eq!(shown(Raw(text.to_owned())), text);
    }
    let raw = Raw(r#"{"a":"b"}"#.to_owned());
    let shown = text("v is {v}", &["v"], (&raw, ()));
    assert!(shown.ends_with("v is {\"a\":\"b\"}  v=\"{\\\"a\\\":\\\"b\\\"}\"\n"), "{shown}");
}

#[test]
fn a_bound_message_shows_beside_the_call_s_own() {
    let mut bound = BoundBlock::default();
    bound.bind("message", &Raw("[1]".to_owned()).encode(&Scratch::new()), usize::MAX);
    let envelope = encode((&"text", ()), 0, &bound);
    let shown = line(&mut json_formatter(), &site("{message}", &["message"]), &envelope);
    assert!(shown.ends_with(",\"message\":\"text\",\"fields.message\":[1]}\n"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn json_is_copied(value in any_json()) {
        let raw = Raw(clean(&value));
        prop_assert_eq!(parse(&json("m", &["v"], (&raw, ())))["v"].clone(), value);
    }

    // [P6]
    #[test]
    fn what_only_claims_to_be_json_is_a_text(text in hostile::hostile_text()) {
        let shown = parse(&json("m", &["v"], (&Raw(text.clone()), ())))["v"].clone();
        let is_json = serde_json::from_str::<Json>(&text).is_ok_and(|value| value == shown);
        prop_assert!(is_json || shown == text, "{shown}");
    }

    #[test]
    fn json_that_is_cut_is_a_text(value in any_json(), other in any_json(), room in 8_usize..60) {
        let (raw, other) = (Raw(clean(&value)), Raw(clean(&other)));
        let envelope = encode_cut((&raw, (&other, ())), room);
        let shown = line(&mut json_formatter(), &site("m", &["v", "w"]), &envelope);
        let parsed = parse(&shown);
        for (key, raw, value) in [("v", &raw.0, &value), ("w", &other.0, &clean_value(&other.0))] {
            let part = parsed[key].as_str();
            let is_part = part.is_some_and(|part| raw.starts_with(part));
            prop_assert!(parsed[key] == *value || is_part || parsed[key].is_null(), "{}", shown);
        }
    }
}

fn clean_value(text: &str) -> Json {
    serde_json::from_str(text).expect("JSON")
}

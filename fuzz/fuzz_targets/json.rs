//! Values of every kind under names that may be anything: the line is one line of JSON, and each
//! value reads back as what was logged.
#![no_main]

#[path = "../input.rs"]
mod input;

use std::collections::HashMap;

use fastlog::Format;
use fastlog::bench_support::{Lines, envelope};
use input::Input;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

/// Room for any line of the fields below: escaping makes at most six bytes of one.
const LINE_MAX: usize = 64 * 1024;

type Members = HashMap<String, Box<RawValue>>;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let (unsigned, signed, utc_ns) = (input.u64(), input.u64() as i64, input.u64() as i64);
    let (double, single) = (f64::from_bits(input.u64()), f32::from_bits(input.u32()));
    let (flag, missing) = (input.byte() % 2 == 1, (input.byte() % 2 == 1).then_some(signed));
    let char = char::from_u32(input.u32()).unwrap_or('\u{2028}');
    let (text, raw) = (input.text(), input.bytes());
    let list = [input.text(), input.text()];
    let wide = u128::from(unsigned) << 64 | u128::from(input.u64());
    // Names of a shape in which none is the log's own and none stands twice.
    let names: Vec<String> = (0..10).map(|nth| format!("k{nth}:{}", input.text())).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rest = (&text, (&raw, (&list, (&wide, ()))));
    let fields = (&unsigned, (&signed, (&double, (&single, (&flag, (&missing, (&char, rest)))))));
    let names = [&names[..], &["wide"]].concat();

    let envelope = envelope(&fields);
    let mut memory = vec![0; LINE_MAX];
    let len = Lines::new(Format::Json, "said", &names).line(&envelope, utc_ns, &mut memory);
    assert!(len > 0, "these fields have a line");
    let line = std::str::from_utf8(&memory[..len]).expect("a line is UTF-8");
    let body = line.strip_suffix('\n').expect("a newline at the end");
    assert!(!body.contains(char::is_control), "{body:?}");
    let members: Members =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!(members.len(), 4 + names.len(), "{body}");

    let member = |nth: usize| members[names[nth]].get();
    assert_eq!(member(0).parse(), Ok(unsigned));
    assert_eq!(member(1).parse(), Ok(signed));
    match double.is_finite() {
        true => assert_eq!(member(2).parse().map(f64::to_bits), Ok(double.to_bits())),
        false => assert_eq!(member(2), "null"),
    }
    match single.is_finite() {
        true => assert_eq!(member(3).parse().map(f32::to_bits), Ok(single.to_bits())),
        false => assert_eq!(member(3), "null"),
    }
    assert_eq!(member(4).parse(), Ok(flag));
    assert_eq!(member(5), missing.map_or_else(|| "null".to_owned(), |value| value.to_string()));
    assert_eq!(as_text(member(6)), char.to_string());
    assert_eq!(as_text(member(7)), text);
    assert_eq!(member(10).parse(), Ok(wide));
    let read: Vec<String> = serde_json::from_str(member(9)).expect("a list of texts");
    assert_eq!(read, list);
});

fn as_text(member: &str) -> String {
    serde_json::from_str(member).expect("a text")
}

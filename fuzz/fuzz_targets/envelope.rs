//! Bytes that may be anything, read as an envelope: no panic, and whatever has a line has one line
//! of valid JSON in which no key appears twice.
#![no_main]

use std::collections::HashSet;
use std::fmt;

use fastlog::Format;
use fastlog::bench_support::line_of_foreign_bytes;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// A JSON object whose keys differ.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Distinct, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Distinct;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distinct, A::Error> {
        let mut seen = HashSet::new();
        while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
            assert!(seen.insert(key.clone()), "{key:?} appears twice");
        }
        Ok(Distinct)
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(line) = line_of_foreign_bytes(Format::Json, bytes) {
        let body = line.strip_suffix('\n').expect("a newline at the end");
        assert!(!body.contains(char::is_control), "{body:?}");
        if let Err(error) = serde_json::from_str::<Distinct>(body) {
            panic!("{error}: {body}");
        }
    }
    if let Some(line) = line_of_foreign_bytes(Format::Text, bytes) {
        let body = line.strip_suffix('\n').expect("a newline at the end");
        assert!(!body.contains(char::is_control), "{body:?}");
    }
});

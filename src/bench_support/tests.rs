//! The seeds of the fuzz targets: written by an ignored test, checked by the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::envelope::bound::BoundBlock;
use crate::envelope::flag;
use crate::value::{Redacted, Value, display};

const NAMES: [&str; 3] = ["user_id", "price", "symbol"];

/// What `line_of_foreign_bytes` reads: an entry and an envelope.
fn seed(entry: &[u8], envelope: &[u8]) -> Vec<u8> {
    let len = (entry.len() as u16).to_le_bytes();
    [&len, entry, envelope].concat()
}

fn no_entry<F: Fields>(fields: &F) -> Vec<u8> {
    seed(&[], &envelope(fields))
}

/// Envelopes of all shapes, by name.
fn seeds() -> BTreeMap<&'static str, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    seeds.insert("plain", no_entry(&()));
    seeds.insert("three", no_entry(&(&7_u64, (&1.25_f64, (&"ACME.NYS", ())))));
    let missing: Option<u8> = None;
    let wide = (&u128::MAX, (&i128::MIN, (&f32::NAN, (&true, (&'\u{df}', (&missing, ()))))));
    seeds.insert("scalars", no_entry(&wide));
    let v4: std::net::SocketAddr = ([127, 0, 0, 1], 80).into();
    let v6: std::net::IpAddr = [0_u16, 0, 0, 0, 0, 0, 0, 1].into();
    let now = std::time::UNIX_EPOCH + Duration::from_millis(1_795_210_380_123);
    let times = (&Duration::from_micros(1_250), (&now, (&v4, (&v6, (&Redacted("x"), ())))));
    seeds.insert("addresses_and_times", no_entry(&times));
    let lists = (&["a", "\u{2028}"], (&[1_i16, -2], (&[0xde_u8, 0xad], (&[1.5_f64], ()))));
    seeds.insert("lists", no_entry(&lists));
    let three = (&1_u8, (&2_u8, (&3_u8, ())));
    let nine = (&1_u8, (&2_u8, (&3_u8, (&4_u8, (&5_u8, (&6_u8, three))))));
    seeds.insert("nine_fields", no_entry(&nine));

    let scratch = Scratch::new();
    let mut bound = BoundBlock::default();
    bound.bind("request", &"r-17".encode(&scratch), 99);
    bound.bind("level", &3_u8.encode(&scratch), 99);
    let fields = (&7_u64, (&1.25_f64, (&display(&"q\"\n"), ())));
    let encoded = fields.encode(&scratch);
    let mut bytes = envelope_of(&encoded, flag::BOUND | flag::TRUNCATED);
    bytes.extend(bound.words().iter().flat_map(|word| word.to_le_bytes()));
    let template = "user {user_id:>5} {{paid}} {price:.1} for {symbol:?}";
    let entry = site(template, &NAMES).to_bytes();
    seeds.insert("bound_and_entry", seed(&entry, &bytes));
    seeds
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/envelope")
}

#[test]
#[ignore = "writes the seeds; run it when the envelope's layout changes"]
fn write_seeds() {
    std::fs::create_dir_all(folder()).expect("the folder");
    for (name, bytes) in seeds() {
        std::fs::write(folder().join(name), bytes).expect("a seed");
    }
}

#[test]
fn each_seed_has_a_line_of_json() {
    let mut checked = 0;
    for (name, bytes) in seeds() {
        let stored = std::fs::read(folder().join(name)).expect("run `write_seeds`");
        assert_eq!(stored, bytes, "{name} is stale: run `write_seeds`");
        let line = line_of_foreign_bytes(Format::Json, &bytes).expect(name);
        serde_json::from_str::<serde_json::Value>(&line).expect(&line);
        assert!(line_of_foreign_bytes(Format::Text, &bytes).is_some());
        checked += 1;
    }
    assert_eq!(checked, 7);
}

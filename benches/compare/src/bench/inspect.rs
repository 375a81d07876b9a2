//! Finds the workload's records in whatever shape a peer gave them: JSON with its fields anywhere,
//! or text with `key=value`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::order::Order;
use crate::output;
use crate::run::Verify;

const PRICE_TOLERANCE: f64 = 1e-6;

/// What a line says of a record.
struct Record {
    user_id: u64,
    price: f64,
    symbol: String,
    is_typed: bool,
}

impl Record {
    /// Whether this is what was logged under its number.
    fn is_as_logged(&self) -> bool {
        let logged = Order::number(self.user_id);
        (self.price - logged.price).abs() < PRICE_TOLERANCE && self.symbol == logged.symbol
    }
}

/// Looks for records `0..records` in the output.
pub fn inspect(dir: &Path, records: u64) -> Verify {
    let mut seen = vec![false; records as usize];
    let mut last = None;
    let mut found = Verify { records, is_ordered: true, ..Verify::default() };
    output::each_line(dir, |line| {
        let line = String::from_utf8_lossy(line);
        let object = serde_json::from_str::<Value>(&line).ok().filter(Value::is_object);
        found.lines += 1;
        found.json += u64::from(object.is_some());
        let Some(record) = object.as_ref().and_then(from_object).or_else(|| from_text(&line))
        else {
            return;
        };
        let is_first = seen
            .get_mut(record.user_id as usize)
            .is_some_and(|seen| !std::mem::replace(seen, true));
        let is_intact = is_first && record.is_as_logged();
        found.intact += u64::from(is_intact);
        found.typed += u64::from(is_intact && record.is_typed);
        found.is_ordered &= last.is_none_or(|last| last < record.user_id);
        last = Some(record.user_id);
        found.sample = line.into_owned();
    });
    found
}

/// The object that holds the fields: peers nest it under a name of their own.
fn holder(value: &Value) -> Option<&Map<String, Value>> {
    let object = value.as_object()?;
    if object.contains_key("user_id") {
        return Some(object);
    }
    object.values().find_map(holder)
}

fn from_object(value: &Value) -> Option<Record> {
    let fields = holder(value)?;
    let text = |key| match fields.get(key)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Some(Record {
        user_id: text("user_id")?.parse().ok()?,
        price: text("price")?.parse().ok()?,
        symbol: text("symbol")?,
        is_typed: fields["user_id"].is_number() && fields["price"].is_number(),
    })
}

fn from_text(line: &str) -> Option<Record> {
    let value = |key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split([' ', ',', '"', '}']).next()
    };
    Some(Record {
        user_id: value("user_id=")?.parse().ok()?,
        price: value("price=")?.parse().ok()?,
        symbol: value("symbol=")?.to_owned(),
        is_typed: false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn inspected(text: &str, records: u64) -> Verify {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("peer.log"), text).expect("a file");
        Verify { sample: String::new(), ..inspect(dir.path(), records) }
    }

    #[test]
    fn all_shapes_are_found_and_only_numbers_are_typed() {
        let lines = concat!(
            r#"{"user_id":0,"price":100.0,"symbol":"ACME.NYS"}"#,
            "\n",
            r#"{"kv":{"user_id":"1","price":"100.25","symbol":"ACME.NYS"}}"#,
            "\n",
            r#"{"message":"order accepted user_id=2 price=100.5 symbol=ACME.NYS"}"#,
            "\n",
            "INFO order accepted user_id=3 price=100.75 symbol=ACME.NYS\nstarted\n",
        );
        let expected = Verify {
            records: 4,
            lines: 5,
            json: 3,
            intact: 4,
            typed: 1,
            is_ordered: true,
            sample: String::new(),
        };
        assert_eq!(inspected(lines, 4), expected);
    }

    #[test]
    fn what_is_wrong_repeated_or_never_logged_is_not_intact() {
        let lines = "user_id=1 price=100.25 symbol=ACME.NYS\n\
                     user_id=1 price=100.25 symbol=ACME.NYS\n\
                     user_id=0 price=7 symbol=ACME.NYS\n\
                     user_id=9 price=102.25 symbol=ACME.NYS\n";
        let found = inspected(lines, 3);
        assert_eq!((found.lines, found.intact, found.is_ordered), (4, 1, false));
    }
}

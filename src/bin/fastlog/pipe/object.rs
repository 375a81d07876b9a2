//! A line that is a JSON object: which of its fields is the message, and which the level.

use fastlog::Level;
use serde_json::{Map, Value};

/// Where programs put the message: structlog `event`, pino and bunyan `msg`.
const MESSAGE_KEYS: [&str; 3] = ["message", "msg", "event"];
/// Where they put the level.
const LEVEL_KEYS: [&str; 3] = ["level", "severity", "levelname"];

/// What a line says.
#[derive(Debug)]
pub struct Object {
    /// Empty where there is none.
    pub message: String,
    pub level: Option<Level>,
    /// All others, in their order.
    pub fields: Map<String, Value>,
}

impl Object {
    /// The object that a line is; none if it is anything else. Of equal keys the last counts.
    pub fn parse(line: &[u8]) -> Option<Object> {
        if line.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return None;
        }
        let mut fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let message_key = MESSAGE_KEYS.iter().find(|key| fields.get(**key).is_some_and(is_text));
        let message = match message_key.and_then(|key| fields.shift_remove(*key)) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let level = LEVEL_KEYS.iter().find_map(|key| Some((*key, level(fields.get(*key)?)?)));
        if let Some((key, _)) = level {
            fields.shift_remove(key);
        }
        Some(Object { message, level: level.map(|(_, level)| level), fields })
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::String(_))
}

/// The level that a value names: by a word, or by a number as pino and bunyan use.
fn level(value: &Value) -> Option<Level> {
    match value {
        Value::String(word) => word.parse().ok(),
        Value::Number(number) => match number.as_u64()? {
            10 => Some(Level::TRACE),
            20 => Some(Level::DEBUG),
            30 => Some(Level::INFO),
            40 => Some(Level::WARN),
            50 => Some(Level::ERROR),
            60 => Some(Level::CRITICAL),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (String, Option<Level>, String) {
        let object = Object::parse(line.as_bytes()).expect(line);
        (object.message, object.level, Value::Object(object.fields).to_string())
    }

    #[test]
    fn message_and_level_are_found_and_taken_out() {
        let cases = [
            (
                r#"{"user_id": 1, "event": "in", "level": "info"}"#,
                "in",
                Some(Level::INFO),
                "user_id",
            ),
            (r#"{"level":60,"msg":"m","time":1}"#, "m", Some(Level::CRITICAL), "time"),
            (
                r#"{"levelname":"WARNING","message":"m","event":"e"}"#,
                "m",
                Some(Level::WARN),
                "event",
            ),
            (r#"{"level":"loud","severity":"Debug","msg":""}"#, "", Some(Level::DEBUG), "level"),
            (r#"{"message":7,"msg":"m","level":35}"#, "m", None, "message,level"),
            (r#"{"a":1,"msg":"x","msg":"y","b":2,"a":3}"#, "y", None, "a,b"),
            ("  {} ", "", None, ""),
        ];
        for (line, message, level, left) in cases {
            let object = Object::parse(line.as_bytes()).expect(line);
            assert_eq!((&*object.message, object.level), (message, level), "{line}");
            let keys: Vec<_> = object.fields.keys().map(String::as_str).collect();
            assert_eq!(keys.join(","), left, "{line}");
        }
        assert_eq!(parse(r#"{"a":1.50,"b":{"z":1,"y":-0}}"#).2, r#"{"a":1.50,"b":{"z":1,"y":-0}}"#);
    }

    #[test]
    fn other_lines_are_no_objects() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for line in ["", "text", "[{}]", "1", "{\"a\":NaN}", "{} {}", "{\"a\":1", "{'a':1}", &deep]
        {
            assert!(Object::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
    }
}

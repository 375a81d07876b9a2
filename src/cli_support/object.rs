//! Fields whose names are known only at run time: those of a JSON object. Runs on the thread that
//! reads the objects; allocates.

use serde_json::{Map, Number, Value as Json};

use crate::config::Redaction;
use crate::engine::Logger;
use crate::envelope::HEADER_GRANULES;
use crate::envelope::bound::BoundBlock;
use crate::value::{Encode, Hidden, REDACTED, Scratch, Text, Value};

/// Granules of the header and of the one tag, the message's.
const HEAD_GRANULES: usize = HEADER_GRANULES + 1;
/// What a block leaves of three quarters of a record. The last quarter is a callsite's that is not
/// in the dictionary: so even then there is room for the header and the beginning of a message.
const LEFT_GRANULES: usize = 32;

/// A logger with these fields, in their order and in place of those it has; none if a record of
/// them and of this message would have to be cut.
///
/// Integers up to 128 bits, texts, booleans and null travel as such. Other numbers, arrays and
/// objects travel as the JSON that they are, digit by digit. Values that the engine
/// [hides](crate::Config::redact) stay behind, those in objects in a value too.
pub fn with_fields(logger: &Logger, fields: &Map<String, Json>, message: &str) -> Option<Logger> {
    let record = logger.registry().limits.record_granules;
    let message = message.encode(&Scratch::new()).granules();
    let left = record.checked_sub(HEAD_GRANULES + message)?;
    let max = left.min((record * 3 / 4).saturating_sub(LEFT_GRANULES));
    let mut block = BoundBlock::default();
    let redaction = logger.registry().verdicts.redaction();
    let fits = fields.iter().all(|(key, value)| {
        if redaction.hides(key) {
            return block.push(key, &Hidden, max);
        }
        match shown(value, redaction) {
            Some(shown) => push(&mut block, key, &shown, max),
            None => push(&mut block, key, value, max),
        }
    });
    fits.then(|| logger.with_block(block))
}

/// The value without what is hidden in it; none if that is nothing.
fn shown(value: &Json, redaction: &Redaction) -> Option<Json> {
    match value {
        Json::Object(object) => {
            let mut shown_object = None;
            for (key, value) in object {
                let is_hidden = redaction.hides(key);
                let instead =
                    if is_hidden { Some(REDACTED.into()) } else { shown(value, redaction) };
                if let Some(instead) = instead {
                    shown_object.get_or_insert_with(|| object.clone())[key] = instead;
                }
            }
            shown_object.map(Json::Object)
        }
        Json::Array(values) => {
            let mut shown_values = None;
            for (at, value) in values.iter().enumerate() {
                if let Some(instead) = shown(value, redaction) {
                    shown_values.get_or_insert_with(|| values.clone())[at] = instead;
                }
            }
            shown_values.map(Json::Array)
        }
        _ => None,
    }
}

fn push(block: &mut BoundBlock, key: &str, value: &Json, max: usize) -> bool {
    let scratch = Scratch::new();
    match value {
        Json::Null => block.push(key, &None::<u8>.encode(&scratch), max),
        Json::Bool(value) => block.push(key, &value.encode(&scratch), max),
        Json::Number(number) => push_number(block, key, number, max),
        Json::String(text) => block.push(key, &text.encode(&scratch), max),
        Json::Array(_) | Json::Object(_) => block.push(key, &Text::json(&clean(value)), max),
    }
}

fn push_number(block: &mut BoundBlock, key: &str, number: &Number, max: usize) -> bool {
    let scratch = Scratch::new();
    let digits = number.to_string();
    // The integer 0 has no sign.
    let is_integer = digits != "-0";
    if let Some(value) = digits.parse::<u64>().ok().filter(|_| is_integer) {
        return block.push(key, &value.encode(&scratch), max);
    }
    if let Some(value) = digits.parse::<i64>().ok().filter(|_| is_integer) {
        return block.push(key, &value.encode(&scratch), max);
    }
    if let Ok(value) = digits.parse::<i128>() {
        if is_integer {
            return block.push(key, &value.encode(&scratch), max);
        }
    }
    block.push(key, &Text::json(&digits), max)
}

/// The value without space, in which every character is escaped that a line escapes. Outside its
/// strings JSON is ASCII without DEL, so that those which serde_json leaves stand in strings.
fn clean(value: &Json) -> String {
    let text = value.to_string();
    let is_raw = |char: char| matches!(char, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}');
    if !text.contains(is_raw) {
        return text;
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_raw(char) {
            clean.push_str(&format!("\\u{:04x}", char as u32));
        } else {
            clean.push(char);
        }
    }
    clean
}

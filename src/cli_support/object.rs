//! Fields whose names are known only at run time: those of a JSON object. Runs on the thread that
//! reads the objects; allocates.

use serde_json::{Map, Number, Value as Json};

use crate::engine::Logger;
use crate::envelope::HEADER_GRANULES;
use crate::envelope::bound::BoundBlock;
use crate::value::{Encode, Scratch, Text, Value};

/// Granules of the header and of the one tag, the message's.
const HEAD_GRANULES: usize = HEADER_GRANULES + 1;
/// What a block leaves of three quarters of a record. The last quarter is a callsite's that is not
/// in the dictionary: so even then there is room for the header and the beginning of a message.
const LEFT_GRANULES: usize = 32;

/// A logger with these fields, in their order and in place of those it has; none if a record of
/// them and of this message would have to be cut.
///
/// Integers up to 128 bits, texts, booleans and null travel as such. Other numbers, arrays and
/// objects travel as the JSON that they are, digit by digit.
pub fn with_fields(logger: &Logger, fields: &Map<String, Json>, message: &str) -> Option<Logger> {
    let record = logger.registry().limits.record_granules;
    let message = message.encode(&Scratch::new()).granules();
    let left = record.checked_sub(HEAD_GRANULES + message)?;
    let max = left.min((record * 3 / 4).saturating_sub(LEFT_GRANULES));
    let mut block = BoundBlock::default();
    let fits = fields.iter().all(|(key, value)| push(&mut block, key, value, max));
    fits.then(|| logger.with_block(block))
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

//! Templates. One that may be anything has a message, whatever its holes are; one that is made of a
//! text, a hole with a spec and a text has the message that `format!` makes.
#![no_main]

#[path = "../input.rs"]
mod input;

use fastlog::Format;
use fastlog::bench_support::{Lines, envelope};
use input::Input;
use libfuzzer_sys::fuzz_target;

const LINE_MAX: usize = 128 * 1024;
const NAMES: [&str; 3] = ["n", "x", "text"];

/// The message of a record with these fields.
fn message(template: &str, fields: (u64, f64, &str)) -> String {
    let envelope = envelope(&(&fields.0, (&fields.1, (&fields.2, ()))));
    let mut memory = vec![0; LINE_MAX];
    let len = Lines::new(Format::Json, template, &NAMES).line(&envelope, 0, &mut memory);
    let line = std::str::from_utf8(&memory[..len]).expect("a line is UTF-8");
    let body = line.strip_suffix('\n').expect("a line, and a newline at its end");
    let line: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    line["message"].as_str().expect("a message").to_owned()
}

/// `format!` with a spec of which each part is chosen at run time: pairs of the spec's text, without
/// width and precision, and what std makes of it.
macro_rules! spec {
    ($choice:expr, $value:expr, $width:expr; $($spec:literal)*) => {{
        let made = [$(($spec, format!(concat!("{:", $spec, "1$}"), $value, $width))),*];
        let (spec, expected) = &made[$choice % made.len()];
        (format!("{spec}{}", $width), expected.clone())
    }};
}

macro_rules! spec_with_precision {
    ($choice:expr, $value:expr, $width:expr, $precision:expr; $($spec:literal)*) => {{
        let (width, precision) = ($width, $precision);
        let made = [$(($spec, format!(concat!("{:", $spec, "1$.2$}"), $value, width, precision))),*];
        let (spec, expected) = &made[$choice % made.len()];
        (format!("{spec}{width}.{precision}"), expected.clone())
    }};
}

/// The text as a template shows it.
fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let (kind, choice) = (input.below(4), input.below(256));
    // Width 0 would read as a flag.
    let (width, precision) = (1 + input.below(255), input.below(255));
    let (n, x) = (input.u64(), f64::from_bits(input.u64()));
    let (text, before, after) = (input.text(), input.text(), input.text());
    let (name, (spec, expected)) = match kind {
        0 => ("n", spec!(choice, n, width; "" "<" "^" ">" "+" "0" "+0" "<+" "*^" "é>" "#" ">#")),
        1 => (
            "x",
            spec_with_precision!(choice, x, width, precision; "" "<" "^" ">" "+" "0" "+0" "*<"),
        ),
        2 => (
            "text",
            spec_with_precision!(choice, text, width, precision; "" "<" "^" ">" "\u{1f980}^"),
        ),
        _ => {
            // Whatever it is, there is a message.
            message(before, (n, x, text));
            return;
        }
    };
    let template = format!("{}{{{name}:{spec}}}{}", escaped(before), escaped(after));
    assert_eq!(
        message(&template, (n, x, text)),
        format!("{before}{expected}{after}"),
        "{template:?}"
    );
});

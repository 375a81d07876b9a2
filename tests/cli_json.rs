//! Promise: `fastlog pipe --json` keeps the fields of every line that is a JSON object, digit by digit
//! and nested as they were; any other line, and what does not fit a record, is there as text.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::all_lines;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

fn run(arguments: &[&str], input: &[u8]) -> (Output, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastlog"));
    command.args(["pipe", "--json", "--rotate", "never", "--dir"]).arg(dir.path()).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all is read");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    (output, dir)
}

/// The program's lines as they stand in the log.
fn log(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("pipe.jsonl")).expect("the log is UTF-8");
    let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!text.contains(bad), "a raw control character");
    let lines = text.lines().filter(|line| !line.contains(r#","target":"fastlog","#));
    lines.map(str::to_owned).collect()
}

fn records(dir: &Path) -> Vec<Value> {
    let lines = all_lines(&dir.join("pipe.jsonl"));
    lines.into_iter().filter(|line| line["target"] == "pipe").collect()
}

/// What follows the timestamp of a line.
fn rest(line: &str) -> &str {
    line.split_once(r#"Z","level":"#).expect("a timestamp").1
}

#[test]
fn secrets_are_hidden_wherever_they_stand() {
    let input = concat!(
        r#"{"msg":"in","user":{"name":"ann","Password":"hunter2","keys":[{"api-key":"hunter2"},7]},"#,
        r#""token":"hunter2","n":1.50}"#,
    );
    let (_, dir) = run(&[], input.as_bytes());
    let expected = concat!(
        r#""INFO","target":"pipe","message":"in","user":{"name":"ann","Password":"[redacted]","#,
        r#""keys":[{"api-key":"[redacted]"},7]},"token":"[redacted]","n":1.50}"#
    );
    assert_eq!(rest(&log(dir.path())[0]), expected);
    let (_, dir) = run(&["--show-secrets"], input.as_bytes());
    assert_eq!(rest(&log(dir.path())[0]).matches("hunter2").count(), 3);
}

#[test]
fn what_structlog_pino_and_bunyan_write_keeps_its_fields() {
    let input = concat!(
        r#"{"user_id": 1, "event": "signed in", "level": "info", "#,
        r#""timestamp": "2026-11-20T21:33:00.123456Z"}"#,
        "\r\n",
        r#"{"level":50,"time":1795210380123,"pid":7,"hostname":"h","msg":"failed","err":{"type":"#,
        r#""E","stack":"a\nb"}}"#,
        "\n",
        r#"{"levelname": "WARNING", "message": "late", "ratio": 1.50, "big": 123456789012345678901234567890, "ids": [1, 2.0, -0, 1e400]}"#,
    );
    let (_, dir) = run(&[], input.as_bytes());
    let lines = log(dir.path());
    let expected = [
        concat!(
            r#""INFO","target":"pipe","message":"signed in","user_id":1,"#,
            r#""fields.timestamp":"2026-11-20T21:33:00.123456Z"}"#
        ),
        concat!(
            r#""ERROR","target":"pipe","message":"failed","time":1795210380123,"pid":7,"#,
            r#""hostname":"h","err":{"type":"E","stack":"a\nb"}}"#
        ),
        concat!(
            r#""WARN","target":"pipe","message":"late","ratio":1.50,"#,
            r#""big":123456789012345678901234567890,"ids":[1,2.0,-0,1e+400]}"#
        ),
    ];
    let shown: Vec<_> = lines.iter().map(|line| rest(line)).collect();
    assert_eq!(shown, expected);
}

#[test]
fn any_other_line_is_a_message() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let lines: [&[u8]; 11] = [
        b"plain text",
        b"",
        b"[1,2]",
        b"\"text\"",
        b"{\"ratio\": NaN, \"event\": \"e\"}",
        b"{\"event\": \"torn",
        b"{\"event\": \"e\"} {\"event\": \"e\"}",
        b"{\"event\": \"\xff\"}",
        b"{\"event\": \"\\ud800\"}",
        b"{'event': 'python'}",
        b"{\"event\": \"a\x01b\"}",
    ];
    let mut input = lines.join(&b'\n');
    input.extend_from_slice(format!("\n{deep}\n{{}}").as_bytes());
    let (_, dir) = run(&["--level", "debug"], &input);
    let records = records(dir.path());
    for (line, record) in lines.iter().zip(&records) {
        assert_eq!(record["message"], *String::from_utf8_lossy(line), "{record}");
        assert_eq!(record.as_object().map(Map::len), Some(4), "{record}");
    }
    assert!(records.iter().all(|record| record["level"] == "DEBUG"));
    let (object, parts) = records[lines.len()..].split_last().expect("records");
    let whole: String = parts.iter().map(|part| part["message"].as_str().expect("text")).collect();
    assert_eq!(whole, deep);
    assert_eq!(object["message"], "");
}

#[test]
fn keys_are_whatever_they_are() {
    let input = concat!(
        r#"{"": 0, "target": 1, "fields.target": 2, "truncated": false, "message": {"a": [null]}, "#,
        r#""msg": "m", "level": "loud", "severity": 40, "part": 3, "more": 4, "#,
        "\"\\u001b[2J\": \"\\u009b\u{85}\u{2028}\", \"k\u{7f}\": {\"\u{9f}\": \"\u{2029}\"}, ",
        r#""twice": 1, "twice": 2}"#,
    );
    let (_, dir) = run(&[], input.as_bytes());
    let record = records(dir.path()).remove(0);
    let mut record = record.as_object().expect("an object").clone();
    record.remove("timestamp");
    let expected = json!({
        "level": "WARN", "target": "pipe", "message": "m", "": 0, "fields.target": 1,
        "fields.fields.target": 2, "fields.truncated": false, "fields.message": {"a": [null]},
        "fields.level": "loud", "part": 3, "more": 4, "\u{1b}[2J": "\u{9b}\u{85}\u{2028}",
        "k\u{7f}": {"\u{9f}": "\u{2029}"}, "twice": 2,
    });
    assert_eq!(Value::Object(record), expected);
    assert_eq!(log(dir.path()).len(), 1);
}

/// The records that one line made, which must hold all of its text.
fn parts_of(line: &str) -> Vec<Value> {
    let (_, dir) = run(&[], format!("{line}\nnext\n").as_bytes());
    let mut records = records(dir.path());
    assert_eq!(records.pop().expect("records")["message"], "next");
    assert!(records.iter().all(|record| record.get("truncated").is_none()), "nothing is cut");
    if records.len() > 1 {
        let texts = records.iter().map(|record| record["message"].as_str().expect("a text"));
        assert!(texts.collect::<String>() == line, "{} bytes", line.len());
        let numbers = records.iter().map(|record| record["part"].as_u64());
        assert!(numbers.eq((0..records.len() as u64).map(Some)));
    }
    records
}

#[test]
fn long_objects_are_whole_or_in_parts_but_never_cut() {
    let text = |key: &str, bytes: usize| {
        format!("{{\"level\":\"error\",{key:?}:{:?}}}", "x".repeat(bytes))
    };
    for bytes in [5_000, 20_000] {
        for key in ["message", "other"] {
            let parts = parts_of(&text(key, bytes));
            assert_eq!(parts.len(), 1, "{key} {bytes}");
            assert_eq!(parts[0][key].as_str().map(str::len), Some(bytes));
            assert_eq!(parts[0]["level"], "ERROR");
        }
    }
    // Escaped, a text of the source is longer than what it becomes.
    let escaped = format!("{{\"a\":\"{}\"}}", "\\u00e9".repeat(8_000));
    assert_eq!(parts_of(&escaped)[0]["a"], "\u{e9}".repeat(8_000));
    let list: Vec<usize> = (0..4_000).collect();
    assert_eq!(parts_of(&json!({"ids": list}).to_string())[0]["ids"], json!(list));
    for key in ["message", "other"] {
        let parts = parts_of(&text(key, 40_000));
        assert!(parts.len() > 8, "{} parts", parts.len());
        assert!(parts.iter().all(|part| part["level"] == "ERROR"), "the level is known");
    }
    // Fields take more room than their text, controls more than themselves in the line.
    let many: Map<_, _> = (0..3_000).map(|n| (n.to_string(), json!(n))).collect();
    assert!(parts_of(&Value::Object(many).to_string()).len() > 1);
    assert!(parts_of(&json!({"msg": "\u{1}".repeat(9_000)}).to_string()).len() > 1);
    let nested = json!({"a": "\\u00e9".repeat(1 << 18)}).to_string();
    let parts = parts_of(&nested);
    assert!(parts.len() > 300 && parts.iter().all(|part| part["level"] == "INFO"));
}

fn text() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        3 => prop::char::range('\0', '\u{a5}'),
        1 => prop::sample::select(vec!['"', '\\', '\u{2028}', '\u{2029}', '\u{10ffff}', '\u{202e}']),
        1 => any::<char>(),
    ];
    prop::collection::vec(char, 0..20).prop_map(String::from_iter)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "-?(0|[1-9][0-9]{0,45})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
            .prop_map(|text| serde_json::from_str(&text).expect("a number")),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let special = ["", "level", "message", "msg", "event", "timestamp", "fields.line", "truncated"];
    prop_oneof![text(), prop::sample::select(special.map(String::from).to_vec())]
}

/// The record that an object should become, but for its time.
fn expected(mut object: Map<String, Value>) -> Map<String, Value> {
    let mut record = Map::new();
    let message = ["message", "msg", "event"]
        .into_iter()
        .find(|key| object.get(*key).is_some_and(Value::is_string));
    let message = message.and_then(|key| object.shift_remove(key)).unwrap_or_else(|| "".into());
    let words = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
    let number = object.get("level").and_then(Value::as_u64).filter(|number| number % 10 == 0);
    let word = number.and_then(|number| words.get((number as usize / 10).wrapping_sub(1)));
    if word.is_some() {
        object.shift_remove("level");
    }
    record.insert("level".into(), (*word.unwrap_or(&"INFO")).into());
    record.insert("target".into(), "pipe".into());
    record.insert("message".into(), message);
    for (key, value) in object {
        let mut stem = &*key;
        while let Some(rest) = stem.strip_prefix("fields.") {
            stem = rest;
        }
        let reserved =
            ["timestamp", "level", "target", "message", "thread", "file", "line", "truncated"];
        let prefix = if reserved.contains(&stem) { "fields." } else { "" };
        record.insert(format!("{prefix}{key}"), value);
    }
    record
}

/// One run over many objects: a process for each would take minutes.
#[test]
fn any_object_comes_out_with_equal_fields_in_their_order() {
    let mut runner = TestRunner::default();
    let object = prop::collection::vec((key(), any_json()), 0..7);
    let with_level = (object, prop::option::of(Just(40)));
    let mut objects = Vec::new();
    let mut input = String::new();
    for _ in 0..3_000 {
        let (pairs, level) = with_level.new_tree(&mut runner).expect("an object").current();
        let mut object: Map<String, Value> = pairs.into_iter().collect();
        if let Some(level) = level {
            object.insert("level".to_owned(), json!(level));
        }
        let spaced = objects.len() % 2 == 0;
        let text = Value::Object(object.clone());
        // The long form has newlines, which in JSON are space as any other.
        let text = if spaced { format!("{text:#}").replace('\n', " ") } else { text.to_string() };
        input.push_str(&text);
        input.push_str(if objects.len() % 3 == 0 { "\r\n" } else { "\n" });
        objects.push(object);
    }
    let (_, dir) = run(&[], input.as_bytes());
    let records = records(dir.path());
    assert_eq!(records.len(), objects.len());
    for (record, object) in records.into_iter().zip(objects) {
        let Value::Object(mut record) = record else { panic!("no object") };
        record.shift_remove("timestamp");
        let expected = expected(object);
        assert!(record.keys().eq(expected.keys()), "{record:?}");
        assert_eq!(Value::Object(record), Value::Object(expected));
    }
}

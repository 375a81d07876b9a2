//! Promise [P5] [P6]: hostile values stay data. Whatever a field or a key holds, its line is valid
//! JSON that reads back as the same value; what is too long is cut at a character and says so; user
//! code that logs or panics while it renders hurts neither its neighbours nor its caller.
//!
//! Attacked with strings of control characters, quotes, separators and lone bytes, with extreme
//! numbers, with every type that has a `Value`; the oracles are serde_json, jiff and std.

// A hundred fields made by a macro of the test's own take more than the default of 128.
#![recursion_limit = "256"]

mod common;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::{NonZero, Saturating, Wrapping};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Log, drain};
use fastlog::value::{Rendered, Scratch};
use fastlog::{Level, Logger, Redacted, Value, chain, debug, display, fastlog};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// One record with one field `v`, as it reads back.
fn read_back(log: &mut Log, value: impl Value) -> Json {
    let logger = log.engine.logger();
    let mut line = log.line_of(|| fastlog!(logger: logger, INFO, "m", v = value));
    assert_eq!(line["truncated"], Json::Null, "{line}");
    line["v"].take()
}

/// `value => what serde_json reads`, each in a record of its own.
macro_rules! reads_back {
    ($log:expr; $($value:expr => $expected:tt;)+) => {$(
        assert_eq!(read_back($log, $value), json!($expected), "{}", stringify!($value));
    )+};
}

/// `value`s whose text is the JSON number.
macro_rules! reads_back_as_displayed {
    ($log:expr; $($value:expr,)+) => {$(
        assert_eq!(read_back($log, $value).to_string(), $value.to_string());
    )+};
}

#[test]
fn every_type_reads_back() {
    let mut log = Log::detached(|config| config);
    numbers(&mut log);
    texts(&mut log);
    times_and_addresses(&mut log);
    lists(&mut log);
    pointers(&mut log);
    wrappers(&mut log);
    backtraces(&mut log);
    drain(&log.engine);
}

fn numbers(log: &mut Log) {
    reads_back_as_displayed! { log;
        u8::MAX, u16::MAX, u32::MAX, u64::MAX, usize::MAX, u128::MAX, 0_u8, 0_u128,
        i8::MIN, i16::MIN, i32::MIN, i64::MIN, isize::MIN, i128::MIN, i128::MAX, -1_i128, -1_i8,
        NonZero::new(7_u8).expect("not 0"), NonZero::new(i128::MIN).expect("not 0"),
        Wrapping(u64::MAX), Saturating(-5_i16),
    }
    reads_back! { log;
        true => true;
        false => false;
        f64::NAN => null;
        f64::INFINITY => null;
        f32::NEG_INFINITY => null;
        Some(f32::NAN) => null;
    }
    // The shortest text of the f32, not that of the f64 next to it.
    assert_eq!(read_back(log, 0.1_f32).to_string(), "0.1");
    assert_eq!(read_back(log, -0.0_f64).to_string(), "-0.0");
}

fn texts(log: &mut Log) {
    let hostile = "\0\u{1b}[31m\"\\/\n\r\t\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{1f600}";
    let lone = OsStr::from_bytes(b"a\xff\xc3\x28\xed\xa0\x80z");
    let lossy = lone.to_string_lossy().into_owned();
    reads_back! { log;
        "" => "";
        hostile => hostile;
        hostile.to_owned() => hostile;
        Cow::Borrowed(hostile) => hostile;
        Arc::<str>::from(hostile) => hostile;
        'a' => "a";
        '"' => "\"";
        '\u{2028}' => "\u{2028}";
        char::MAX => (char::MAX);
        lone => lossy;
        lone.to_owned() => lossy;
        Path::new(lone) => lossy;
        PathBuf::from(lone) => lossy;
        OsString::new() => "";
        CString::new(*b"c\xffd").expect("no zero") => "c\u{fffd}d";
        c"text" => "text";
        Level::WARN => "WARN";
        format_args!("{}-{:?}", 1, "q") => "1-\"q\"";
    }
}

fn times_and_addresses(log: &mut Log) {
    let before = |seconds, nanos| UNIX_EPOCH - Duration::new(seconds, nanos);
    let v6 = Ipv6Addr::LOCALHOST;
    reads_back! { log;
        UNIX_EPOCH => "1970-01-01T00:00:00.000000000Z";
        before(0, 1) => "1969-12-31T23:59:59.999999999Z";
        before(86_400, 0) => "1969-12-31T00:00:00.000000000Z";
        Ipv4Addr::new(127, 0, 0, 1) => "127.0.0.1";
        IpAddr::from(v6) => "::1";
        SocketAddr::from(([10, 0, 0, 1], 80)) => "10.0.0.1:80";
        SocketAddrV6::new(v6, 443, 7, 9) => (SocketAddrV6::new(v6, 443, 7, 9).to_string());
    }
    // A year of five digits, which 64-bit nanoseconds cannot name, is a text as well.
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    for (duration, text) in [
        (Duration::ZERO, "0"),
        (Duration::from_millis(1250), "1.25"),
        (Duration::from_nanos(1), "0.000000001"),
        (Duration::MAX, "18446744073709551615.999999999"),
    ] {
        assert_eq!(read_back(log, duration).to_string(), text);
    }
    assert_eq!(read_back(log, far), json!("+036812-02-20T00:36:16.000000000Z"));
    #[cfg(feature = "uuid")]
    {
        let uuid = uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(read_back(log, uuid), json!("01234567-89ab-cdef-0123-456789abcdef"));
    }
}

fn lists(log: &mut Log) {
    reads_back! { log;
        [1_u16, 2, 3] => [1, 2, 3];
        vec![i64::MIN, 0] => [(i64::MIN), 0];
        [1.5_f64, f64::NAN, -0.25].as_slice() => [1.5, null, (-0.25)];
        [true, false] => [true, false];
        ['"', '\0'] => ["\"", "\0"];
        ["a\n", "", "\u{2028}"] => ["a\n", "", "\u{2028}"];
        vec![String::from("s")] => ["s"];
        [Cow::Borrowed("c")] => ["c"];
        Vec::<u64>::new() => [];
        Vec::<String>::new() => [];
        [0_u8, 15, 255] => "000fff";
        b"\0\n".as_slice() => "000a";
        Vec::<u8>::new() => "";
        Box::<[i8]>::from([-1]) => [(-1)];
    }
    assert_eq!(read_back(log, [u128::MAX])[0].to_string(), u128::MAX.to_string());
}

fn pointers(log: &mut Log) {
    let mut number = 5;
    reads_back! { log;
        &&&5 => 5;
        &mut number => 5;
        Box::new(5) => 5;
        Arc::new("shared") => "shared";
        Rc::<str>::from("counted") => "counted";
        Some("there") => "there";
        None::<&str> => null;
        Some(Some(1)) => 1;
        Some(None::<u8>) => null;
        &Some(Box::new([1, 2])) => [1, 2];
    }
}

/// An error with a source.
#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad \"port\"")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// A user's type that travels as a number.
struct Celsius(f64);

impl Value for Celsius {
    type Encoded<'a> = f64;

    fn encode<'a>(&'a self, _: &'a Scratch) -> f64 {
        self.0
    }
}

/// A user's type that travels as text.
struct Point(i32, i32);

impl Value for Point {
    type Encoded<'a> = Rendered<'a>;

    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Rendered<'a> {
        scratch.format(format_args!("{};\"{}\"", self.0, self.1))
    }
}

/// Must never be shown.
struct Secret;

impl fmt::Debug for Secret {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        unreachable!("the secret is rendered")
    }
}

fn wrappers(log: &mut Log) {
    let error = || Outer("x".parse::<u8>().expect_err("no number"));
    let whole = "bad \"port\": invalid digit found in string";
    let boxed: Box<dyn Error> = Box::new(error());
    let shared: Box<dyn Error + Send + Sync> = Box::new(error());
    let sent: Box<dyn Error + Send> = Box::new(error());
    reads_back! { log;
        display(&error()) => "bad \"port\"";
        display("\n") => "\n";
        debug("\n") => "\"\\n\"";
        debug(&[Some(1)]) => "[Some(1)]";
        chain(&error()) => whole;
        &boxed => whole;
        boxed => whole;
        sent => whole;
        shared => whole;
        &error() as &(dyn Error + 'static) => whole;
        std::io::Error::other(error()) => "bad \"port\": invalid digit found in string";
        Redacted(Secret) => "[redacted]";
        &Redacted("hunter2") => "[redacted]";
        Some(Redacted(1)) => "[redacted]";
        Celsius(21.5) => 21.5;
        Some(Celsius(f64::NAN)) => null;
        Point(1, -2) => "1;\"-2\"";
        &Some(Point(3, 4)) => "3;\"4\"";
    }
}

fn backtraces(log: &mut Log) {
    let backtrace = std::backtrace::Backtrace::force_capture();
    let whole = backtrace.to_string();
    let logger = log.engine.logger();
    let line = log.line_of(|| fastlog!(logger: logger, ERROR, "m", v = &backtrace, last = 1));
    let text = line["v"].as_str().expect("a text");
    assert!(!text.is_empty() && whole.starts_with(text), "{text}");
    assert_eq!(line["truncated"] == true, text.len() < whole.len());
    assert_eq!(line["last"], 1);
}

/// Text of the characters that formats trip over, among others.
fn hostile_text() -> impl Strategy<Value = String> {
    let nasty = prop_oneof![
        prop::char::range('\0', '\u{1f}'),
        prop::char::range('\u{7f}', '\u{9f}'),
        prop::sample::select(vec!['"', '\\', '/', '{', '}', '<', '\'', ',', ':']),
        prop::sample::select(vec!['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffd}', '\u{202e}']),
        prop::sample::select(vec!['a', 'é', '\u{1f600}', char::MAX]),
        any::<char>(),
    ];
    prop::collection::vec(nasty, 0..40).prop_map(|chars| chars.into_iter().collect())
}

/// Bytes near UTF-8: whole characters, halves of them, and others.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        hostile_text().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![&b"\xc3"[..], b"\xe2\x80", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
            .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// Any time that 64-bit nanoseconds can name, which jiff can too.
fn time() -> impl Strategy<Value = (SystemTime, String)> {
    any::<i64>().prop_map(|ns| {
        let distance = Duration::from_nanos(ns.unsigned_abs());
        let time = if ns < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
        let instant = jiff::Timestamp::from_nanosecond(ns.into()).expect("in jiff's range");
        (time, instant.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string())
    })
}

/// What the line must hold for a float, given its text there.
fn is_float(value: f64, read: &Json) -> bool {
    match read {
        Json::Null => !value.is_finite(),
        number => number.to_string().parse::<f64>().is_ok_and(|n| n.to_bits() == value.to_bits()),
    }
}

fn is_short_float(value: f32, read: &Json) -> bool {
    match read {
        Json::Null => !value.is_finite(),
        number => number.to_string().parse::<f32>().is_ok_and(|n| n.to_bits() == value.to_bits()),
    }
}

#[test]
fn any_values_read_back_from_the_default_engine() {
    let log = RefCell::new(Log::of_process(|config| config));
    let cases = RefCell::new(0);
    proptest!(|(
        text in hostile_text(), bytes in hostile_bytes(),
        (float, short) in (prop::num::f64::ANY, prop::num::f32::ANY),
        (signed, unsigned, small) in (any::<i128>(), any::<u128>(), any::<i64>()),
        (maybe, texts) in (any::<Option<bool>>(), prop::collection::vec(hostile_text(), 0..5)),
        floats in prop::collection::vec(prop::num::f64::ANY, 0..9),
        (char, (time, instant), wait) in (any::<char>(), time(), any::<Duration>()),
    )| {
        *cases.borrow_mut() += 1;
        let line = log.borrow_mut().line_of(|| {
            fastlog!(
                INFO, "<{text}|{signed}|{unsigned}|{char}|{maybe:?}>",
                text, path = OsStr::from_bytes(&bytes), float, short, signed, unsigned, small,
                maybe = maybe.map(u8::from), texts, floats, char, time, wait, shown = %text,
                hex = bytes
            );
        });
        prop_assert_eq!(&line["text"], &json!(text));
        prop_assert_eq!(&line["shown"], &json!(text));
        prop_assert_eq!(&line["path"], &json!(String::from_utf8_lossy(&bytes)));
        prop_assert!(is_float(float, &line["float"]), "{} {}", float, line["float"]);
        prop_assert!(is_short_float(short, &line["short"]), "{} {}", short, line["short"]);
        prop_assert_eq!(line["signed"].to_string(), signed.to_string());
        prop_assert_eq!(line["unsigned"].to_string(), unsigned.to_string());
        prop_assert_eq!(line["small"].as_i64(), Some(small));
        prop_assert_eq!(&line["maybe"], &json!(maybe.map(u8::from)));
        prop_assert_eq!(&line["texts"], &json!(texts));
        let read = line["floats"].as_array().expect("a list");
        prop_assert_eq!(read.len(), floats.len());
        prop_assert!(floats.iter().zip(read).all(|(float, read)| is_float(*float, read)));
        prop_assert_eq!(&line["char"], &json!(char));
        prop_assert_eq!(&line["time"], &json!(instant));
        let read = line["wait"].to_string();
        let (seconds, nanos) = read.split_once('.').unwrap_or((&read, ""));
        prop_assert_eq!(seconds, wait.as_secs().to_string());
        prop_assert_eq!(format!("{nanos:0<9}"), format!("{:09}", wait.subsec_nanos()));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(&line["hex"], &json!(hex));
        let maybe = maybe.map_or("null".to_owned(), |maybe| u8::from(maybe).to_string());
        let message = format!("<{text}|{signed}|{unsigned}|{char}|{maybe}>");
        prop_assert_eq!(&line["message"], &json!(message));
    });
    fastlog!(INFO, "outer", a = "a", v = %Logs { logger: None, depth: 2 }, z = %"z");
    check_nested(&log.borrow_mut().new_lines());
    let report = drain(&log.borrow().engine);
    assert!(report.written() >= *cases.borrow() && report.written() >= 256, "{report}");
}

/// Where a key goes: reserved ones, and what stands in their way, move one level down.
fn expected_key(key: &str) -> String {
    const RESERVED: [&str; 8] =
        ["timestamp", "level", "target", "message", "thread", "file", "line", "truncated"];
    let is_reserved = RESERVED.contains(&key.trim_start_matches("fields."));
    if is_reserved { format!("fields.{key}") } else { key.to_owned() }
}

#[test]
fn any_keys_read_back_and_none_twice() {
    let reserved = vec!["timestamp", "level", "message", "fields.level", "truncated", "target", ""];
    let key = prop_oneof![hostile_text(), prop::sample::select(reserved).prop_map(str::to_owned)];
    let log = RefCell::new(Log::detached(|config| config));
    let count = RefCell::new(0);
    proptest!(|(keys in prop::collection::vec(key, 0..8))| {
        let log = &mut *log.borrow_mut();
        let mut logger = log.engine.logger();
        for (value, key) in keys.iter().enumerate() {
            logger = logger.with(key, value);
        }
        let line = log.line_of(|| fastlog!(
            logger: logger, INFO, "m", "a\"b\\\u{1}" = "mine", level = "low", fields.level = "lower"
        ));
        let mut expected: BTreeMap<String, Json> = keys
            .iter()
            .enumerate()
            .map(|(value, key)| (expected_key(key), json!(value)))
            .collect();
        expected.insert("a\"b\\\u{1}".to_owned(), json!("mine"));
        expected.insert("fields.level".to_owned(), json!("low"));
        expected.insert("fields.fields.level".to_owned(), json!("lower"));
        let object = line.as_object().expect("an object");
        // `Log` has seen that no key is written twice.
        prop_assert_eq!(object.len(), 4 + expected.len(), "{}", line);
        for (key, value) in &expected {
            prop_assert_eq!(object.get(key), Some(value), "{} in {}", key, line);
        }
        prop_assert_eq!(&line["level"], &json!("INFO"));
        *count.borrow_mut() += 1;
    });
    let report = drain(&log.borrow().engine);
    assert_eq!(report.written(), *count.borrow());
}

/// The record caps that the tests of long values use, with a ring each.
const CAPS: [(usize, usize); 3] = [(1 << 10, 16 << 10), (16 << 10, 1 << 20), (32 << 10, 256 << 10)];

fn capped((record_bytes, ring_bytes): (usize, usize)) -> Log {
    Log::detached(|config| config.record_bytes(record_bytes).ring_bytes(ring_bytes))
}

/// Asserts that a field is a cut form of `whole`; says how long it is.
#[track_caller]
fn is_prefix(field: &Json, whole: &str) -> usize {
    let text = field.as_str().expect("a text");
    assert!(whole.starts_with(text), "{} bytes are no prefix", text.len());
    text.len()
}

#[test]
fn one_long_text_is_cut_and_its_neighbours_stay_whole() {
    for cap in CAPS {
        let mut log = capped(cap);
        let logger = log.engine.logger().with("bound", "b");
        // Characters of 4 bytes behind 0 to 3 others: no cut between granules falls on a boundary.
        for lead in ["", "a", "ab", "abc"] {
            let long = format!("{lead}{}", "\u{1f600}".repeat(20_000));
            let line = log.line_of(|| {
                fastlog!(
                    logger: logger, INFO, "{id} {name}", id = 42, long, name = "ann", pi = 3.5,
                    list = [1, 2], rendered = %7
                );
            });
            let len = is_prefix(&line["long"], &long);
            assert!((cap.0 - 256..cap.0).contains(&len), "{len} of {}", cap.0);
            assert_eq!(line["truncated"], true);
            assert_eq!(line["message"], "42 ann");
            let small = ["bound", "id", "name", "pi", "list", "rendered"].map(|key| &line[key]);
            let expected = json!(["b", 42, "ann", 3.5, [1, 2], "7"]);
            assert_eq!(json!(small), expected);
        }
        drain(&log.engine);
    }
}

#[test]
fn what_fits_the_cap_is_whole_and_what_does_not_is_cut_to_it() {
    let mut log = capped(CAPS[0]);
    let logger = log.engine.logger();
    let mut whole_max = 0;
    for len in 900..1_100 {
        let line = log.line_of(|| fastlog!(logger: logger, INFO, "m", text = "x".repeat(len)));
        let read = line["text"].as_str().expect("a text").len();
        if line["truncated"] == true {
            assert!(whole_max > 0 && len > whole_max, "{len} is cut");
            assert_eq!(read, whole_max);
        } else {
            assert_eq!(read, len);
            whole_max = len;
        }
    }
    assert!((960..1_024).contains(&whole_max), "{whole_max} bytes fit");
    drain(&log.engine);
}

/// A hundred fields of one value.
macro_rules! hundred {
    ($logger:expr, $value:expr; $($key:literal)+) => {
        fastlog!(logger: $logger, INFO, "m", $($key = $value),+)
    };
}

#[test]
fn a_hundred_long_texts_share_the_record() {
    for cap in CAPS {
        let mut log = capped(cap);
        let logger = log.engine.logger();
        let long = "\u{e9}\"".repeat(10_000);
        #[rustfmt::skip]
        let line = log.line_of(|| hundred!(logger, &long;
            "00" "01" "02" "03" "04" "05" "06" "07" "08" "09" "10" "11" "12" "13" "14" "15" "16"
            "17" "18" "19" "20" "21" "22" "23" "24" "25" "26" "27" "28" "29" "30" "31" "32" "33"
            "34" "35" "36" "37" "38" "39" "40" "41" "42" "43" "44" "45" "46" "47" "48" "49" "50"
            "51" "52" "53" "54" "55" "56" "57" "58" "59" "60" "61" "62" "63" "64" "65" "66" "67"
            "68" "69" "70" "71" "72" "73" "74" "75" "76" "77" "78" "79" "80" "81" "82" "83" "84"
            "85" "86" "87" "88" "89" "90" "91" "92" "93" "94" "95" "96" "97" "98" "99"
        ));
        assert_eq!(line["truncated"], true);
        let texts = (0..100).map(|key| &line[format!("{key:02}")]);
        let lens: Vec<usize> = texts.map(|text| is_prefix(text, &long)).collect();
        // Evenly: no text is a granule longer than another; together they use the record.
        let (least, most) = (lens.iter().min(), lens.iter().max());
        assert!(least.zip(most).is_some_and(|(least, most)| most - least <= 8), "{lens:?}");
        let used = lens.iter().sum::<usize>() + 100 * 4;
        assert!(used + 100 * 8 + 300 > cap.0 && used < cap.0, "{used} of {}", cap.0);
        drain(&log.engine);
    }
}

#[test]
fn long_lists_and_bytes_are_cut_to_whole_elements() {
    let mut log = capped(CAPS[0]);
    let logger = log.engine.logger();
    let (numbers, texts) = ((0..1_000_u32).collect::<Vec<_>>(), vec!["0123456789"; 1_000]);
    let bytes = vec![0xab_u8; 5_000];
    let line = log.line_of(|| fastlog!(logger: logger, INFO, "m", numbers, texts, bytes, n = 1));
    assert_eq!((&line["truncated"], &line["n"]), (&json!(true), &json!(1)));
    let read = line["numbers"].as_array().expect("a list");
    assert!(read.len() > 50 && read.iter().zip(&numbers).all(|(read, n)| *read == json!(n)));
    let read = line["texts"].as_array().expect("a list");
    let (last, whole) = read.split_last().expect("some texts");
    assert!(read.len() > 10 && whole.iter().all(|text| text == "0123456789"), "{line}");
    is_prefix(last, "0123456789");
    let read = line["bytes"].as_str().expect("hex");
    assert!(read.len() > 100 && read == "ab".repeat(read.len() / 2), "{line}");
    drain(&log.engine);
}

#[test]
fn a_message_longer_than_the_cap_is_cut_and_its_fields_stay_whole() {
    for cap in CAPS {
        let mut log = capped(cap);
        let logger = log.engine.logger();
        for part in ["\u{1f600}", "\u{1}", "\"", "x"] {
            let text = part.repeat(cap.0 / part.len() / 2);
            let line = log.line_of(|| fastlog!(logger: logger, INFO, "{text}{text}{text}", text));
            let whole = text.repeat(3);
            let len = is_prefix(&line["message"], &whole);
            assert!(len <= cap.0 && len % part.len() == 0, "{len} bytes of {part:?}");
            assert_eq!(line["text"], json!(text));
            assert_eq!(line["truncated"], true);
        }
        let line = log.line_of(|| fastlog!(logger: logger, INFO, "short"));
        assert_eq!(line["truncated"], Json::Null);
        drain(&log.engine);
    }
}

/// Logs while it is rendered, and lets what it logs do the same.
struct Logs<'l> {
    logger: Option<&'l Logger>,
    depth: u32,
}

impl fmt::Display for Logs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Logs { logger, depth } = *self;
        write!(f, "<{depth}")?;
        if let Some(less) = depth.checked_sub(1) {
            let inner = Logs { logger, depth: less };
            match logger {
                Some(logger) => {
                    fastlog!(logger: logger, INFO, "inner", a = "a", v = %inner, z = %"z");
                }
                None => fastlog!(INFO, "inner", a = "a", v = %inner, z = %"z"),
            }
        }
        write!(f, "{depth}>")
    }
}

/// What `Logs` of depth 2 leaves in a log: the innermost record first, each whole.
fn check_nested(lines: &[Json]) {
    let seen: Vec<_> = lines.iter().map(|line| (&line["a"], &line["v"], &line["z"])).collect();
    let expected = [json!("<00>"), json!("<11>"), json!("<22>")];
    let (a, z) = (json!("a"), json!("z"));
    let expected: Vec<_> = expected.iter().map(|v| (&a, v, &z)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_display_that_logs_commits_its_record_before_the_outer_one() {
    let mut log = Log::detached(|config| config);
    let logger = log.engine.logger();
    for _ in 0..100 {
        let logs = Logs { logger: Some(&logger), depth: 2 };
        fastlog!(logger: logger, INFO, "outer", a = "a", v = %logs, z = %"z");
        check_nested(&log.new_lines());
    }
    assert_eq!(drain(&log.engine).written(), 300);
}

/// Panics after it has written something and, if it has a logger, logged something.
struct Panics<'l>(Option<&'l Logger>);

impl fmt::Display for Panics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("before")?;
        if let Some(logger) = self.0 {
            fastlog!(logger: logger, INFO, "inner", v = %Panics(None), w = %"w");
        }
        panic!("on purpose")
    }
}

// [D14]
#[test]
fn a_display_that_panics_says_so_and_spares_its_neighbours() {
    let mut log = Log::detached(|config| config);
    let logger = log.engine.logger();
    for _ in 0..20 {
        let panics = Panics(Some(&logger));
        fastlog!(logger: logger, INFO, "{v} {b}", a = %1, v = %panics, b = %"b", c = ?"c", d = 4);
        let lines = log.new_lines();
        assert_eq!(lines.len(), 2);
        let fields = |line: &Json, keys: &[&str]| -> Vec<Json> {
            keys.iter().map(|key| line[key].clone()).collect()
        };
        assert_eq!(fields(&lines[0], &["v", "w"]), [json!("<panicked>"), json!("w")]);
        let expected = [json!("1"), json!("<panicked>"), json!("b"), json!("\"c\""), json!(4)];
        assert_eq!(fields(&lines[1], &["a", "v", "b", "c", "d"]), expected);
        assert_eq!(lines[1]["message"], "<panicked> b");
        assert_eq!(lines[1]["truncated"], Json::Null);
    }
    drain(&log.engine);
}

/// Writes a text in pieces, and does not care for errors.
struct Stubborn<'t>(&'t str, usize);

impl fmt::Display for Stubborn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(self.1.min(rest.len()));
            let _ = f.write_str(piece);
            rest = behind;
        }
        Ok(())
    }
}

#[test]
fn a_display_of_a_mebibyte_is_cut_to_a_prefix() {
    const LEN: usize = 1 << 20;
    for cap in CAPS {
        let mut log = capped(cap);
        let logger = log.engine.logger();
        let (smiles, mixed) = ("\u{1f600}".repeat(LEN / 4), "abc\u{1f600}d".repeat(LEN / 8));
        for value in [Stubborn(&smiles, LEN), Stubborn(&smiles, 4), Stubborn(&mixed, 8)] {
            let line = log.line_of(|| {
                fastlog!(logger: logger, INFO, "{a}", a = %1, v = %value, b = %"short", c = ?[2]);
            });
            let len = is_prefix(&line["v"], value.0);
            assert!(len > cap.0.min(12 << 10) - 256, "{len} of {}", cap.0);
            assert_eq!(line["truncated"], true);
            assert_eq!(json!([line["a"], line["b"], line["c"]]), json!(["1", "short", "[2]"]));
        }
        drain(&log.engine);
    }
}

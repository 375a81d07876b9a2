//! Holes with specs, against `format!` with the same spec.

use super::*;

/// The message that a hole makes.
#[track_caller]
fn message<V: Value>(template: &str, value: V) -> String {
    let line = json(template, &["v"], (&value, ()));
    parse(&line)["message"].as_str().expect("a message").to_owned()
}

/// Compares each spec's hole with std's, for the same value.
macro_rules! same_as_std {
    ($value:expr; $($spec:literal)*) => {$(
        let expected = format!(concat!("({:", $spec, "})"), $value);
        let shown = message(concat!("({v:", $spec, "})"), $value);
        prop_assert_eq!(shown, expected, "{}", $spec);
    )*};
}

macro_rules! integer_as_std {
    ($value:expr) => {
        same_as_std! { $value;
            "" "?" "#?" "+" "5" "<5" "^6" ">7" "*^44" "05" "+09" "<+09" "\"<9" "\n>9" "é^9"
            "x" "#x" "X" "#X" "b" "#b" "o" "#o" "#010x" "+#x" "#040b" "^#150b" "+#X" "+o" "08b"
            "e" "+e" ".3e" "+.2e" "12e" "012e" "+014.1e" "+b" "+#b" "+#o" "+x" "+X" ".2" "07?" "+?"
            "255" "0255b" "\u{202e}>22" "\\<30"
        }
    };
}

macro_rules! float_as_std {
    ($value:expr) => {
        same_as_std! { $value;
            "" "?" "+" "+?" ".0" ".1" ".2" ".17" "+.3" "9" "<9" "^9.1" ">12.2" "09" "+012.2" "*>30"
            ".3?" "08.1?" "+.3?" "#?" "e" ".2e" "+e" "+.1e" "012e" "^20e" "0" "#" "\"<40" "é^40.1"
            ".255" "255" "0255.9" "+020?" "20?"
        }
    };
}

proptest! {
    #[test]
    fn integers(a: u64, b: i64, c: u128, d: i128, small in -1000_i64..1000) {
        integer_as_std!(a);
        integer_as_std!(b);
        integer_as_std!(c);
        integer_as_std!(d);
        integer_as_std!(small);
    }

    #[test]
    fn floats(bits: u64, small: u32, plain in -1e6_f64..1e6, cents in -10_000_i32..10_000) {
        float_as_std!(f64::from_bits(bits));
        float_as_std!(f32::from_bits(small));
        float_as_std!(plain);
        float_as_std!(f64::from(cents) / 100.0);
        float_as_std!(f64::from(cents));
    }

    #[test]
    fn texts(text: String, lossless in "\\PC{0,12}", char: char) {
        for text in [text, lossless] {
            same_as_std! { &*text;
                "" "?" "5" "<9" "^9" ">9" "*^44" "09" "#?" "12?" ".0" ".1" ".3" "9.3" "\">12.4"
                "+" "é^30.9" "255"
            }
        }
        same_as_std! { char; "" "?" "5" "^7" ".0" "\">4" "é^6.1" "9?" }
    }

    #[test]
    fn durations_and_booleans(duration: Duration, flag: bool, whole in 0_u64..5000) {
        for duration in [duration, Duration::from_micros(whole), Duration::from_secs(whole)] {
            same_as_std! { duration; "?" "+?" ".1?" "+.2?" "20?" ">30.3?" "é^31?" }
            prop_assert_eq!(message("{v}", duration), format!("{duration:?}"));
        }
        same_as_std! { flag; "" "?" "7" ">7" ".2" "*^9" }
    }

    #[test]
    fn lists(
        floats in prop::collection::vec(any::<f64>(), 0..4),
        texts in prop::collection::vec(any::<String>(), 0..4),
        numbers in prop::collection::vec(any::<i64>(), 0..4),
    ) {
        same_as_std! { &floats; "?" ".1?" "+?" "8?" "08.2?" }
        same_as_std! { &texts; "?" }
        same_as_std! { &numbers; "?" "5?" "05?" "+?" }
    }
}

#[test]
fn floats_where_shortest_digits_are_hard() {
    let check = |value: f64| {
        assert_eq!(message("{v}", value), format!("{value}"));
        assert_eq!(message("{v}", value as f32), format!("{}", value as f32));
    };
    for exponent in -1074..1024 {
        let power = 2_f64.powi(exponent);
        let next = f64::from_bits(power.to_bits() + 1);
        [power, next, -power].into_iter().for_each(check);
    }
    for exponent in -30..30 {
        let power = 10_f64.powi(exponent);
        [power, power * 1.1, power * 0.999].into_iter().for_each(check);
    }
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, 5e-324]
        .into_iter()
        .for_each(check);
}

#[test]
fn non_finite_floats_take_specs_as_in_std() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(message("{v:08.2}", value), format!("{value:08.2}"));
        assert_eq!(message("{v:+9}", value), format!("{value:+9}"));
        assert_eq!(message("{v:*<+09}", value), format!("{value:*<+09}"));
    }
}

#[test]
fn values_that_std_does_not_print() {
    assert_eq!(message("{v}", None::<u8>), "null");
    assert_eq!(message("{v:>6}", None::<u8>), "  null");
    assert_eq!(message("{v:?}", Redacted(7)), "[redacted]");
    assert_eq!(message("{v:>5x}", [1_u8, 255]), " 01ff");
    assert_eq!(message("{v:x}", "text"), "text");
    assert_eq!(message("{v:x}", -1_i64), "ffffffffffffffff");
    assert_eq!(message("{v:x}", [17_u16, 255]), "[11, ff]");
    assert_eq!(message("{v:x}", 1.5), "1.5");
    assert_eq!(message("{v}", vec!["a\"", "b"]), r#"["a\"", "b"]"#);
    assert_eq!(message("{v:>10}|", std::net::Ipv4Addr::LOCALHOST), " 127.0.0.1|");
    assert_eq!(message("{v}", UNIX_EPOCH), "1970-01-01T00:00:00.000000000Z");
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert_eq!(message("{v}", far), "+036812-02-20T00:36:16.000000000Z");
    let lone = OsStr::from_bytes(b"a'\"\xe2\x80\xff");
    assert_eq!(message("{v}", lone), "a'\"\u{fffd}\u{fffd}");
    assert_eq!(message("{v:?}", lone), "\"a'\\\"\u{fffd}\u{fffd}\"");
    assert_eq!(message("{v:.4}", lone), "a'\"\u{fffd}");
}

use std::panic::catch_unwind;

use proptest::prelude::*;

use super::accept::is_surely_sound;
use super::*;

const NAMES: &[&str] = &["a", "latency_ms", "http.status", "type", "ключ"];

/// The sentence that refuses the template, if one does.
fn refusal(template: &str, names: &[&str]) -> Option<String> {
    catch_unwind(|| enforce(template, names))
        .err()
        .map(|payload| *payload.downcast::<String>().expect("a sentence"))
}

fn has_fault(template: &str, names: &[&str]) -> bool {
    let mut scanner = Scanner::new(template, names);
    loop {
        match scanner.next() {
            Token::Fault(..) => return true,
            Token::End => return false,
            Token::Text(_) | Token::Hole { .. } => {}
        }
    }
}

fn literal(text: &str) -> Piece {
    Piece::Literal(text.into())
}

fn hole(field: usize) -> Piece {
    Piece::Hole { field, spec: Spec::PLAIN }
}

fn parsed(template: &str) -> Vec<Piece> {
    Template::parse(template, NAMES).pieces().to_vec()
}

/// The spec of the one hole of `{:spec}`.
fn spec_of(spec: &str) -> Spec {
    let template = format!("{{:{spec}}}");
    assert_eq!(refusal(&template, NAMES), None, "{template}");
    match parsed(&template)[..] {
        [Piece::Hole { field: 0, spec }] => spec,
        ref other => panic!("{template} became {other:?}"),
    }
}

#[test]
fn text_escapes_and_holes() {
    assert_eq!(parsed(""), []);
    assert_eq!(parsed("plain"), [literal("plain")]);
    assert_eq!(parsed("a{{b}}c"), [literal("a{b}c")]);
    assert_eq!(parsed("{{{}}}"), [literal("{"), hole(0), literal("}")]);
    assert_eq!(parsed("{}{}"), [hole(0), hole(1)]);
    assert_eq!(parsed("{type}{a} {a}"), [hole(3), hole(0), literal(" "), hole(0)]);
    let wide = [literal("é"), hole(2), literal("ü"), hole(4)];
    assert_eq!(parsed("é{http.status}ü{ключ}"), wide);
}

#[test]
fn specs() {
    let plain = Spec::PLAIN;
    let cases = [
        ("", plain),
        ("8", Spec { width: Some(8), ..plain }),
        ("08.3", Spec { zero: true, width: Some(8), precision: Some(3), ..plain }),
        ("0", Spec { zero: true, ..plain }),
        ("<", Spec { align: Some(Align::Left), ..plain }),
        (">8.3", Spec { align: Some(Align::Right), width: Some(8), precision: Some(3), ..plain }),
        ("*^5", Spec { fill: '*', align: Some(Align::Centre), width: Some(5), ..plain }),
        ("<<5", Spec { fill: '<', align: Some(Align::Left), width: Some(5), ..plain }),
        (":>5", Spec { fill: ':', align: Some(Align::Right), width: Some(5), ..plain }),
        ("→>5", Spec { fill: '→', align: Some(Align::Right), width: Some(5), ..plain }),
        ("ж>5", Spec { fill: 'ж', align: Some(Align::Right), width: Some(5), ..plain }),
        ("🦀<255", Spec { fill: '🦀', align: Some(Align::Left), width: Some(255), ..plain }),
        ("+", Spec { sign: Sign::Always, ..plain }),
        ("#x", Spec { alternate: true, kind: Kind::LowerHex, ..plain }),
        ("#?", Spec { alternate: true, kind: Kind::Debug, ..plain }),
        ("X", Spec { kind: Kind::UpperHex, ..plain }),
        ("b", Spec { kind: Kind::Binary, ..plain }),
        ("o", Spec { kind: Kind::Octal, ..plain }),
        (".2e", Spec { precision: Some(2), kind: Kind::LowerExp, ..plain }),
        (
            "=^+#012.34x",
            Spec {
                fill: '=',
                align: Some(Align::Centre),
                sign: Sign::Always,
                alternate: true,
                zero: true,
                width: Some(12),
                precision: Some(34),
                kind: Kind::LowerHex,
            },
        ),
    ];
    for (text, spec) in cases {
        assert_eq!(spec_of(text), spec, "{text}");
    }
}

#[test]
fn what_is_refused_says_why_and_stays_text() {
    let cases = [
        (
            "x {latency} y",
            "the hole `{latency}` is no field of this record (locals are not \
          captured): add `latency` or `latency = ...` after the message",
        ),
        ("{0}", "the hole `{0}` names a field by number: write `{}` to take the fields in order"),
        ("{}{}{}{}{}{}", "the message has more `{}` than this call has fields (5)"),
        ("open { end", "the `{` at byte 5 of the message has no `}`"),
        ("open {a", "the `{` at byte 5 of the message has no `}`"),
        ("open {a {a}", "the `{` at byte 5 of the message has no `}`"),
        ("close } end", "the `}` at byte 6 of the message has no `{`"),
        ("{}{a}", "the hole `{a}` mixes holes by order `{}` with holes by name `{name}`"),
        ("{a}{}", "the hole `{}` mixes holes by order `{}` with holes by name `{name}`"),
        ("{a:q}", "`q` in the hole `{a:q}` is no format"),
        ("{a:.}", "`.` in the hole `{a:.}` is no format"),
        ("{a:w$}", "`w$` in the hole `{a:w$}` is no format"),
        ("{a:.*}", "`.*` in the hole `{a:.*}` is no format"),
        ("{a:5 }", "`5 ` in the hole `{a:5 }` is no format"),
        ("{a:256}", "`256` in the hole `{a:256}` has a width or precision above 255"),
        ("{a:.99999999}", "`.99999999` in the hole `{a:.99999999}` has a width or precision above"),
        ("{ a }", "the hole `{ a }` is no field"),
    ];
    for (template, sentence) in cases {
        let refused = refusal(template, NAMES).unwrap_or_else(|| panic!("{template} was accepted"));
        assert!(refused.starts_with(&format!("fastlog: {sentence}")), "{template}: {refused}");
        let valid = [hole(0), hole(1), hole(2), hole(3), hole(4)];
        let text: String = parsed(template)
            .into_iter()
            .filter(|piece| !valid.contains(piece))
            .map(|piece| match piece {
                Piece::Literal(text) => text.into_string(),
                Piece::Hole { .. } => panic!("{template} kept a hole that was refused"),
            })
            .collect();
        assert!(!text.is_empty() && template.contains(&text), "{template} became {text}");
    }
}

#[test]
fn keys_are_checked() {
    let twice = refusal("", &["a", "b", "a"]).expect("refused");
    assert!(twice.starts_with("fastlog: the field `a` is given twice"), "{twice}");
    let empty = refusal("", &["a", ""]).expect("refused");
    assert!(empty.starts_with("fastlog: a key is empty"), "{empty}");
    let names: Vec<String> = (0..256).map(|i| format!("field_{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(refusal("", &names[1..]), None);
    let many = refusal("", &names).expect("refused");
    assert!(many.starts_with("fastlog: this call has 256 fields, at most 255"), "{many}");
}

#[test]
fn static_text_has_a_limit() {
    let fits: &'static str = "x".repeat(16 * 1024 - 10).leak();
    let text = checked("target", fits, &["ab"], "f1");
    assert_eq!(
        (text.target, text.template.len(), text.names, text.file),
        ("target", fits.len(), &["ab"][..], "f1")
    );
    let refused = catch_unwind(|| checked("target", fits, &["abc"], "f1"));
    let sentence = *refused.expect_err("too long").downcast::<String>().expect("a sentence");
    assert!(sentence.contains("longer than 16384 bytes"), "{sentence}");
}

#[test]
fn a_long_hole_leaves_room_for_the_way_out() {
    let template = format!("{{{}}}", "ж".repeat(3000));
    let refused = refusal(&template, NAMES).expect("refused");
    assert!(refused.ends_with(" = ...` after the message"), "{refused}");
    assert!(refused.contains("ж...`"), "{refused}");
}

#[test]
fn keys_lose_their_raw_prefix() {
    assert_eq!(key("r#type"), "type");
    assert_eq!(key("rate"), "rate");
    const PARTS: &[&str] = &["r#fn", "name", "r#type"];
    const BYTES: [u8; joined_len(PARTS)] = join(PARTS);
    assert_eq!(joined_str(&BYTES), "fn.name.type");
}

/// Pieces of templates, so that braces meet often.
fn template() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("{}".to_owned()),
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("{a}".to_owned()),
        Just("{http.status:>8.3}".to_owned()),
        "\\{(a|type|nobody|)(:[жx0<^>+#]{0,3}[0-9]{0,3}(\\.[0-9]{0,2})?[?xXboeq]?)?\\}",
        "[ a-zé:.🦀]{0,3}",
        any::<String>(),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// The text that comes out if every hole shows `V`.
fn rendered(template: &str, names: &[&str]) -> String {
    let mut text = String::new();
    for piece in Template::parse(template, names).pieces() {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Hole { .. } => text.push('V'),
        }
    }
    text
}

/// All templates of up to six of these characters: what is accepted at first sight has no fault.
#[test]
fn nothing_wrong_is_accepted_at_first_sight() {
    const ALPHABET: [char; 8] = ['{', '}', ':', 'a', '.', '1', '?', ' '];
    // Any text may be a key.
    const HOSTILE: &[&str] = &["a:1", "a}", "a{", "a:?", "a}a", "{a", ":", "a.a"];
    let (mut templates, mut accepted) = (vec![String::new()], 0);
    for _ in 0..6 {
        let longer = |text: &String| ALPHABET.map(|c| format!("{text}{c}"));
        templates = templates.iter().flat_map(longer).collect();
        for template in &templates {
            for names in [&["a"], HOSTILE] {
                if is_surely_sound(template, names) {
                    accepted += 1;
                    assert!(!has_fault(template, names), "{template} with {names:?}");
                }
            }
        }
    }
    assert!(accepted > 10_000, "{accepted}");
}

/// What programs write.
#[test]
fn the_usual_is_accepted_at_first_sight() {
    for template in ["", "plain é", "{a} took {latency_ms:.1} ms", "{}{:?} {:02x}", "{{{a}}}"] {
        let is_rare = template.contains("02x");
        assert_eq!(is_surely_sound(template, NAMES), !is_rare, "{template}");
        assert!(!has_fault(template, NAMES), "{template}");
    }
}

proptest! {
    /// The checker accepts what the parser takes apart without a remainder, and nothing else.
    #[test]
    fn checker_and_parser_agree(template in template()) {
        let accepted = refusal(&template, NAMES).is_none();
        prop_assert_eq!(accepted, !has_fault(&template, NAMES));
        let pieces = parsed(&template);
        for pair in pieces.windows(2) {
            let literals = matches!(pair, [Piece::Literal(_), Piece::Literal(_)]);
            prop_assert!(!literals, "two literals in a row: {:?}", pair);
        }
        for piece in &pieces {
            match piece {
                Piece::Literal(text) => prop_assert!(!text.is_empty()),
                Piece::Hole { field, .. } => prop_assert!(*field < NAMES.len()),
            }
        }
    }

    /// Escaped text comes out as it went in.
    #[test]
    fn any_text_can_be_escaped(text in any::<String>()) {
        let template = text.replace('{', "{{").replace('}', "}}");
        prop_assert_eq!(refusal(&template, &[]), None);
        prop_assert_eq!(rendered(&template, &[]), text);
    }

    /// Without holes nothing but the braces changes; in any text, no more than the braces.
    #[test]
    fn nothing_is_lost(template in any::<String>()) {
        let kept = |text: &str| text.replace(['{', '}'], "");
        if Template::parse(&template, &[]).pieces().iter().all(|p| matches!(p, Piece::Literal(_))) {
            prop_assert_eq!(kept(&rendered(&template, &[])), kept(&template));
        }
    }
}

/// Literal text, escapes and plain holes come out as std's `format!` has them.
#[test]
fn std_reads_templates_the_same_way() {
    macro_rules! same_as_std {
        ($($template:literal),+ $(,)?) => {$(
            #[allow(clippy::useless_format)]
            let expected = format!($template, a = "V");
            assert_eq!(rendered($template, &["a"]), expected);
            assert_eq!(refusal($template, &["a"]), None);
        )+};
    }
    same_as_std!(
        "{a}",
        "{{{a}}}",
        "{{a}}{a}",
        "}}{{{a}",
        "{a}{a}",
        "{{}}{a}",
        "{{{{{a}}}}}",
        "é{a}🦀",
        "{a:?<1}",
        "{a:>1}",
        "{a:#<1}",
        "{a:ж^1}",
        "{a:.1}",
        "\u{0}{a}\n",
    );
}

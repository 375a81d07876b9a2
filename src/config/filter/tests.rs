use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Filter {
    Filter::parse(text, Level::INFO).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    Filter::parse(text, Level::INFO).unwrap_err().to_string()
}

#[test]
fn the_longest_target_at_a_border_wins() {
    let filter = parse("info,app=warn,app::db=debug,app::db::pool=off,http=trace");
    let least = [
        ("other", Some(Level::INFO)),
        ("", Some(Level::INFO)),
        ("app", Some(Level::WARN)),
        ("app::web", Some(Level::WARN)),
        ("app::dbx", Some(Level::WARN)),
        ("app::db", Some(Level::DEBUG)),
        ("app::db::query", Some(Level::DEBUG)),
        ("app::db::pool", None),
        ("app::db::pool::inner", None),
        ("apple", Some(Level::INFO)),
        ("app:", Some(Level::INFO)),
        ("http", Some(Level::TRACE)),
        ("my::http", Some(Level::INFO)),
    ];
    for (target, least) in least {
        for level in Level::ALL {
            let wanted = least.is_some_and(|least| level >= least);
            assert_eq!(filter.enabled(level, target), wanted, "{level} {target}");
        }
    }
}

#[test]
fn a_bare_level_takes_the_place_of_the_default() {
    assert_eq!(parse("").to_string(), "info");
    assert_eq!(parse("app=debug").to_string(), "info,app=debug");
    assert_eq!(parse("warn").to_string(), "warn");
    assert_eq!(parse("app=debug,OFF").to_string(), "off,app=debug");
    assert_eq!(parse("warn,error").to_string(), "error");
}

#[test]
fn reading_is_tolerant_of_case_space_and_empty_directives() {
    let filter = parse(" , Info ,\tapp::db = DEBUG,, noisy=Off ,app=fatal,app=Warning,");
    assert_eq!(filter.to_string(), "info,app=warn,app::db=debug,noisy=off");
}

#[test]
fn errors_name_the_directive_the_value_and_what_is_allowed() {
    const LEVELS: &str = "trace, debug, info, warn, error, critical or off";
    assert_eq!(
        refused("info, app::db ,x=y"),
        format!("the filter directive `app::db` is no level: use {LEVELS}, or `target=level`")
    );
    for (directive, level) in [("app=loud", "loud"), ("app=", ""), ("a=b=info", "b=info")] {
        assert_eq!(
            refused(directive),
            format!(
                "the filter directive `{directive}` has the unknown level `{level}`: use {LEVELS}"
            )
        );
    }
    let targets = [
        "",
        "::",
        "app::",
        "::app",
        "a::::b",
        "a:::b",
        "a:b",
        "app:",
        "r#",
        "a::r#",
        "a b",
        "a\u{7}b",
        "app[span]",
        "app[{id}]",
        "a/b",
        "a\\b",
        "app::*",
        "*",
        "\"app\"",
        "crate(a)",
        "<a>",
        "a#b",
        "a;b",
        "!app",
        "~a",
        "a\u{200b}",
        "@a",
        "a|b",
        "a+b",
        "$a",
        "%",
        "&a",
        "a?",
        "^a",
    ];
    for target in targets {
        let directive = format!("{target}=info");
        assert_eq!(
            refused(&directive),
            format!(
                "the filter directive `{}` has the target `{}`, which fits nothing: use parts \
                 joined by `::`, none empty, of letters, digits, `_`, `-` and `.`, as in \
                 `app::db=debug`",
                directive.escape_debug(),
                target.escape_debug()
            )
        );
    }
}

#[test]
fn a_hyphen_and_an_underscore_are_the_same() {
    let filter = parse("off,my-app=warn,my_app::in-ner=debug,a-b::c_d=info,a_b::c-d=error");
    assert_eq!(filter.to_string(), "off,a_b::c_d=error,my_app=warn,my_app::in_ner=debug");
    let least = [
        ("my_app", Some(Level::WARN)),
        ("my-app", Some(Level::WARN)),
        ("my_app::x", Some(Level::WARN)),
        ("my_app::in_ner::x", Some(Level::DEBUG)),
        ("my-app::in-ner", Some(Level::DEBUG)),
        ("a_b::c_d", Some(Level::ERROR)),
        ("my", None),
        ("myapp", None),
        ("my_app_x", None),
    ];
    for (target, least) in least {
        for level in Level::ALL {
            let wanted = least.is_some_and(|least| level >= least);
            assert_eq!(filter.enabled(level, target), wanted, "{level} {target}");
        }
    }
}

#[test]
fn any_path_of_modules_is_a_target() {
    for target in ["a", "_", "a1", "1", "a.b", "r#try::r#fn", "caf\u{e9}::\u{6570}", "a_b::c"] {
        let filter = parse(&format!("off,{target}=info"));
        assert!(filter.enabled(Level::INFO, &format!("{target}::x")), "{target}");
        assert!(!filter.enabled(Level::INFO, "other"), "{target}");
    }
}

#[test]
fn what_fits_nothing_is_told_beside_what_fits() {
    let (filter, unfit) =
        Filter::parse_fit("a[b]=info,app=debug,c/d=off", Level::INFO).expect("levels");
    assert_eq!(filter.to_string(), "info,app=debug");
    let unfit: Vec<_> = unfit.iter().map(ToString::to_string).collect();
    assert!(unfit.len() == 2 && unfit[0].contains("`a[b]`") && unfit[1].contains("`c/d`"));
    // What may mean anything is no filter at all.
    for text in ["a[b]=info,inof", "a[b]=info,app=inof"] {
        assert!(Filter::parse_fit(text, Level::INFO).is_err(), "{text}");
    }
}

/// Few letters, so that targets and prefixes meet.
fn target() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab_-]{1,2}|é", 1..5).prop_map(|parts| parts.join("::"))
}

fn least() -> impl Strategy<Value = Option<Level>> {
    proptest::option::of(proptest::sample::select(&Level::ALL[..]))
}

fn directives() -> impl Strategy<Value = Vec<(String, Option<Level>)>> {
    proptest::collection::vec((target(), least()), 0..12)
}

fn written(default: Option<Level>, directives: &[(String, Option<Level>)]) -> String {
    let word = |least: Option<Level>| least.map_or("off".to_owned(), |level| level.to_string());
    let listed = directives.iter().map(|(target, least)| format!("{target}={}", word(*least)));
    listed.chain([word(default)]).collect::<Vec<_>>().join(" , ")
}

/// Takes the last part off the target until a directive has exactly what is left.
fn oracle(
    default: Option<Level>,
    directives: &[(String, Option<Level>)],
    level: Level,
    target: &str,
) -> bool {
    let same = |target: &str| target.replace('-', "_");
    let ends = (0..=target.len()).rev().filter(|end| {
        *end == target.len()
            || target.as_bytes()[*end..].starts_with(b"::") && target.is_char_boundary(*end)
    });
    let least = ends
        .filter_map(|end| {
            directives.iter().rfind(|(prefix, _)| same(prefix) == same(&target[..end]))
        })
        .map(|(_, least)| *least)
        .next()
        .unwrap_or(default);
    least.is_some_and(|least| level >= least)
}

proptest! {
    #[test]
    fn what_is_displayed_reads_back_as_the_same_filter(
        default in least(), directives in directives(), other in least(),
    ) {
        let filter = parse(&written(default, &directives));
        let text = filter.to_string();
        let other = other.unwrap_or(Level::TRACE);
        prop_assert_eq!(&Filter::parse(&text, other).unwrap(), &filter);
        prop_assert_eq!(parse(&text).to_string(), text);
    }

    #[test]
    fn verdicts_agree_with_the_oracle(
        default in least(), directives in directives(), targets in
            proptest::collection::vec(target(), 1..20),
    ) {
        let filter = parse(&written(default, &directives));
        let named = directives.iter().map(|(target, _)| target);
        for target in targets.iter().chain(named) {
            for level in Level::ALL {
                let wanted = oracle(default, &directives, level, target);
                prop_assert_eq!(filter.enabled(level, target), wanted, "{} {}", level, target);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_and_never_worse(text in ".{0,80}|[a,=: off]{0,40}") {
        match Filter::parse(&text, Level::INFO) {
            Ok(filter) => prop_assert_eq!(parse(&filter.to_string()), filter),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
    }
}

//! Promise: the house rules hold. Modules import only from the layers below their own, so that the
//! engine's threads meet only where they are meant to; `unsafe` stays where a reason is written
//! down; files and functions stay short; dependencies stay few.
//!
//! Read textually from `src/`, so that a rule is broken by what is written, whatever is compiled.

// No common directory: this is a part of this test alone.
#[path = "layers/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::process::Command;

use source::{Line, Source};

/// The layers, lowest first.
const LAYERS: [&[&str]; 8] = [
    &["error", "primitive", "sys", "level"],
    &["value", "template"],
    &["ring", "envelope", "clock", "stats", "flush"],
    &["callsite", "arena", "segment", "format", "shared"],
    &["registry", "config", "preset", "report"],
    &["emit", "collector", "publish", "keep", "recover"],
    &["engine"],
    &[
        "macro_support",
        "macros",
        "facade",
        "bench_support",
        "cli_support",
        "bin",
        "simulation",
        "lib",
    ],
];

/// Imports within a layer, each with its reason.
const EXCEPTIONS: [(&str, &str, &str); 7] = [
    ("arena", "segment", "a dead arena's segments are found by their heads"),
    ("config", "preset", "a configuration starts from a preset's row"),
    ("preset", "config", "a row of the table is made of options"),
    ("registry", "config", "the filter and the overflow policy are options"),
    ("stats", "clock", "the statistics name the clock in use"),
    ("stats", "flush", "the statistics name the pressure"),
    ("sys", "primitive", "atomics come through it, also below"),
];

/// Where `unsafe` may stand, each with its reason; file or directory.
const UNSAFE: [(&str, &str); 16] = [
    ("callsite.rs", "links statics into a list that needs neither lock nor memory"),
    ("emit.rs", "writes claimed ring memory in place"),
    ("emit/announce.rs", "writes claimed ring memory in place"),
    ("emit/inside.rs", "follows the pointer to this thread's ring, or to nobody's"),
    ("emit/room.rs", "claims from this thread's ring"),
    ("emit/route.rs", "writes claimed ring memory in place"),
    (
        "emit/thread.rs",
        "keeps this thread's rings behind a pointer, without a destructor in the way",
    ),
    ("envelope/bound.rs", "lets the sealed encoders write into a vector"),
    ("envelope/encode.rs", "raw stores into the claim: 13.1 against 14.5 ns a call"),
    ("primitive/stepped.rs", "shows memory as words whose stores are watched, in unit tests"),
    ("publish/mod.rs", "reads the written part of a mapped segment"),
    ("ring/", "one memory for two threads; the protocol says who owns which granule"),
    ("segment/mapped.rs", "lends parts of a mapping that writer and publisher share"),
    ("segment/writer.rs", "takes the part of a mapping that nobody else writes"),
    ("sys/", "system calls, mappings, handlers"),
    ("value/", "values copy themselves into the claim, and render into one scratch"),
];

/// How many lines above an `unsafe` its reason may end.
const SAFETY_WITHIN: usize = 6;

const FILE_LINES_MAX: usize = 300;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
const CRATES_MAX: usize = 12;

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("`{module}` has no layer: give it one here and in the docs"))
}

/// The modules that a file names by `crate::` or by enough `super::`, with the line.
fn imports(source: &Source) -> BTreeSet<(usize, String)> {
    let tokens = source.tokens();
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|(_, token)| token == text);
    let path_follows = |at: usize| is(at, ":") && is(at + 1, ":");
    let mut imports = BTreeSet::new();
    for (start, (_, word)) in tokens.iter().enumerate() {
        let mut at = start + 1;
        match word.as_str() {
            // `$crate` is the way of macros to the root.
            "crate" if start == 0 || !is(start - 1, "$") => {}
            "super" if start < 2 || !is(start - 1, ":") => {
                let mut supers = 1;
                while path_follows(at) && is(at + 2, "super") {
                    supers += 1;
                    at += 3;
                }
                if supers < source.depth() {
                    continue;
                }
            }
            _ => continue,
        }
        if path_follows(at) {
            first_words(&tokens, at + 2, &mut imports);
        }
    }
    imports
}

/// The first words of a path, or of all paths between braces.
fn first_words(tokens: &[(usize, String)], at: usize, words: &mut BTreeSet<(usize, String)>) {
    if tokens[at].1 != "{" {
        words.insert(tokens[at].clone());
        return;
    }
    let (mut depth, mut is_first) = (0, true);
    for (line, token) in &tokens[at..] {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            "," if depth == 1 => {
                is_first = true;
                continue;
            }
            word if is_first => {
                words.insert((*line, word.to_owned()));
            }
            _ => {}
        }
        is_first = is_first && token == "{";
    }
}

#[test]
fn modules_import_from_lower_layers_only() {
    let mut wrong = Vec::new();
    let mut used: BTreeSet<&(&str, &str, &str)> = BTreeSet::new();
    let mut checked = 0;
    // The binary is a crate of its own, which sees of the library what programs see.
    for source in source::all().into_iter().filter(|source| source.module() != "bin") {
        for (line, import) in imports(&source) {
            let module = source.module();
            if module == import || module == "lib" {
                continue;
            }
            checked += 1;
            let exception =
                EXCEPTIONS.iter().find(|(from, to, _)| *from == module && *to == import);
            used.extend(exception);
            if layer(module) <= layer(&import) && exception.is_none() {
                wrong.push(format!("src/{}:{line} imports {import}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "against the layers:\n{}", wrong.join("\n"));
    assert!(checked > 200, "{checked} imports");
    assert_eq!(used.len(), EXCEPTIONS.len(), "an exception that nobody needs");
}

#[test]
fn the_threads_meet_only_where_they_are_meant_to() {
    const THREADS: [&str; 4] = ["emit", "collector", "publish", "keep"];
    assert!(
        EXCEPTIONS.iter().all(|(from, to, _)| !(THREADS.contains(from) && THREADS.contains(to)))
    );
    let layer_of_threads = layer(THREADS[0]);
    assert!(THREADS.iter().all(|thread| layer(thread) == layer_of_threads));
    let meet = ["ring", "registry", "arena", "segment", "flush"];
    assert!(meet.iter().all(|module| layer(module) < layer_of_threads));
    for source in source::all() {
        let is_pure = ["ring", "segment"].contains(&source.module());
        let knows = imports(&source).into_iter().map(|(_, module)| module);
        let knows: Vec<_> =
            knows.filter(|m| is_pure && ["envelope", "value"].contains(&&**m)).collect();
        assert!(knows.is_empty(), "src/{} moves bytes and knows of {knows:?}", source.path);
        if source.path.starts_with("flush/controller") {
            let system = source.tokens().into_iter().find(|(_, token)| token == "sys");
            assert_eq!(system, None, "the controller is a pure function");
        }
    }
}

/// Whether one of the comments above a line, no further than `within`, or on it, holds the text.
fn is_said_above(lines: &[Line], index: usize, within: usize, text: &str) -> bool {
    lines[index.saturating_sub(within)..=index].iter().any(|line| line.comment.contains(text))
}

#[test]
fn unsafe_stands_where_a_reason_is_written_down() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let mut checked = 0;
    for source in source::all() {
        for (index, line) in source.lines.iter().enumerate() {
            if !line.code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "unsafe") {
                continue;
            }
            checked += 1;
            let place = UNSAFE.iter().find(|(place, _)| source.path.starts_with(place));
            match place {
                Some((place, _)) => drop(used.insert(place)),
                None => {
                    wrong.push(format!("src/{}:{} may not be unsafe", source.path, line.number))
                }
            }
            if line.code.contains("unsafe extern") {
                continue; // A type.
            }
            let is_contract = line.code.contains("unsafe fn") || line.code.contains("unsafe trait");
            let (text, within) =
                if is_contract { ("# Safety", 12) } else { ("SAFETY:", SAFETY_WITHIN) };
            let is_inherited = is_contract && is_in_impl(&source.lines, index);
            if !is_inherited && !is_said_above(&source.lines, index, within, text) {
                wrong.push(format!("src/{}:{} lacks `{text}`", source.path, line.number));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used.len(), UNSAFE.len(), "an exemption that nobody needs: {used:?}");
    assert!(checked > 80, "{checked} uses of unsafe");
}

/// Whether the line stands in the `impl` of an unsafe trait, whose contract the trait states, or in
/// a function without an interface of its own to the module.
fn is_in_impl(lines: &[Line], index: usize) -> bool {
    let indent = |line: &Line| line.code.len() - line.code.trim_start().len();
    let own = indent(&lines[index]);
    let outer = lines[..index].iter().rev().find(|line| {
        !line.code.trim().is_empty() && indent(line) < own && line.code.trim_end().ends_with('{')
    });
    outer.is_some_and(|line| line.code.contains("unsafe impl"))
        || !lines[index].code.contains("pub")
            && !lines[index].code.contains("trait")
            && outer.is_some_and(|line| !line.code.contains("trait"))
}

#[test]
fn only_sys_speaks_to_the_system() {
    for source in source::all().iter().filter(|source| source.module() != "sys") {
        let named = source.tokens().into_iter().find(|(_, t)| ["libc", "rustix"].contains(&&**t));
        assert_eq!(named, None, "src/{} names a crate that `sys` is there for", source.path);
    }
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut wrong = Vec::new();
    let mut functions = 0;
    for source in source::all() {
        let path = &source.path;
        let count = source.code_lines().count();
        if count > FILE_LINES_MAX {
            wrong.push(format!("src/{path} has {count} lines of code"));
        }
        let wide = source.text.lines().enumerate().find(|(_, l)| l.chars().count() > COLUMNS_MAX);
        wrong.extend(wide.map(|(index, _)| format!("src/{path}:{} is wide", index + 1)));
        if !source.is_test() && !source.text.starts_with("//! ") {
            wrong.push(format!("src/{path} does not say what it is"));
        }
        for (index, line) in source.lines.iter().enumerate() {
            let mut words = line.code.split_whitespace();
            if !words.any(|word| word == "fn") {
                continue;
            }
            let open = source.lines[index..].iter().position(|l| l.code.contains(['{', ';']));
            let open = index + open.unwrap_or_default();
            if source.lines[open].code.contains(';') && !source.lines[open].code.contains('{') {
                continue;
            }
            functions += 1;
            let len = source::end_of_block(&source.lines, open) - index + 1;
            if len > FUNCTION_LINES_MAX {
                wrong.push(format!("src/{path}:{} is a function of {len} lines", line.number));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(functions > 500, "{functions} functions");
}

#[test]
fn every_ordering_names_its_partner() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for source in source::all() {
        let mut start = 0;
        for (index, line) in source.lines.iter().enumerate() {
            if line.code.split_whitespace().any(|word| word == "fn") {
                start = index;
            }
            let orderings = ["::Acquire", "::Release", "::AcqRel", "::SeqCst"];
            if !orderings.iter().any(|ordering| line.code.contains(ordering)) {
                continue;
            }
            checked += 1;
            let doc = source.lines[..start].iter().rposition(|line| line.comment.is_empty());
            // On the line, above it in the function, or in the function's documentation.
            let above = &source.lines[doc.unwrap_or(start)..=index];
            let names = ["airs with", "airs as", "rders", "efore", "a reader of the file"];
            if !above.iter().any(|line| names.iter().any(|name| line.comment.contains(name))) {
                wrong.push(format!("src/{}:{}: {}", source.path, line.number, line.code.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "whom do these pair with?\n{}", wrong.join("\n"));
    assert!(checked > 30, "{checked} orderings");
}

#[test]
fn nothing_is_left_for_later_and_no_host_is_named() {
    // In two parts, so that this file may be read as well.
    let unfinished =
        [["to", "do!("], ["unimple", "mented!("], ["db", "g!("], ["TO", "DO"], ["FIX", "ME"]];
    let unfinished = unfinished.map(|parts| parts.concat());
    // Where a formula or a format is explained.
    const HOSTS: [&str; 3] = ["graphics.stanford.edu", "howardhinnant.github.io", "no-color.org"];
    // It is about addresses, and has made up some.
    const MADE_UP: &str = "format/credentials.rs";
    for source in source::all() {
        for text in &unfinished {
            assert!(!source.text.contains(text), "src/{} has a `{text}`", source.path);
        }
        if source.path == MADE_UP {
            continue;
        }
        for address in source.text.split("://").skip(1) {
            let is_known = HOSTS.iter().any(|host| address.starts_with(host));
            let is_host = address.starts_with(|c: char| c.is_ascii_alphanumeric());
            assert!(is_known || !is_host, "src/{} names {address:.40}", source.path);
        }
    }
}

#[test]
fn dependencies_are_few() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--offline", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let crates: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("fastlog-engine") && crates.len() <= CRATES_MAX, "{crates:?}");
}

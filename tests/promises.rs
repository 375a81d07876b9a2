//! Promise: what the documents promise has a test. In the README each promise is a numbered row, in
//! `docs/durability.md`, `docs/format.md` and `docs/shipping.md` each sentence that promises
//! something ends with an id, such as `[S7]`. A comment of nothing but ids above a test, or the
//! first line of its file, says what is shown there. No id is without a test, no citation without
//! an id, and no sentence with a strong word (`never`, `always`, `exactly`) without an id.
//!
//! As Duvet does for RFCs, for the documents of this project.

// No common directory: this is a part of another test alone.
#[path = "promises/text.rs"]
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use text::{Id, Sentence, ids, ids_alone, sentences};

/// The documents, each with the letter of its ids.
const DOCUMENTS: [(&str, char); 3] =
    [("docs/durability.md", 'D'), ("docs/format.md", 'F'), ("docs/shipping.md", 'S')];

/// The letter of the README's promises: row 3 of the table is `[P3]`.
const README: (&str, char) = ("README.md", 'P');

/// Words with which a sentence promises something.
const STRONG: [&str; 3] = ["never", "always", "exactly"];

/// Sentences with a strong word that promise nothing of their own: where they begin, and why.
const NO_PROMISES: [(&str, &str); 0] = [];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All ids, each with where it stands. Panics where one stands twice or in the wrong document.
fn promised() -> BTreeMap<Id, String> {
    let mut promised = BTreeMap::new();
    let mut enter = |id: Id, letter: char, place: String| {
        assert_eq!(id.letter, letter, "{place}: the ids of this document begin with {letter}");
        if let Some(first) = promised.insert(id, place.clone()) {
            panic!("{place}: {id} stands in {first} already");
        }
    };
    for (document, letter) in DOCUMENTS {
        for Sentence { line, ids, .. } in sentences(&read(&root().join(document))) {
            ids.into_iter().for_each(|id| enter(id, letter, format!("{document}:{line}")));
        }
    }
    for (line, row) in read(&root().join(README.0)).lines().enumerate() {
        let number = row.strip_prefix("| ").and_then(|row| row.split(" | ").next()?.parse().ok());
        if let Some(number) = number.filter(|_| row.contains("| **")) {
            enter(Id { letter: README.1, number }, README.1, format!("README.md:{}", line + 1));
        }
    }
    promised
}

/// Files that hold tests: all of `tests/`, `src/` and `benches/`.
fn test_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs: Vec<PathBuf> = ["tests", "src"].map(|dir| root().join(dir)).into();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What the tests say they show, each with where. Panics where a citation stands above no test.
fn cited() -> BTreeMap<Id, Vec<String>> {
    let mut cited: BTreeMap<Id, Vec<String>> = BTreeMap::new();
    for path in test_files() {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let place = format!("{}:{}", path.display(), at + 1);
            let head = line.strip_prefix("//! Promise ").map(ids).unwrap_or_default();
            let above = ids_alone(line);
            if !above.is_empty() {
                assert!(is_above_test(&lines[at + 1..]), "{place}: no test stands below these ids");
            }
            for id in head.into_iter().chain(above) {
                cited.entry(id).or_default().push(place.clone());
            }
        }
    }
    cited
}

/// Whether the next line that is neither comment nor another attribute makes a test.
fn is_above_test(lines: &[&str]) -> bool {
    let mut below = lines.iter().map(|line| line.trim_start());
    let next = below.find(|line| !line.starts_with("//") && !line.starts_with("#[cfg"));
    next.is_some_and(|line| line.starts_with("#[test]"))
}

#[test]
fn each_promise_has_a_test_and_each_citation_a_promise() {
    let (promised, cited) = (promised(), cited());
    let untested: Vec<String> = promised
        .iter()
        .filter(|(id, _)| !cited.contains_key(id))
        .map(|(id, place)| format!("{id} of {place} is cited by no test"))
        .collect();
    let unknown: Vec<String> = cited
        .iter()
        .filter(|(id, _)| !promised.contains_key(id))
        .map(|(id, places)| format!("{id}, cited in {}, stands in no document", places.join(", ")))
        .collect();
    let wrong = [untested, unknown].concat();
    assert!(
        wrong.is_empty(),
        "{} of {} promises:\n{}",
        wrong.len(),
        promised.len(),
        wrong.join("\n")
    );
    for (document, letter) in DOCUMENTS.into_iter().chain([README]) {
        let count = promised.keys().filter(|id| id.letter == letter).count();
        assert!(count >= 8, "{document} has only {count} promises: are they still found?");
        println!("{document}: {count} promises, all of them cited");
    }
}

#[test]
fn what_sounds_like_a_promise_has_an_id() {
    let mut without = Vec::new();
    let mut used = BTreeSet::new();
    for (document, _) in DOCUMENTS {
        for Sentence { line, text, ids } in sentences(&read(&root().join(document))) {
            let sounds =
                text.split(|c: char| !c.is_alphanumeric()).any(|word| STRONG.contains(&word));
            let excused = NO_PROMISES.iter().position(|(start, _)| text.starts_with(start));
            used.extend(excused.filter(|_| ids.is_empty()));
            if sounds && ids.is_empty() && excused.is_none() {
                without.push(format!("{document}:{line}: {text}"));
            }
        }
    }
    assert!(without.is_empty(), "without an id:\n{}", without.join("\n"));
    assert_eq!(used.len(), NO_PROMISES.len(), "an excuse that nothing needs");
}

#[test]
fn tests_that_the_readme_names_exist_and_cite_their_row() {
    let cited = cited();
    let mut named = 0;
    for row in read(&root().join(README.0)).lines().filter(|row| row.contains("| **")) {
        let Some(number) =
            row.strip_prefix("| ").and_then(|row| row.split(" | ").next()?.parse().ok())
        else {
            continue;
        };
        let id = Id { letter: README.1, number };
        let words = row.split('`').filter(|word| word.ends_with(".rs"));
        for file in words {
            assert!(
                root().join(file).is_file(),
                "{id}: the README names {file}, which is not there"
            );
            let places = cited.get(&id).map(Vec::as_slice).unwrap_or_default();
            let cites = places.iter().any(|place| place.contains(&format!("/{file}:")));
            assert!(cites, "{id}: the README names {file}, which does not cite it");
            named += 1;
        }
    }
    assert!(named >= 20, "only {named} tests are named: are the rows still found?");
}

/// In the last cell of a row of `SECURITY.md`, the tests of each file that stand behind its name.
#[test]
fn each_promise_about_security_names_tests_that_are_there() {
    let document = read(&root().join("SECURITY.md"));
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.contains(".rs` "));
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for row in rows {
        let cell = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let mut text = String::new();
        for name in cell.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                text = read(&root().join(name));
                continue;
            }
            checked += 1;
            if !text.contains(&format!("fn {name}(")) {
                wrong.push(name);
            }
        }
    }
    assert!(wrong.is_empty(), "SECURITY.md names tests that are none: {wrong:?}");
    assert!(checked > 10, "{checked}");
}

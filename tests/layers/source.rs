//! Rust source as the checks see it: line by line, code apart from comments, the contents of
//! literals and the parts that are only compiled for tests left out.

use std::path::{Path, PathBuf};

/// A file below `src/`.
pub struct Source {
    /// Below `src/`, with `/`.
    pub path: String,
    pub text: String,
    pub lines: Vec<Line>,
}

/// A line of a file.
#[derive(Clone, Default)]
pub struct Line {
    pub number: usize,
    /// Without comments; literals are empty; nothing at all in tests.
    pub code: String,
    pub comment: String,
}

impl Source {
    /// The module right below the crate's root.
    pub fn module(&self) -> &str {
        let first = self.path.split('/').next().expect("a path");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules the file's own is below the root.
    pub fn depth(&self) -> usize {
        let path = self.path.strip_suffix("/mod.rs").unwrap_or(&self.path);
        if path == "lib.rs" { 0 } else { path.split('/').count() }
    }

    /// Whether the whole file is compiled for tests alone.
    pub fn is_test(&self) -> bool {
        let parts = || self.path.split('/');
        parts().any(|part| ["tests", "tests.rs", "loom_tests.rs", "rerun.rs"].contains(&part))
    }

    /// Lines with code on them.
    pub fn code_lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.code.trim().is_empty())
    }

    /// Identifiers and punctuation of the code, each with its line.
    pub fn tokens(&self) -> Vec<(usize, String)> {
        let mut tokens = Vec::new();
        for line in &self.lines {
            let mut word = String::new();
            for char in line.code.chars().chain([' ']) {
                if char.is_alphanumeric() || char == '_' {
                    word.push(char);
                    continue;
                }
                if !word.is_empty() {
                    tokens.push((line.number, std::mem::take(&mut word)));
                }
                if !char.is_whitespace() {
                    tokens.push((line.number, char.to_string()));
                }
            }
        }
        tokens
    }
}

/// All files of the library.
pub fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let sources: Vec<Source> = paths.iter().map(|path| read(&root, path)).collect();
    assert!(sources.len() > 50, "the source is found: {} files", sources.len());
    sources
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let text = std::fs::read_to_string(path).expect("UTF-8");
    let path = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8");
    let mut source = Source { path: path.to_owned(), lines: split(&text), text };
    if source.is_test() {
        source.lines.iter_mut().for_each(|line| line.code.clear());
    }
    blank_test_modules(&mut source.lines);
    source
}

/// Takes code and comments apart.
fn split(text: &str) -> Vec<Line> {
    let chars: Vec<char> = text.chars().collect();
    let mut lines = vec![Line { number: 1, ..Line::default() }];
    let mut at = 0;
    while at < chars.len() {
        let (end, kind) = piece(&chars, at);
        for (index, char) in chars[at..end].iter().enumerate() {
            let number = lines.len() + 1;
            let line = lines.last_mut().expect("one at least");
            match kind {
                _ if *char == '\n' => lines.push(Line { number, ..Line::default() }),
                Kind::Code => line.code.push(*char),
                Kind::Comment => line.comment.push(*char),
                // Its delimiters remain, so that what stood there is still an expression.
                Kind::Literal if index == 0 || at + index + 1 == end => line.code.push('"'),
                Kind::Literal => {}
            }
        }
        at = end;
    }
    lines
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The end of what starts at `at`, and what it is.
fn piece(chars: &[char], at: usize) -> (usize, Kind) {
    let rest = &chars[at..];
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    let find = |from: usize, wanted: &str| {
        let wanted: Vec<char> = wanted.chars().collect();
        let found = chars[from..].windows(wanted.len()).position(|window| *window == wanted[..]);
        found.map_or(chars.len(), |found| from + found + wanted.len())
    };
    if starts("//") {
        let end = find(at, "\n");
        return (if chars.get(end - 1) == Some(&'\n') { end - 1 } else { end }, Kind::Comment);
    }
    if starts("/*") {
        return (find(at + 2, "*/"), Kind::Comment);
    }
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let in_word = at > 0 && is_word(chars[at - 1]);
    let raw = rest.iter().skip(1).take_while(|char| **char == '#').count();
    if rest[0] == 'r' && rest.get(1 + raw) == Some(&'"') && (!in_word || chars[at - 1] == 'b') {
        return (find(at + 2 + raw, &format!("\"{}", "#".repeat(raw))), Kind::Literal);
    }
    if rest[0] == '"' {
        let mut end = at + 1;
        while end < chars.len() && chars[end] != '"' {
            end += if chars[end] == '\\' { 2 } else { 1 };
        }
        return ((end + 1).min(chars.len()), Kind::Literal);
    }
    // A character, not a lifetime.
    if rest[0] == '\'' && rest.get(1) == Some(&'\\') {
        return (find(at + 3, "'"), Kind::Literal);
    }
    if rest[0] == '\'' && rest.get(2) == Some(&'\'') {
        return (at + 3, Kind::Literal);
    }
    (at + 1, Kind::Code)
}

/// Empties the code of `#[cfg(test)] mod tests { ... }`.
fn blank_test_modules(lines: &mut [Line]) {
    let mut at = 0;
    while at < lines.len() {
        let is_test = lines[at].code.trim_start().starts_with("#[cfg(")
            && lines[at].code.contains("test")
            && !lines[at].code.contains("not(test");
        let module = (at + 1..lines.len().min(at + 3))
            .find(|next| lines[*next].code.trim_start().starts_with("mod "))
            .filter(|next| lines[*next].code.contains('{'));
        let Some(module) = module.filter(|_| is_test) else {
            at += 1;
            continue;
        };
        let end = end_of_block(lines, module);
        lines[at..=end].iter_mut().for_each(|line| line.code.clear());
        at = end + 1;
    }
}

/// The index of the line on which the block ends that begins on this line or a later one.
pub fn end_of_block(lines: &[Line], from: usize) -> usize {
    let mut depth = 0;
    for (index, line) in lines.iter().enumerate().skip(from) {
        for char in line.code.chars() {
            match char {
                '{' => depth += 1,
                '}' if depth == 1 => return index,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    lines.len() - 1
}

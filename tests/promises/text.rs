//! Sentences of a Markdown document, and the ids behind them.

use std::fmt;

/// What a promise is called by: `[S7]`. Numbers are never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub letter: char,
    pub number: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}{}]", self.letter, self.number)
    }
}

impl Id {
    /// What stands between the brackets.
    fn parse(text: &str) -> Option<Id> {
        let letter = text.chars().next().filter(char::is_ascii_uppercase)?;
        let digits = &text[1..];
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok())??;
        Some(Id { letter, number })
    }
}

/// A sentence, or the cell of a table.
#[derive(Debug)]
pub struct Sentence {
    /// On which line its paragraph begins.
    pub line: usize,
    pub text: String,
    pub ids: Vec<Id>,
}

/// All ids of a text.
pub fn ids(text: &str) -> Vec<Id> {
    let brackets = text.split('[').skip(1);
    brackets.filter_map(|rest| Id::parse(rest.split_once(']')?.0)).collect()
}

/// The ids of a comment that holds nothing else.
pub fn ids_alone(line: &str) -> Vec<Id> {
    let Some(comment) = line.trim().strip_prefix("// ") else { return Vec::new() };
    let found = ids(comment);
    let written: Vec<String> = found.iter().map(Id::to_string).collect();
    if written.join(" ") == comment { found } else { Vec::new() }
}

/// The sentences of a document, without its headings and its blocks of code.
pub fn sentences(document: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    let (mut paragraph, mut from, mut is_code) = (String::new(), 1, false);
    for (index, line) in document.lines().chain([""]).enumerate() {
        let text = line.trim();
        let is_fence = text.starts_with("```");
        let is_item = ["- ", "* ", "| ", "1. ", "2. ", "3. ", "4. "]
            .iter()
            .any(|mark| text.starts_with(mark));
        if text.is_empty() || is_fence || is_item || text.starts_with('#') {
            split(&std::mem::take(&mut paragraph), from, &mut found);
            from = index + 1;
        }
        is_code ^= is_fence;
        if !is_code && !is_fence && !text.starts_with('#') {
            paragraph.push_str(text);
            paragraph.push(' ');
        }
    }
    found
}

/// Splits a paragraph behind each full stop, or at the cells of a row; ids behind a stop belong to
/// the sentence before.
fn split(paragraph: &str, line: usize, found: &mut Vec<Sentence>) {
    let is_row = paragraph.starts_with("| ");
    let ends = if is_row { " | " } else { ". " };
    let mut parts: Vec<String> = Vec::new();
    for part in paragraph.split(ends) {
        let mut rest = part.trim_start();
        while let Some((id, behind)) = leading_id(rest) {
            if let Some(before) = parts.last_mut().filter(|_| !is_row) {
                before.push_str(&format!(" {id}"));
            }
            rest = behind;
        }
        parts.push(rest.to_owned());
    }
    for text in parts.into_iter().filter(|text| !text.trim().is_empty()) {
        found.push(Sentence { line, ids: ids(&text), text });
    }
}

fn leading_id(text: &str) -> Option<(Id, &str)> {
    let (id, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((Id::parse(id)?, rest.trim_start()))
}

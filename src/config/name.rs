//! What a log may be called, and the name that a program's log gets by itself.

use std::path::Path;

use super::file_names;
use crate::error::ConfigError;

const CHARS_MAX: usize = 64;
const NAMELESS: &str = "app";
/// Linux says so of an executable whose file an upgrade has replaced: the same program still.
const REPLACED: &str = " (deleted)";

/// Names become parts of file names, of lock files and of what shippers match against.
pub(super) fn check(name: &str) -> Result<(), ConfigError> {
    let long_enough = (1..=CHARS_MAX).contains(&name.len());
    let allowed = if !long_enough || !name.chars().all(is_allowed) || name.starts_with('.') {
        format!(
            "1 to {CHARS_MAX} letters of A-Z and a-z, digits, `.`, `_` or `-`, the first no dot"
        )
    } else if file_names::looks_rotated(name) || file_names::base_of_unclean(name).is_some() {
        // Retention of another log would take this one's file for one of its own.
        "a name that does not end as those of rotated or recovered files do".to_owned()
    } else {
        return Ok(());
    };
    Err(ConfigError::Value { option: "name", value: name.to_owned(), allowed })
}

/// The stem of the executable's file name, with `_` for what a name may not have.
pub(super) fn of_program(executable: Option<&Path>) -> String {
    let stem = executable.and_then(Path::file_stem).unwrap_or_default().to_string_lossy();
    let mut name: String = stem
        .trim_end_matches(REPLACED)
        .chars()
        .take(CHARS_MAX)
        .enumerate()
        .map(|(at, c)| if is_allowed(c) && (at, c) != (0, '.') { c } else { '_' })
        .collect();
    if name.is_empty() {
        name.push_str(NAMELESS);
    }
    name
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

//! Which records are wanted. Asked on the cold path, when a callsite's gate is computed, never per
//! record.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::FilterError;
use crate::level::Level;

const OFF: &str = "off";

/// Directives such as `info,app::db=debug,noisy=off`. Of the targets that a callsite's target
/// equals or continues with `::`, the longest decides; where there is none, the bare level does.
/// Of several directives for one target the last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    default: Threshold,
    targets: BTreeMap<String, Threshold>,
}

/// The least level that passes; [`None`] lets nothing pass.
type Threshold = Option<Level>;

impl Filter {
    /// Reads a list of directives; `default` holds where it has no bare level. Empty directives
    /// and white space around words are skipped.
    ///
    /// # Errors
    ///
    /// The first directive that is neither a level nor `target=level`.
    pub(crate) fn parse(text: &str, default: Level) -> Result<Filter, FilterError> {
        let mut filter = Filter { default: Some(default), targets: BTreeMap::new() };
        for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            match directive.split_once('=') {
                None => {
                    filter.default = threshold(directive).ok_or_else(|| {
                        FilterError::NotALevel { directive: directive.to_owned() }
                    })?;
                }
                Some((target, level)) => {
                    let (target, level) = (target.trim(), level.trim());
                    check_target(directive, target)?;
                    let threshold = threshold(level).ok_or_else(|| FilterError::UnknownLevel {
                        directive: directive.to_owned(),
                        level: level.to_owned(),
                    })?;
                    filter.targets.insert(target.to_owned(), threshold);
                }
            }
        }
        Ok(filter)
    }

    /// Whether a record of this level and target is wanted.
    pub(crate) fn enabled(&self, level: Level, target: &str) -> bool {
        let nearest = self
            .targets
            .iter()
            .filter(|(prefix, _)| covers(prefix, target))
            .max_by_key(|(prefix, _)| prefix.len());
        let threshold = nearest.map_or(self.default, |(_, threshold)| *threshold);
        threshold.is_some_and(|least| level >= least)
    }
}

impl fmt::Display for Filter {
    /// The bare level, then the targets in byte order: reads back as an equal filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&word(self.default))?;
        self.targets
            .iter()
            .try_for_each(|(target, threshold)| write!(f, ",{target}={}", word(*threshold)))
    }
}

fn threshold(text: &str) -> Option<Threshold> {
    if text.eq_ignore_ascii_case(OFF) { Some(None) } else { text.parse().ok().map(Some) }
}

fn word(threshold: Threshold) -> String {
    threshold.map_or_else(|| OFF.to_owned(), |level| level.as_str().to_ascii_lowercase())
}

fn check_target(directive: &str, target: &str) -> Result<(), FilterError> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if target.contains(odd) || target.split("::").any(str::is_empty) {
        let (directive, target) = (directive.to_owned(), target.to_owned());
        return Err(FilterError::BadTarget { directive, target });
    }
    Ok(())
}

fn covers(prefix: &str, target: &str) -> bool {
    target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests;

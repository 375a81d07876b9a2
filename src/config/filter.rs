//! Which records are wanted. Asked on the cold path, when a callsite's gate is computed, never per
//! record.

mod choice;

use std::collections::BTreeMap;
use std::fmt;

use crate::error::FilterError;
use crate::level::{CutOff, Level};

pub(crate) use self::choice::{FILTER_VARIABLE, Warning, choose};

const OFF: &str = "off";

/// What a module's path has before a name that is a keyword.
const RAW: &str = "r#";

/// Directives such as `info,app::db=debug,noisy=off`. Of the targets that a callsite's target
/// equals or continues with `::`, the longest decides; where there is none, the bare level does.
/// Of several directives for one target the last counts. `-` and `_` are the same: a crate's
/// package has the one where its modules have the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    default: Threshold,
    /// With `_` for `-`.
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
    /// The first directive that is neither a level nor `target=level`, or has a target that no
    /// module can have.
    pub(crate) fn parse(text: &str, default: Level) -> Result<Filter, FilterError> {
        let (filter, mut unfit) = Filter::parse_fit(text, default)?;
        if unfit.is_empty() { Ok(filter) } else { Err(unfit.swap_remove(0)) }
    }

    /// Reads those directives that can fit something; the others are errors beside the filter.
    ///
    /// # Errors
    ///
    /// The first directive that is neither a level nor `target=level`: nobody knows what it asks
    /// for, whereas one whose target cannot be changes nothing.
    pub(crate) fn parse_fit(
        text: &str,
        default: Level,
    ) -> Result<(Filter, Vec<FilterError>), FilterError> {
        let mut filter = Filter { default: Some(default), targets: BTreeMap::new() };
        let mut unfit = Vec::new();
        for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            let owned = || directive.to_owned();
            let Some((target, level)) = directive.split_once('=') else {
                let not_a_level = || FilterError::NotALevel { directive: owned() };
                filter.default = threshold(directive).ok_or_else(not_a_level)?;
                continue;
            };
            let (target, level) = (target.trim(), level.trim());
            let unknown = || FilterError::UnknownLevel { directive: owned(), level: level.into() };
            let threshold = threshold(level).ok_or_else(unknown)?;
            if can_be(target) {
                filter.targets.insert(normal(target), threshold);
            } else {
                unfit.push(FilterError::BadTarget { directive: owned(), target: target.into() });
            }
        }
        Ok((filter, unfit))
    }

    /// Whether a record of this level and target is wanted.
    pub(crate) fn enabled(&self, level: Level, target: &str) -> bool {
        let target = normal(target);
        let nearest = self
            .targets
            .iter()
            .filter(|(prefix, _)| covers(prefix, &target))
            .max_by_key(|(prefix, _)| prefix.len());
        let threshold = nearest.map_or(self.default, |(_, threshold)| *threshold);
        threshold.is_some_and(|least| level >= least)
    }

    /// What of it asks for calls that `cut_off` has left out of this build: the lowest level, and
    /// the directive.
    pub(crate) fn in_vain(&self, cut_off: CutOff) -> Option<(Level, String)> {
        let bare = self.default.map(|level| (level, word(self.default)));
        let targets = self.targets.iter();
        let targets = targets.filter_map(|(target, threshold)| {
            threshold.map(|level| (level, format!("{target}={}", word(*threshold))))
        });
        let lowest = bare.into_iter().chain(targets).min_by_key(|(level, _)| *level);
        lowest.filter(|(level, _)| cut_off.takes(*level))
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

/// Whether a target can be so: the path of a module, or what programs give instead.
fn can_be(target: &str) -> bool {
    let fits = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    target.split("::").all(|part| {
        let part = part.strip_prefix(RAW).unwrap_or(part);
        !part.is_empty() && part.chars().all(fits)
    })
}

/// The one form of targets that are the same.
fn normal(target: &str) -> String {
    target.replace('-', "_")
}

fn covers(prefix: &str, target: &str) -> bool {
    target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests;

//! What can be wrong with a configuration, before anything is started or touched.

use std::error::Error as StdError;
use std::fmt;

use super::Quoted;

/// An option has a value that it cannot have. Nothing was started or touched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The value is out of the option's range or has the wrong form.
    Value {
        /// The setter's name.
        option: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// Each value is good, but not together with the other.
    Conflict {
        /// The setter's name.
        option: &'static str,
        /// Its value.
        value: String,
        /// The setter that it does not go with.
        with: &'static str,
        /// That setter's value.
        other: String,
        /// What to do instead.
        instead: String,
    },
    /// The filter is not understood.
    Filter(FilterError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Value { option, value, allowed } => {
                write!(f, "the option `{option}` cannot be {}: use {allowed}", Quoted(value))
            }
            ConfigError::Conflict { option, value, with, other, instead } => write!(
                f,
                "the option `{option}` cannot be {} while `{with}` is {}: use {instead}",
                Quoted(value),
                Quoted(other)
            ),
            ConfigError::Filter(error) => error.fmt(f),
        }
    }
}

impl StdError for ConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            ConfigError::Filter(error) => Some(error),
            ConfigError::Value { .. } | ConfigError::Conflict { .. } => None,
        }
    }
}

impl From<FilterError> for ConfigError {
    fn from(error: FilterError) -> ConfigError {
        ConfigError::Filter(error)
    }
}

/// A filter such as `info,app::db=debug,noisy=off` is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// A directive without `=` is no level.
    NotALevel {
        /// The directive.
        directive: String,
    },
    /// What follows the `=` is no level.
    UnknownLevel {
        /// The directive.
        directive: String,
        /// What stands for its level.
        level: String,
    },
    /// What precedes the `=` cannot be a target: it is empty, has an empty part beside `::`, or has
    /// other characters than letters, digits, `_`, `-` and `.` in it.
    BadTarget {
        /// The directive.
        directive: String,
        /// What stands for its target.
        target: String,
    },
}

const FILTER_LEVELS: &str = "trace, debug, info, warn, error, critical or off";

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterError::NotALevel { directive } => write!(
                f,
                "the filter directive {} is no level: use {FILTER_LEVELS}, or `target=level`",
                Quoted(directive)
            ),
            FilterError::UnknownLevel { directive, level } => write!(
                f,
                "the filter directive {} has the unknown level {}: use {FILTER_LEVELS}",
                Quoted(directive),
                Quoted(level)
            ),
            FilterError::BadTarget { directive, target } => write!(
                f,
                "the filter directive {} has the target {}, which fits nothing: use parts joined \
                 by `::`, none empty, of letters, digits, `_`, `-` and `.`, as in `app::db=debug`",
                Quoted(directive),
                Quoted(target)
            ),
        }
    }
}

impl StdError for FilterError {}

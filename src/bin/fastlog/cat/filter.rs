//! Which records are printed.

use std::error::Error;
use std::time::SystemTime;

use fastlog::Level;
use regex::bytes::Regex;
use serde_json::Value;

use super::record::Record;
use crate::args::Cat;

/// All conditions; a record has to meet each.
pub struct Filter {
    level: Option<Level>,
    target: Option<String>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    grep: Option<Regex>,
    fields: Vec<(String, String)>,
}

impl Filter {
    /// # Errors
    /// The pattern is none.
    pub fn new(arguments: &Cat) -> Result<Filter, Box<dyn Error>> {
        let grep = match &arguments.grep {
            Some(pattern) => Some(Regex::new(pattern)?),
            None => None,
        };
        Ok(Filter {
            level: arguments.level,
            target: arguments.target.as_deref().map(normal),
            since: arguments.since.map(|instant| instant.0),
            until: arguments.until.map(|instant| instant.0),
            grep,
            fields: arguments
                .field
                .iter()
                .map(|field| (field.0.clone(), field.1.clone()))
                .collect(),
        })
    }

    /// Whether no time is asked for that there can be.
    pub fn is_never(&self) -> bool {
        self.since.zip(self.until).is_some_and(|(since, until)| since >= until)
    }

    /// Whether nothing is asked for.
    pub fn passes_all(&self) -> bool {
        let asks = self.level.is_some() || self.target.is_some() || !self.fields.is_empty();
        !(asks || self.since.is_some() || self.until.is_some() || self.grep.is_some())
    }

    /// Whether a record, which stood in the line as it is, is printed.
    pub fn passes(&self, record: &Record, line: &[u8]) -> bool {
        self.passes_level(record)
            && self.passes_target(record)
            && self.passes_time(record)
            && self.grep.as_ref().is_none_or(|pattern| pattern.is_match(line))
            && self.fields.iter().all(|(key, wanted)| {
                let shown = record.get(key).map(|value| match value {
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                });
                shown.as_deref() == Some(&**wanted)
            })
    }

    /// Whether a line that is no record is printed: it has neither level nor time nor fields.
    pub fn passes_foreign(&self, line: &[u8]) -> bool {
        let asks = self.level.is_some() || self.target.is_some() || !self.fields.is_empty();
        !(asks || self.since.is_some() || self.until.is_some())
            && self.grep.as_ref().is_none_or(|pattern| pattern.is_match(line))
    }

    fn passes_level(&self, record: &Record) -> bool {
        let Some(least) = self.level else { return true };
        record
            .text("level")
            .and_then(|level| level.parse().ok())
            .is_some_and(|is: Level| is >= least)
    }

    /// The target itself, and what continues it with `::`.
    fn passes_target(&self, record: &Record) -> bool {
        let Some(wanted) = &self.target else { return true };
        let target = record.text("target").map(normal);
        let rest = target.as_deref().and_then(|target| target.strip_prefix(&**wanted));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }

    fn passes_time(&self, record: &Record) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let time = record.text("timestamp").and_then(|text| humantime::parse_rfc3339(text).ok());
        time.is_some_and(|time| {
            self.since.is_none_or(|since| time >= since)
                && self.until.is_none_or(|until| time < until)
        })
    }
}

/// Targets that are the same for a filter of the engine: a package has `-` where its modules have
/// `_`.
fn normal(target: &str) -> String {
    target.replace('-', "_")
}
